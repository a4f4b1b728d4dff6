//! What the application answers, and its challenge.

use railhead_client::hops::{Answered, Walk};
use railhead_doctor::testing::{
    answer, answered, arrived, challenged, gitea, gitea_404, gitea_challenge, gitea_with, refusal, taken,
};
use railhead_doctor::{Code, Layer};

use crate::Case;

const HTTPS: &str = "https=https://git.example.com";
const V2: &str = "GET https://git.example.com/v2/";
const REALM: &str = "https://git.example.com/v2/token";

pub fn cases() -> Vec<Case> {
    let mut cases = answers();
    cases.extend(challenges());
    cases
}

fn answers() -> Vec<Case> {
    let v2 = |seen: Answered| [answered(HTTPS, seen)];
    let json = [("content-type", "application/json")];
    let open = answer(V2, 200, &[("docker-distribution-api-version", "registry/2.0")], "{}");
    vec![
        Case::of("packages are off", v2(gitea_404(V2)), [Code::AppDisabled]),
        Case::of("500", v2(refusal(V2, 500, "UNKNOWN", "Internal Server Error")), [Code::AppError]),
        Case::of("503", v2(refusal(V2, 503, "UNAVAILABLE", "starting")), [Code::AppStarting]),
        Case::of(
            "another interface",
            v2(answer(V2, 200, &json, r#"{"status":"ok"}"#)),
            [Code::AppNotRegistry],
        ),
        Case::of(
            "another's 404",
            v2(answer(V2, 404, &json, r#"{"detail":"Not Found"}"#)),
            [Code::AppNotRegistry],
        ),
        Case::of(
            "the database is away",
            v2(refusal(V2, 500, "UNKNOWN", "dial tcp 10.0.0.9:5432: connect: connection refused")),
            [Code::AppDatabase],
        ),
        Case::of("the disk is full", v2(refusal(V2, 507, "UNKNOWN", "full")), [Code::StorageFull]),
        Case::of("open", v2(open), [Code::ChallengeOpen]).at(|place| place.account = None),
    ]
}

fn challenges() -> Vec<Case> {
    let one = |header: &str| [gitea_with(HTTPS, header)];
    let mut none = arrived(HTTPS);
    none.registry = taken(refusal(V2, 401, "UNAUTHORIZED", ""));
    none.challenge = taken(challenged(&[]));
    let lost = Walk { challenge: taken(challenged(&[])), ..none.clone() };
    let mut two = gitea(HTTPS);
    two.challenge = taken(challenged(&[&gitea_challenge(REALM), "Basic realm=\"Gitea\""]));
    let mut other = gitea(HTTPS);
    other.behind.nowhere = Some(answer(
        "GET https://git.example.com/v2/railhead-doctor-nowhere/x/manifests/none",
        401,
        &[(
            "www-authenticate",
            "Bearer realm=\"https://git.example.com/token\",scope=\"repository:library/x:pull\"",
        )],
        "",
    ));
    let mut same = gitea(HTTPS);
    same.behind.nowhere = Some(answer(
        "GET https://git.example.com/v2/railhead-doctor-nowhere/x/manifests/none",
        401,
        &[("www-authenticate", "Bearer realm=\"r\",scope=\"repository:railhead-doctor-nowhere/x:pull\"")],
        "",
    ));
    vec![
        Case::of("missing", [none], [Code::ChallengeMissing]).in_layer(Layer::Application),
        Case::of(
            "missing here, not there",
            [lost, gitea("pod=http://10.0.0.7:3000")],
            [Code::ChallengeMissing],
        )
        .in_layer(Layer::Routing),
        Case::of(
            "an open quote",
            one("Bearer realm=\"https://git.example.com/v2/token"),
            [Code::ChallengeBroken],
        ),
        Case::of("neither Bearer nor Basic", one("Negotiate"), [Code::ChallengeBroken]),
        Case::of("no realm", one("Bearer service=\"x\""), [Code::ChallengeNoRealm]),
        Case::of(
            "a path for a realm",
            one("Bearer realm=\"/v2/token\",service=\"x\""),
            [Code::ChallengeRealmInvalid],
        ),
        Case::of("no service", one(&format!("Bearer realm=\"{REALM}\"")), [Code::ChallengeNoService]),
        Case::of("two challenges", [two], [Code::ChallengeTwo]),
        Case::of("another repository's scope", [other], [Code::ChallengeScope]),
        Case::of("its own scope", [same], []),
    ]
}
