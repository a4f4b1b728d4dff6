//! What is known of the place where something is to be changed.

use std::collections::BTreeSet;

use railhead_client::Origin;

use crate::across::is_at_registry;
use crate::judge::Scene;
use crate::recognise::Front;
use crate::url::host_of;
use crate::{Place, Software};

/// Names and addresses for fixes.
pub(crate) struct Ground<'a> {
    pub(super) place: &'a Place,
    fronts: Vec<Front>,
    pub(super) software: Option<Software>,
    upstream: Option<String>,
}

impl<'a> Ground<'a> {
    /// Of a cause that these walks show.
    pub(crate) fn of(scene: &Scene<'a>, walks: &[usize]) -> Self {
        let of = |indices: &[usize]| -> BTreeSet<Front> {
            indices.iter().filter_map(|index| scene.servers[*index].front).collect()
        };
        let all: Vec<usize> = (0..scene.walks.len()).collect();
        let public: Vec<usize> =
            all.iter().copied().filter(|index| scene.is_public(&scene.walks[*index])).collect();
        let fronts = [of(walks), of(&public), of(&all)].into_iter().find(|fronts| !fronts.is_empty());
        let seen = scene.servers.iter().filter_map(|server| server.software);
        let software = seen.clone().find(|software| *software != Software::Registry).or(scene.place.forge);
        // A way of the operator's that leads to the registry is the address that a proxy needs.
        let inside = scene.walks.iter().find(|walk| !scene.is_public(walk) && is_at_registry(walk));
        let upstream = inside.and_then(|walk| match (&walk.route.connect, &walk.route.url) {
            (Some(connect), _) => Some(connect.clone()),
            (None, Origin::Web { host, port, .. }) => Some(format!("{host}:{port}")),
            (None, Origin::Socket(_)) => None,
        });
        Self { place: scene.place, fronts: fronts.into_iter().flatten().collect(), software, upstream }
    }

    /// What is in front, or the three that are the likeliest.
    pub(super) fn fronts(&self) -> Vec<Front> {
        if self.fronts.is_empty() {
            vec![Front::Traefik, Front::Nginx, Front::Caddy]
        } else {
            self.fronts.clone()
        }
    }

    /// The public host, without its port.
    pub(super) fn host(&self) -> &str {
        host_of(&self.place.host)
    }

    /// The public host with its port.
    pub(super) fn authority(&self) -> &str {
        &self.place.host
    }

    /// `HOST:PORT` of the registry behind what is in front.
    pub(super) fn upstream(&self) -> String {
        self.upstream
            .clone()
            .unwrap_or_else(|| format!("<address-of-{}>:{}", self.service_word(), self.port()))
    }

    /// The Service's name in the cluster.
    pub(super) fn service(&self) -> String {
        self.place.names.service.clone().unwrap_or_else(|| format!("<{}-http-service>", self.service_word()))
    }

    /// The Service's port.
    pub(super) fn port(&self) -> u16 {
        self.place.names.port.unwrap_or(match self.software {
            Some(Software::Railhead) => 5050,
            Some(Software::Distribution) => 5000,
            Some(Software::Harbor) => 80,
            Some(Software::Gitea | Software::Forgejo | Software::Registry) | None => 3000,
        })
    }

    /// The namespace.
    pub(super) fn namespace(&self) -> String {
        self.place.names.namespace.clone().unwrap_or_else(|| "<namespace>".to_owned())
    }

    /// The Helm release.
    pub(super) fn release(&self) -> String {
        self.place.names.release.clone().unwrap_or_else(|| "<release>".to_owned())
    }

    /// The account that logs in.
    pub(super) fn account(&self) -> &str {
        self.place.account.as_deref().unwrap_or("<account>")
    }

    /// The owner of the repository that was tried.
    pub(super) fn owner(&self) -> &str {
        let repository = self.place.repository.as_deref().unwrap_or("<owner>/<image>");
        repository.split('/').next().unwrap_or(repository)
    }

    /// The word for what is behind.
    pub(super) fn service_word(&self) -> &'static str {
        match self.software {
            Some(Software::Gitea) | None => "gitea",
            Some(Software::Forgejo) => "forgejo",
            Some(Software::Railhead) => "railhead",
            Some(Software::Distribution) | Some(Software::Registry) => "registry",
            Some(Software::Harbor) => "harbor",
        }
    }

    /// A story's text with the real host.
    pub(super) fn fill(&self, text: &str) -> String {
        text.replace("HOST", self.authority())
    }
}
