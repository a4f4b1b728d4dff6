//! Where damaged blobs are healed from: what the configuration names, as sources of the scrub.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use railhead_backup::seal::Identity;
use railhead_backup::{Pieces, Vault};
use railhead_client::{Credentials, Download, Error, Http, Origin, Registry, Trust};
use railhead_oci::{Digest, RepositoryName};
use railhead_upkeep::scrub::{Content, Fetch, Settings, Source};
use secrecy::ExposeSecret as _;

use crate::config::{Config, Mirror as Named};
use crate::failure::{Exit, Failure, Result};

/// How long a mirror may take for an answer, or for the next piece of a blob.
const TIMEOUT: Duration = Duration::from_mins(1);

/// How this registry is scrubbed.
pub fn settings(config: &Config) -> Result<Settings> {
    let mut sources: Vec<Arc<dyn Source>> = Vec::new();
    if let Some(place) = &config.scrub.backup {
        sources.push(Arc::new(Backups::open(config, place)?));
    }
    if let Some(mirror) = &config.scrub.mirror {
        sources.push(Arc::new(Mirror::new(mirror)?));
    }
    Ok(Settings { round: config.scrub.round, most_per_second: config.scrub.most_per_second, sources })
}

/// The backups at a place.
#[derive(Debug)]
struct Backups(Vault);

impl Backups {
    fn open(config: &Config, place: &str) -> Result<Self> {
        let identities = match &config.scrub.backup_identity {
            Some(identity) => Identity::parse_file(identity.expose_secret())?,
            None => Vec::new(),
        };
        Ok(Self(crate::commands::backup::open(config, place)?.with_identities(identities)))
    }
}

impl Source for Backups {
    fn name(&self) -> String {
        format!("the backups at {}", self.0.place())
    }

    fn is_by_repository(&self) -> bool {
        false
    }

    fn open<'a>(
        &'a self,
        _repository: &'a RepositoryName,
        digest: &'a Digest,
        size: u64,
    ) -> Fetch<'a, Option<Box<dyn Content>>> {
        Box::pin(async move {
            let pieces = self.0.blob(digest, size).await?;
            Ok(pieces.map(|pieces| Box::new(Copied(pieces)) as Box<dyn Content>))
        })
    }
}

/// A blob on its way from a backup.
struct Copied(Box<dyn Pieces>);

impl Content for Copied {
    fn next(&mut self) -> Fetch<'_, Option<bytes::Bytes>> {
        Box::pin(async move { Ok(self.0.next().await?) })
    }
}

/// Another registry with the same repositories.
#[derive(Debug)]
struct Mirror {
    name: String,
    client: Registry,
}

impl Mirror {
    fn new(named: &Named) -> Result<Self> {
        let origin: Origin = named.url.parse().map_err(|error: railhead_client::OriginError| {
            Failure::new(Exit::Usage, "scrub.mirror cannot be used").because(&error)
        })?;
        if !origin.is_private() && named.login.is_some() {
            tracing::warn!(
                mirror = %origin,
                "the mirror is asked without TLS: everybody on the way can read the token"
            );
        }
        let trust = match &origin {
            Origin::Web { https: true, .. } => Some(Trust::system(named.ca.as_deref())?),
            _ => None,
        };
        let credentials = named.login.clone().map(|(user, secret)| Credentials { user, secret });
        let name = format!("the mirror {origin}");
        Ok(Self { name, client: Registry::new(Http::new(origin, trust, TIMEOUT), credentials) })
    }
}

impl Source for Mirror {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn open<'a>(
        &'a self,
        repository: &'a RepositoryName,
        digest: &'a Digest,
        _size: u64,
    ) -> Fetch<'a, Option<Box<dyn Content>>> {
        Box::pin(async move {
            match self.client.open_blob(repository, digest).await {
                Ok(download) => Ok(Some(Box::new(Pulled(download)) as Box<dyn Content>)),
                Err(Error::Unexpected { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
    }
}

/// A blob on its way from a mirror.
struct Pulled(Download);

impl Content for Pulled {
    fn next(&mut self) -> Fetch<'_, Option<bytes::Bytes>> {
        Box::pin(async move { Ok(self.0.next().await?) })
    }
}
