//! What a breaker does: how it greets a connection, and what it does with each request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Head;
use crate::certificates::Identity;

/// How a connection begins.
#[derive(Clone)]
pub(super) enum Greeting {
    /// HTTP at once.
    Http,
    /// TLS, then HTTP.
    Tls(Arc<rustls::ServerConfig>),
    /// The client's first bytes are read, these are answered, and the connection is closed.
    Say(Vec<u8>),
    /// These are sent before the client says anything.
    Banner(Vec<u8>),
    /// Nothing ever.
    Silence,
    /// Closed at once.
    Close,
    /// Reset at the client's first bytes: before them it could look like a refused connection.
    Reset,
}

/// What happens to a request.
#[derive(Clone)]
pub(super) enum Act {
    /// These bytes, whatever they are, and the end of the connection.
    Bytes(Vec<u8>),
    /// These bytes, and then this piece again and again with a pause between.
    Endless { head: Vec<u8>, piece: Vec<u8>, pause: Duration },
    /// No answer ever.
    Silence,
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
}

/// A change of a head.
pub(super) type Change = Arc<dyn Fn(&mut Head) + Send + Sync>;
/// A look at a request.
pub(super) type Watcher = Arc<dyn Fn(&Head) + Send + Sync>;

/// Which requests.
#[derive(Clone)]
pub(super) struct Which {
    /// Words with `|` between; empty for all.
    methods: &'static str,
    /// A path in which one `*` stands for anything.
    path: &'static str,
    /// Only those whose stated length is above this.
    larger_than: Option<u64>,
}

impl Which {
    const fn of(methods: &'static str, path: &'static str) -> Self {
        Self { methods, path, larger_than: None }
    }

    pub(super) fn is(&self, request: &Head) -> bool {
        let method = self.methods.is_empty() || self.methods.split('|').any(|one| one == request.method());
        let path = request.path();
        let length = request.get("content-length").and_then(|length| length.parse::<u64>().ok());
        let large = self.larger_than.is_none_or(|bound| length.is_some_and(|length| length > bound));
        method
            && large
            && match self.path.split_once('*') {
                None => path == self.path,
                Some((begin, end)) => {
                    path.len() >= begin.len() + end.len() && path.starts_with(begin) && path.ends_with(end)
                }
            }
    }
}

/// What a breaker does; see the functions.
#[derive(Clone)]
pub struct Script {
    pub(super) greeting: Greeting,
    pub(super) upstream: Option<SocketAddr>,
    pub(super) acts: Vec<(Which, Act)>,
    pub(super) requests: Vec<Change>,
    pub(super) answers: Vec<(Which, Change)>,
    pub(super) bodies: Vec<(Which, &'static str, &'static str)>,
    pub(super) flips: Vec<(Which, usize)>,
    pub(super) watchers: Vec<Watcher>,
}

fn whole(status: &str, fields: &[&str], body: &str) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for line in fields {
        text.extend([line, "\r\n"]);
    }
    text.extend(["\r\n", body]);
    text.into_bytes()
}

impl Script {
    fn new(greeting: Greeting, upstream: Option<SocketAddr>) -> Self {
        Self {
            greeting,
            upstream,
            acts: Vec::new(),
            requests: Vec::new(),
            answers: Vec::new(),
            bodies: Vec::new(),
            flips: Vec::new(),
            watchers: Vec::new(),
        }
    }

    /// Passes everything on, over plain HTTP on both sides.
    pub fn http(upstream: SocketAddr) -> Self {
        Self::new(Greeting::Http, Some(upstream))
    }

    /// Ends TLS and passes everything on, as a proxy should: with `X-Forwarded-Proto`, and `Host` as it came.
    pub fn https(identity: &Identity, upstream: SocketAddr) -> Self {
        let script = Self::new(Greeting::Tls(Arc::clone(&identity.server)), Some(upstream));
        script.request(|head| head.set("X-Forwarded-Proto", "https"))
    }

    /// Sends an alert of TLS in answer to the client's hello (RFC 8446, section 6).
    pub fn alert(description: u8) -> Self {
        Self::new(Greeting::Say(vec![21, 3, 3, 0, 2, 2, description]), None)
    }

    /// Says this before the client says anything, as SSH and SMTP do.
    pub fn banner(text: &str) -> Self {
        Self::new(Greeting::Banner(text.as_bytes().to_vec()), None)
    }

    /// Accepts and is silent.
    pub fn silence() -> Self {
        Self::new(Greeting::Silence, None)
    }

