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
