//! Judges one walk: what each hop shows by itself. What walks show together is [`crate::across`]'s matter.
//!
//! Order: the hops', one file for each stretch. A judge says what it sees and nothing of what cannot be seen: a walk ends
//! at its first hop that blocks, so what lies behind it has no record and gets no finding.

mod arrival;
mod challenge;
mod limits;
mod realm;
mod registry;
mod token;
mod transfer;

use std::fmt::Write as _;

use jiff::Timestamp;
use railhead_client::Origin;
use railhead_client::hops::{Answered, Broke, Broken, Walk};

use crate::across::is_at_registry;
use crate::recognise::{Face, face, is_database, is_full};
use crate::url::{Url, is_loopback};
use crate::{Code, Layer, Place, Server};

pub(crate) use challenge::realm_of;

/// What all judges look at.
pub(crate) struct Scene<'a> {
    pub(crate) place: &'a Place,
    pub(crate) walks: &'a [Walk],
    pub(crate) servers: Vec<Server>,
    pub(crate) now: Timestamp,
}

/// A finding before it is compared with the others.
#[derive(Clone, Debug)]
pub(crate) struct Suspect {
    pub(crate) code: Code,
    pub(crate) layer: Layer,
    /// Index of the walk.
    pub(crate) walk: usize,
    pub(crate) evidence: Vec<String>,
    /// The realm that it is about, if it is about one.
    pub(crate) realm: Option<Url>,
}

/// Where the suspects of one walk are written down.
pub(crate) struct Notes<'a> {
    pub(crate) scene: &'a Scene<'a>,
    pub(crate) walk: &'a Walk,
    index: usize,
    suspects: Vec<Suspect>,
}

/// Everything that the walk at `index` shows by itself.
pub(crate) fn walk(scene: &Scene<'_>, index: usize) -> Vec<Suspect> {
    let mut notes = Notes { scene, walk: &scene.walks[index], index, suspects: Vec::new() };
    arrival::judge(&mut notes);
    registry::judge(&mut notes);
    challenge::judge(&mut notes);
    realm::judge(&mut notes);
    // Where something else answers at /v2/, what is behind it is something else's, too.
    if is_at_registry(notes.walk) {
        token::judge(&mut notes);
        transfer::judge(&mut notes);
        limits::judge(&mut notes);
    }
    notes.suspects
}

impl Notes<'_> {
    /// Suspects `code`, shown by `evidence`.
    fn note(&mut self, code: Code, evidence: impl AsRef<str>) -> &mut Suspect {
        let evidence = vec![format!("{}: {}", self.walk.route.name, evidence.as_ref())];
        let layer = code.story().layer;
        let suspect = Suspect { code, layer, walk: self.index, evidence, realm: None };
        let at = self.suspects.len();
        self.suspects.push(suspect);
        &mut self.suspects[at]
    }

    /// Suspects what an answer shows that broke, or never came.
    fn broken(&mut self, asked: &str, broke: &Broken) {
        let code = code_of(broke, self.walk.route.is_tls());
        self.note(code, format!("{asked}: {}", words_of(broke)));
    }

    /// What any answer may have wrong, whatever was asked. True if there is nothing more to be said about it.
    fn common(&mut self, answer: &Answered) -> bool {
        if let Some(broke) = &answer.body_broke {
            self.broken(&said(answer), broke);
            return true;
        }
        if answer.body_endless {
            self.note(
                Code::HttpEndless,
                format!("{}, and its body goes on beyond {} bytes", said(answer), answer.body_bytes),
            );
            return true;
        }
        if let Some(encoding) = answer.header("content-encoding").filter(|encoding| *encoding != "identity") {
            let evidence = format!("{} → {} with Content-Encoding: {encoding}", answer.asked, answer.status);
            self.note(Code::RouteCompressed, evidence);
            return true;
        }
        false
    }

    /// Suspects what a failure shows that says whose it is. True if it does.
    fn failure(&mut self, answer: &Answered) -> bool {
        let Some((code, layer)) = failure_of(answer) else { return false };
        let suspect = self.note(code, said(answer));
        if let Some(layer) = layer {
            suspect.layer = layer;
        }
        true
    }
}

/// What a failure of a server means, wherever it comes; the second is the layer where it is not the code's.
pub(crate) fn failure_of(answer: &Answered) -> Option<(Code, Option<Layer>)> {
    let face = face(answer);
    let in_front = matches!(face, Face::Front(_));
    let code = match answer.status {
        429 => Code::RouteRate,
        status if status < 500 => return None,
        _ if is_full(answer) => Code::StorageFull,
        _ if is_database(answer) => Code::AppDatabase,
        502 | 520 | 521 | 523 | 525 | 526 | 530 if face != Face::Registry => Code::Route502,
        504 | 522 | 524 if face != Face::Registry => Code::Route504,
        503 if in_front || matches!(face, Face::Empty | Face::Html) => Code::Route503,
        503 => Code::AppStarting,
        _ if in_front => return Some((Code::AppError, Some(Layer::Routing))),
        _ => Code::AppError,
    };
    Some((code, None))
}

