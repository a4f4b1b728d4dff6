//! One connection to a breaker, from its greeting to its end.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy, sink, split};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::Head;
use super::script::{Act, Greeting, Script};

/// How long the rest of a request is read after its answer, so that a reset does not overtake the answer.
const DRAIN: Duration = Duration::from_secs(2);

/// Serves a connection; whatever breaks it is what was wanted, or the client's wish.
pub(super) async fn serve(mut stream: TcpStream, script: Arc<Script>) {
    let _ = stream.set_nodelay(true);
    let _ = match &script.greeting {
        Greeting::Http => http(stream, &script).await,
        Greeting::Tls(config) => match TlsAcceptor::from(Arc::clone(config)).accept(stream).await {
            Ok(stream) => http(stream, &script).await,
            Err(error) => Err(error),
        },
        Greeting::Say(bytes) => {
            let mut hello = [0; 4096];
            match stream.read(&mut hello).await {
                Ok(_) => last(&mut stream, bytes).await,
                Err(error) => Err(error),
            }
        }
        Greeting::Banner(bytes) => last(&mut stream, bytes).await,
        Greeting::Silence => copy(&mut stream, &mut sink()).await.map(drop),
        Greeting::Close => Ok(()),
        Greeting::Reset => match stream.read(&mut [0; 4096]).await {
            Ok(_) => stream.set_zero_linger(),
            Err(error) => Err(error),
        },
    };
}

async fn http<S: Broken>(mut stream: S, script: &Script) -> io::Result<()> {
    let (request, body) = Head::read(&mut stream).await?;
    script.watchers.iter().for_each(|look| look(&request));
    match script.acts.iter().find(|(which, _)| which.is(&request)) {
        Some((_, act)) => act_on(stream, act).await,
        None => pass(stream, script, request, body).await,
    }
}

async fn act_on<S: Broken>(mut stream: S, act: &Act) -> io::Result<()> {
    match act {
        Act::Bytes(bytes) => last(&mut stream, bytes).await,
        Act::Endless { head, piece, pause } => {
            stream.write_all(head).await?;
            loop {
                stream.write_all(piece).await?;
                stream.flush().await?;
                sleep(*pause).await;
            }
        }
        Act::Silence => copy(&mut stream, &mut sink()).await.map(drop),
        Act::Close => Ok(()),
        Act::Reset => stream.reset(),
    }
}

/// Sends these bytes and ends the connection in order.
async fn last<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.shutdown().await?;
    drain(stream).await
}

/// Sends the request on, and the answer back.
async fn pass<S: Broken>(stream: S, script: &Script, request: Head, body: Vec<u8>) -> io::Result<()> {
    let Some(upstream) = script.upstream else { return Ok(()) };
    let mut sent = request.clone();
    sent.set("Connection", "close");
    for change in &script.requests {
        change(&mut sent);
    }
    let upstream = TcpStream::connect(upstream).await?;
    upstream.set_nodelay(true)?;
    let (mut from_upstream, mut to_upstream) = upstream.into_split();
    to_upstream.write_all(&sent.bytes()).await?;
    to_upstream.write_all(&body).await?;
    let (mut from_client, mut to_client) = split(stream);
    let forth = async {
        // A client that has said all and waits keeps its side open; one that ends it has gone. An error of the
        // upstream shows in its answer.
        match copy(&mut from_client, &mut to_upstream).await {
            Ok(_) => Ok(()),
            Err(_) => pending().await,
        }
    };
    let back = async {
        let (mut answer, mut rest) = Head::read(&mut from_upstream).await?;
        answer.set("Connection", "close");
        for (which, change) in &script.answers {
            if which.is(&request) {
                change(&mut answer);
            }
        }
        for (_, from, to) in script.bodies.iter().filter(|(which, ..)| which.is(&request)) {
            from_upstream.read_to_end(&mut rest).await?;
            rest = String::from_utf8_lossy(&rest).replace(from, to).into_bytes();
        }
        for (_, at) in script.flips.iter().filter(|(which, _)| which.is(&request)) {
            from_upstream.read_to_end(&mut rest).await?;
            if let Some(byte) = rest.get_mut(*at) {
                *byte ^= 1;
            }
        }
        to_client.write_all(&answer.bytes()).await?;
        to_client.write_all(&rest).await?;
        copy(&mut from_upstream, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::select! {
        biased;
        done = back => done?,
        gone = forth => return gone,
    }
    drain(&mut from_client).await
}

async fn drain(from: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    match timeout(DRAIN, copy(from, &mut sink())).await {
        Ok(read) => read.map(drop),
        Err(_) => Ok(()),
    }
}

/// A connection that can be reset.
trait Broken: AsyncRead + AsyncWrite + Unpin {
    fn reset(&self) -> io::Result<()>;
}

impl Broken for TcpStream {
    fn reset(&self) -> io::Result<()> {
        self.set_zero_linger()
    }
}

impl Broken for tokio_rustls::server::TlsStream<TcpStream> {
    fn reset(&self) -> io::Result<()> {
        self.get_ref().0.set_zero_linger()
    }
}
