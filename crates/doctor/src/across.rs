//! What walks show together: one route explains another.
//!
//! Order: judgements that change when another route is known; then what another finding explains is dropped; then equal
//! codes become one finding. So every finding is one cause.

use std::collections::BTreeSet;

use railhead_client::hops::Walk;

use crate::judge::{Scene, Suspect, host_of, realm_of, said, url_of};
use crate::recognise::is_registry;
use crate::{Code, Layer, Severity};

/// The suspects that are causes, those of one code together.
pub(crate) fn causes(scene: &Scene<'_>, mut suspects: Vec<Suspect>) -> Vec<(Suspect, Vec<usize>)> {
    reconsider(scene, &mut suspects);
    others(scene, &mut suspects);
    subpath(scene, &mut suspects);
    explain(scene, &mut suspects);
    if scene.place.assumed_routes {
        forgive(scene, &mut suspects);
    }
    merge(scene, suspects)
}

/// Whether a walk got as far as a registry's own answer.
pub(crate) fn is_at_registry(walk: &Walk) -> bool {
    walk.registry.seen().is_some_and(|answer| {
        matches!(answer.status, 200 | 401) && (is_registry(answer) || realm_of(walk).is_some())
    })
}

/// Changes what means something else when another route is known.
fn reconsider(scene: &Scene<'_>, suspects: &mut [Suspect]) {
    let registry = scene.walks.iter().find(|walk| is_at_registry(walk));
    let challenged =
        scene.walks.iter().any(|walk| walk.challenge.seen().is_some_and(|seen| !seen.headers.is_empty()));
    let accepted = |walk: &&Walk| walk.authenticated.seen().is_some_and(|answer| answer.status < 300);
    let logged_in = scene.walks.iter().find(accepted);
    for suspect in suspects {
        let walk = &scene.walks[suspect.walk];
        match suspect.code {
            // The forge has its registry on another route: here it was asked for another path.
            Code::AppDisabled => {
                if let Some(other) = registry {
                    change(suspect, Code::RouteMisrouted, other, "answers as a registry");
                }
            }
            Code::ChallengeMissing if challenged => suspect.layer = Layer::Routing,
            Code::AuthTokenRefused | Code::AuthRefused | Code::AuthStale => {
                if let Some(other) = logged_in {
                    change(suspect, Code::RouteAuthDropped, other, "takes the same login");
                }
            }
            Code::Route404 | Code::TlsNameRefused if is_address(walk) => {
                if let Some(other) = scene.walks.iter().find(|walk| !is_address(walk) && is_at_registry(walk))
                {
                    let what = format!("asked as {}, it answers as a registry", host_of(other));
                    change(suspect, Code::ClientByAddress, other, &what);
                }
            }
            Code::ConnectRefused => {
                let plain =
                    |walk: &&Walk| !walk.route.is_tls() && scene.is_public(walk) && is_at_registry(walk);
                let public =
                    walk.route.is_tls() && scene.is_public(walk) && !scene.is_loopback() && !scene.has_tls();
                if public && let Some(other) = scene.walks.iter().find(plain) {
                    change(suspect, Code::TlsNone, other, "answers as a registry over plain http");
                }
            }
            _ => {}
        }
    }
}

/// Whether the URL of a route has an address instead of a name.
fn is_address(walk: &Walk) -> bool {
    host_of(walk).parse::<std::net::IpAddr>().is_ok()
}

fn change(suspect: &mut Suspect, code: Code, other: &Walk, what: &str) {
    suspect.code = code;
    suspect.layer = code.story().layer;
    suspect.evidence.push(format!("{}: {what}", other.route.name));
}

