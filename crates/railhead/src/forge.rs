//! The forge that the configuration names, ready to be asked.

use std::time::Duration;

use railhead_client::{Http, Origin, Trust};
use railhead_forge::{Forge, Settings, Unavailable, system_now};

use crate::config::Config;
use crate::failure::{Exit, Failure, Result};

/// How long one question to the forge may take: a client waits for it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The forge whose accounts count here, if one's do.
pub fn open(config: &Config) -> Result<Option<Forge>> {
    let Some(named) = &config.forge else { return Ok(None) };
    let origin: Origin = named.url.parse().map_err(|error: railhead_client::OriginError| {
        Failure::new(Exit::Usage, "forge.url cannot be used").because(&error)
    })?;
    let trust = match &origin {
        Origin::Web { https: true, .. } => Some(Trust::system(named.ca.as_deref())?),
        _ => None,
    };
    Ok(Some(Forge::new(Settings {
        kind: named.kind,
        http: Http::new(origin, trust, TIMEOUT),
        token: named.token.clone(),
        cache: named.cache,
        stale: named.stale,
        timeout: TIMEOUT,
        now: system_now,
    })))
}

/// Says in the log what answers at the forge's address, so that a wrong one is found at once. A forge that is down is no
/// reason not to start.
pub async fn greet(forge: Forge, url: String) {
    if url.parse::<Origin>().is_ok_and(|origin| !origin.is_private()) {
        tracing::warn!(
            forge = url,
            "the forge is asked without TLS: everybody on the way can read passwords and tokens"
        );
    }
    // At the forge's own host its pages may be reached and its registry not.
    let found = async { Ok::<_, Unavailable>((forge.version().await?, forge.has_packages().await?)) };
    match found.await {
        Ok((version, packages)) => {
            let links = forge.has_operator_token();
            tracing::info!(forge = url, kind = %forge.kind(), version, packages, links, "accounts are those of the forge");
        }
        Err(error) => {
            tracing::warn!(forge = url, error = %error, "the forge does not answer as Gitea or Forgejo; nobody can log in until it does");
        }
    }
}
