//! Where backups are: a directory, or a bucket.

use std::sync::Arc;

use railhead_backup::Vault;
use railhead_backup::target::{Bucket, Directory, Target};
use railhead_blobs::{S3Config, open_bucket};
use secrecy::ExposeSecret as _;

use crate::config::Config;
use crate::failure::{Exit, Failure, Result};

/// The place that `text` names.
pub fn open(config: &Config, text: &str) -> Result<Vault> {
    let target: Arc<dyn Target> = match text.split_once("://") {
        Some(("s3", rest)) => Arc::new(bucket(config, text, rest)?),
        Some((scheme, _)) => {
            let message = format!("backups are not kept at {scheme}:// places");
            return Err(Failure::new(Exit::Usage, message).hint("name a directory, or s3://BUCKET/PREFIX"));
        }
        None if text.is_empty() => {
            return Err(Failure::new(Exit::Usage, "the place of the backups is empty"));
        }
        None => Arc::new(Directory::new(text)),
    };
    Ok(Vault::new(target))
}

fn bucket(config: &Config, text: &str, rest: &str) -> Result<Bucket> {
    let s3 = &config.backup_s3;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(
            Failure::new(Exit::Usage, format!("{text} names no bucket")).hint("write s3://BUCKET/PREFIX")
        );
    }
    let missing = |key: &str, variable: &str| {
        Failure::new(Exit::Usage, format!("{key} is needed for {text}"))
            .hint(format!("put it into {variable}, or into the configuration"))
    };
    let endpoint =
        s3.endpoint.clone().ok_or_else(|| missing("backup.s3.endpoint", "RAILHEAD_BACKUP_S3_ENDPOINT"))?;
    let access_key = s3
        .access_key
        .as_ref()
        .ok_or_else(|| missing("backup.s3.access_key", "RAILHEAD_BACKUP_S3_ACCESS_KEY"))?;
    let secret_key = s3
        .secret_key
        .clone()
        .ok_or_else(|| missing("backup.s3.secret_key", "RAILHEAD_BACKUP_S3_SECRET_KEY"))?;
    let reached = S3Config {
        endpoint,
        bucket: bucket.to_owned(),
        region: s3.region.clone(),
        prefix: String::new(),
        access_key: access_key.expose_secret().to_owned(),
        secret_key,
        allow_http: s3.allow_http,
    };
    let objects = open_bucket(&reached)
        .map_err(|error| Failure::new(Exit::Usage, format!("cannot use {text}")).because(&error))?;
    Ok(Bucket::new(objects, prefix, text))
}