/// Suspects the routes that lead to another registry than the public one.
fn others(scene: &Scene<'_>, suspects: &mut Vec<Suspect>) {
    let mut known = scene.walks.iter().enumerate().filter(|(_, walk)| is_at_registry(walk));
    let public = known.clone().find(|(_, walk)| scene.is_public(walk) && walk.route.is_tls());
    let Some((first, one)) =
        public.or_else(|| known.clone().find(|(_, walk)| scene.is_public(walk))).or_else(|| known.next())
    else {
        return;
    };
    for (index, walk) in scene.walks.iter().enumerate().filter(|(_, walk)| is_at_registry(walk)) {
        if index == first {
            continue;
        }
        let Some(difference) = difference(scene, (first, one), (index, walk)) else { continue };
        suspects.push(Suspect {
            code: Code::RouteOther,
            layer: Code::RouteOther.story().layer,
            walk: index,
            evidence: vec![format!("{}: {difference}", walk.route.name)],
            realm: None,
        });
    }
}

/// How two registries differ, if they do.
fn difference(scene: &Scene<'_>, one: (usize, &Walk), two: (usize, &Walk)) -> Option<String> {
    let name = &one.1.route.name;
    if let (Some(left), Some(right)) = (scene.servers[one.0].software, scene.servers[two.0].software)
        && !left.may_be(right)
    {
        return Some(format!("{} answers, and on {name} {}", right.name(), left.name()));
    }
    let service = |walk: &Walk| {
        let challenged = walk.challenge.seen()?;
        Some(challenged.scheme("bearer")?.parameter("service")?.to_owned())
    };
    if let (Some(left), Some(right)) = (service(one.1), service(two.1))
        && left != right
    {
        return Some(format!("its service is \"{right}\", and on {name} \"{left}\""));
    }
    let version = |index: usize| scene.servers[index].version.as_ref();
    if let (Some(left), Some(right)) = (version(one.0), version(two.0))
        && left != right
    {
        return Some(format!("its version is {right}, and on {name} {left}"));
    }
    None
}

/// A path behind the host is one cause with what is missing at the root.
fn subpath(scene: &Scene<'_>, suspects: &mut Vec<Suspect>) {
    let Some(path) = &scene.place.path else { return };
    let mut evidence = vec![format!("the registry was given as {}{path}", scene.place.host)];
    let mut first = None;
    suspects.retain(|suspect| {
        let same = matches!(suspect.code, Code::Route404 | Code::RouteMisrouted | Code::RouteSubpath);
        if same {
            first.get_or_insert(suspect.walk);
            evidence.extend(suspect.evidence.iter().cloned());
        }
        !same
    });
    let at = first.or_else(|| scene.walks.iter().position(|walk| scene.is_public(walk))).unwrap_or_default();
    if scene.walks.is_empty() {
        return;
    }
    suspects.push(Suspect {
        code: Code::RouteSubpath,
        layer: Code::RouteSubpath.story().layer,
        walk: at,
        evidence,
        realm: None,
    });
}

