//! Who answered: what is in front, and what is behind it.
//!
//! Order: [`Front`] is told from pages that a proxy writes itself and from headers; [`Software`] from the challenge, the
//! paths beside the hops, and cookies. [`Face`] says what kind of answer one is, whoever wrote it.
//!
//! Every sign was seen on the real program (Gitea 1.25, Traefik 3, nginx 1.22, `HAProxy` 2.6, Caddy 2.6, distribution 2.8),
//! or is documented by its maker. A sign that several programs share names none of them.

mod face;
mod front;
mod software;

use railhead_client::hops::Walk;
use serde::Serialize;

pub(crate) use face::{Face, face, is_database, is_full, is_registry, is_sign_on_url};
pub use front::Front;
pub(crate) use front::{front_of, page_of};
pub use software::{Software, SoftwareError};

/// What answers on a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Server {
    /// The route.
    pub route: String,
    /// What is in front, if it shows.
    pub front: Option<Front>,
    /// What is behind it, if it shows.
    pub software: Option<Software>,
    /// Its version, if it says.
    pub version: Option<String>,
}

impl Server {
    /// What the answers of a walk show.
    pub fn of(walk: &Walk) -> Self {
        let answers = [walk.registry.seen(), walk.behind.root.as_ref(), walk.behind.nowhere.as_ref()];
        let front = answers.into_iter().flatten().find_map(front_of);
        let (software, version) = software::of(walk);
        Self { route: walk.route.name.clone(), front, software, version }
    }

    /// For a person: `Gitea 1.25.4 behind nginx`.
    pub fn words(&self) -> String {
        let software = self.software.map(|software| match &self.version {
            Some(version) => format!("{} {version}", software.name()),
            None => software.name().to_owned(),
        });
        match (software, self.front) {
            (Some(software), Some(front)) => format!("{software} behind {}", front.name()),
            (Some(software), None) => software,
            (None, Some(front)) => front.name().to_owned(),
            (None, None) => "unknown".to_owned(),
        }
    }
}
