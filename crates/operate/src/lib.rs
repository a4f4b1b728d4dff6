//! What the operator's commands do to a site: prove it, write its pages, keep its evidence.
//!
//! [`Site`] is what the operator knows.

mod site;

pub use site::{Cluster, DEFAULT_EVIDENCE, Forge, Site, SiteError, TABLES, Visibility, nearest};
