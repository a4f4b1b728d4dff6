//! Looks at the routes before anything is sent over them.

use std::time::Duration;

use railhead_client::hops::{Broke, Broken, Hop, Route, Settings, Step as Hopped, TlsProblem, Walk, Walker};
use railhead_doctor::{Server, Software};
use railhead_oci::RepositoryName;

use super::record::{HopTime, RouteFacts, TlsFacts, TrustNeeded};

/// A route and what is in the way on it.
pub(crate) struct Walked {
    pub(crate) facts: RouteFacts,
    pub(crate) obstacle: Option<Obstacle>,
    pub(crate) millis: u64,
    pub(crate) server: Option<String>,
    pub(crate) software: Option<Software>,
}

/// Why a route cannot be used.
pub(crate) struct Obstacle {
    /// For a person.
    pub(crate) what: String,
    pub(crate) kind: Hindrance,
}

/// What kind of obstacle it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hindrance {
    /// Nothing answered, or nothing that can be understood.
    Unreachable,
    /// The certificate is not trusted.
    Certificate,
    /// What answers is no registry, or one that a token must not be sent to.
    Registry,
}

/// Takes all routes without credentials, each with a `ca` a second time without it, to know whether it is needed.
pub(crate) async fn walk(
    host: &str,
    repository: &RepositoryName,
    routes: &[Route],
) -> Result<Vec<Walked>, railhead_client::Error> {
    let mut settings = Settings::new(host, repository.clone());
    settings.known = routes.to_vec();
    settings.write = false;
    settings.connect_timeout = Duration::from_secs(10);
    let walker = Walker::new(settings)?;
    let twins = routes.iter().filter(|route| route.ca.is_some() && route.is_tls());
    let twins: Vec<Route> = twins.map(|route| Route { ca: None, ..route.clone() }).collect();
    let all: Vec<Route> = routes.iter().chain(&twins).cloned().collect();
    let mut walks = walker.walk_all(&all).await;
    let without = walks.split_off(routes.len());
    let plain = |name: &str| without.iter().find(|walk| walk.route.name == name);
    Ok(walks.iter().map(|walk| walked(walk, plain(&walk.route.name))).collect())
}

fn walked(walk: &Walk, without_ca: Option<&Walk>) -> Walked {
    let route = &walk.route;
    let facts = RouteFacts {
        name: route.name.clone(),
        url: route.url.to_string(),
        connect: route.connect.clone(),
        ca: route.ca.clone(),
        address: walk.connect.seen().map(|seen| seen.address.clone()),
        tls: tls(walk, without_ca),
        realm: walk
            .challenge
            .seen()
            .and_then(|seen| seen.scheme("bearer")?.parameter("realm").map(str::to_owned)),
        hops: times(walk),
    };
    let found = Server::of(walk);
    Walked {
        facts,
        obstacle: obstacle(walk),
        millis: walk.millis,
        server: server(&found),
        software: found.software,
    }
}

fn tls(walk: &Walk, without_ca: Option<&Walk>) -> Option<TlsFacts> {
    let seen = walk.tls.seen()?;
    let own = seen.chain.first()?;
    let is_fine = |walk: &Walk| walk.tls.seen().is_some_and(|seen| seen.problems.is_empty());
    let trust = match without_ca {
        _ if !seen.problems.is_empty() => TrustNeeded::Broken,
        Some(without) if !is_fine(without) => TrustNeeded::File,
        _ => TrustNeeded::System,
    };
    Some(TlsFacts {
        version: seen.version.clone(),
        names: own.names.clone(),
        issuer: own.issuer.clone(),
        not_after: own.not_after,
        trust,
    })
}

fn times(walk: &Walk) -> Vec<HopTime> {
    fn time<T>(times: &mut Vec<HopTime>, hop: Hop, step: &Hopped<T>) {
        if let Hopped::Taken { millis, .. } | Hopped::Broken { millis, .. } = step {
            times.push(HopTime { hop: hop.word().to_owned(), millis: *millis });
        }
    }
    let mut times = Vec::new();
    time(&mut times, Hop::Resolve, &walk.resolve);
    time(&mut times, Hop::Connect, &walk.connect);
    time(&mut times, Hop::Tls, &walk.tls);
    time(&mut times, Hop::Registry, &walk.registry);
    time(&mut times, Hop::Realm, &walk.realm);
    time(&mut times, Hop::AnonymousToken, &walk.anonymous_token);
    times
}

/// What is in the way, if anything; the doctor says what to do about it.
fn obstacle(walk: &Walk) -> Option<Obstacle> {
    let unreachable = |hop: Hop, broke: &Broken| {
        let what = match broke.kind {
            Broke::NotTls => "the port does not speak TLS".to_owned(),
            Broke::NotHttp => format!("{}: what answers does not speak HTTP", hop.word()),
            _ => format!("{}: {broke}", hop.word()),
        };
        Some(Obstacle { what, kind: Hindrance::Unreachable })
    };
    let wrong = |what: String, kind| Some(Obstacle { what, kind });
    if let Some(broke) = walk.resolve.broke() {
        return unreachable(Hop::Resolve, broke);
    }
    if let Some(broke) = walk.connect.broke() {
        return unreachable(Hop::Connect, broke);
    }
    if let Some(broke) = walk.tls.broke() {
        return unreachable(Hop::Tls, broke);
    }
    let problems = walk.tls.seen().map_or(&[][..], |seen| &seen.problems);
    if !problems.is_empty() {
        let words: Vec<_> = problems.iter().map(|problem| problem_words(*problem)).collect();
        let what = format!("the certificate is not trusted: {}", words.join(", "));
        return wrong(what, Hindrance::Certificate);
    }
    if let Some(broke) = walk.registry.broke() {
        return unreachable(Hop::Registry, broke);
    }
    let answer = walk.registry.seen()?;
    if !matches!(answer.status, 200 | 401) {
        let what = format!("{} answered {}, which is no registry", answer.asked, answer.status);
        return wrong(what, Hindrance::Registry);
    }
    let realm = walk.challenge.seen().and_then(|seen| seen.scheme("bearer")?.parameter("realm"));
    match realm {
        Some(realm) if walk.route.url.is_private() && weakens(realm) => wrong(
            format!(
                "the realm is {realm}: clients would send their tokens where everybody on the way can read them"
            ),
            Hindrance::Registry,
        ),
        _ => None,
    }
}

/// Whether a realm can be read on the way; a relative one is where the registry is.
fn weakens(realm: &str) -> bool {
    let authority = realm.split('/').take(3).collect::<Vec<_>>().join("/");
    authority.parse::<railhead_client::Origin>().is_ok_and(|origin| !origin.is_private())
}

const fn problem_words(problem: TlsProblem) -> &'static str {
    match problem {
        TlsProblem::DefaultCertificate => "it is the proxy's built-in one",
        TlsProblem::Expired => "it is expired",
        TlsProblem::NotYetValid => "it is not valid yet",
        TlsProblem::NoNames => "it has only a common name",
        TlsProblem::WrongName => "it does not name the host",
        TlsProblem::MissingIntermediate => "the intermediate certificate was not sent",
        TlsProblem::SelfSigned => "it signs itself",
        TlsProblem::Untrusted => "its authority is unknown here",
        TlsProblem::Invalid => "it is not usable",
    }
}

/// Name and version of the server, as far as it says.
fn server(found: &Server) -> Option<String> {
    let name = found.software?.name();
    Some(found.version.as_ref().map_or_else(|| name.to_owned(), |version| format!("{name} {version}")))
}
