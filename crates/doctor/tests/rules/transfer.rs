//! Reading, writing, and limits.

use railhead_client::hops::{Answered, Limits, SizeLimit, Slow, Step, Walk, WriteSeen};
use railhead_doctor::Code;
use railhead_doctor::testing::{
    answer, gitea, gitea_challenge, gitea_with, nginx_page, page, refusal, taken, traefik_404, upload,
};

use crate::Case;

const HTTPS: &str = "https=https://git.example.com";
const READ: &str = "GET https://git.example.com/v2/alice/app/tags/list";
const BEGIN: &str = "POST https://git.example.com/v2/alice/app/blobs/uploads/";
const PATCH: &str = "PATCH https://git.example.com/v2/alice/app/blobs/uploads/x1";

pub fn cases() -> Vec<Case> {
    let mut cases = reads();
    cases.extend(writes());
    cases.extend(limits());
    cases
}

fn reads() -> Vec<Case> {
    let read = |seen| Walk { read: taken(seen), ..gitea(HTTPS) };
    let mut exact = read(nginx_page(READ, 404));
    exact.write = begin(nginx_page(BEGIN, 404)).write;
    vec![
        Case::of("lists fail", [read(refusal(READ, 500, "UNKNOWN", "internal"))], [Code::ReadError]),
        Case::of("lists are another's", [read(answer(READ, 418, &[], "teapot"))], [Code::ReadError]),
        Case::of("only /v2/ is routed", [exact], [Code::ReadMisrouted]),
        Case::of("lists are pages", [read(page(READ, 200, &[], "<!doctype html>"))], [Code::ReadMisrouted]),
        Case::of("lists are without a route", [read(traefik_404(READ))], [Code::ReadMisrouted]),
        Case::of("lists pass a dead proxy", [read(nginx_page(READ, 502))], [Code::Route502]),
    ]
}

fn begin(seen: Answered) -> Walk {
    let write = WriteSeen { begin: seen, location: None, patch: None, cancel: None };
    Walk { write: taken(write), ..gitea(HTTPS) }
}

/// A front that lets only `GET` through, also to a realm at `path`.
fn get_only(path: &str) -> Walk {
    let realm = format!("https://git.example.com{path}");
    let told = gitea_with(HTTPS, &gitea_challenge(&realm));
    let mut walk =
        Walk { registry: told.registry, challenge: told.challenge, ..begin(nginx_page(BEGIN, 403)) };
    if let Step::Taken { seen, .. } = &mut walk.realm {
        seen.post = taken(nginx_page(&format!("POST {realm}"), 403));
        seen.realm = realm;
    }
    walk
}

fn with(change: impl FnOnce(&mut WriteSeen)) -> Walk {
    let mut seen = upload();
    change(&mut seen);
    Walk { write: taken(seen), ..gitea(HTTPS) }
}

