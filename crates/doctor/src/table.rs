//! Routes × hops in short cells, for a person.

use railhead_client::hops::{Answered, Broke, Step, TlsProblem, Walk};

use crate::recognise::is_registry;
use crate::{Diagnosis, Server};

/// The table's head.
pub const HEAD: [&str; 13] = [
    "route",
    "resolve",
    "connect",
    "TLS",
    "/v2/",
    "challenge",
    "realm",
    "anonymous",
    "token",
    "login",
    "read",
    "write",
    "answers",
];

const DASH: &str = "–";

/// A row for each route, as wide as [`HEAD`].
pub fn rows(diagnosis: &Diagnosis) -> Vec<Vec<String>> {
    let servers = diagnosis.servers.iter().map(Server::words);
    diagnosis.walks.iter().zip(servers).map(|(walk, server)| row(walk, server)).collect()
}

fn row(walk: &Walk, server: String) -> Vec<String> {
    vec![
        walk.route.name.clone(),
        cell(&walk.resolve, |_| None),
        cell(&walk.connect, |_| None),
        cell(&walk.tls, |seen| seen.problems.first().map(|problem| problem_word(*problem).to_owned())),
        registry(walk),
        cell(&walk.challenge, |seen| {
            let known = ["bearer", "basic"].iter().any(|scheme| seen.scheme(scheme).is_some());
            let word = if seen.headers.is_empty() { "missing" } else { "broken" };
            (!known).then(|| word.to_owned())
        }),
        cell(&walk.realm, |seen| {
            status_unless(&seen.get, seen.get.status < 300 || (400..404).contains(&seen.get.status))
        }),
        cell(&walk.anonymous_token, |seen| {
            status_unless(
                &seen.answer,
                (seen.has_token || seen.has_access_token) || matches!(seen.answer.status, 401 | 403),
            )
        }),
        cell(&walk.token, |seen| status_unless(&seen.answer, seen.has_token || seen.has_access_token)),
        cell(&walk.authenticated, |seen| status_unless(seen, seen.status < 300)),
        cell(&walk.read, |seen| {
            status_unless(seen, seen.status < 300 || (seen.status == 404 && is_registry(seen)))
        }),
        cell(&walk.write, |seen| {
            let patch = seen.patch.as_ref().and_then(Step::seen);
            status_unless(&seen.begin, seen.begin.status == 202)
                .or_else(|| status_unless(patch?, patch?.status == 202))
        }),
        server,
    ]
}

fn registry(walk: &Walk) -> String {
    let arrived =
        walk.redirects.last().and_then(|last| last.answer.as_ref()?.seen()).is_some_and(is_registry);
    if arrived && walk.redirects.last().is_some_and(|last| last.location.starts_with("https://")) {
        return "→ https".to_owned();
    }
    cell(&walk.registry, |seen| status_unless(seen, matches!(seen.status, 200 | 401) && is_registry(seen)))
}

/// The time if all is well, else the word for what is not.
fn cell<T>(step: &Step<T>, wrong: impl FnOnce(&T) -> Option<String>) -> String {
    match step {
        Step::Taken { millis, seen } => wrong(seen).unwrap_or_else(|| format!("✓ {millis}ms")),
        Step::Broken { broke, .. } => broke_word(broke.kind).to_owned(),
        Step::Skipped { .. } => DASH.to_owned(),
    }
}

fn status_unless(answer: &Answered, fine: bool) -> Option<String> {
    if let Some(broke) = &answer.body_broke {
        return Some(broke_word(broke.kind).to_owned());
    }
    (!fine).then(|| answer.status.to_string())
}

const fn problem_word(problem: TlsProblem) -> &'static str {
    match problem {
        TlsProblem::DefaultCertificate => "default",
        TlsProblem::Expired => "expired",
        TlsProblem::NotYetValid => "not yet",
        TlsProblem::NoNames => "no names",
        TlsProblem::WrongName => "name",
        TlsProblem::MissingIntermediate => "chain",
        TlsProblem::SelfSigned => "self-signed",
        TlsProblem::Untrusted => "untrusted",
        TlsProblem::Invalid => "invalid",
    }
}

const fn broke_word(kind: Broke) -> &'static str {
    match kind {
        Broke::NameUnknown => "unknown",
        Broke::NameService => "resolver",
        Broke::Refused => "refused",
        Broke::Unreachable => "no way",
        Broke::ConnectTimeout | Broke::AnswerTimeout => "time-out",
        Broke::NotTls => "not TLS",
        Broke::TlsVersion => "version",
        Broke::TlsName => "name",
        Broke::TlsClientCertificate => "client cert",
        Broke::TlsHandshake => "handshake",
        Broke::Closed => "closed",
        Broke::NotHttp => "not HTTP",
        Broke::HeadTooLarge => "huge head",
        Broke::BodyCut => "cut",
        Broke::BodySlow => "endless",
    }
}
