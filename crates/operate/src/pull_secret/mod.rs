//! Pull secrets: the `imagePullSecrets` of Kubernetes, made, changed, and tried as a kubelet uses them.
//!
//! [`Manifest`] is the Secret as it stands in a file. [`keyring`] says which of its entries a kubelet takes for an image.
//! [`Check`] takes them and pulls. [`Sops`] is the program that keeps the file encrypted.
//!
//! Invariants: a token is in no error, no debug output, and on no command line; what the Secret had besides the login that
//! is changed stays as it was; a plain text that is to be encrypted is never on a disk.

mod check;
mod expiry;
mod image;
pub mod keyring;
mod manifest;
mod sops;

pub use check::{Check, CheckResult, Tried};
pub use expiry::Expiry;
pub use image::ImageName;
pub use manifest::{Entry, Manifest, ManifestError, Rotated};
pub use sops::{Sops, SopsError};
