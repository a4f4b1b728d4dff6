//! Tokens, and `/v2/` with one.

use railhead_client::hops::{Answered, Step, TokenSeen};

use super::{Notes, failure_of, realm_of, said};
use crate::Code;
use crate::recognise::{Face, face, page_of};

pub(super) fn judge(notes: &mut Notes<'_>) {
    let walk = notes.walk;
    // What the realm has wrong shows here a second time.
    if notes.suspects.iter().any(|suspect| (Code::RealmScheme..=Code::RealmError).contains(&suspect.code)) {
        return;
    }
    let before = notes.suspects.len();
    issued(notes, &walk.anonymous_token, false);
    if notes.suspects.len() == before {
        issued(notes, &walk.token, true);
    }
    if let Some(broke) = walk.authenticated.broke() {
        notes.broken("GET /v2/ with a token", broke);
    }
    let Some(answer) = walk.authenticated.seen() else { return };
    if notes.common(answer) || answer.status < 300 || notes.failure(answer) {
        return;
    }
    let code = match (answer.status, face(answer)) {
        (_, Face::RobotCheck) => Code::RouteChallengePage,
        (403, Face::Front(_)) => Code::RouteForbidden,
        (401 | 403, _) if walk.token.seen().is_some() => Code::AuthTokenRefused,
        // Without a token service the login itself was sent.
        (401 | 403, _) => Code::AuthRefused,
        (_, Face::SignOn) => Code::RouteSignOn,
        (_, Face::Html | Face::Front(_)) => Code::RouteMisrouted,
        _ => Code::AppNotRegistry,
    };
    notes.note(code, format!("with a login, {}", said(answer)));
}

/// An answer of the token endpoint; `named` if an account asked.
fn issued(notes: &mut Notes<'_>, step: &Step<TokenSeen>, named: bool) {
    let realm = realm_of(notes.walk);
    if let Some(broke) = step.broke() {
        let evidence = format!("asking for a token: {}", super::words_of(broke));
        notes.note(Code::RealmUnreachable, evidence).realm = realm;
        return;
    }
    let Some(seen) = step.seen() else { return };
    let answer = &seen.answer;
    if notes.common(answer) {
        return;
    }
    let code = match (answer.status, face(answer)) {
        (_, Face::RobotCheck) => Code::RouteChallengePage,
        (200, Face::Html | Face::SignOn | Face::Front(_)) => Code::RealmHtml,
        (200, _) if !seen.has_token && !seen.has_access_token => Code::TokenInvalid,
        (200, _) if !seen.has_token => Code::TokenOneName,
        (200, _) => return,
        (401 | 403, _) if !named => return,
        (403, _) if page_of(answer).is_some() => Code::RouteForbidden,
        (401 | 403, Face::Html | Face::SignOn) => Code::RealmHtml,
        // A token service that refuses a login so, instead of with 401, does refuse it.
        (400 | 401 | 403, _) => Code::AuthRefused,
        (300..400, _) => Code::RealmRedirect,
        (404, _) => Code::Realm404,
        _ => match failure_of(answer) {
            Some((code @ (Code::AppDatabase | Code::StorageFull | Code::RouteRate), _)) => code,
            _ if named => Code::RealmError,
            _ => return,
        },
    };
    let who = match (&notes.scene.place.account, named) {
        (Some(account), true) => format!("for {account}, "),
        _ => String::new(),
    };
    let open =
        notes.walk.read_as_nobody.as_ref().filter(|answer| answer.status == 200 && is_registrys(answer));
    let code = if code == Code::AuthRefused && open.is_some() { Code::AuthStale } else { code };
    let without = open.map(|answer| format!("{}: without a login, {}", notes.walk.route.name, said(answer)));
    let suspect = notes.note(code, format!("{who}{}", said(answer)));
    suspect.realm = realm;
    suspect.evidence.extend(without);
}

/// Whether a list of tags can be the registry's own.
fn is_registrys(answer: &Answered) -> bool {
    !matches!(face(answer), Face::Html | Face::SignOn | Face::RobotCheck | Face::Front(_))
}
