//! Running a command in a pod.

use std::fmt;
use std::time::Duration;

use k8s_openapi::api::core::v1;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::kind::segment;
use crate::{Cluster, Error};

/// The most that is kept of what a command says on standard error.
const TALK: u64 = 64 << 10;
/// The size of the pipe between the connection and the reader.
const PIPE: usize = 256 << 10;

/// A container of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The container; none is the pod's first.
    pub container: Option<String>,
}

impl fmt::Display for Pod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// How a command in a pod ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// What it wrote; empty where that went elsewhere.
    pub stdout: Vec<u8>,
    /// What it said, at most 64 KiB of it.
    pub stderr: Vec<u8>,
}

impl Ran {
    /// What it wrote as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

impl Cluster {
    /// Runs a command in a pod and keeps what it writes, at most `limit` bytes.
    pub async fn exec(
        &self,
        pod: &Pod,
        command: &[&str],
        limit: usize,
        patience: Duration,
    ) -> Result<Ran, Error> {
        let mut kept = Kept { bytes: Vec::new(), limit };
        let mut ran = self.exec_with(pod, command, None, &mut kept, patience).await?;
        if kept.bytes.len() > limit {
            return Err(Error::Large {
                act: format!("read what {} writes in the pod {pod}", first(command)),
                limit,
            });
        }
        ran.stdout = kept.bytes;
        Ok(ran)
    }

    /// Runs a command in a pod, with `input` on its standard input, and writes what it writes to `to` while it runs.
    pub async fn exec_with(
        &self,
        pod: &Pod,
        command: &[&str],
        input: Option<&[u8]>,
        to: &mut (dyn AsyncWrite + Send + Unpin),
        patience: Duration,
    ) -> Result<Ran, Error> {
        let act = format!("run {} in the pod {pod}", first(command));
        let whole = async {
            // The client puts names into the path as they are.
            let pods: Api<v1::Pod> = Api::namespaced(self.client.clone(), &segment(&pod.namespace));
            let mut how = AttachParams::default()
                .stdout(true)
                .stderr(true)
                .stdin(input.is_some())
                .max_stdout_buf_size(PIPE);
            how.container.clone_from(&pod.container);
            let command_words = command.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
            let process = pods
                .exec(&segment(&pod.name), command_words, &how)
                .await
                .map_err(|error| self.failed(&act, error))?;
            let failed =
                |said: String| Error::Exec { program: first(command).to_owned(), pod: pod.to_string(), said };
            follow(process, input, to).await.map_err(failed)
        };
        timeout(patience, whole).await.unwrap_or_else(|_| Err(self.slow(&act, patience)))
    }
}

fn first<'a>(command: &[&'a str]) -> &'a str {
    command.first().copied().unwrap_or_default()
}

async fn follow(
    mut process: AttachedProcess,
    input: Option<&[u8]>,
    to: &mut (dyn AsyncWrite + Send + Unpin),
) -> Result<Ran, String> {
    let ended = process.take_status();
    let (stdin, stdout, stderr) = (process.stdin(), process.stdout(), process.stderr());
    let feed = async {
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            // A command that ends before it has read all says so by its exit code.
            let _ = stdin.write_all(input).await;
            let _ = stdin.shutdown().await;
        }
        Ok(())
    };
    let copy = async {
        let Some(mut stdout) = stdout else { return Ok(()) };
        tokio::io::copy(&mut stdout, to)
            .await
            .map_err(|error| format!("cannot write what it writes: {error}"))?;
        to.flush().await.map_err(|error| format!("cannot write what it writes: {error}"))
    };
    let ((), (), talk) = tokio::try_join!(feed, copy, hear(stderr))?;
    let status = match ended {
        Some(ended) => ended.await,
        None => None,
    };
    let Some(status) = status else {
        return Err("the connection ended before it did".to_owned());
    };
    let code = match status.status.as_deref() {
        Some("Success") => Some(0),
        _ if status.reason.as_deref() == Some("NonZeroExitCode") => {
            let causes = status.details.and_then(|details| details.causes).unwrap_or_default();
            let code = causes.into_iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"));
            code.and_then(|cause| cause.message?.parse().ok())
        }
        _ => None,
    };
    match code {
        Some(code) => Ok(Ran { code, stdout: Vec::new(), stderr: talk }),
        None => Err(status.message.unwrap_or_else(|| "it ended, and nobody says how".to_owned())),
    }
}

/// Reads all, so that the command is never held up, and keeps the beginning.
async fn hear(from: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, String> {
    let mut talk = Vec::new();
    let Some(mut from) = from else { return Ok(talk) };
    let failed = |error: std::io::Error| format!("cannot read what it says: {error}");
    (&mut from).take(TALK).read_to_end(&mut talk).await.map_err(failed)?;
    tokio::io::copy(&mut from, &mut tokio::io::sink()).await.map_err(failed)?;
    Ok(talk)
}

/// The beginning of what is written, and one byte more as a sign that there is more.
struct Kept {
    bytes: Vec<u8>,
    limit: usize,
}

impl AsyncWrite for Kept {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        let this = self.get_mut();
        let room = (this.limit + 1).saturating_sub(this.bytes.len());
        this.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        std::task::Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}
