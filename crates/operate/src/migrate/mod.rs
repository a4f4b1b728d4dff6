//! Moves all that a registry serves to another one, over their API: tags, images of every platform, what lists list, what refers to
//! what, signatures under fallback tags, and manifests that no tag names where the source lists them.
//!
//! | order | what |
//! | --- | --- |
//! | login | both registries know their account |
//! | list | the source's repositories, or those that were named |
//! | walk | a repository's tags and manifests ([`railhead_client::Visitor`]) |
//! | copy | blobs, then manifests with what they list before them, then tags; signatures before what they sign |
//! | compare | every tag, manifest and blob is asked for at the target |
//!
//! Invariants: nothing is pushed that the target has, so a move that was stopped goes on when it is given again, and nobody keeps
//! a journal; a blob that another repository of the target has is mounted; a layer goes through piece by piece; a tag of the
//! target that names something else stays, and a repository that fewer may see does not become one that more may see, unless the
//! plan says so; what cannot be copied is named with why, and the rest goes on.

mod copy;
mod graph;
mod pace;
mod referrers;
mod report;
mod repository;
mod visibility;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::StatusCode;
use jiff::Timestamp;
use railhead_client::{Error, Known, Registry, chain};
use railhead_oci::{Digest, RepositoryName};

use pace::Pace;
pub use report::{
    BlobMoved, Difference, ManifestMoved, Moved, Outcome, RepositoryMoved, Seen, TagMoved, Totals, Verdict,
    VisibilityMoved,
};
use visibility::Face;

/// How long a piece of a blob may take to be taken by the target.
const STALL: Duration = Duration::from_mins(3);

/// One end of a move.
#[derive(Clone, Debug)]
pub struct End {
    /// `HOST[:PORT]`.
    pub host: String,
    /// Its client, which logs in and is patient.
    pub client: Registry,
}

/// What is to be moved, and how.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own, as a person makes it")]
pub struct Plan {
    /// Where it is.
    pub from: End,
    /// Where it goes.
    pub to: End,
    /// Only these owners; none is all.
    pub owners: Vec<String>,
    /// Only these repositories; then no list is asked for.
    pub repositories: Vec<RepositoryName>,
    /// Whether a tag of the target that names something else is moved.
    pub replace: bool,
    /// Whether a private repository may become one that everybody sees.
    pub widen: bool,
    /// Whether a forge is to link what it gets with its Git repository of the same name.
    pub link: bool,
    /// Whether every blob of the target is read and hashed at the end.
    pub rehash: bool,
    /// Bytes a second.
    pub rate: Option<u64>,
    /// Blobs on their way at the same time.
    pub parallel: usize,
}

/// How far a move got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Repositories that are done.
    pub repositories: u64,
    /// Repositories there are.
    pub of: u64,
    /// Blobs that were looked at.
    pub blobs: u64,
    /// Bytes that were copied.
    pub bytes: u64,
}

/// Why nothing could be moved at all.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A registry does not answer.
    #[error(transparent)]
    Client(#[from] Error),
    /// A registry does not take the login.
    #[error("{host} answers {status} to the login")]
    Login {
        /// Which.
        host: String,
        /// What it answers.
        status: StatusCode,
    },
    /// The source has no list of what it has.
    #[error("{0} does not list its repositories")]
    NoList(String),
    /// There is nothing to move.
    #[error("{0} has no repository of these names that this account may see")]
    Nothing(String),
}

/// Moves what `plan` says. Each call of `stop` ends when somebody wants it to end; then what was done is reported.
pub async fn migrate(
    plan: &Plan,
    mut stop: impl AsyncFnMut(),
    watch: &(dyn Fn(&Progress) + Sync),
) -> Result<Moved, MigrateError> {
    let (since, started) = (Instant::now(), Timestamp::now());
    let mut run = Run {
        plan,
        pace: Pace::new(plan.rate),
        face: Face::Other,
        places: HashMap::new(),
        names: Vec::new(),
        progress: Mutex::default(),
        watch,
    };
    let mut moved = Moved::new(&plan.from.host, &plan.to.host, started);
    let ended = tokio::select! {
        biased;
        () = stop() => Ok(true),
        ended = run.all(&mut moved) => ended.map(|()| false),
    };
    if ended? {
        moved.interrupted = true;
    }
    moved.close(since.elapsed());
    Ok(moved)
}

/// A move under way.
struct Run<'a> {
    plan: &'a Plan,
    pace: Pace,
    /// What the target is.
    face: Face,
    /// A repository of the target that has a blob, as an index into `names`.
    places: HashMap<Digest, u32>,
    names: Vec<RepositoryName>,
    progress: Mutex<Progress>,
    watch: &'a (dyn Fn(&Progress) + Sync),
}

impl Run<'_> {
    async fn all(&mut self, moved: &mut Moved) -> Result<(), MigrateError> {
        let Plan { from, to, owners, repositories, .. } = self.plan;
        for end in [from, to] {
            let status = end.client.ping().await?.status;
            if !status.is_success() {
                return Err(MigrateError::Login { host: end.host.clone(), status });
            }
        }
        self.face = Face::of(&to.client).await?;
        let source = Face::of(&from.client).await?;
        let found = if repositories.is_empty() {
            let found = from.client.find(owners).await?;
            let found = found.ok_or_else(|| MigrateError::NoList(from.host.clone()))?;
            let told = found.unlisted.iter().map(|(owner, error)| {
                format!(
                    "{} does not list the packages of {owner}: {error}; only what tags lead to is moved",
                    from.host
                )
            });
            moved.notes.extend(told);
            found.repositories
        } else {
            repositories.iter().map(|name| (name.clone(), Known::default())).collect()
        };
        if found.is_empty() {
            return Err(MigrateError::Nothing(from.host.clone()));
        }
        self.tell(|progress| progress.of = found.len() as u64);
        moved.left.extend(found.keys().cloned());
        for (name, known) in found {
            let listed = source.manifests(&name, &mut moved.notes).await?;
            // It is in the report before it is done, so that an interrupted move tells what it did.
            moved.left.remove(&name);
            moved.repositories.push(RepositoryMoved::new(name));
            let Some(record) = moved.repositories.last_mut() else { continue };
            if let Err(error) = self.repository(record, &known.manifests, listed).await {
                // Who does not answer any more will not for the next one either.
                record.differs("repository", format!("not finished: {}", chain(&error)));
                moved.ended = Some(chain(&error));
                return Ok(());
            }
            self.tell(|progress| progress.repositories += 1);
        }
        Ok(())
    }

    /// Tells how far it got.
    fn tell(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut progress);
        (self.watch)(&progress);
    }

    /// Remembers that a repository of the target has a blob.
    fn place(&mut self, digest: Digest, name: &RepositoryName) {
        if self.names.last() != Some(name) {
            self.names.push(name.clone());
        }
        let index = u32::try_from(self.names.len() - 1).unwrap_or(u32::MAX);
        self.places.entry(digest).or_insert(index);
    }

    /// Another repository of the target that has a blob.
    fn elsewhere(&self, digest: &Digest, name: &RepositoryName) -> Option<&RepositoryName> {
        let place = self.names.get(*self.places.get(digest)? as usize)?;
        (place != name).then_some(place)
    }
}
