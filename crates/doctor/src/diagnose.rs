//! From walks to a diagnosis.

use jiff::Timestamp;
use railhead_client::hops::Walk;

use crate::fix::{self, Ground};
use crate::judge::{self, Scene};
use crate::{Diagnosis, Finding, Place, Verdict, across};

/// Says what `walks` show about `place`. It is a pure function; `now` is what certificates are compared with.
pub fn diagnose(place: &Place, walks: Vec<Walk>, now: Timestamp) -> Diagnosis {
    let (findings, servers) = {
        let scene = Scene::new(place, &walks, now);
        let suspects = (0..walks.len()).flat_map(|index| judge::walk(&scene, index)).collect();
        let causes = across::causes(&scene, suspects);
        let finding = |(cause, seen): (judge::Suspect, Vec<usize>)| {
            let story = cause.code.story();
            Finding {
                code: cause.code,
                title: story.title,
                severity: story.severity,
                layer: cause.layer,
                owner: place.owners.of(cause.layer).map(str::to_owned),
                routes: seen.iter().map(|index| walks[*index].route.name.clone()).collect(),
                fix: fix::of(cause.code, &Ground::of(&scene, &seen), cause.realm.as_ref()),
                evidence: cause.evidence,
            }
        };
        (causes.into_iter().map(finding).collect::<Vec<_>>(), scene.servers)
    };
    Diagnosis {
        host: place.host.clone(),
        time: now,
        verdict: Verdict::of(&findings),
        findings,
        servers,
        walks,
    }
}
