//! Says what is wrong with a registry, who has to act, and what to change: from what the walks of its routes wrote down.
//!
//! Order: recognise who answered, judge every walk, drop what another finding explains, sort by what to mend first.
//! Nothing here touches the network: a diagnosis is a function of its walks, so every rule can be tried on a record.

mod layer;

pub use layer::{Layer, Owners};
