//! `railhead restore --catalog-only`: a new catalog for a store that has lost its own.

use std::fmt::Write as _;

use railhead_backup::{Error, Found, LostImage, Only, Progress, Rebuilt, Snapshot, Vault};

use super::{lock, open_catalog, plan, rows};
use crate::commands::Context;
use crate::commands::backup::{Watch, lost_lines, size};
use crate::config::Config;
use crate::failure::{Exit, Failure, Result};
use crate::printer::{clean, fields, time};
use crate::site::open_store;

/// Lost images that a person sees; JSON has more.
const SHOWN: usize = 20;

/// Rebuilds the catalog of what the configuration names.
pub async fn run(
    context: &Context,
    config: &Config,
    vault: &Vault,
    snapshot: &Snapshot,
    trust_names: bool,
) -> Result<()> {
    let watch = Watch::new(context.printer, "looked at");
    let tell = |progress: &Progress| watch.tell(progress);
    let directory = lock(config)?;
    let (catalog, store) = (open_catalog(config).await?, open_store(config)?);
    let plan = plan(config, vault, snapshot, Only::default(), &tell);
    let rebuilt = railhead_backup::rebuild(&plan, &catalog, &store, trust_names).await;
    // What failed first is what there is to say.
    let closed = catalog.close().await;
    drop(directory);
    let rebuilt = rebuilt.map_err(|error| match error {
        Error::NotEmpty { .. } => Failure::of(Exit::Conflict, &error).hint(
            "move the old catalog aside first: catalog.sqlite and the files whose names begin so; or name an empty database",
        ),
        error => error.into(),
    })?;
    closed.map_err(|error| Failure::of(Exit::Failed, &error))?;
    context.printer.data(&rebuilt, || shown(&rebuilt))?;
    end(&rebuilt)
}

fn end(rebuilt: &Rebuilt) -> Result<()> {
    super::end(rebuilt.restored.lost.len())?;
    match rebuilt.damaged.len() {
        0 => Ok(()),
        count => Err(Failure::new(
            Exit::Damaged,
            format!("{count} blobs are whole neither in the store nor in the backup; the rest is there"),
        )
        .hint("push their images again, or set scrub.mirror or scrub.backup to where they are; `railhead verify --known` tells which images need them")),
    }
}

fn shown(rebuilt: &Rebuilt) -> String {
    let Rebuilt { restored, objects, bound, bound_bytes, damaged, found, wrong, unknown } = rebuilt;
    let mut all = rows(restored);
    all.push((
        "in the store",
        format!("{objects} objects; {bound} of {} are in the backup too", size(*bound_bytes)),
    ));
    all.push(("damaged", damaged.len().to_string()));
    all.push(("not known", found_words(found)));
    let mut text = fields(&all) + &lost_lines(&restored.lost);
    // Writing to a string cannot fail.
    for one in damaged {
        let _ = writeln!(
            text,
            "damaged: {} of {}: {}; {}",
            one.digest,
            size(one.size),
            one.found,
            clean(&one.why)
        );
    }
    for wrong in wrong {
        let _ = writeln!(text, "wrong: {}", clean(wrong));
    }
    for image in found.images.iter().take(SHOWN) {
        let _ = writeln!(text, "image: {}", image_words(image));
    }
    if found.configurations > SHOWN as u64 {
        let _ = writeln!(text, "image: … and {} more", found.configurations - SHOWN as u64);
    }
    for unknown in unknown {
        let _ = writeln!(text, "unknown: {unknown}");
    }
    text
}

fn found_words(found: &Found) -> String {
    let Found { objects, bytes, newer, configurations, layers, kept_in, .. } = found;
    match kept_in {
        None => "0 objects".to_owned(),
        Some(name) => format!(
            "{objects} objects of {}, {newer} of them written since; {configurations} look like an image's configuration and {layers} like layers; kept in {name}",
            size(*bytes)
        ),
    }
}

/// What a configuration tells of its image.
fn image_words(image: &LostImage) -> String {
    let LostImage { digest, written, created, platform, layers, labels } = image;
    let built = created.map_or_else(String::new, |created| format!(", built {}", time(created)));
    let labels = labels.iter().fold(String::new(), |mut text, (name, label)| {
        let short = name.rsplit_once("image.").map_or(name.as_str(), |(_, short)| short);
        // Writing to a string cannot fail.
        let _ = write!(text, ", {short} {label}");
        text
    });
    clean(&format!("{digest}, pushed {}, {platform}, {layers} layers{built}{labels}", time(*written)))
        .replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use railhead_backup::{Quarantined, Restored};
    use railhead_oci::Digest;

    use super::*;

    #[test]
    fn a_rebuild_tells_what_it_made_and_what_it_could_not_know() {
        let [gone, lost] = ["gone", "lost"].map(|text| Digest::sha256(text.as_bytes()));
        let at = |text: &str| text.parse().unwrap();
        let image = LostImage {
            digest: lost,
            written: at("2026-05-19T10:00:00Z"),
            created: Some(at("2026-05-19T09:58:00Z")),
            platform: "linux/amd64".to_owned(),
            layers: 3,
            labels: [(
                "org.opencontainers.image.source".to_owned(),
                "https://git.example.com/team\u{1b}[2J".to_owned(),
            )]
            .into(),
        };
        let restored = Restored {
            id: "000007-20260518T220000Z".to_owned(),
            owners: 3,
            repositories: 5,
            manifests: 40,
            tags: 21,
            blobs: 2,
            bytes: 4096,
            millis: 1500,
            ..Restored::default()
        };
        let found = Found {
            objects: 4,
            bytes: 1 << 20,
            newer: 3,
            configurations: 1,
            layers: 2,
            kept_in: Some("lost-and-found/objects".parse().unwrap()),
            images: vec![image],
        };
        let rebuilt = Rebuilt {
            restored,
            objects: 90,
            bound: 86,
            bound_bytes: 3 << 30,
            damaged: vec![Quarantined {
                digest: gone,
                size: 2048,
                found: "missing".to_owned(),
                why: "blobs/sha256/ab/x: it is missing".to_owned(),
            }],
            found,
            wrong: Vec::new(),
            unknown: vec![
                "tags moved or deleted since 2026-05-18T22:00:00Z: they name what they named then".to_owned(),
            ],
        };
        insta::assert_snapshot!(shown(&rebuilt));
        assert_eq!(end(&rebuilt).unwrap_err().exit, Exit::Damaged);
        end(&Rebuilt { damaged: Vec::new(), ..rebuilt }).unwrap();
    }
}