/// What it means that there was no answer.
pub(crate) fn code_of(broke: &Broken, tls: bool) -> Code {
    match broke.kind {
        Broke::NameUnknown => Code::DnsUnknown,
        Broke::NameService => Code::DnsService,
        Broke::Refused => Code::ConnectRefused,
        Broke::Unreachable => Code::ConnectUnreachable,
        Broke::ConnectTimeout => Code::ConnectTimeout,
        Broke::NotTls if broke.detail.starts_with("HTTP/") => Code::TlsPlain,
        Broke::TlsVersion => Code::TlsVersion,
        Broke::TlsName => Code::TlsNameRefused,
        Broke::TlsClientCertificate => Code::TlsClientCert,
        Broke::TlsHandshake => Code::TlsHandshake,
        Broke::AnswerTimeout => Code::HttpTimeout,
        Broke::Closed => Code::HttpClosed,
        Broke::NotHttp if !tls && is_tls_record(&broke.detail) => Code::TlsRequired,
        Broke::NotTls | Broke::NotHttp => Code::HttpForeign,
        Broke::HeadTooLarge => Code::HttpHugeHead,
        Broke::BodyCut => Code::HttpCut,
        Broke::BodySlow => Code::HttpEndless,
    }
}

/// An alert of TLS, which is what a server of TLS says to plain HTTP; the detail has it escaped.
fn is_tls_record(detail: &str) -> bool {
    detail.starts_with("\\x15\\x03") || detail.starts_with("\u{15}\u{3}")
}

/// How something broke, for a person.
pub(crate) fn words_of(broke: &Broken) -> String {
    match broke.kind {
        Broke::NotTls | Broke::NotHttp => format!("it begins with \"{}\"", shortened(&broke.detail)),
        _ => shortened(&broke.detail),
    }
}

/// What was asked and what was said, in one line.
pub(crate) fn said(answer: &Answered) -> String {
    let mut text = format!("{} → {}", answer.asked, answer.status);
    if let Some(error) = registrys_error(answer) {
        return format!("{text} {error}");
    }
    if let Some(kind) = answer.media_type() {
        text.push(' ');
        text.push_str(&kind);
    }
    let body = gist(&answer.body);
    if !body.is_empty() {
        text.push_str(" \"");
        text.push_str(&body);
        text.push('"');
    }
    match face(answer) {
        Face::Front(front) => {
            let _ = write!(text, " ({})", front.name());
        }
        Face::Forge => text.push_str(" (the forge)"),
        _ => {}
    }
    text
}

/// The first error that a registry wrote into its answer: code and message.
fn registrys_error(answer: &Answered) -> Option<String> {
    let code = shortened(&answer.error_code()?);
    let body: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
    let message = shortened(body["errors"][0]["message"].as_str().unwrap_or_default());
    Some(if message.is_empty() { code } else { format!("{code}: {message}") })
}

/// The title of a page, else the first words.
fn gist(body: &str) -> String {
    let title = body.split_once("<title>").and_then(|(_, rest)| Some(rest.split_once("</title>")?.0));
    shortened(title.unwrap_or(body))
}

/// The first words in one line.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 100;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

impl<'a> Scene<'a> {
    pub(crate) fn new(place: &'a Place, walks: &'a [Walk], now: Timestamp) -> Self {
        Self { place, walks, servers: walks.iter().map(Server::of).collect(), now }
    }

    /// Whether a route is meant for people and nodes everywhere: it names the public host, and its own name does not say
    /// that it is a way of the operator's.
    pub(crate) fn is_public(&self, walk: &Walk) -> bool {
        const INSIDE: [&str; 9] =
            ["pod", "node", "service", "svc", "cluster", "internal", "tunnel", "direct", "local"];
        let name = walk.route.name.to_ascii_lowercase();
        host_of(walk) == self.place.host_name() && !INSIDE.iter().any(|word| name.contains(word))
    }

    /// What answers on a walk of this scene.
    pub(crate) fn server(&self, walk: &Walk) -> &Server {
        static UNKNOWN: Server = Server { route: String::new(), front: None, software: None, version: None };
        self.servers.iter().find(|server| server.route == walk.route.name).unwrap_or(&UNKNOWN)
    }

    /// Whether TLS answers for the public host on some route.
    pub(crate) fn has_tls(&self) -> bool {
        self.walks.iter().any(|walk| walk.tls.seen().is_some() && host_of(walk) == self.place.host_name())
    }

    /// Whether the public host is this machine itself, where clients use plain HTTP.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.place.host_name())
    }
}

/// The host of a walk's URL.
pub(crate) fn host_of(walk: &Walk) -> &str {
    match &walk.route.url {
        Origin::Web { host, .. } => host,
        Origin::Socket(_) => "",
    }
}

/// The URL of `/` on a walk's route.
pub(crate) fn url_of(walk: &Walk) -> Option<Url> {
    Url::of(&walk.route.url, "/")
}
