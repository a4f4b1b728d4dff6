//! The token endpoint: where the challenge says that it is, and what is there.

use std::fmt::Write as _;

use railhead_client::hops::{Answered, RealmSeen, Walk};

use super::{Notes, Scene, failure_of, host_of, realm_of, registry, said, url_of, words_of};
use crate::recognise::{Face, face, page_of};
use crate::url::{Url, host_of as host_part};
use crate::{Code, Layer, Software};

pub(super) fn judge(notes: &mut Notes<'_>) {
    let walk = notes.walk;
    let Some(realm) = realm_of(walk) else { return };
    if let Some(code) = misplaced(notes.scene, walk, &realm) {
        notes.note(code, evidence(notes.scene, walk, &realm, code)).realm = Some(realm.clone());
        // What is there, or is not, follows from the wrong address.
        return;
    }
    if let Some(broke) = walk.realm.broke() {
        notes.note(Code::RealmUnreachable, format!("{realm}: {}", words_of(broke))).realm =
            Some(realm.clone());
    }
    let Some(seen) = walk.realm.seen() else { return };
    if !seen.tls_problems.is_empty() && !url_of(walk).is_some_and(|own| own.same_origin(&realm)) {
        let evidence = format!("{realm}: its certificate is not trusted");
        notes.note(Code::RealmUnreachable, evidence).realm = Some(realm.clone());
    }
    if !notes.common(&seen.get) {
        registry::cached(notes, &seen.get);
        got(notes, &realm, &seen.get);
        posted(notes, &realm, seen);
    }
}

/// Which part of the realm's address is wrong, if one is.
fn misplaced(scene: &Scene<'_>, walk: &Walk, realm: &Url) -> Option<Code> {
    let own = url_of(walk)?;
    if own.same_origin(realm) && (own.https || !scene.has_tls() || scene.is_public(walk)) {
        return None;
    }
    let public = scene.is_public(walk);
    // What clients are told on the public route is what counts; the way from inside may well tell something else.
    let told = |walk: &Walk| scene.is_public(walk) && realm_of(walk).is_some();
    if !public && scene.walks.iter().any(told) {
        return None;
    }
    let host = scene.place.host_name();
    if realm.host != host && realm.host != own.host {
        return Some(if realm.is_internal() { Code::RealmPrivate } else { Code::RealmHost });
    }
    if !realm.https {
        // Railhead's realm follows the scheme that it was asked by; a forge's comes from its ROOT_URL.
        let follows = scene.server(walk).software == Some(Software::Railhead);
        let lowered = own.https || (!public && !follows && realm.host == host && scene.has_tls());
        if lowered {
            return Some(Code::RealmScheme);
        }
    }
    let usual = realm.port == if realm.https { 443 } else { 80 };
    let port_is_known = (usual && !own_port_is_needed(scene, &own, realm))
        || scene.walks.iter().filter_map(url_of).any(|url| url.same_origin(realm))
        || (realm.https && realm.host == host && realm.port == scene.place.port());
    (!port_is_known).then_some(Code::RealmPort)
}

/// Whether the usual port is wrong because the registry is known on another one only.
fn own_port_is_needed(scene: &Scene<'_>, own: &Url, realm: &Url) -> bool {
    let has_port = host_part(&scene.place.host) != scene.place.host.trim_matches(['[', ']']);
    let usual = |url: &Url| url.port == if url.https { 443 } else { 80 };
    has_port && !usual(own) && own.https == realm.https && own.host == realm.host
}

fn evidence(scene: &Scene<'_>, walk: &Walk, realm: &Url, code: Code) -> String {
    let mut text = format!("the realm is {realm}");
    if code == Code::RealmScheme {
        let secure = scene.walks.iter().find(|walk| walk.tls.seen().is_some() && host_of(walk) == realm.host);
        if let Some(secure) = secure {
            let _ = write!(text, ", while TLS answers at {} ({})", secure.route.url, secure.route.name);
        }
        if walk.route.is_tls() {
            text.push_str("; either ROOT_URL says http, or X-Forwarded-Proto does not arrive");
        }
    } else {
        let _ = write!(text, ", and the registry is {}", scene.place.host);
    }
    text
}

/// `GET` of the realm.
fn got(notes: &mut Notes<'_>, realm: &Url, answer: &Answered) {
    let code = match (answer.status, face(answer)) {
        (300..400, _) => Code::RealmRedirect,
        (429, _) => Code::RouteRate,
        (500.., _) => match failure_of(answer) {
            Some((code @ (Code::AppDatabase | Code::StorageFull), _)) => code,
            _ => Code::RealmError,
        },
        (404, _) => Code::Realm404,
        (_, Face::RobotCheck) => Code::RouteChallengePage,
        (_, Face::SignOn | Face::Html) => Code::RealmHtml,
        (_, Face::Front(_)) if answer.status != 401 => Code::RealmHtml,
        _ => return,
    };
    let suspect = notes.note(code, said(answer));
    suspect.realm = Some(realm.clone());
    if code == Code::RealmError && page_of(answer).is_some() {
        suspect.layer = Layer::Routing;
    }
}

/// `POST` of the realm, if `GET` works.
fn posted(notes: &mut Notes<'_>, realm: &Url, seen: &RealmSeen) {
    if seen.get.status >= 500 || (300..400).contains(&seen.get.status) || seen.get.status == 404 {
        return;
    }
    if matches!(face(&seen.get), Face::SignOn | Face::Html | Face::RobotCheck) {
        return;
    }
    let evidence = match (seen.post.seen(), seen.post.broke()) {
        (Some(answer), _) => {
            let page = matches!(face(answer), Face::Html | Face::SignOn | Face::RobotCheck | Face::Front(_));
            let fine = matches!(answer.status, 404 | 405) || (answer.status < 500 && !page);
            (!fine).then(|| said(answer))
        }
        (None, Some(broke)) => Some(format!("POST {realm}: {}", words_of(broke))),
        (None, None) => None,
    };
    if let Some(evidence) = evidence {
        notes.note(Code::RealmPost, evidence).realm = Some(realm.clone());
    }
}