fn writes() -> Vec<Case> {
    let patch = |seen: Answered| with(|write| write.patch = Some(taken(seen)));
    let at = |location: &str| with(|write| write.location = Some(location.to_owned()));
    let mut nowhere = with(|write| write.location = None);
    if let Step::Taken { seen, .. } = &mut nowhere.write {
        seen.begin.headers.retain(|(name, _)| name != "location");
    }
    let mut lost = at("http://gitea-http:3000/v2/alice/app/blobs/uploads/x1");
    if let Step::Taken { seen, .. } = &mut lost.write {
        seen.patch = Some(taken(refusal(PATCH, 404, "BLOB_UPLOAD_UNKNOWN", "")));
    }
    let uncancelled = with(|write| write.cancel = Some(taken(refusal("DELETE x", 405, "UNSUPPORTED", ""))));
    let undeleted = with(|write| write.cancel = Some(taken(nginx_page("DELETE x", 403))));
    vec![
        Case::of("GET only", [begin(nginx_page(BEGIN, 403))], [Code::RouteMethod]),
        Case::of("GET only, for the realm too", [get_only("/v2/token")], [Code::RouteMethod]),
        Case::of(
            "GET only, and a realm elsewhere",
            [get_only("/login/token")],
            [Code::RouteMethod, Code::RealmPost],
        ),
        Case::of("no DELETE", [undeleted], [Code::RouteMethod]),
        Case::of("no Location", [nowhere], [Code::WriteLocation]),
        Case::of("a Location inside, where nothing is known of it", [lost], [Code::WriteLocation]),
        Case::of(
            "a Location inside",
            [at("http://gitea-http:3000/v2/alice/app/blobs/uploads/x1")],
            [Code::WriteLocation],
        ),
        Case::of(
            "a Location over http",
            [at("http://git.example.com/v2/alice/app/blobs/uploads/x1")],
            [Code::WriteLocation],
        ),
        Case::of(
            "read-only",
            [begin(refusal(BEGIN, 405, "UNSUPPORTED", "read-only"))],
            [Code::WriteReadOnly],
        ),
        Case::of("204 for a chunk", [patch(answer(PATCH, 204, &[], ""))], [Code::WritePatch]),
        Case::of("411 for a chunk", [patch(nginx_page(PATCH, 411))], [Code::RouteChunked]),
        Case::of("400 for a chunk", [patch(nginx_page(PATCH, 400))], [Code::RouteChunked]),
        Case::of(
            "400 of the registry",
            [patch(refusal(PATCH, 400, "BLOB_UPLOAD_INVALID", ""))],
            [Code::WritePatch],
        ),
        Case::of("507", [patch(refusal(PATCH, 507, "UNKNOWN", "full"))], [Code::StorageFull]),
        Case::of(
            "no space",
            [patch(refusal(PATCH, 500, "UNKNOWN", "write: no space left on device"))],
            [Code::StorageFull],
        ),
        Case::of("uploads fail", [begin(refusal(BEGIN, 500, "UNKNOWN", "internal"))], [Code::StorageError]),
        Case::of("no cancel", [uncancelled], [Code::WriteCancel]),
    ]
}

fn limits() -> Vec<Case> {
    let passed = || Slow::Passed { millis: 75_000 };
    let healthy = || Limits {
        size: SizeLimit { passed: 10 << 30, refused: None },
        trickle: passed(),
        pause: passed(),
        buffered: Some(false),
    };
    let limited = |limits| [Walk { limits: Some(limits), ..gitea(HTTPS) }];
    let size = |seen| SizeLimit { passed: 0, refused: Some(((1 << 20) + 1, seen)) };
    let cut = |answer| Slow::Cut { millis: 60_012, whole: false, answer };
    let late = || answer(PATCH, 504, &[], "Gateway Timeout");
    let sent = Slow::Cut { millis: 60_012, whole: true, answer: Some(late()) };
    vec![
        Case::of("no limits", limited(healthy()), []),
        Case::of(
            "1 MiB",
            limited(Limits { size: size(nginx_page(PATCH, 413)), ..healthy() }),
            [Code::LimitSize],
        ),
        Case::of(
            "1 MiB in the registry",
            limited(Limits { size: size(refusal(PATCH, 413, "SIZE_INVALID", "too large")), ..healthy() }),
            [Code::LimitSizeApp],
        ),
        Case::of(
            "60 s",
            limited(Limits { trickle: cut(None), pause: cut(None), ..healthy() }),
            [Code::LimitReadTimeout],
        ),
        Case::of(
            "60 s, as Traefik says it",
            limited(Limits { trickle: cut(Some(late())), pause: cut(Some(late())), ..healthy() }),
            [Code::LimitReadTimeout],
        ),
        Case::of(
            "504 when all was sent",
            limited(Limits { trickle: sent, ..healthy() }),
            [Code::LimitAnswerTimeout],
        ),
        Case::of(
            "60 s of silence",
            limited(Limits { pause: cut(Some(nginx_page(PATCH, 408))), ..healthy() }),
            [Code::LimitIdleTimeout],
        ),
        Case::of(
            "60 s for the answer",
            limited(Limits { trickle: Slow::Unanswered { millis: 60_000 }, ..healthy() }),
            [Code::LimitAnswerTimeout],
        ),
        Case::of(
            "kept in front",
            limited(Limits { buffered: Some(true), ..healthy() }),
            [Code::LimitBuffering],
        ),
    ]
}
