//! Servers that mean harm: a finding within bounds of time and memory, and no credential for whom it is not meant.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use railhead_suites::breaker::Script;
use railhead_suites::{Breaker, Diagnosis};

use crate::bench::Bench;
use crate::case::{Case, Expected, Kind, Setup, error, within};

/// No hostile answer costs more than this, with a time-out of a second for each hop.
const TIME: Duration = Duration::from_secs(15);
const JSON: &str = "Content-Type: application/json";

pub fn cases() -> Vec<Case> {
    let mut cases = floods();
    cases.extend(thieves());
    cases
}

fn hostile(
    name: &str,
    expected: &[Expected],
    set_up: impl Fn(&Bench) -> Setup + Send + Sync + 'static,
) -> Case {
    Case::new(Kind::Hostile, name, "breaker", expected, move |bench| set_up(bench).timeout("1s"))
        .look(within(TIME))
}

fn floods() -> Vec<Case> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    vec![
        hostile("a head without end", &[error("RH-HTTP-HUGE-HEAD", "network")], |bench| {
            let piece = format!("X-Field: {}\r\n", "a".repeat(1000));
            bench.broken(move |script| {
                script.endless("", "*", "HTTP/1.1 200 OK\r\n", piece.as_bytes(), Duration::ZERO)
            })
        }),
        hostile("a status line without end", &[error("RH-HTTP-HUGE-HEAD", "network")], |bench| {
            bench.broken(|script| script.endless("", "*", "HTTP/1.1 200 ", &[b'a'; 4096], Duration::ZERO))
        }),
        hostile("a head that trickles", &[error("RH-HTTP-TIMEOUT", "network")], |bench| {
            bench.broken(|script| {
                script.endless("", "*", "HTTP/1.1 200 OK\r\nX-Slow: ", b"a", Duration::from_millis(100))
            })
        }),
        hostile("interim answers without end", &[error("RH-HTTP-TIMEOUT", "network")], |bench| {
            let piece = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
            bench.broken(move |script| script.endless("", "*", "", piece, Duration::from_millis(1)))
        }),
        hostile("a flood of bytes", &[error("RH-HTTP-ENDLESS", "network")], move |bench| {
            let head = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
            let mut piece = b"10000\r\n".to_vec();
            piece.extend([b' '; 0x10000]);
            piece.extend(b"\r\n");
            bench.broken(move |script| script.endless("", "/v2/*", &head, &piece, Duration::ZERO))
        }),
        hostile("a chunk of impossible size", &[error("RH-HTTP-CUT", "network")], move |bench| {
            let bytes = format!("{head}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n");
            bench.broken(move |script| script.bytes("", "/v2/*", bytes.as_bytes()))
        }),
        hostile("a length that is not one", &[error("RH-HTTP-FOREIGN", "network")], move |bench| {
            let bytes = format!("{head}Content-Length: -1\r\n\r\n{{}}");
            bench.broken(move |script| script.bytes("", "*", bytes.as_bytes()))
        }),
        hostile("a bomb of gzip", &[error("RH-ROUTE-COMPRESSED", "routing")], move |bench| {
            let mut bytes =
                format!("{head}Content-Encoding: gzip\r\nContent-Length: 60000\r\n\r\n").into_bytes();
            bytes.extend([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
            bytes.resize(bytes.len() + 59_990, 0);
            bench.broken(move |script| script.bytes("", "/v2/", &bytes))
        }),
        hostile("control characters everywhere", &[error("RH-APP-NOT-REGISTRY", "application")], |bench| {
            let body = "\u{1b}]0;owned\u{7}\u{1b}[2J\r\nHTTP/1.1 200 OK\r\n{\"a\":1}";
            bench.broken(move |script| script.answer("", "*", "200 OK", &[JSON], body))
        }),
        hostile("redirects without end", &[error("RH-ROUTE-REDIRECT-LOOP", "routing")], |bench| {
            bench.broken(|script| {
                script.answer("", "*", "302 Found", &["Location: https://forge.test/v2/"], "")
            })
        }),
        hostile(
            "a challenge of thousands of parts",
            &[error("RH-CHALLENGE-NO-REALM", "application")],
            |bench| {
                bench.broken(|script| {
                    script.challenge(|answer| {
                        let parts: Vec<String> = (0..6000).map(|part| format!("a{part}=\"b\"")).collect();
                        answer.set("WWW-Authenticate", &format!("Bearer {}", parts.join(",")));
                    })
                })
            },
        ),
    ]
}

/// A server that writes down which credentials it got.
#[derive(Clone, Default)]
struct Thief(Arc<Mutex<Vec<String>>>);

impl Thief {
    fn listen(&self) -> Breaker {
        let loot = Arc::clone(&self.0);
        let body = r#"{"token":"stolen","access_token":"stolen"}"#;
        let script = Script::http(([127, 0, 0, 1], 9).into()).answer("", "*", "200 OK", &[JSON], body);
        Breaker::start(script.watch(move |request| {
            if let Some(value) = request.get("authorization").or_else(|| request.get("cookie")) {
                loot.lock().unwrap_or_else(PoisonError::into_inner).push(value.to_owned());
            }
        }))
    }

    /// Nothing came.
    fn look(&self) -> impl Fn(&Diagnosis) -> Result<(), String> + Send + Sync + 'static {
        let loot = Arc::clone(&self.0);
        move |_| {
            let count = loot.lock().unwrap_or_else(PoisonError::into_inner).len();
            if count == 0 {
                Ok(())
            } else {
                Err(format!("{count} requests with credentials went to a stranger"))
            }
        }
    }
}

fn thieves() -> Vec<Case> {
    let thief = |name: &str, expected: Expected, set_up: fn(Script, std::net::SocketAddr) -> Script| {
        let thief = Thief::default();
        let look = thief.look();
        Case::new(Kind::Hostile, name, "Railhead, breaker", &[expected], move |bench| {
            let stranger = thief.listen();
            let at = stranger.address();
            bench.broken(|script| set_up(script, at)).keep(stranger)
        })
        .look(look)
    };
    vec![
        thief("the realm is a stranger's", error("RH-REALM-PRIVATE", "application"), |script, at| {
            script.challenge(move |answer| {
                answer.set(
                    "WWW-Authenticate",
                    &format!("Bearer realm=\"http://{at}/token\",service=\"forge.test\""),
                );
            })
        }),
        thief("/v2/ redirects to a stranger", error("RH-ROUTE-REDIRECT", "routing"), |script, at| {
            script.answer("", "/v2/*", "307 Temporary Redirect", &[&format!("Location: http://{at}/v2/")], "")
        }),
        thief(
            "the token endpoint redirects to a stranger",
            error("RH-REALM-REDIRECT", "routing"),
            |script, at| {
                script.answer(
                    "",
                    "/v2/token",
                    "307 Temporary Redirect",
                    &[&format!("Location: http://{at}/token")],
                    "",
                )
            },
        ),
        thief(
            "an upload's location is a stranger's",
            error("RH-WRITE-LOCATION", "application"),
            |script, at| {
                script.edit("POST", "/v2/*/blobs/uploads/", move |answer| {
                    answer.set("Location", &format!("http://{at}/v2/alice/app/blobs/uploads/1"));
                })
            },
        ),
    ]
}
