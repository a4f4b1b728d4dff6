//! Connections: accept, TLS, HTTP/1.1 or HTTP/2, and an end in good order.
//!
//! At shutdown listening stops first, idle connections close, running requests go on until the limit, then what is
//! left is cut. An upload that is cut keeps its offset.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::core::Core;
use crate::exchange;
use crate::host::Peer;
use crate::sendfile::{FileQueue, FileStream};

/// How long a client may take to send the head of a request, or to speak TLS.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// After so long without a sign of life the system asks whether the other end is still there.
const KEEPALIVE: Duration = Duration::from_mins(1);
/// A peer that acknowledges nothing for so long is gone.
const SILENCE_MAX: Duration = Duration::from_mins(2);
/// Bytes of a request that are read at once by a connection that comes as one of few.
const READ_FEW: usize = 256 << 10;
/// The same when it comes as one of many, so that many at a time take little memory.
const READ_MANY: usize = 128 << 10;
/// So many connections are few.
const FEW: usize = 8;
/// Bytes of an HTTP/2 stream that may be under way.
const H2_WINDOW: u32 = 1 << 20;

/// Where requests come in.
pub(crate) enum Door {
    /// For clients, with TLS or without.
    Clients(TcpListener, Option<TlsAcceptor>),
    /// For the command line on the same machine.
    Control(UnixListener),
}

/// Who came in.
enum Caller {
    Client(TcpStream, SocketAddr, Option<TlsAcceptor>),
    Control(UnixStream),
}

/// Serves until `stop` says so, and then at most `limit` longer. Gives the number of connections that were cut.
pub(crate) async fn serve(
    core: Arc<Core>,
    doors: Vec<Door>,
    mut stop: watch::Receiver<bool>,
    limit: Duration,
) -> usize {
    let mut accepting = JoinSet::new();
    for door in doors {
        accepting.spawn(door.open(core.clone(), stop.clone()));
    }
    stopped(&mut stop).await;
    let mut running = JoinSet::new();
    while let Some(connections) = accepting.join_next().await {
        if let Ok(mut connections) = connections {
            running.spawn(async move { while connections.join_next().await.is_some() {} });
        }
    }
    let all_ended = tokio::time::timeout(limit, async { while running.join_next().await.is_some() {} }).await;
    if all_ended.is_ok() { 0 } else { running.len() }
}

/// Waits until it is time to stop; also when nobody is left who could say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

impl Door {
    /// Takes connections until it is time to stop. Gives those that still run.
    async fn open(self, core: Arc<Core>, mut stop: watch::Receiver<bool>) -> JoinSet<()> {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.accept() => accepted,
                () = stopped(&mut stop) => return connections,
                Some(_) = connections.join_next() => continue,
            };
            match accepted {
                Ok(caller) => {
                    let read = if connections.len() < FEW { READ_FEW } else { READ_MANY };
                    connections.spawn(caller.serve(core.clone(), read, stop.clone()));
                }
                Err(error) => {
                    // Mostly no more file descriptors: those of ended connections come back in a moment.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn accept(&self) -> io::Result<Caller> {
        match self {
            Self::Clients(listener, tls) => {
                let (stream, remote) = listener.accept().await?;
                Ok(Caller::Client(stream, remote, tls.clone()))
            }
            Self::Control(listener) => listener.accept().await.map(|(stream, _)| Caller::Control(stream)),
        }
    }
}

impl Caller {
    async fn serve(self, core: Arc<Core>, read: usize, stop: watch::Receiver<bool>) {
        match self {
            Self::Client(stream, remote, tls) => client(core, stream, remote, tls, read, stop).await,
            Self::Control(stream) => {
                let answer = move |request| exchange::control(core.clone(), request);
                drive(stream, service_fn(answer), read, stop).await;
            }
        }
    }
}

async fn client(
    core: Arc<Core>,
    stream: TcpStream,
    remote: SocketAddr,
    tls: Option<TlsAcceptor>,
    read: usize,
    stop: watch::Receiver<bool>,
) {
    let Ok(local) = stream.local_addr() else { return };
    prepare(&stream);
    let peer = Peer { remote, local, tls: tls.is_some() };
    let Some(tls) = tls else {
        let files = FileQueue::default();
        let stream = FileStream::new(stream, files.clone());
        let answer = move |request| exchange::answer(core.clone(), peer, Some(files.clone()), request);
        return drive(stream, service_fn(answer), read, stop).await;
    };
    let service = service_fn(move |request| exchange::answer(core.clone(), peer, None, request));
    match tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => drive(stream, service, read, stop).await,
        Ok(Err(error)) => tracing::debug!(client = %remote, %error, "TLS did not come about"),
        Err(_) => tracing::debug!(client = %remote, "TLS took too long"),
    }
}

/// Options that only make things better: where the system refuses one, the connection works all the same.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = sockopt::set_socket_keepalive(stream, true);
    let _ = sockopt::set_tcp_keepidle(stream, KEEPALIVE);
    let _ = sockopt::set_tcp_keepintvl(stream, KEEPALIVE / 4);
    let _ = sockopt::set_tcp_keepcnt(stream, 4);
    let _ = sockopt::set_tcp_user_timeout(stream, SILENCE_MAX.as_millis() as u32);
}

async fn drive<I, S>(io: I, service: S, read: usize, mut stop: watch::Receiver<bool>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: hyper::service::Service<
            hyper::Request<Incoming>,
            Response = hyper::Response<crate::body::Body>,
            Error = Infallible,
        > + 'static,
    S::Future: Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(read)
        // `FileStream` needs the pieces of a body as they are, never copied together.
        .writev(true)
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(H2_WINDOW)
        .initial_connection_window_size(H2_WINDOW * 4)
        .keep_alive_interval(KEEPALIVE)
        .max_concurrent_streams(128);
    let connection = builder.serve_connection(TokioIo::new(io), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // The request's own line in the access log says what became of it; this is for who looks closer.
    if let Err(error) = ended {
        tracing::debug!(error, "a connection ended early");
    }
}
