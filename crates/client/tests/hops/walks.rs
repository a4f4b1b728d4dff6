//! Routes that work, or whose answers are whole: what is written down of them.

use railhead_client::hops::{Broke, Broken, Hop, Step, Walk};

use crate::server::{HOST, Reply, Server, leaks, registry, settings, walk};

#[tokio::test]
async fn a_healthy_route_is_walked_to_the_cancelled_upload() {
    let server = Server::start(registry(&format!("http://{HOST}/token"))).await;
    let walk = walk(settings(), &server.route()).await;
    assert_eq!(walk.registry.seen().unwrap().status, 401);
    assert_eq!(
        walk.challenge.seen().unwrap().scheme("bearer").unwrap().parameter("service"),
        Some("registry")
    );
    assert_eq!(walk.realm.seen().unwrap().get.status, 200);
    let token = walk.token.seen().unwrap();
    assert_eq!((token.has_token, token.has_access_token, token.expires_in), (true, false, Some(300)));
    assert_eq!(token.answer.body, r#"{"token":"[redacted]","expires_in":300}"#);
    assert!(walk.anonymous_token.seen().unwrap().has_token);
    assert_eq!(walk.authenticated.seen().unwrap().status, 200);
    assert_eq!(walk.read.seen().unwrap().status, 200);
    let write = walk.write.seen().unwrap();
    assert_eq!(write.begin.status, 202);
    assert_eq!(
        write.location.as_deref(),
        Some("http://git.example.com/v2/team/app/blobs/uploads/1?_state=[redacted]")
    );
    assert_eq!(write.patch.as_ref().unwrap().seen().unwrap().status, 202);
    assert_eq!(write.cancel.as_ref().unwrap().seen().unwrap().status, 204);
    assert_eq!(walk.behind.root.as_ref().unwrap().status, 404);
    assert_eq!(leaks(&walk), [""; 0]);
    let patch = server.heads().into_iter().find(|head| head.starts_with("patch")).unwrap();
    assert!(patch.contains("transfer-encoding: chunked") && !patch.contains("content-range"), "{patch}");
    assert!(
        server.heads().iter().all(|head| !head.contains("accept-encoding")),
        "no compression is asked for"
    );
}

#[tokio::test]
async fn without_an_account_the_walk_ends_with_the_anonymous_token() {
    let server = Server::start(registry(&format!("http://{HOST}/token"))).await;
    let mut settings = settings();
    settings.account = None;
    let walk = walk(settings, &server.route()).await;
    assert!(walk.anonymous_token.seen().unwrap().has_token);
    for step in [&walk.authenticated, &walk.read] {
        assert!(matches!(step, Step::Skipped { behind: None, .. }), "{step:?}");
    }
    assert!(server.heads().iter().all(|head| !head.contains("authorization")));
}

#[tokio::test]
async fn a_way_that_shows_no_more_is_walked_to_the_challenge_and_told_by_what_is_behind_it() {
    let server = Server::start(registry(&format!("http://{HOST}/token"))).await;
    let mut settings = settings();
    settings.challenge_only = Some("logins do not pass");
    let mut walk = walk(settings, &server.route()).await;
    assert!(walk.challenge.seen().is_some());
    assert!(matches!(&walk.realm, Step::Skipped { behind: None, why } if why == "logins do not pass"));
    assert!(matches!(&walk.write, Step::Skipped { behind: None, why } if why == "logins do not pass"));
    let heads = server.heads();
    assert!(
        heads.iter().all(|head| !head.contains("authorization") && !head.contains(" /token")),
        "{heads:?}"
    );
    walk.address_as(&server.address.to_string(), "service team/registry:5000");
    assert_eq!(walk.resolve.seen().unwrap().name, "service team/registry:5000");
    assert_eq!(walk.registry.seen().unwrap().address, "service team/registry:5000");
    walk.route.connect = None;
    assert!(!serde_json::to_string(&walk).unwrap().contains(&server.address.to_string()));
}

#[test]
fn a_route_without_anything_to_connect_to_has_a_record_too() {
    let route = format!("in=http://{HOST}").parse().unwrap();
    let broken = Broken { kind: Broke::Refused, detail: "there is no such service".to_owned() };
    let walk = Walk::unreached(&route, "service team/registry:5000", broken.clone());
    assert_eq!(walk.connect.broke(), Some(&broken));
    assert_eq!(walk.resolve.seen().unwrap().addresses, ["service team/registry:5000"]);
    assert!(matches!(walk.registry, Step::Skipped { behind: Some(Hop::Connect), .. }));
}

#[tokio::test]
async fn a_registry_with_basic_has_no_token_hop() {
    let server = Server::start(|head| {
        let line = head.lines().next().unwrap_or_default();
        match head.contains("authorization: basic") {
            true if line.starts_with("get /v2/") => Reply::new("200 OK", &[], "{}"),
            true => Reply::new("403 Forbidden", &[], r#"{"errors":[{"code":"DENIED"}]}"#),
            false => Reply::new("401 Unauthorized", &["WWW-Authenticate: Basic realm=\"x\""], ""),
        }
    })
    .await;
    let walk = walk(settings(), &server.route()).await;
    for step in [&walk.anonymous_token, &walk.token] {
        assert!(matches!(step, Step::Skipped { behind: None, .. }), "{step:?}");
    }
    assert_eq!(walk.authenticated.seen().unwrap().status, 200);
    let write = walk.write.seen().unwrap();
    assert_eq!((write.begin.error_code().as_deref(), write.patch.is_none()), (Some("DENIED"), true));
}

#[tokio::test]
async fn an_open_registry_is_read_without_a_login() {
    let server = Server::start(|head| match head.lines().next() {
        Some(line) if line.starts_with("get /v2/ ") => Reply::new("200 OK", &[], "{}"),
        _ => Reply::new("404 Not Found", &[], ""),
    })
    .await;
    let walk = walk(settings(), &server.route()).await;
    assert!(matches!(walk.challenge, Step::Skipped { behind: None, .. }));
    assert!(matches!(walk.authenticated, Step::Skipped { behind: None, .. }));
    assert_eq!(walk.read.seen().unwrap().status, 404);
    assert!(server.heads().iter().all(|head| !head.contains("authorization")));
}

#[tokio::test]
async fn what_is_no_registry_is_in_the_way_of_all_that_follows() {
    let server =
        Server::start(|_| Reply::new("404 Not Found", &["Content-Type: text/plain"], "404 page not found\n"))
            .await;
    let walk = walk(settings(), &server.route()).await;
    let answered = walk.registry.seen().unwrap();
    assert_eq!((answered.status, answered.body.as_str()), (404, "404 page not found\n"));
    assert!(matches!(walk.challenge, Step::Skipped { behind: Some(Hop::Registry), .. }));
    assert!(matches!(walk.write, Step::Skipped { behind: Some(Hop::Registry), .. }));
}

#[tokio::test]
async fn challenges_that_lead_nowhere_end_the_walk_there() {
    for challenge in
        ["", "Bearer service=\"x\"", "Bearer realm=\"/token\"", "Bearer realm=\"ftp://h/t\"", "Negotiate"]
    {
        let server = Server::start(move |_| match challenge {
            "" => Reply::new("401 Unauthorized", &[], ""),
            challenge => Reply::new("401 Unauthorized", &[&format!("WWW-Authenticate: {challenge}")], ""),
        })
        .await;
        let walk = walk(settings(), &server.route()).await;
        assert!(walk.challenge.seen().is_some(), "{challenge}");
        assert!(matches!(walk.realm, Step::Skipped { behind: Some(Hop::Challenge), .. }), "{challenge}");
        assert!(matches!(walk.read, Step::Skipped { behind: Some(Hop::Challenge), .. }), "{challenge}");
    }
}

#[tokio::test]
async fn a_realm_that_cannot_be_reached_is_a_broken_hop() {
    let server = Server::start(registry("https://auth.invalid/token")).await;
    let walk = walk(settings(), &server.route()).await;
    assert_eq!(walk.realm.broke().unwrap().kind, Broke::NameUnknown);
    assert!(matches!(walk.token, Step::Skipped { behind: Some(Hop::Realm), .. }));
}

#[tokio::test]
async fn a_loop_of_redirects_is_seen_and_left() {
    let server = Server::start(|head| match head.lines().next() {
        Some(line) if line.starts_with("get /v2/ ") => {
            Reply::new("302 Found", &["Location: /login?code=abc"], "")
        }
        _ => Reply::new("302 Found", &["Location: /v2/"], ""),
    })
    .await;
    let walk = walk(settings(), &server.route()).await;
    let locations: Vec<&str> = walk.redirects.iter().map(|redirect| redirect.location.as_str()).collect();
    assert_eq!(locations, ["/login?code=[redacted]", "/v2/"]);
    assert!(walk.redirects[1].answer.is_none());
    assert!(matches!(walk.challenge, Step::Skipped { behind: Some(Hop::Registry), .. }));
}

#[tokio::test]
async fn redirects_without_end_are_followed_five_times() {
    let server = Server::start(|head| {
        let at = head.lines().next().unwrap_or_default().len();
        Reply::new("302 Found", &[&format!("Location: /{}", "x".repeat(at))], "")
    })
    .await;
    let walk = walk(settings(), &server.route()).await;
    assert_eq!(walk.redirects.len(), 6);
    assert!(walk.redirects[4].answer.is_some() && walk.redirects[5].answer.is_none());
}

#[tokio::test]
async fn all_addresses_are_tried_and_the_first_that_answers_is_taken() {
    let server = Server::start(registry(&format!("http://{HOST}/token"))).await;
    let port = server.address.port();
    let mut settings = settings();
    // Nobody listens on the first; all of 127.0.0.0/8 is this machine.
    settings
        .resolve
        .insert(HOST.to_owned(), vec!["127.0.0.9".parse().unwrap(), "127.0.0.1".parse().unwrap()]);
    let route = format!("public=http://{HOST}:{port}").parse().unwrap();
    let walk = walk(settings, &route).await;
    let connected = walk.connect.seen().unwrap();
    assert_eq!(connected.address, format!("127.0.0.1:{port}"));
    assert_eq!(connected.attempts[0].broke.as_ref().unwrap().kind, Broke::Refused);
    assert_eq!(walk.registry.seen().unwrap().status, 401);
}
