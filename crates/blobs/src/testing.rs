//! For tests: a real S3 server of their own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::S3Config;

/// How long the server may take to start, on a machine that is busy.
const START_WITHIN: Duration = Duration::from_mins(1);

/// A moto server (`pip install 'moto[server]'`) on a free loopback port, with one empty bucket. Killed when dropped.
#[derive(Debug)]
pub struct MotoServer {
    address: SocketAddr,
    _process: Child,
}

impl MotoServer {
    /// Starts it. [`io::ErrorKind::NotFound`] if it is not installed.
    pub async fn start() -> io::Result<Self> {
        // Bound and let go, since the server cannot be asked which port it took.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut process = Command::new(program())
            .args(["--host", "127.0.0.1", "--port", &address.port().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let deadline = Instant::now() + START_WITHIN;
        while let Err(error) = make_bucket(address).await {
            if process.try_wait()?.is_some() {
                return Err(io::Error::other("moto_server ended at once"));
            }
            if Instant::now() > deadline {
                return Err(error);
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(Self { address, _process: process })
    }

    /// Starts it. `None`, with a line that says why, when it is not installed; where `CI` is `true` that is an error.
    pub async fn start_if_installed() -> io::Result<Option<Self>> {
        match Self::start().await {
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && std::env::var("CI").as_deref() != Ok("true") =>
            {
                #[expect(clippy::print_stderr, reason = "the test's own output")]
                {
                    eprintln!("not run on S3: moto_server is not installed (pip install 'moto[server]')");
                }
                Ok(None)
            }
            started => started.map(Some),
        }
    }

    /// How many multipart uploads are begun and neither completed nor aborted, whatever their prefix.
    pub async fn unfinished(&self) -> io::Result<usize> {
        let listing = ask(self.address, "GET", "?uploads").await?;
        Ok(listing.matches("<UploadId>").count())
    }

    /// How its bucket is reached, with `prefix` before every name.
    pub fn config(&self, prefix: &str) -> S3Config {
        S3Config {
            endpoint: format!("http://{}", self.address),
            bucket: BUCKET.into(),
            region: "us-east-1".into(),
            prefix: prefix.into(),
            access_key: "test".into(),
            secret_key: SecretString::from("test"),
            allow_http: true,
        }
    }
}

/// Where `tools/install` puts it when `RAILHEAD_TOOLS` says where that is, else whatever the `PATH` has.
fn program() -> PathBuf {
    let installed = std::env::var_os("RAILHEAD_TOOLS").map(|tools| Path::new(&tools).join("bin/moto_server"));
    installed.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from("moto_server"))
}

const BUCKET: &str = "railhead";

async fn make_bucket(address: SocketAddr) -> io::Result<()> {
    ask(address, "PUT", "").await.map(drop)
}

/// Moto checks no signature, so the few requests that the store itself never makes are written by hand.
async fn ask(address: SocketAddr, method: &str, query: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "{method} /{BUCKET}{query} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    match answer.split(' ').nth(1) {
        Some("200") => Ok(answer),
        _ => Err(io::Error::other(format!("moto_server refused {method} of its bucket{query}: {answer}"))),
    }
}
