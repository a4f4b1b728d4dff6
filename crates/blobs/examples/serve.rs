//! Serves one object of a file store over HTTP/1.1 as the registry does: what a pull costs beside any other server.
//!
//! `cargo run --release -p railhead-blobs --example serve -- FILE [MAX_BUF] [THREADS]` copies FILE into a store of its own,
//! listens on a free loopback port, prints `port pid`, and answers every request with the whole content.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use railhead_blobs::{Error, FileStore, ObjectKey, Reader, StageId, Store};
use railhead_oci::Digest;

type Failure = Box<dyn std::error::Error + Send + Sync>;

struct Body(Reader);

impl http_body::Body for Body {
    type Data = bytes::Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.0.poll_next(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.remaining() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.remaining())
    }
}

#[expect(clippy::print_stdout, reason = "what the caller reads")]
async fn serve(file: String, max_buf: usize) -> Result<(), Failure> {
    let data = tempfile::tempdir()?;
    let store = Store::Files(FileStore::open(data.path())?);
    let content = std::fs::read(file)?;
    let size = content.len() as u64;
    let key = store.put(&StageId::from_bytes([0; 16]), &Digest::sha256(&content), content.into()).await?;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{} {}", listener.local_addr()?.port(), std::process::id());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let store = store.clone();
        let service = service_fn(move |_: Request<Incoming>| answer(store.clone(), key, size));
        let mut builder = http1::Builder::new();
        if max_buf > 0 {
            builder.max_buf_size(max_buf);
        }
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        // A client that goes away is no failure of the server.
        tokio::spawn(async move { connection.await.ok() });
    }
}

async fn answer(store: Store, key: ObjectKey, size: u64) -> Result<Response<Body>, Infallible> {
    Ok(match store.read(&key, 0..size, size).await {
        Ok(reader) => Response::new(Body(reader)),
        Err(_) => std::process::abort(),
    })
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("name the file to serve")?;
    let max_buf = arguments.next().map_or(Ok(0), |text| text.parse())?;
    let threads = arguments.next().map_or(Ok(2), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    runtime.block_on(serve(file, max_buf))
}
