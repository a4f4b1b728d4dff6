//! Where credentials go, and where they never do: neither to others, nor into records.

use railhead_client::hops::{Broke, Hop, Step};

use crate::certificates::{Authority, acceptor, changing_acceptor};
use crate::server::{HOST, Reply, SECRET, Server, leaks, registry, settings, walk};

fn got_credentials(server: &Server) -> bool {
    server.heads().iter().any(|head| head.contains("authorization") || head.contains(SECRET))
}

#[tokio::test]
async fn a_foreign_realm_is_reached_and_told_nothing() {
    let other = Server::start(registry("http://unused/token")).await;
    let realm = format!("http://127.0.0.1:{}/token", other.address.port());
    let server = Server::start(registry(&realm)).await;
    let walk = walk(settings(), &server.route()).await;
    assert_eq!(walk.realm.seen().unwrap().get.status, 200);
    assert!(walk.anonymous_token.seen().unwrap().has_token);
    assert!(matches!(walk.token, Step::Skipped { behind: Some(Hop::Realm), .. }), "{:?}", walk.token);
    assert!(matches!(walk.authenticated, Step::Skipped { behind: Some(Hop::Realm), .. }));
    assert!(other.heads().len() >= 3);
    assert!(!got_credentials(&other) && !got_credentials(&server));
}

#[tokio::test]
async fn the_realm_on_the_public_host_is_the_registrys_own() {
    let realm = Server::start(registry("http://unused/token")).await;
    let server = Server::start(registry(&format!("http://{HOST}/token"))).await;
    let mut settings = settings();
    settings.known = vec![realm.route()];
    let route = format!("pod=http://gitea-http.git.svc:3000,connect={}", server.address).parse().unwrap();
    let walk = walk(settings, &route).await;
    assert_eq!(walk.token.seen().unwrap().answer.status, 200);
    assert_eq!(walk.authenticated.seen().unwrap().status, 200);
    assert!(got_credentials(&realm));
    let basic = |head: &String| head.contains("authorization: basic");
    assert!(!server.heads().iter().any(basic), "the secret itself goes to the realm only");
}

#[tokio::test]
async fn an_open_realm_behind_tls_is_told_nothing() {
    let authority = Authority::new();
    let realm = Server::start(registry("http://unused/token")).await;
    let behind = registry(&format!("http://{HOST}/token"));
    let server = Server::start_tls(acceptor(authority.issue(HOST)), behind).await;
    let mut route = server.tls_route();
    route.ca = Some(authority.file());
    let mut settings = settings();
    settings.known = vec![realm.route()];
    let walk = walk(settings, &route).await;
    assert_eq!(walk.tls.seen().unwrap().problems, []);
    assert!(matches!(walk.token, Step::Skipped { behind: Some(Hop::Realm), .. }), "{:?}", walk.token);
    assert!(!got_credentials(&realm) && !got_credentials(&server));
}

#[tokio::test]
async fn a_connection_that_does_not_verify_carries_no_credentials() {
    let authority = Authority::new();
    for (host, is_trusted) in [(HOST, true), ("other.example.com", false)] {
        let behind = registry(&format!("https://{HOST}/token"));
        let server = Server::start_tls(acceptor(authority.issue(host)), behind).await;
        let mut route = server.tls_route();
        route.ca = Some(authority.file());
        let walk = walk(settings(), &route).await;
        assert_eq!(walk.registry.seen().unwrap().status, 401, "the walk goes on");
        assert_eq!(got_credentials(&server), is_trusted);
        if is_trusted {
            assert_eq!(walk.write.seen().unwrap().begin.status, 202);
        } else {
            assert!(matches!(walk.token, Step::Skipped { behind: Some(Hop::Tls), .. }), "{:?}", walk.token);
            assert!(matches!(walk.write, Step::Skipped { behind: Some(Hop::Tls), .. }), "{:?}", walk.write);
        }
        assert_eq!(leaks(&walk), [""; 0]);
    }
}

#[tokio::test]
async fn every_connection_has_to_verify_for_itself() {
    let authority = Authority::new();
    let identities = (authority.issue(HOST), authority.issue("other.example.com"));
    let realm =
        Server::start_tls(changing_acceptor(identities.0, identities.1), registry("http://unused/token"))
            .await;
    let port = realm.address.port();
    let behind = registry(&format!("https://{HOST}:{port}/token"));
    let server = Server::start_tls(acceptor(authority.issue(HOST)), behind).await;
    let mut route = server.tls_route();
    route.ca = Some(authority.file());
    let mut settings = settings();
    let known =
        format!("realm=https://{HOST}:{port},connect={},ca={}", realm.address, authority.file().display());
    settings.known = vec![known.parse().unwrap()];
    let walk = walk(settings, &route).await;
    assert_eq!(walk.realm.seen().unwrap().tls_problems, []);
    assert_eq!(walk.token.broke().unwrap().kind, Broke::TlsHandshake, "{:?}", walk.token);
    assert!(matches!(walk.authenticated, Step::Skipped { behind: Some(Hop::Token), .. }));
    assert!(!got_credentials(&realm) && !got_credentials(&server));
}

#[tokio::test]
async fn basic_over_a_connection_that_does_not_verify_is_not_sent() {
    let answer = |_: &str| Reply::new("401 Unauthorized", &["WWW-Authenticate: Basic realm=\"x\""], "");
    let server = Server::start_tls(acceptor(Authority::new().issue(HOST)), answer).await;
    let walk = walk(settings(), &server.tls_route()).await;
    assert!(matches!(walk.authenticated, Step::Skipped { behind: Some(Hop::Tls), .. }));
    assert!(!got_credentials(&server));
}

