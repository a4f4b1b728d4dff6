//! Why a site file cannot be used.

use std::io;
use std::path::PathBuf;

use railhead_client::OriginError;
use railhead_retention::RuleError;

/// Why a site file cannot be used. `place` is the file and the line.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// The file is not there, or cannot be read.
    #[error("cannot read the site file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{place} is not TOML: {what}")]
    Toml {
        /// Where.
        place: String,
        /// What the parser said.
        what: String,
    },
    /// A key that nothing reads.
    #[error("{place}: the key '{key}' is unknown")]
    Unknown {
        /// Where.
        place: String,
        /// The key with its table.
        key: String,
        /// The key that it resembles.
        meant: Option<String>,
        /// Every key of that table.
        known: String,
    },
    /// A key or a value that is a secret.
    #[error("{place}: '{key}' is a secret, and secrets do not belong in this file")]
    Secret {
        /// Where.
        place: String,
        /// The key with its table.
        key: String,
    },
    /// A value that is not what the key takes.
    #[error("{place}: {key} must be {wanted}")]
    Value {
        /// Where.
        place: String,
        /// The key with its table.
        key: String,
        /// What it takes.
        wanted: String,
    },
    /// A URL that is not one of a registry.
    #[error("{place}: {key} is not usable")]
    Url {
        /// Where.
        place: String,
        /// The key with its table.
        key: String,
        /// Why.
        source: OriginError,
    },
    /// Rules of retention that cannot be meant.
    #[error("{}: {wrong}", path.display())]
    Rule {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        wrong: RuleError,
    },
}

impl SiteError {
    /// What is wrong, without the place; for a value that does not stand in a file yet.
    pub fn what(&self) -> String {
        match self {
            Self::Value { wanted, .. } => format!("it must be {wanted}"),
            Self::Url { source, .. } => source.to_string(),
            Self::Secret { .. } => "it is a secret, and secrets do not belong in this file".to_owned(),
            Self::Rule { wrong, .. } => wrong.to_string(),
            Self::Read { .. } | Self::Toml { .. } | Self::Unknown { .. } => self.to_string(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { meant: Some(meant), .. } => Some(format!("did you mean '{meant}'?")),
            Self::Unknown { known, .. } => Some(format!("there are {known}")),
            Self::Secret { .. } => {
                Some("put the token into the variable RAILHEAD_TOKEN when a command needs it".to_owned())
            }
            Self::Rule { wrong, .. } => Some(wrong.hint()),
            Self::Read { .. } => Some("`railhead init` writes a first one".to_owned()),
            Self::Toml { .. } | Self::Value { .. } | Self::Url { .. } => None,
        }
    }
}
