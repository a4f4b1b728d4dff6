//! A server that can break anything between a client and a registry.
//!
//! A [`Script`] says how a connection begins (TLS, a foreign banner, an alert, silence), which requests are answered by the
//! breaker itself and how, and what is changed on the way of the others to the real registry behind it and back.
//!
//! Invariants: one request a connection, whose bodies are passed on byte for byte; everything ends when the breaker is dropped.

mod connection;
mod head;
mod script;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{AbortHandle, JoinSet};

pub use head::Head;
pub use script::Script;

/// All breakers of a test program share two threads.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// A running breaker.
pub struct Breaker {
    address: SocketAddr,
    task: AbortHandle,
}

impl Breaker {
    /// Starts one on a port of the system's choice.
    pub fn start(script: Script) -> Self {
        let listener = RUNTIME.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let task = RUNTIME.spawn(accept(listener, Arc::new(script))).abort_handle();
        Self { address, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Breaker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, script: Arc<Script>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A client that left before it was accepted is no concern of the others.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection::serve(stream, Arc::clone(&script)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;
    use crate::http::Http;

    fn ask(breaker: &Breaker, method: &str, path: &str) -> crate::http::Answer {
        let http = Http { address: breaker.address(), authorization: "Bearer secret".to_owned() };
        http.send(method, path, &[], b"body").unwrap()
    }

    #[test]
    fn what_is_passed_on_is_changed_both_ways() {
        let upstream = Script::http(([127, 0, 0, 1], 9).into());
        let upstream =
            Breaker::start(upstream.answer("PATCH", "/a", "200 OK", &["X-Kept: 1", "X-Lost: 2"], "one two"));
        let script = Script::http(upstream.address())
            .request(|request| request.first = request.first.replace("/b", "/a"))
            .edit("", "/b", |answer| answer.remove("X-Lost"))
            .body("", "/b", "two", "owt");
        let answer = ask(&Breaker::start(script), "PATCH", "/b");
        assert_eq!((answer.header("x-kept"), answer.header("x-lost")), (Some("1"), None));
        assert_eq!(answer.body, b"one owt");
    }

    #[test]
    fn a_length_above_the_bound_is_refused_and_another_is_not() {
        let script = Script::http(([127, 0, 0, 1], 9).into()).refuse_larger(4, "413 Too Large", &[], "");
        let larger = Breaker::start(script.clone().refuse_larger(3, "418 No", &[], ""));
        assert_eq!(ask(&larger, "PUT", "/").status, 418);
        let same = Breaker::start(script.answer("", "*", "200 OK", &[], ""));
        assert_eq!(ask(&same, "PUT", "/").status, 200);
    }

    #[test]
    fn an_alert_is_one_record_and_the_end() {
        let breaker = Breaker::start(Script::alert(112));
        let mut stream = TcpStream::connect(breaker.address()).unwrap();
        stream.write_all(b"hello").unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        assert_eq!(all, [21, 3, 3, 0, 2, 2, 112]);
    }

    #[test]
    fn connections_end_with_their_breaker() {
        let breaker = Breaker::start(Script::silence());
        let mut stream = TcpStream::connect(breaker.address()).unwrap();
        drop(breaker);
        assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
    }
}
