//! What is known of the place where something is to be changed.

use std::collections::BTreeSet;
use std::net::IpAddr;

use railhead_client::Origin;
use railhead_client::hops::Walk;

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
    address: Option<String>,
    behind_tls: bool,
    service: Option<Service>,
}

/// What a cluster calls a service: `NAME.NAMESPACE.svc`, with its port.
struct Service {
    name: String,
    namespace: String,
    port: u16,
}

impl Service {
    /// The service that a route leads to, if its address says so.
    fn of(walk: &Walk) -> Option<Self> {
        let Origin::Web { host, port, .. } = &walk.route.url else { return None };
        let (host, port) = match walk.route.connect.as_deref().and_then(|connect| connect.rsplit_once(':')) {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (host.as_str(), *port),
        };
        let mut labels = host.split('.');
        let (name, namespace) = (labels.next()?.to_owned(), labels.next()?.to_owned());
        (labels.next()? == "svc").then_some(Self { name, namespace, port })
    }
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
        let hosts = walks.iter().map(|index| crate::judge::host_of(&scene.walks[*index]));
        let address = hosts.filter(|host| host.parse::<IpAddr>().is_ok()).map(str::to_owned).next();
        let fronts = fronts.into_iter().flatten().collect();
        let behind_tls = walks.iter().any(|index| scene.walks[*index].route.is_tls());
        let service = scene.walks.iter().find_map(Service::of);
        Self { place: scene.place, fronts, software, upstream, address, behind_tls, service }
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

    /// Whether something ended TLS on the way to what shows the cause.
    pub(super) fn is_behind_tls(&self) -> bool {
        self.behind_tls
    }

    /// The address that a route of the cause has for a host.
    pub(super) fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// The Service's name in the cluster.
    pub(super) fn service(&self) -> String {
        let seen = self.service.as_ref().map(|service| &service.name);
        let known = self.place.names.service.as_ref().or(seen);
        known.cloned().unwrap_or_else(|| format!("<{}-http-service>", self.service_word()))
    }

    /// The Service's port.
    pub(super) fn port(&self) -> u16 {
        let seen = self.service.as_ref().map(|service| service.port);
        self.place.names.port.or(seen).unwrap_or(match self.software {
            Some(Software::Railhead) => 5050,
            Some(Software::Distribution) => 5000,
            Some(Software::Harbor) => 80,
            Some(Software::Gitea | Software::Forgejo | Software::Registry) | None => 3000,
        })
    }

    /// The namespace.
    pub(super) fn namespace(&self) -> String {
        let seen = self.service.as_ref().map(|service| &service.namespace);
        self.place.names.namespace.as_ref().or(seen).map_or_else(|| "<namespace>".to_owned(), Clone::clone)
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
            Some(Software::Distribution | Software::Registry) => "registry",
            Some(Software::Harbor) => "harbor",
        }
    }

    /// A story's text with the real host.
    pub(super) fn fill(&self, text: &str) -> String {
        text.replace("HOST", self.authority())
    }
}
