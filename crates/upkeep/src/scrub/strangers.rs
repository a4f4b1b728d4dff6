//! The other way round: objects of the store that the catalog does not know.
//!
//! They cost room and nothing else, so they are reported and left: after a catalog was lost they may be all that there
//! is. What a kill has left is removed by the sweep of the next start.

use std::time::SystemTime;

use railhead_blobs::{Object, ObjectKey};
use railhead_registry::Result;

use super::Scrubber;

/// Objects that are looked at in one step.
const PAGE: usize = 1000;

/// An object that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// Its key.
    pub key: ObjectKey,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written.
    pub modified: SystemTime,
}

/// What was seen in one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strangers {
    /// Objects that were looked at.
    pub objects: u64,
    /// Those that nobody knows.
    pub found: Vec<Stranger>,
    /// The key to go on behind; `None` at the end.
    pub next: Option<ObjectKey>,
}

impl Scrubber {
    /// Looks at a thousand objects behind `after`.
    pub async fn strangers(&self, after: Option<&ObjectKey>) -> Result<Strangers> {
        let page = self.registry.store().list(after, PAGE).await?;
        let next = page.last().filter(|_| page.len() == PAGE).map(|last| last.key);
        let keys = page.iter().map(|object| object.key.to_string()).collect();
        let unknown = self.registry.catalog().unknown_objects(keys).await?;
        let mut found = Vec::new();
        for object in page.iter().filter(|object| unknown.contains(&object.key.to_string())) {
            if self.is_there(object).await? {
                found.push(Stranger { key: object.key, size: object.size, modified: object.modified });
            }
        }
        Ok(Strangers { objects: page.len() as u64, found, next })
    }

    /// One that was removed since it was listed is forgotten by now, too.
    async fn is_there(&self, object: &Object) -> Result<bool> {
        match self.registry.store().read(&object.key, 0..0, object.size).await {
            Ok(_) => Ok(true),
            Err(error) if error.damage().is_some() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
