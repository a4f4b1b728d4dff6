//! The work that servers are measured at. Each piece visits the servers in turn, round after round, so that what
//! else the machine does meanwhile falls on all of them alike.

mod layers;
mod memory;
mod requests;
mod start;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::content::Layer;
use crate::figures::{Figures, Metric, Sample};
use crate::options::Options;
use crate::page;
use crate::servers::{Kind, Server};
use crate::session::Session;

/// A piece of work that `--work` can choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Layers pushed.
    Push,
    /// Layers pulled.
    Pull,
    /// Manifests by tag.
    Manifest,
    /// Heads of blobs, and small blobs.
    Blob,
    /// Small images pushed.
    Image,
    /// Tags listed.
    Tags,
    /// The start on a full store.
    Start,
    /// Memory at rest and during parallel pushes.
    Memory,
}

impl Work {
    /// Every piece, in the order in which they are done.
    pub const ALL: [Self; 8] = [
        Self::Push,
        Self::Pull,
        Self::Manifest,
        Self::Blob,
        Self::Image,
        Self::Tags,
        Self::Start,
        Self::Memory,
    ];

    /// Its name in `--work`.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Pull => "pull",
            Self::Manifest => "manifest",
            Self::Blob => "blob",
            Self::Image => "image",
            Self::Tags => "tags",
            Self::Start => "start",
            Self::Memory => "memory",
        }
    }
}

/// Repository of everything but the many tags.
const REPOSITORY: &str = "bench/app";
/// Repository with many manifests and tags.
const MANY: &str = "bench/many";
/// Bytes of a layer in pushes and pulls.
const LAYER: usize = 32 << 20;
/// Bytes in a GiB.
const GIB: f64 = (1_u64 << 30) as f64;

/// The state of a run.
struct Bench<'a> {
    options: &'a Options,
    servers: Vec<Server>,
    figures: Figures,
    /// The layers of the first round, once they were pushed everywhere.
    pushed: Vec<Layer>,
    /// Whether [`MANY`] is filled.
    filled: bool,
}

/// Does the work that `options` choose, with data directories under `home`.
pub fn run(options: &Options, home: &Path) -> Result<Figures> {
    let mut bench = Bench {
        options,
        servers: Vec::new(),
        figures: Figures::default(),
        pushed: Vec::new(),
        filled: false,
    };
    for kind in &options.only {
        match Server::find(*kind, home)? {
            Some(server) => {
                bench.figures.servers.push((*kind, server.version.clone()));
                bench.servers.push(server);
            }
            None => bench.figures.absent.push(*kind),
        }
    }
    bench.enroll()?;
    for work in &options.work {
        page::complain(&format!("bench: {}", work.key()));
        match work {
            Work::Push => bench.push(),
            Work::Pull => bench.pull(),
            Work::Manifest => bench.manifests(),
            Work::Blob => bench.blobs(),
            Work::Image => bench.images(),
            Work::Tags => bench.tags(),
            Work::Start => bench.starts(),
            Work::Memory => bench.parallel_pushes(),
        }
        .with_context(|| format!("work `{}`", work.key()))?;
    }
    for server in &mut bench.servers {
        server.stop().with_context(|| server.kind.key())?;
    }
    Ok(bench.figures)
}

impl Bench<'_> {
    /// Starts every server; the memory that it holds after one request is a figure already.
    fn enroll(&mut self) -> Result<()> {
        for server in &mut self.servers {
            server.enroll().with_context(|| server.kind.key())?;
            if !self.options.work.contains(&Work::Memory) {
                continue;
            }
            drop(server.session(REPOSITORY)?);
            // What a server does right after its start is part of what it needs at rest.
            std::thread::sleep(Duration::from_secs(1));
            let value = server.process()?.resident()? as f64 / f64::from(1 << 20);
            self.figures.add(Metric::MemoryRest, server.kind, Sample { value, cost: None, amount: 1.0 });
        }
        Ok(())
    }

    /// Calls `work` for each round and server.
    fn rounds(&mut self, mut work: impl FnMut(&mut Figures, &Server, usize) -> Result<()>) -> Result<()> {
        for round in 0..self.options.scale.rounds {
            for server in &self.servers {
                work(&mut self.figures, server, round).with_context(|| server.kind.key())?;
            }
        }
        Ok(())
    }
}

/// `count` clients of `server` in `repository`, connected and with their tokens.
fn sessions(server: &Server, repository: &str, count: usize) -> Result<Vec<Session>> {
    (0..count).map(|_| server.session(repository)).collect()
}

/// Runs `work` on every session at the same time, each with its number; the first error wins.
fn in_parallel(
    sessions: &mut [Session],
    work: impl Fn(usize, &mut Session) -> Result<()> + Sync,
) -> Result<()> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = sessions
            .iter_mut()
            .enumerate()
            .map(|(number, session)| scope.spawn(move || work(number, session)))
            .collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

/// URL of a blob of [`REPOSITORY`].
fn blob_path(digest: &str) -> String {
    format!("/v2/{REPOSITORY}/blobs/{digest}")
}

/// Pushes `layer` to a registry, places it for nginx beside the file of `origin`.
fn store(server: &Server, layer: &Layer, origin: Option<&Server>) -> Result<()> {
    if server.kind == Kind::Nginx {
        server.place_layer(&blob_path(&layer.digest), layer, origin)
    } else {
        server.session(REPOSITORY)?.push_layer(layer)
    }
}
