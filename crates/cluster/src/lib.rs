//! Talks to the Kubernetes API with the caller's own kubeconfig.
//!
//! [`Cluster::connect`] reads the kubeconfig; after that there are [lists and objects](Kind), [`Cluster::apply`] and its dry run,
//! [`Cluster::wait_for`] and events, [`Cluster::exec`] in a pod, and the API server's [proxies](Via) to services, pods and nodes.
//!
//! Objects are JSON as the server wrote it: a field that is missing or has another shape than expected is the reader's business,
//! and no release of Kubernetes or of a custom resource makes a whole list unreadable.
//!
//! Invariants: nothing here prints or keeps a secret of the kubeconfig. What the caller has no right to is [`Seen::Denied`] with
//! the right by its name, and what the cluster does not have is [`Seen::Absent`]; neither ends a reading that can go on. Only an
//! API server that cannot be asked is an [`Error`]. Nothing is tried a second time in secret.

mod cluster;
mod error;
mod exec;
mod kind;
mod kubeconfig;
mod objects;
mod proxy;
mod seen;
#[cfg(test)]
mod testing;
mod watch;

pub use cluster::Cluster;
pub use error::{Error, MissingRight};
pub use exec::{Pod, Ran};
pub use kind::{Kind, kinds};
pub use kubeconfig::Access;
pub use objects::Applied;
pub use proxy::{Answer, Speaker, Via};
pub use seen::Seen;
