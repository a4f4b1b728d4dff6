//! Records of walks made by hand, for tests: a healthy one, and ways to spoil it.

use jiff::{SignedDuration, Timestamp};
use railhead_client::Challenge;
use railhead_client::hops::{
    Answered, Attempt, Behind, Broke, Broken, CertificateSeen, Challenged, Connected, Hop, RealmSeen,
    Resolved, Route, Step, TlsProblem, TlsSeen, TokenSeen, Walk, WriteSeen,
};

/// When every walk made by hand was taken.
pub const NOW: &str = "2026-07-01T12:00:00Z";
/// The repository that walks made by hand read and write.
pub const REPOSITORY: &str = "alice/app";

/// [`NOW`].
pub fn now() -> Timestamp {
    NOW.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A step that was taken.
pub fn taken<T>(seen: T) -> Step<T> {
    Step::Taken { millis: 3, seen }
}

/// A step that broke.
pub fn broken<T>(kind: Broke, detail: &str) -> Step<T> {
    Step::Broken { millis: 3, broke: Broken { kind, detail: detail.to_owned() } }
}

/// A step that was not taken.
pub fn skipped<T>(behind: Option<Hop>) -> Step<T> {
    Step::Skipped { behind, why: "it was not reached".to_owned() }
}

/// An answer.
pub fn answer(asked: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Answered {
    Answered {
        asked: asked.to_owned(),
        address: "203.0.113.7:443".to_owned(),
        status,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: body.to_owned(),
        body_bytes: body.len() as u64,
        body_broke: None,
        body_endless: false,
    }
}

/// A registry's error.
pub fn refusal(asked: &str, status: u16, code: &str, message: &str) -> Answered {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#);
    answer(asked, status, &[("content-type", "application/json")], &body)
}

/// A page.
pub fn page(asked: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Answered {
    let mut headers = headers.to_vec();
    headers.push(("content-type", "text/html"));
    answer(asked, status, &headers, body)
}

/// Traefik's answer where it has no route.
pub fn traefik_404(asked: &str) -> Answered {
    answer(asked, 404, &[("content-type", "text/plain; charset=utf-8")], "404 page not found\n")
}

/// nginx's own page.
pub fn nginx_page(asked: &str, status: u16) -> Answered {
    let body = format!(
        "<html>\r\n<head><title>{status} X</title></head>\r\n<body>\r\n<center><h1>{status} X</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"
    );
    page(asked, status, &[("server", "nginx/1.22.1")], &body)
}

/// Gitea's answer outside of its registry.
pub fn gitea_404(asked: &str) -> Answered {
    let headers = [("content-type", "text/plain;charset=utf-8"), ("set-cookie", "i_like_gitea")];
    answer(asked, 404, &headers, "Not found.\n")
}

/// A certificate for `name` that is good for another sixty days.
pub fn certificate(name: &str) -> CertificateSeen {
    CertificateSeen {
        subject: format!("CN={name}"),
        issuer: "CN=Example CA".to_owned(),
        names: vec![name.to_owned()],
        not_before: now() - SignedDuration::from_hours(30 * 24),
        not_after: now() + SignedDuration::from_hours(60 * 24),
        self_signed: false,
        names_issuer_url: true,
    }
}

/// A challenge as it comes.
pub fn challenged(headers: &[&str]) -> Challenged {
    Challenged {
        headers: headers.iter().map(|header| (*header).to_owned()).collect(),
        challenges: Challenge::parse_all(headers.iter().copied()),
    }
}

/// Gitea's challenge with this realm.
pub fn gitea_challenge(realm: &str) -> String {
    format!("Bearer realm=\"{realm}\",service=\"container_registry\",scope=\"*\"")
}

/// Takes a route in the notation of the command line.
///
/// # Panics
/// If it is none.
#[expect(clippy::panic, reason = "a test that has no route cannot go on")]
pub fn route(text: &str) -> Route {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A walk over `text` that ends nowhere: everything is skipped.
pub fn blank(text: &str) -> Walk {
    Walk {
        route: route(text),
        started: now(),
        millis: 20,
        resolve: skipped(None),
        connect: skipped(None),
        tls: skipped(None),
        registry: skipped(None),
        redirects: Vec::new(),
        challenge: skipped(None),
        realm: skipped(None),
        anonymous_token: skipped(None),
        token: skipped(None),
        authenticated: skipped(None),
        read: skipped(None),
        write: skipped(None),
        read_as_nobody: None,
        behind: Behind::default(),
        clock_skew: Some(0),
        limits: None,
    }
}

/// A walk over `text` that arrives: resolved, connected, TLS if the route has it.
pub fn arrived(text: &str) -> Walk {
    let mut walk = blank(text);
    let address = "203.0.113.7".to_owned();
    walk.resolve = taken(Resolved { name: "git.example.com".to_owned(), addresses: vec![address.clone()] });
    let attempt = Attempt { address: format!("{address}:443"), millis: 2, broke: None };
    walk.connect = taken(Connected { address: attempt.address.clone(), attempts: vec![attempt] });
    if walk.route.is_tls() {
        walk.tls = taken(TlsSeen {
            version: "TLSv1.3".to_owned(),
            alpn: None,
            chain: vec![certificate("git.example.com")],
            problems: Vec::new(),
        });
    }
    walk
}

/// A walk over `text` whose `/v2/` answers so; behind it nothing is reached.
pub fn answered(text: &str, answer: Answered) -> Walk {
    let mut walk = arrived(text);
    walk.registry = taken(answer);
    for step in [&mut walk.authenticated, &mut walk.read] {
        *step = skipped(Some(Hop::Registry));
    }
    walk
}

/// A walk over `text` to a Gitea whose challenge is this one, up to the challenge.
pub fn gitea_with(text: &str, challenge: &str) -> Walk {
    let mut walk = arrived(text);
    let headers = [
        ("content-type", "application/json"),
        ("docker-distribution-api-version", "registry/2.0"),
        ("www-authenticate", challenge),
    ];
    let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":""}]}"#;
    walk.registry = taken(answer(&format!("GET {}/v2/", walk.route.url), 401, &headers, body));
    walk.challenge = taken(challenged(&[challenge]));
    let version = answer(
        "GET /api/v1/version",
        200,
        &[("content-type", "application/json")],
        r#"{"version":"1.25.4"}"#,
    );
    walk.behind.version = Some(version);
    walk
}

/// A token as its record keeps it.
pub fn token(status: u16, has_token: bool) -> TokenSeen {
    let body = if has_token { r#"{"token":"[redacted]"}"# } else { "{}" };
    TokenSeen {
        scope: format!("repository:{REPOSITORY}:pull,push"),
        answer: answer(
            "GET https://git.example.com/v2/token",
            status,
            &[("content-type", "application/json")],
            body,
        ),
        has_token,
        has_access_token: has_token,
        expires_in: None,
    }
}

/// A walk over `text` to a healthy Gitea, with an account, whose realm is at `https://git.example.com`.
pub fn gitea(text: &str) -> Walk {
    let realm = "https://git.example.com/v2/token";
    let mut walk = gitea_with(text, &gitea_challenge(realm));
    let json = [("content-type", "application/json")];
    let version = [("docker-distribution-api-version", "registry/2.0")];
    walk.realm = taken(RealmSeen {
        realm: realm.to_owned(),
        origin: "https://git.example.com".to_owned(),
        addresses: vec!["203.0.113.7".to_owned()],
        tls_problems: Vec::new(),
        get: answer(&format!("GET {realm}"), 200, &json, r#"{"token":"[redacted]"}"#),
        post: taken(answer(&format!("POST {realm}"), 404, &[], "")),
    });
    walk.anonymous_token = taken(token(200, true));
    walk.token = taken(token(200, true));
    walk.authenticated = taken(answer("GET https://git.example.com/v2/", 200, &version, ""));
    walk.read = taken(refusal("GET https://git.example.com/v2/alice/app/tags/list", 404, "NAME_UNKNOWN", ""));
    walk.write = taken(upload());
    walk
}

/// A healthy upload.
pub fn upload() -> WriteSeen {
    let path = "/v2/alice/app/blobs/uploads/x1";
    let version = ("docker-distribution-api-version", "registry/2.0");
    WriteSeen {
        begin: answer(
            "POST https://git.example.com/v2/alice/app/blobs/uploads/",
            202,
            &[version, ("location", path)],
            "",
        ),
        location: Some(format!("https://git.example.com{path}")),
        patch: Some(taken(answer(&format!("PATCH https://git.example.com{path}"), 202, &[version], ""))),
        cancel: Some(taken(answer(&format!("DELETE https://git.example.com{path}"), 204, &[version], ""))),
    }
}

/// A certificate of the walk has these problems.
pub fn with_problems(mut walk: Walk, problems: &[TlsProblem]) -> Walk {
    if let Step::Taken { seen, .. } = &mut walk.tls {
        seen.problems = problems.to_vec();
    }
    walk
}
