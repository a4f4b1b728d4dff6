//! The keys of backups: who opens them, and who has made them.

use std::path::{Path, PathBuf};

use clap::Args;
use railhead_backup::seal::{Identity, Recipient};
use railhead_backup::sign::{SigningKey, VerifyingKey};
use secrecy::ExposeSecret as _;

use crate::config::read_secret;
use crate::failure::{Exit, Failure, Result};

/// For whom a backup is sealed.
#[derive(Debug, Args)]
pub struct SealKeys {
    /// Seal it so that only the holder of this age key opens it; can be repeated
    #[arg(long = "recipient", value_name = "AGE1…")]
    recipients: Vec<String>,
    /// Seal it for the age recipients in this file, one a line
    #[arg(long, value_name = "FILE")]
    recipients_file: Option<PathBuf>,
}

/// What opens backups, and proves who made them.
#[derive(Debug, Args)]
pub struct OpenKeys {
    /// Open sealed backups with the age identities in this file
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Take only backups that this Ed25519 key has signed; its public half, in PEM
    #[arg(long, value_name = "FILE")]
    verify_key: Option<PathBuf>,
}

impl SealKeys {
    /// The recipients; none is in the clear.
    pub fn read(&self) -> Result<Vec<Recipient>> {
        let mut texts = self.recipients.clone();
        if let Some(path) = &self.recipients_file {
            let file = read(path, "recipients")?;
            let lines = file.lines().map(str::trim);
            texts.extend(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned));
            if texts.is_empty() {
                let message = format!("there is no recipient in {}", path.display());
                return Err(Failure::new(Exit::Usage, message));
            }
        }
        Ok(texts.iter().map(|text| text.parse()).collect::<Result<_, railhead_backup::Error>>()?)
    }
}

impl OpenKeys {
    /// What opens them; none opens only what is in the clear.
    pub fn identities(&self) -> Result<Vec<Identity>> {
        let Some(path) = &self.identity else { return Ok(Vec::new()) };
        Ok(Identity::parse_file(read_secret(path)?.expose_secret())?)
    }

    /// Who has to have signed them.
    pub fn verifying(&self) -> Result<Option<VerifyingKey>> {
        let Some(path) = &self.verify_key else { return Ok(None) };
        Ok(Some(VerifyingKey::parse(&read(path, "key")?)?))
    }
}

/// What signs a backup.
pub fn signing(path: Option<&Path>) -> Result<Option<SigningKey>> {
    let Some(path) = path else { return Ok(None) };
    Ok(Some(SigningKey::parse(read_secret(path)?.expose_secret())?))
}

fn read(path: &Path, what: &str) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::new(Exit::Usage, format!("cannot read the {what} in {}", path.display())).because(&error)
    })
}
