//! What there is in the cluster around a forge's registry, and what is to be said about it.
//!
//! Order: [`collect`] reads objects, a record of a release, the live app.ini and a few numbers, and writes them down as
//! [`Collected`]; [`inventory`] makes an [`Inventory`] of them, and [`judge`] the findings. Only the first touches the network.
//!
//! Invariants: no value that may be a secret gets out of here: values of a release are masked where they are read, and of
//! app.ini only the settings of `ini::KEPT` are kept. What the kubeconfig may not see is said, and is never taken for absent.

mod backup;
mod collect;
mod database;
mod forge;
mod helm;
mod ini;
mod inventory;
mod judge;
mod look;
mod pace;
mod route;
mod status;
mod storage;
#[cfg(test)]
mod tests;

pub use collect::{Collected, Wanted, collect};
pub use helm::{ValuesError, ValuesFile};
pub use inventory::{
    Backup, Certificate, Covers, Database, Exposed, Forge, Inventory, Release, Route, Service, Setting,
    Storage, Value as SetValue, inventory,
};
pub use judge::judge;
pub use status::{Kept, Line, State, status};