    /// Accepts and closes.
    pub fn close() -> Self {
        Self::new(Greeting::Close, None)
    }

    /// Accepts, and resets at the first bytes.
    pub fn reset() -> Self {
        Self::new(Greeting::Reset, None)
    }

    /// Answers these requests itself. `fields` are whole lines; the length is added.
    pub fn answer(
        self,
        methods: &'static str,
        path: &'static str,
        status: &str,
        fields: &[&str],
        body: &str,
    ) -> Self {
        self.bytes(methods, path, &whole(status, fields, body))
    }

    /// Answers these requests when their stated length is above `bound`.
    pub fn refuse_larger(mut self, bound: u64, status: &str, fields: &[&str], body: &str) -> Self {
        let which = Which { larger_than: Some(bound), ..Which::of("", "*") };
        self.acts.push((which, Act::Bytes(whole(status, fields, body))));
        self
    }

    /// Answers these requests with bytes that are what they are.
    pub fn bytes(self, methods: &'static str, path: &'static str, bytes: &[u8]) -> Self {
        self.act(methods, path, Act::Bytes(bytes.to_vec()))
    }

    /// Answers these requests with an answer that does not end.
    pub fn endless(
        self,
        methods: &'static str,
        path: &'static str,
        head: &str,
        piece: &[u8],
        pause: Duration,
    ) -> Self {
        let act = Act::Endless { head: head.as_bytes().to_vec(), piece: piece.to_vec(), pause };
        self.act(methods, path, act)
    }

    /// Never answers these requests.
    pub fn silent(self, methods: &'static str, path: &'static str) -> Self {
        self.act(methods, path, Act::Silence)
    }

    /// Closes on these requests.
    pub fn closing(self, methods: &'static str, path: &'static str) -> Self {
        self.act(methods, path, Act::Close)
    }

    /// Resets on these requests.
    pub fn resetting(self, methods: &'static str, path: &'static str) -> Self {
        self.act(methods, path, Act::Reset)
    }

    fn act(mut self, methods: &'static str, path: &'static str, act: Act) -> Self {
        self.acts.push((Which::of(methods, path), act));
        self
    }

    /// Changes every request that is passed on.
    pub fn request(mut self, change: impl Fn(&mut Head) + Send + Sync + 'static) -> Self {
        self.requests.push(Arc::new(change));
        self
    }

    /// Changes the answers to these requests.
    pub fn edit(
        mut self,
        methods: &'static str,
        path: &'static str,
        change: impl Fn(&mut Head) + Send + Sync + 'static,
    ) -> Self {
        self.answers.push((Which::of(methods, path), Arc::new(change)));
        self
    }

    /// Replaces a part of the bodies of these answers by another of the same length.
    pub fn body(
        mut self,
        methods: &'static str,
        path: &'static str,
        from: &'static str,
        to: &'static str,
    ) -> Self {
        assert_eq!(from.len(), to.len(), "the stated length would be wrong");
        self.bodies.push((Which::of(methods, path), from, to));
        self
    }

    /// Changes one bit of one byte of the bodies of these answers, as bad memory does.
    pub fn flip(mut self, methods: &'static str, path: &'static str, at: usize) -> Self {
        self.flips.push((Which::of(methods, path), at));
        self
    }

    /// Looks at every request, answered here or passed on.
    pub fn watch(mut self, look: impl Fn(&Head) + Send + Sync + 'static) -> Self {
        self.watchers.push(Arc::new(look));
        self
    }

    /// The fields of every challenge are changed.
    pub fn challenge(self, change: impl Fn(&mut Head) + Send + Sync + 'static) -> Self {
        self.edit("", "*", move |answer| {
            if answer.status() == 401 {
                change(answer);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_one_star() {
        let head = |first: &str| Head::of(first);
        let which = Which::of("POST|PATCH", "/v2/*/uploads/");
        assert!(which.is(&head("POST /v2/a/b/blobs/uploads/?x=1 HTTP/1.1")));
        assert!(!which.is(&head("GET /v2/a/b/blobs/uploads/ HTTP/1.1")));
        assert!(!which.is(&head("POST /v2/uploads/ HTTP/1.1")), "the star does not reach back");
        assert!(Which::of("", "/v2/").is(&head("GET /v2/ HTTP/1.1")));
        assert!(!Which::of("", "/v2/").is(&head("GET /v2/x HTTP/1.1")));
    }
}
