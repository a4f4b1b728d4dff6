//! Says what is wrong with a registry, who has to act, and what to change: from what the walks of its routes wrote down.
//!
//! Order: recognise who answered, judge every walk, drop what another finding explains, sort by what to mend first.
//! Nothing here touches the network: a diagnosis is a function of its walks, so every rule can be tried on a record.

mod across;
mod code;
mod diagnose;
mod explain;
mod finding;
mod fix;
mod judge;
mod layer;
mod place;
mod recognise;
mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod url;

pub use code::{Code, Severity, Story};
pub use diagnose::diagnose;
pub use explain::{Explained, explain};
pub use finding::{Class, Diagnosis, Finding, Verdict};
pub use layer::{Layer, LayerError, Owners};
pub use place::{Names, Place};
pub use recognise::{Front, Server, Software, SoftwareError};
pub use table::{HEAD, rows};