#[tokio::test]
async fn neither_a_redirect_nor_a_foreign_location_gets_the_token() {
    let other = Server::start(|_| Reply::new("200 OK", &[], "")).await;
    let elsewhere = format!("http://127.0.0.1:{}/v2/team/app/blobs/uploads/1", other.address.port());
    let healthy = registry(&format!("http://{HOST}/token"));
    let location = elsewhere.clone();
    let server = Server::start(move |head| match head.lines().next() {
        Some(line) if line.starts_with("post /v2/") => {
            Reply::new("202 Accepted", &[&format!("Location: {location}")], "")
        }
        _ => healthy(head),
    })
    .await;
    let found = walk(settings(), &server.route()).await;
    assert_eq!(found.write.seen().unwrap().location.as_deref(), Some(elsewhere.as_str()));
    assert_eq!(
        found.write.seen().unwrap().patch.as_ref().unwrap().seen().unwrap().status,
        202,
        "the path, here"
    );
    assert_eq!(other.heads().len(), 0);

    let location = elsewhere.clone();
    let server =
        Server::start(move |_| Reply::new("307 Temporary Redirect", &[&format!("Location: {location}")], ""))
            .await;
    let redirected = walk(settings(), &server.route()).await;
    assert_eq!(redirected.redirects[0].answer.as_ref().unwrap().seen().unwrap().status, 200);
    assert_eq!(other.heads().len(), 1);
    assert!(!got_credentials(&other) && !got_credentials(&server));
}

#[tokio::test]
async fn a_server_that_sends_everything_back_puts_no_secret_into_the_record() {
    let healthy = registry(&format!("http://{HOST}/token"));
    let server = Server::start(move |head| {
        let Reply::Bytes(bytes) = healthy(head) else { panic!("a registry answers") };
        let answer = String::from_utf8(bytes).unwrap();
        let (first, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = first.lines().next().unwrap().strip_prefix("HTTP/1.1 ").unwrap();
        let kept: Vec<&str> = first.lines().skip(1).filter(|line| !line.starts_with("Con")).collect();
        let echo = head.replace("\r\n", " | ");
        let via = format!("Via: {SECRET} {echo} token-of-kim token-of-nobody");
        let headers: Vec<&str> =
            kept.into_iter().chain([via.as_str(), "Set-Cookie: id=token-of-kim; Path=/"]).collect();
        let body = match body.strip_prefix('{') {
            Some(rest) => format!(r#"{{"echo":"{SECRET} kim:{SECRET} {}",{rest}"#, echo.replace('"', "'")),
            None => format!("{body} {SECRET} {echo} token-of-kim"),
        };
        Reply::new(status, &headers, &body)
    })
    .await;
    let walk = walk(settings(), &server.route()).await;
    assert_eq!(walk.write.seen().unwrap().begin.status, 202, "{walk:?}");
    assert_eq!(walk.token.seen().unwrap().answer.header("set-cookie"), Some("id"));
    assert_eq!(leaks(&walk), [""; 0], "{}", serde_json::to_string_pretty(&walk).unwrap());
}

#[tokio::test]
async fn a_guessed_route_of_plain_http_is_told_nothing() {
    let server = Server::start(registry(&format!("http://{HOST}/token"))).await;
    let mut guessed = settings();
    guessed.open_login = false;
    guessed.known = vec![server.route()];
    let found = walk(guessed.clone(), &server.route()).await;
    assert!(matches!(found.token, Step::Skipped { behind: Some(Hop::Realm), .. }), "{:?}", found.token);
    assert!(!got_credentials(&server));

    let basic = |_: &str| Reply::new("401 Unauthorized", &["WWW-Authenticate: Basic realm=\"x\""], "");
    let server = Server::start(basic).await;
    let found = walk(guessed.clone(), &server.route()).await;
    assert!(matches!(found.authenticated, Step::Skipped { behind: Some(Hop::Tls), .. }), "{found:?}");
    assert!(!got_credentials(&server));

    // On the way to this machine itself nobody reads along.
    let server = Server::start(basic).await;
    let route = format!("own=http://{}", server.address).parse().unwrap();
    walk(guessed, &route).await;
    assert!(got_credentials(&server));
}

#[tokio::test]
async fn where_a_login_is_refused_the_repository_is_read_without_it() {
    let healthy = registry(&format!("http://{HOST}/token"));
    let server = Server::start(move |head| {
        let line = head.lines().next().unwrap_or_default();
        if line.starts_with("get /token") && head.contains("authorization: basic") {
            return Reply::new("401 Unauthorized", &[], r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#);
        }
        if line.contains("/tags/list") && head.contains("authorization: bearer token-of-nobody") {
            return Reply::new("200 OK", &[], r#"{"name":"team/app","tags":["1"]}"#);
        }
        healthy(head)
    })
    .await;
    let mut settings = settings();
    settings.known = vec![server.route()];
    let found = walk(settings.clone(), &server.route()).await;
    assert_eq!(found.token.seen().unwrap().answer.status, 401);
    assert_eq!(found.read_as_nobody.as_ref().map(|answer| answer.status), Some(200), "{found:?}");
    assert_eq!(leaks(&found), [""; 0]);
    // Who is let in is not asked to try without.
    let server = Server::start(registry(&format!("http://{HOST}/token"))).await;
    settings.known = vec![server.route()];
    assert_eq!(walk(settings, &server.route()).await.read_as_nobody, None);
}
