//! The answer of `/v2/` without credentials.

use railhead_client::hops::{Answered, Redirect};

use super::{Notes, host_of, said, url_of, words_of};
use crate::Code;
use crate::recognise::{Face, Front, face, is_sign_on_url};
use crate::url::Url;

/// How many redirects a walk follows.
const REDIRECTS_MAX: usize = 5;
/// What forges and registries are called when they live under a path.
const SEGMENTS: [&str; 10] =
    ["git", "gitea", "forgejo", "forge", "code", "scm", "vcs", "registry", "harbor", "railhead"];

pub(super) fn judge(notes: &mut Notes<'_>) {
    let walk = notes.walk;
    if let Some(broke) = walk.registry.broke() {
        notes.broken("GET /v2/", broke);
    }
    let Some(answer) = walk.registry.seen() else { return };
    if notes.common(answer) {
        return;
    }
    cached(notes, answer);
    if (300..400).contains(&answer.status) {
        redirected(notes, answer);
    } else if let Some(code) = code(notes, answer) {
        let layer = super::failure_of(answer).and_then(|(_, layer)| layer);
        let suspect = notes.note(code, said(answer));
        if let Some(layer) = layer {
            suspect.layer = layer;
        }
    }
}

/// Notes that an answer was kept in front.
pub(super) fn cached(notes: &mut Notes<'_>, answer: &Answered) {
    let age = answer.header("age").and_then(|age| age.parse::<u64>().ok()).filter(|age| *age > 0);
    let hit = answer.header("x-cache").filter(|cache| cache.to_ascii_uppercase().contains("HIT"));
    let sign = match (age, hit) {
        (Some(age), _) => format!("Age: {age}"),
        (None, Some(hit)) => format!("X-Cache: {hit}"),
        (None, None) => return,
    };
    notes.note(Code::RouteCached, format!("{} → {} with {sign}", answer.asked, answer.status));
}

/// What the answer means; none if it is what registries say.
fn code(notes: &Notes<'_>, answer: &Answered) -> Option<Code> {
    let face = face(answer);
    let body = answer.body.as_str();
    let asks_basic = answer.all("www-authenticate").any(|line| starts_with(line, "basic"));
    let asks_bearer = answer.all("www-authenticate").any(|line| starts_with(line, "bearer"));
    if answer.status == 400 {
        if body.contains("plain HTTP request was sent to HTTPS port")
            || body.contains("HTTP request to an HTTPS server")
        {
            return Some(Code::TlsRequired);
        }
        if body.contains("No required SSL certificate") || body.contains("SSL certificate error") {
            return Some(Code::TlsClientCert);
        }
    }
    match (answer.status, face) {
        (_, Face::RobotCheck) => Some(Code::RouteChallengePage),
        (_, Face::SignOn) => Some(Code::RouteSignOn),
        (200, Face::Registry) => Some(Code::ChallengeOpen),
        (401, Face::Registry) => None,
        (401, _) if asks_bearer => None,
        (401, _) if asks_basic => Some(Code::RouteBasic),
        // Who wrote it is of no matter: the challenge is missing, which the next hop says.
        (401, Face::Front(_) | Face::Empty | Face::Other | Face::Forge) => None,
        (401, Face::Html) => Some(Code::RouteSignOn),
        (status, _) if status == 429 || status >= 500 => super::failure_of(answer).map(|(code, _)| code),
        // A registry that knows nothing at /v2/ was asked for another path.
        (404, Face::Registry) => Some(Code::RouteMisrouted),
        (404, Face::Forge) => Some(Code::AppDisabled),
        (404 | 421, Face::Front(_) | Face::Empty) => Some(not_found(notes)),
        (200, Face::Front(Front::Nginx)) | (_, Face::Html) => Some(misrouted(notes)),
        (403, Face::Empty | Face::Other) | (400..500, Face::Front(_)) => Some(Code::RouteForbidden),
        _ => Some(Code::AppNotRegistry),
    }
}

