//! `railhead export`: images as one archive that nodes import.

use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use railhead_backup::{Exported, Images, Wanted};
use railhead_oci::{Reference, RepositoryName};

use super::Context;
use super::backup::{open_beside, size};
use super::operator::block_on;
use super::remote::Remote;
use crate::config::Config;
use crate::failure::{Exit, Failure, Result};

/// Write images as one tar archive, for nodes that cannot pull
#[derive(Debug, Args)]
pub struct Export {
    /// Images, as in team/app:1.2 or team/app@sha256:…
    #[arg(value_name = "OWNER/IMAGE[:TAG|@DIGEST]", required = true)]
    images: Vec<String>,
    /// Take them from the registry at this host
    #[arg(long, value_name = "HOST[:PORT]")]
    registry: Option<String>,
    /// How that registry is reached
    #[command(flatten)]
    remote: Remote,
    /// Name the images in the archive as if they were pulled from this host
    #[arg(long, value_name = "HOST[:PORT]")]
    host: Option<String>,
    /// Only this platform of each image, as in linux/arm64
    #[arg(long, value_name = "OS/ARCHITECTURE")]
    platform: Option<String>,
    /// Write to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Export {
    /// Runs it.
    pub fn run(self, context: &Context) -> Result<()> {
        if self.out.is_none() && std::io::stdout().is_terminal() {
            return Err(Failure::new(Exit::Usage, "the archive would be written to the terminal")
                .hint("send it elsewhere, as in `> images.tar`, or name a file with --out"));
        }
        block_on(self.start(context))?
    }

    async fn start(self, context: &Context) -> Result<()> {
        let config = context.config()?;
        let host = self.host(context, &config)?;
        let wanted =
            self.images.iter().map(|image| parse(image, host.as_deref())).collect::<Result<Vec<_>>>()?;
        let images = if let Some(registry) = &self.registry {
            Images::Registry(self.remote.client(context, registry)?)
        } else {
            let (catalog, store) = open_beside(&config).await?;
            Images::Data { catalog, store }
        };
        let platform = self.platform.as_deref();
        let exported = match &self.out {
            None => {
                railhead_backup::export(&images, &wanted, platform, BufWriter::new(std::io::stdout())).await?
            }
            Some(path) => to_file(path, &images, &wanted, platform).await?,
        };
        if let Images::Data { catalog, .. } = &images {
            catalog.close().await.map_err(|error| Failure::of(Exit::Failed, &error))?;
        }
        for (name, digest) in &exported.images {
            context.printer.note(&format!("{name} ({digest})"));
        }
        let Exported { manifests, blobs, bytes, .. } = &exported;
        context.printer.note(&format!("{manifests} manifests and {blobs} blobs, {}", size(*bytes)));
        Ok(())
    }

    /// The host that nodes know the images by.
    fn host(&self, context: &Context, config: &Config) -> Result<Option<String>> {
        let named = self.host.clone().or_else(|| self.registry.clone());
        let known = match named {
            Some(host) => Some(host),
            None => context.site()?.host.or_else(|| config.hosts.first().cloned()),
        };
        if known.is_none() {
            context.printer.warning(
                "no host is known, so the images are named without one; nodes look for HOST/OWNER/IMAGE: give --host",
            );
        }
        Ok(known)
    }
}

/// Writes a file that is there whole or not at all.
async fn to_file(
    path: &Path,
    images: &Images,
    wanted: &[Wanted],
    platform: Option<&str>,
) -> Result<Exported> {
    let failed = |error: &(dyn std::error::Error + 'static)| {
        Failure::new(Exit::Failed, format!("cannot write {}", path.display())).because(error)
    };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unfinished = tempfile::NamedTempFile::new_in(directory).map_err(|error| failed(&error))?;
    let mut out = BufWriter::new(unfinished.as_file().try_clone().map_err(|error| failed(&error))?);
    let exported = railhead_backup::export(images, wanted, platform, &mut out).await?;
    let file: &File = unfinished.as_file();
    out.flush().and_then(|()| file.sync_all()).map_err(|error| failed(&error))?;
    drop(out);
    unfinished.persist(path).map_err(|error| failed(&error.error))?;
    Ok(exported)
}

/// `OWNER/IMAGE[:TAG|@DIGEST]`; a host before it is a mistake that is easily made.
fn parse(text: &str, host: Option<&str>) -> Result<Wanted> {
    let wrong = |what: String| {
        Failure::new(Exit::Usage, format!("'{text}' is no image: {what}"))
            .hint("write OWNER/IMAGE:TAG; the host goes into --registry, or with images of the data directory into --host")
    };
    let (name, reference) = match text.split_once('@') {
        Some((name, digest)) => (name, digest.to_owned()),
        None => match text.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag.to_owned()),
            _ => (text, "latest".to_owned()),
        },
    };
    let repository: RepositoryName =
        name.parse().map_err(|error: railhead_oci::NameError| wrong(error.to_string()))?;
    let reference: Reference =
        reference.parse().map_err(|error: railhead_oci::ReferenceError| wrong(error.to_string()))?;
    let name = host.map_or_else(|| repository.to_string(), |host| format!("{host}/{repository}"));
    Ok(Wanted { name, repository, reference })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_written_as_everywhere() {
        let parsed = |text: &str| {
            let wanted = parse(text, Some("git.example.com")).unwrap();
            (wanted.name, wanted.reference.to_string())
        };
        assert_eq!(parsed("team/app:1.2"), ("git.example.com/team/app".into(), "1.2".into()));
        assert_eq!(parsed("team/a/b").1, "latest");
        let digest = format!("sha256:{}", "0".repeat(64));
        assert_eq!(parsed(&format!("team/app@{digest}")).1, digest);
        assert!(parse("git.example.com:5000/team/app:1", None).is_err());
        assert!(parse("app", None).is_err());
    }
}
