//! The token endpoint: where it is, whether it can be reached, and whether it may be told who asks.

use std::time::Instant;

use bytes::Bytes;
use http::Method;
use http::header::CONTENT_TYPE;
use railhead_api::segment;

use super::course::{Blocked, Course, OPEN};
use super::exchange::{Ask, exchange};
use super::line::Line;
use super::reach::{Spot, is_same};
use super::record::{Answered, Broken, Hop, RealmSeen, Step, TlsProblem, Walk};
use super::redirect::{is_redirect, split};
use super::settings::host_name;
use crate::http1::full;
use crate::{Challenge, Origin};

/// A token endpoint that answers.
pub(super) struct Realm {
    pub(super) spot: Spot,
    /// Path and query of the realm, with the service.
    path: String,
    tls_problems: Vec<TlsProblem>,
}

impl Realm {
    /// What to ask for a token of `scope`.
    pub(super) fn path(&self, scope: &str) -> String {
        with_parameter(&self.path, "scope", scope)
    }

    /// Goes to the realm of `challenge` and writes down what is there.
    pub(super) async fn find(
        course: &Course<'_>,
        walk: &mut Walk,
        challenge: &Challenge,
    ) -> Result<Self, Blocked> {
        let Some(realm) = challenge.parameter("realm") else {
            return Err(Blocked(Hop::Challenge, "the challenge names no realm".to_owned()));
        };
        let Some((origin, path)) = split(realm) else {
            let why = "the realm of the challenge is not an absolute URL of http or https".to_owned();
            return Err(Blocked(Hop::Challenge, why));
        };
        let service = challenge.parameter("service").unwrap_or_default();
        let path = if service.is_empty() { path } else { with_parameter(&path, "service", service) };
        let since = Instant::now();
        match visit(course, &origin, realm, path, service).await {
            Ok((realm, seen)) => {
                let verdict = usable(&seen.get);
                walk.realm = Step::ended(since, Ok::<RealmSeen, Broken>(seen));
                verdict.map(|()| realm).map_err(|why| Blocked(Hop::Realm, why))
            }
            Err(broke) => {
                walk.realm = Step::ended(since, Err(broke));
                Err(Blocked::broken(Hop::Realm))
            }
        }
    }

    /// Whether it may be told the account: it is the registry's own, and nobody listens on the way, or the operator chose
    /// a way that is open.
    pub(super) fn may_know(&self, course: &Course<'_>) -> Result<(), Blocked> {
        let no = |hop, why: &str| Err(Blocked(hop, why.to_owned()));
        let end = &self.spot.end;
        let Origin::Web { host: own, https: is_route_tls, .. } = &course.route.url else {
            return no(Hop::Realm, "the route has no host");
        };
        if end.host != *own && end.host != host_name(&course.guide.settings.host) {
            return no(Hop::Realm, "the realm is on another host, and no credentials are sent there");
        }
        if !end.https && *is_route_tls {
            return no(Hop::Realm, "the realm is plain HTTP, and no credentials are sent there");
        }
        if !course.may_log_in_at(&end.origin) {
            return no(Hop::Realm, OPEN);
        }
        if !self.tls_problems.is_empty() {
            let hop = if is_same(&end.origin, &course.route.url) { Hop::Tls } else { Hop::Realm };
            return no(
                hop,
                "the certificate of the realm does not verify, and no credentials are sent there",
            );
        }
        Ok(())
    }
}

async fn visit(
    course: &Course<'_>,
    origin: &Origin,
    realm: &str,
    path: String,
    service: &str,
) -> Result<(Realm, RealmSeen), Broken> {
    let guide = course.guide;
    let end = guide.end_from(course.route, origin)?;
    let (resolved, addresses) = guide.resolve(&end).await?;
    let (_, address, tcp) = guide.connect(&addresses).await?;
    let spot = Spot { end, address };
    let line = Line::over(guide, &spot.end, tcp).await?;
    let tls_problems = line.tls.as_ref().map(|tls| tls.problems.clone()).unwrap_or_default();
    let get = exchange(line, &spot, Ask::get(&path), guide.settings.answer_timeout, &course.secrets);
    let (get, post) = tokio::join!(get, post(course, &spot, &path, service));
    let seen = RealmSeen {
        realm: course.secrets.url(realm),
        origin: origin.to_string(),
        addresses: resolved.addresses,
        tls_problems: tls_problems.clone(),
        get: get?.answered,
        post,
    };
    Ok((Realm { spot, path, tls_problems }, seen))
}

/// Asks as containerd and helm do first (RFC 6749, 4.3), but without anything to log in with.
async fn post(course: &Course<'_>, spot: &Spot, path: &str, service: &str) -> Step<Answered> {
    let since = Instant::now();
    let form = format!("grant_type=password&service={}&client_id=railhead", segment(service));
    let ask = Ask::new(Method::POST, path)
        .with_header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .with_body(full(Bytes::from(form)));
    Step::ended(since, course.ask(spot, ask).await.map(|heard| heard.answered))
}

/// Whether what answers can be the token endpoint: then tokens are asked for, else that would show the same again.
fn usable(get: &Answered) -> Result<(), String> {
    let is_page = get.media_type().is_some_and(|media| media == "text/html");
    match get.status {
        404 | 410 | 500..=599 => Err(format!("the realm answered {}", get.status)),
        status if is_redirect(status) => Err("the realm redirects".to_owned()),
        _ if is_page => Err("the realm answered with a page".to_owned()),
        _ => Ok(()),
    }
}

fn with_parameter(path: &str, name: &str, value: &str) -> String {
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}{name}={}", segment(value))
}
