//! Tokens and rights.

use railhead_client::hops::{Step, TokenSeen, Walk, WriteSeen};
use railhead_doctor::Code;
use railhead_doctor::testing::{answer, gitea, gitea_404, refusal, skipped, taken, token, upload};

use crate::Case;

const HTTPS: &str = "https=https://git.example.com";
const READ: &str = "GET https://git.example.com/v2/alice/app/tags/list";
const BEGIN: &str = "POST https://git.example.com/v2/alice/app/blobs/uploads/";

pub fn cases() -> Vec<Case> {
    let nothing = Walk { anonymous_token: taken(token(200, false)), token: skipped(None), ..until_token() };
    let new = TokenSeen { has_access_token: true, ..token(200, false) };
    let one_name = Walk { anonymous_token: taken(new.clone()), token: taken(new), ..gitea(HTTPS) };
    let refused = Walk { token: taken(token(401, false)), ..until_token() };
    let mut stale = refused.clone();
    stale.read_as_nobody = Some(answer(
        READ,
        200,
        &[("content-type", "application/json")],
        r#"{"name":"alice/app","tags":["v1"]}"#,
    ));
    let mut paged = refused.clone();
    paged.read_as_nobody = Some(answer(READ, 200, &[("content-type", "text/html")], "<!doctype html>"));
    let scope = "reqPackageAccess\n";
    let gitea_denies = |asked| {
        answer(
            asked,
            401,
            &[("content-type", "text/plain"), ("www-authenticate", "Basic realm=\"Gitea Package API\"")],
            scope,
        )
    };
    let logged_out = Walk {
        authenticated: taken(refusal("GET https://git.example.com/v2/", 401, "UNAUTHORIZED", "")),
        read: skipped(None),
        write: skipped(None),
        ..gitea(HTTPS)
    };
    let begin = |seen| Walk {
        write: taken(WriteSeen { begin: seen, location: None, patch: None, cancel: None }),
        ..gitea(HTTPS)
    };
    let nobody = |walk: Walk| Walk { authenticated: skipped(None), write: skipped(None), ..walk };
    let unread = |seen| Walk { read: taken(seen), ..gitea(HTTPS) };
    let mut both = unread(refusal(READ, 403, "DENIED", "may not"));
    both.write = begin(refusal(BEGIN, 403, "DENIED", "may not")).write;
    vec![
        Case::of("no token", [nothing], [Code::TokenInvalid]),
        Case::of("access_token only", [one_name], [Code::TokenOneName]),
        Case::of("refused", [refused], [Code::AuthRefused]),
        Case::of("refused, where everybody may read", [stale], [Code::AuthStale]),
        Case::of("refused, where everybody gets a page", [paged], [Code::AuthRefused]),
        Case::of("the registry refuses its own token", [logged_out], [Code::AuthTokenRefused]),
        Case::of("may not read", [unread(refusal(READ, 403, "DENIED", "may not"))], [Code::AuthRead]),
        Case::of("may neither read nor write", [both], [Code::AuthRead]),
        Case::of("Gitea's scope", [unread(gitea_denies(READ))], [Code::AuthRead]),
        Case::of("nobody may not read", [nobody(unread(refusal(READ, 401, "UNAUTHORIZED", "")))], []),
        Case::of("may not write", [begin(gitea_denies(BEGIN))], [Code::AuthWrite]),
        Case::of(
            "no such owner, Gitea",
            [Walk { read: taken(gitea_404(READ)), ..begin(gitea_404(BEGIN)) }],
            [Code::AuthOwner],
        ),
        Case::of(
            "no such owner",
            [begin(refusal(BEGIN, 404, "NAME_UNKNOWN", "no owner"))],
            [Code::AuthOwner],
        ),
        Case::of(
            "no such owner, Railhead",
            [begin(refusal(
                BEGIN,
                403,
                "DENIED",
                "there is no user or organisation 'nobody'; push below your own name",
            ))],
            [Code::AuthOwner],
        ),
        Case::of("nobody named an owner", [nobody(unread(gitea_404(READ)))], [])
            .at(|place| place.repository = None),
        Case::of(
            "quota",
            [begin(refusal(BEGIN, 403, "DENIED", "the quota of alice is used up"))],
            [Code::AuthQuota],
        ),
        Case::of("healthy", [Walk { write: taken(upload()), ..gitea(HTTPS) }], []),
    ]
}

/// Healthy up to the realm.
fn until_token() -> Walk {
    fn none<T>() -> Step<T> {
        skipped(None)
    }
    Walk { authenticated: none(), read: none(), write: none(), ..gitea(HTTPS) }
}
