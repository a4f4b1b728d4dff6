//! Why a hub cannot be told.

use std::path::PathBuf;

use crate::evidence::EvidenceError;

/// Why a hub cannot be told. What it has not been told stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The evidence cannot be read, or the outbox not be written.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// A file is no file of keys.
    #[error("{} cannot be used to sign messages to the hub: {what}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; nothing of its content.
        what: String,
    },
    /// Another process sends.
    #[error("another command is sending from {}", path.display())]
    Busy {
        /// The outbox.
        path: PathBuf,
    },
    /// The connection cannot be set up at all.
    #[error("the hub cannot be asked")]
    Client(#[from] railhead_client::Error),
}
