//! Messages of the forge: those that a real Gitea sends, and those that nobody should take.

use railhead_suites::http::Http;
use ring::hmac;

use crate::place::{Place, becomes, expect, pull};

const SECRET: &str = "both of them know it";
const JSON: &str = "application/json";

/// What the forge says counts for an hour, unless it sends a message.
fn place() -> Place {
    Place::with(3600, 3600, "[webhook]\nALLOWED_HOST_LIST = *\n", |forge| {
        let scopes = ["read:user", "read:organization", "read:repository"];
        vec![
            ("RAILHEAD_FORGE_WEBHOOK_SECRET", SECRET.to_owned()),
            ("RAILHEAD_FORGE_TOKEN", forge.token_of("alice", "railhead", &scopes)),
        ]
    })
}

fn hook(place: &Place, events: &[&str]) -> String {
    let url = format!("http://{}/v2/webhook", place.railhead.address());
    let config = serde_json::json!({
        "url": url, "content_type": "json", "secret": SECRET, "is_system_webhook": "true",
    });
    serde_json::json!({ "type": "gitea", "active": true, "events": events, "config": config }).to_string()
}

#[test]
fn a_change_on_the_forge_counts_when_it_has_told_of_it() {
    let place = place();
    place.forge.user("bob");
    place.forge.organisation("crew", "public");
    let bob = place.user("bob");
    expect(bob.push("bob/app"), 201, &[]);
    expect(place.user("alice").push("crew/app"), 201, &[]);
    for image in ["bob/app", "crew/app"] {
        expect(place.nobody().pull(image), 200, &[]);
    }

    place.forge.api("POST", "/orgs/crew/repos", r#"{"name":"work","auto_init":true}"#, 201);

    // One for the whole forge: a private repository is made beside the images.
    place.forge.api("POST", "/admin/hooks", &hook(&place, &["repository"]), 201);
    place.forge.api("POST", "/admin/users/bob/repos", r#"{"name":"app","private":true}"#, 201);
    becomes(401, || place.nobody().pull("bob/app"));
    expect(bob.pull("bob/app"), 200, &[]);

    // One of an organisation: a push ends the token that was revoked before it, and what was asked with that.
    place.forge.api("POST", "/orgs/crew/hooks", &hook(&place, &["push"]), 201);
    let token = place.forge.token_of("bob", "ci", &["write:package"]);
    let ci = place.login("bob", &token);
    let bearer = ci.bearer("bob/app", "pull").unwrap();
    expect(pull(&bearer, "bob/app"), 200, &[]);
    place.forge.revoke_of("bob", "ci");
    expect(pull(&bearer, "bob/app"), 200, &[]);
    let file = r#"{"content":"aGVsbG8=","message":"say hello"}"#;
    place.forge.api("POST", "/repos/crew/work/contents/hello.txt", file, 201);
    becomes(401, || ci.login());
    expect(pull(&bearer, "bob/app"), 401, &[]);
    let log = place.railhead.server().log();
    assert!(!log.contains("a message to the webhook is refused") && !log.contains(SECRET), "{log}");
}

#[test]
fn messages_that_nobody_should_take_are_refused_and_logged_once() {
    let place = place();
    let http = Http { address: place.railhead.address(), authorization: String::new() };
    let send = |name: &str, signature: &str, kind: &str, body: &[u8]| {
        let fields = [("Content-Type", kind), (name, signature)];
        http.send("POST", "/v2/webhook", &fields, body).unwrap().status
    };
    let signed = |body: &[u8]| {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), body);
        tag.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    };
    let (body, large) = (b"{\"n\":1}", vec![b' '; (1 << 20) + 1]);
    let wrong = "0".repeat(64);
    for _ in 0..3 {
        assert_eq!(send("X-Gitea-Signature", &wrong, JSON, body), 403);
        assert_eq!(send("X-Gitea-Signature", &signed(b"other"), JSON, body), 403);
        assert_eq!(send("X-Hub-Signature", &signed(body), JSON, body), 403, "no signature that is known");
        assert_eq!(send("X-Gitea-Signature", &signed(&large), JSON, &large), 413);
        let form = "application/x-www-form-urlencoded";
        assert_eq!(send("X-Gitea-Signature", &signed(body), form, body), 415);
    }
    // Forgejo's name of it, then the same once more under the other name.
    assert_eq!(send("X-Forgejo-Signature", &signed(body), "application/json; charset=utf-8", body), 200);
    assert_eq!(send("X-Gitea-Signature", &signed(body), JSON, body), 409);
    assert_eq!(http.send("GET", "/v2/webhook", &[], b"").unwrap().status, 405);
    let log = place.railhead.server().log();
    for status in [403, 409, 413, 415] {
        let line = |line: &&str| {
            line.contains("message to the webhook is refused") && line.contains(&format!("{status}"))
        };
        assert_eq!(log.lines().filter(line).count(), 1, "{status} in {log}");
    }
    assert!(!log.contains(SECRET) && !log.contains(&signed(body)));

    // Where no secret is set there is nothing.
    let without = Place::new(60, 60);
    let http = Http { address: without.railhead.address(), authorization: String::new() };
    let fields = [("Content-Type", JSON), ("X-Gitea-Signature", wrong.as_str())];
    assert_eq!(http.send("POST", "/v2/webhook", &fields, body).unwrap().status, 404);
}
