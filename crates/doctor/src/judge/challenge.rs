//! What `WWW-Authenticate` says.

use railhead_client::hops::Challenged;

use super::{Notes, said, shortened};
use crate::Code;
use crate::url::Url;

pub(super) fn judge(notes: &mut Notes<'_>) {
    let walk = notes.walk;
    let Some(answer) = walk.registry.seen() else { return };
    // A login that a proxy asks for is not the registry's challenge.
    if answer.status != 401 || !notes.suspects.iter().all(|suspect| leaves_challenge(suspect.code)) {
        return;
    }
    let none = Challenged { headers: Vec::new(), challenges: Vec::new() };
    let seen = walk.challenge.seen().unwrap_or(&none);
    if seen.headers.is_empty() {
        notes.note(Code::ChallengeMissing, format!("{}, without WWW-Authenticate", said(answer)));
        return;
    }
    let line = shortened(&seen.headers.join("; "));
    let (bearer, basic) = (seen.scheme("bearer"), seen.scheme("basic"));
    let torn = seen.headers.iter().any(|header| is_torn(header));
    if torn || (bearer.is_none() && basic.is_none()) {
        notes.note(Code::ChallengeBroken, format!("WWW-Authenticate: {line}"));
        return;
    }
    if seen.challenges.len() > 1 {
        notes.note(Code::ChallengeTwo, format!("WWW-Authenticate: {line}"));
    }
    let Some(bearer) = bearer else { return };
    match bearer.parameter("realm").map(str::trim) {
        None | Some("") => {
            notes.note(Code::ChallengeNoRealm, format!("WWW-Authenticate: {line}"));
            return;
        }
        Some(realm) if Url::parse(realm).is_none() => {
            notes.note(Code::ChallengeRealmInvalid, format!("the realm is \"{}\"", shortened(realm)));
            return;
        }
        Some(_) => {}
    }
    if bearer.parameter("service").is_none_or(str::is_empty) {
        notes.note(Code::ChallengeNoService, format!("WWW-Authenticate: {line}"));
    }
}

/// Whether the challenge is the registry's own although this was found before it.
fn leaves_challenge(code: Code) -> bool {
    code < Code::Route404 || matches!(code, Code::RouteCached | Code::RouteCompressed)
}

/// Whether a quoted string is not closed.
fn is_torn(header: &str) -> bool {
    let mut open = false;
    let mut letters = header.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => open = !open,
            '\\' if open => {
                letters.next();
            }
            _ => {}
        }
    }
    open
}

/// The realm of a walk's Bearer challenge.
pub(crate) fn realm_of(walk: &railhead_client::hops::Walk) -> Option<Url> {
    Url::parse(walk.challenge.seen()?.scheme("bearer")?.parameter("realm")?.trim())
}
