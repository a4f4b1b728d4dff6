//! Turns the registry of a forge on: what has to change, in whose files, and whether it will work.
//!
//! Order: [`Values`] are the user's files as helm merges them; [`settings`] says what is missing in them; [`plan`] makes files out of
//! that ([`overlay`], [`route`], [`makefile`]) and compares them with what is there. [`Helm`] renders the release with them, [`AppIni`] is
//! what comes out, and [`scan`] looks for secrets where none belong. [`apply`] brings it to the cluster, through gates; what others have
//! to do is a [`FollowUp`](crate::FollowUp).
//!
//! Invariants: a file that somebody else wrote is never changed; a decrypted value is in memory and in pipes only, and in
//! nothing that is said; the same input gives the same files.

mod app_ini;
pub mod apply;
mod change;
pub mod check;
mod drift;
mod helm;
mod makefile;
mod overlay;
mod plan;
mod route;
mod scan;
mod settings;
mod values;

pub use app_ini::{AppIni, RenderedError};
pub use change::{Change, MARK, Part, ReplaceError};
pub use helm::{Files, Helm, HelmError, State};
pub use plan::{Plan, Wanted, plan};
pub use route::{Class, Route, Tls};
pub use scan::{Leak, Scan, ScanError, scan};
pub use settings::{Before, Setting, Settings, settings};
pub use values::{Found, Opened, Values, ValuesError, ValuesFile};