/// Drops what is only the other side of another suspect.
fn explain(scene: &Scene<'_>, suspects: &mut Vec<Suspect>) {
    let error = |suspect: &&Suspect| suspect.code.story().severity == Severity::Error;
    // What keeps clients from a route, or makes them distrust it.
    let blocked: BTreeSet<usize> = suspects
        .iter()
        .filter(error)
        .filter(|suspect| suspect.code < Code::ChallengeMissing)
        .map(|suspect| suspect.walk)
        .collect();
    let misplaced: BTreeSet<Code> = suspects
        .iter()
        .map(|suspect| suspect.code)
        .filter(|code| (Code::RealmScheme..=Code::RealmPort).contains(code))
        .collect();
    let on = |codes: &[Code]| -> BTreeSet<usize> {
        suspects.iter().filter(|suspect| codes.contains(&suspect.code)).map(|suspect| suspect.walk).collect()
    };
    let refused = on(&[Code::AuthRefused, Code::AuthStale, Code::AuthTokenRefused, Code::RouteAuthDropped]);
    let elsewhere = on(&[Code::RouteOther]);
    let by_address = on(&[Code::ClientByAddress]);
    let unread = on(&[Code::AuthRead, Code::ReadMisrouted]);
    let read_only = on(&[Code::RouteMethod]);
    let strange = Code::RealmUnreachable..=Code::AuthQuota;
    suspects.retain(|suspect| match (suspect.code, &suspect.realm) {
        // Another registry has other logins, and its realm may well lead to the first one.
        (code, _)
            if elsewhere.contains(&suspect.walk)
                && (strange.contains(&code) || code == Code::RouteAuthDropped) =>
        {
            false
        }
        // The realm is on a route that is known to be in trouble.
        (
            Code::RealmUnreachable
            | Code::Realm404
            | Code::RealmRedirect
            | Code::RealmHtml
            | Code::RealmError,
            Some(realm),
        ) => !blocked.iter().any(|index| {
            url_of(&scene.walks[*index]).is_some_and(|url| url.host == realm.host && url.https == realm.https)
        }),
        // A front that lets only `GET` through below `/v2/` stops `POST` of a realm there, too.
        (Code::RealmPost, Some(realm)) if realm.bare_path().starts_with("/v2/") => {
            let front =
                |index: &usize| url_of(&scene.walks[*index]).is_some_and(|url| url.same_origin(realm));
            !read_only.iter().any(front)
        }
        // Who is not let in can neither read nor write; what cannot be read cannot be written.
        (Code::AuthRead, _) => !refused.contains(&suspect.walk),
        (Code::AuthWrite, _) => !refused.contains(&suspect.walk) && !unread.contains(&suspect.walk),
        (Code::RouteMethod, _) => !unread.contains(&suspect.walk),
        // A certificate is for the name that was not asked for.
        (Code::TlsName | Code::TlsDefaultCert, _) => !by_address.contains(&suspect.walk),
        // The same wrong address, in another header.
        (Code::WriteLocation, _) => misplaced.is_empty(),
        _ => true,
    });
}

/// Drops what nobody asked for: of the two routes that were only assumed, one is enough.
fn forgive(scene: &Scene<'_>, suspects: &mut Vec<Suspect>) {
    let secure = scene.walks.iter().any(|walk| walk.tls.seen().is_some());
    let plain =
        scene.is_loopback() && scene.walks.iter().any(|walk| !walk.route.is_tls() && is_at_registry(walk));
    suspects.retain(|suspect| {
        let tls = scene.walks[suspect.walk].route.is_tls();
        let early = suspect.code < Code::Route404 && suspect.code != Code::ClockSkew;
        !(early && ((secure && !tls) || (plain && !secure && tls)))
    });
}

/// One cause for each code, with the walks that show it, in the order of mending.
fn merge(scene: &Scene<'_>, suspects: Vec<Suspect>) -> Vec<(Suspect, Vec<usize>)> {
    const MOST: usize = 12;
    let mut causes: Vec<(Suspect, Vec<usize>)> = Vec::new();
    for suspect in suspects {
        let Some((known, walks)) = causes.iter_mut().find(|(known, _)| known.code == suspect.code) else {
            let walks = vec![suspect.walk];
            causes.push((suspect, walks));
            continue;
        };
        if !walks.contains(&suspect.walk) {
            walks.push(suspect.walk);
        }
        for line in suspect.evidence {
            if !known.evidence.contains(&line) && known.evidence.len() < MOST {
                known.evidence.push(line);
            }
        }
    }
    for (cause, walks) in &mut causes {
        walks.sort_unstable();
        contrast(scene, cause, walks);
    }
    causes.sort_by_key(|(cause, _)| (cause.code.story().severity, cause.code));
    causes
}

/// Adds what another route answers to a cause that lies in front: it says that the registry is there.
fn contrast(scene: &Scene<'_>, cause: &mut Suspect, walks: &[usize]) {
    if cause.layer != Layer::Routing || !(Code::Route404..=Code::Route504).contains(&cause.code) {
        return;
    }
    for (index, walk) in scene.walks.iter().enumerate() {
        let Some(answer) = walk.registry.seen() else { continue };
        if !walks.contains(&index) && is_at_registry(walk) {
            let software = scene.servers[index].software.map_or("a registry", |software| software.name());
            let line = format!("{}: {}, so {software} is there", walk.route.name, said(answer));
            cause.evidence.push(line);
        }
    }
}
