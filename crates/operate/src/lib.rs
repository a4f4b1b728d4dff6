//! What the operator's commands do to a site: inspect it, prove it, write its pages, keep its evidence.
//!
//! [`Site`] is what the operator knows; [`Answers`] write a first one. [`inspect`] tells what the cluster has around a registry.
//! [`image::Image`] is what a proof pushes; [`prove`] proves it. [`enable`] plans what turns a forge's registry on, and applies it; what others
//! have to do is a [`FollowUp`]. [`handoff`]
//! writes what was proven for another team. [`pull_secret`] makes and tries the login of a cluster. What an act came to is
//! [`Evidence`], kept in an [`Archive`]; [`report`] tells what all of it shows, and [`hub`] tells somebody else what changes in it.
//! [`migrate`] moves what one registry serves to another.

pub mod enable;
mod evidence;
mod follow_up;
pub mod handoff;
pub mod hub;
pub mod image;
pub mod inspect;
pub mod migrate;
mod packages;
pub mod programs;
pub mod prove;
pub mod pull_secret;
pub mod report;
mod secrets;
mod site;
pub mod through;
mod yaml;

pub use evidence::{Archive, Evidence, EvidenceError, Kind, SCHEMA, write_whole, write_whole_as};
pub use follow_up::{Desk, Filed, FollowUp};
pub use packages::{Packages, PackagesError};
pub use secrets::Secrets;
pub use site::{
    Answers, Cluster, DEFAULT_EVIDENCE, Forge, Hub, Release, Retention, RouteKind, Site, SiteError, TABLES,
    Visibility, nearest, reference,
};