fn not_found(notes: &Notes<'_>) -> Code {
    if below_path(notes) { Code::RouteSubpath } else { Code::Route404 }
}

fn misrouted(notes: &Notes<'_>) -> Code {
    if below_path(notes) { Code::RouteSubpath } else { Code::RouteMisrouted }
}

/// Whether the host's front page leads to a path that a forge or registry could live under.
fn below_path(notes: &Notes<'_>) -> bool {
    let Some(root) = &notes.walk.behind.root else { return false };
    let Some(location) = root.header("location").filter(|_| (300..400).contains(&root.status)) else {
        return false;
    };
    let Some(target) = resolve(notes, location) else { return false };
    let first = target.bare_path().split('/').nth(1).unwrap_or_default().to_ascii_lowercase();
    target.host == host_of(notes.walk) && SEGMENTS.contains(&first.as_str())
}

fn starts_with(line: &str, scheme: &str) -> bool {
    line.trim_start().get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// `location` as an absolute URL.
fn resolve(notes: &Notes<'_>, location: &str) -> Option<Url> {
    if location.contains("://") {
        return Url::parse(location);
    }
    let own = url_of(notes.walk)?;
    if let Some(rest) = location.strip_prefix("//") {
        return Url::parse(&format!("{}://{rest}", own.scheme()));
    }
    let path = if location.starts_with('/') { location.to_owned() } else { format!("/v2/{location}") };
    Some(Url { path, ..own })
}

/// What a redirect of `/v2/` means.
fn redirected(notes: &mut Notes<'_>, first: &Answered) {
    let walk = notes.walk;
    let locations: Vec<&str> = walk.redirects.iter().map(|redirect| redirect.location.as_str()).collect();
    let way = if locations.is_empty() {
        first.header("location").unwrap_or("nowhere").to_owned()
    } else {
        locations.join(" → ")
    };
    let evidence = format!("{} → {}, to {way}", first.asked, first.status);
    let targets: Vec<Url> = locations.iter().filter_map(|location| resolve(notes, location)).collect();
    if targets.iter().any(is_sign_on_url) {
        notes.note(Code::RouteSignOn, evidence);
        return;
    }
    let ended = walk.redirects.last();
    let circles = ended.is_some_and(|last| last.answer.is_none()) && targets.len() == walk.redirects.len();
    let again = ended.and_then(last_answer).is_some_and(|answer| (300..400).contains(&answer.status));
    if circles || again || walk.redirects.len() > REDIRECTS_MAX {
        notes.note(Code::RouteRedirectLoop, evidence);
        return;
    }
    let own = url_of(walk);
    let stays = targets.len() == walk.redirects.len()
        && !targets.is_empty()
        && targets.iter().all(|target| {
            own.as_ref().is_some_and(|own| own.host == target.host && (target.https || !own.https))
                && matches!(target.bare_path(), "/v2" | "/v2/")
        });
    if stays {
        // To https, or to the slash: what clients follow without harm. What is there counts as this route's answer.
        arrived(notes, ended, &evidence);
    } else if targets.iter().any(|target| target.bare_path() == "/user/login") {
        notes.note(Code::RouteMisrouted, evidence);
    } else {
        notes.note(Code::RouteRedirect, evidence);
    }
}

fn arrived(notes: &mut Notes<'_>, ended: Option<&Redirect>, evidence: &str) {
    let Some(step) = ended.and_then(|last| last.answer.as_ref()) else { return };
    if let Some(broke) = step.broke() {
        notes.note(Code::RouteRedirect, format!("{evidence}, where {}", words_of(broke)));
    } else if let Some(answer) = step.seen()
        && !notes.common(answer)
        && let Some(code) = code(notes, answer)
    {
        notes.note(code, said(answer));
    }
}

fn last_answer(redirect: &Redirect) -> Option<&Answered> {
    redirect.answer.as_ref()?.seen()
}
