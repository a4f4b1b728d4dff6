//! Backups of what any registry serves, over its API, and back into any registry.

mod pull;
mod push;

use async_trait::async_trait;
use bytes::Bytes;
use railhead_client::Download;

pub use pull::{Asked, backup_registry};
pub use push::{Pushed, RestoreTo, restore_to_registry};

use crate::Result;
use crate::pieces::Pieces;

#[async_trait]
impl Pieces for Download {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        Ok(Self::next(self).await?)
    }
}
