//! Bytes at rest: stage, write, commit, read, range, remove.
//!
//! Order of a push: [`Store::stage`] begins an empty staged object, [`Store::open`] gives its writer, which takes
//! bytes at the end, and [`StageWriter::commit`] (or [`StageWriter::pause`], then later [`Store::commit`]) makes it
//! an object under a key of its own. Only then may the catalog bind a digest to that key.
//!
//! Invariants:
//! - An object never changes, and no two objects ever share a key: a removal cannot hit content pushed again.
//! - What `commit` or `put` returned survives a power cut.
//! - An object is found by nothing but its key; what is alive is the catalog's business.
//! - Hashing is the caller's: bytes pass it once, on their way here.

mod error;
mod files;
mod key;
mod memory;
mod reader;
mod s3;
mod stage;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::{Error, Result};
pub use files::{FileRegion, FileStore};
pub use key::{KeyError, ObjectKey, StageId};
pub use memory::MemoryStore;
pub use reader::Reader;
pub use s3::{S3Config, S3Store, open_bucket};
pub use stage::{StageState, StageWriter};
pub use store::{Object, Staged, Store};
