//! Keeps two that write to one place of backups apart, with nothing but files: object stores promise no more.
//!
//! Order: write a lock of one's own, then list all of them; who sees another's that is alive withdraws. Two that come at the
//! same moment may both withdraw, never both stay. A lock is renewed as long as its holder lives.
//!
//! A lock is dead when its process on this machine is, which is known at once; or when it is old by the clock of the place and is
//! not renewed while it is watched for longer than its holder would take. No clock of a machine is trusted: it may jump.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::target::{Item, Target};
use crate::vault::Vault;
use crate::{Error, Result};

const LOCKS: &str = "locks";
/// The number of no process: of a lock that could not be read, or not be written for want of room.
const UNKNOWN: u32 = 0;

/// What a lock is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// To add a backup.
    Backup,
    /// To read backups.
    Read,
    /// To remove backups.
    Prune,
}

impl Purpose {
    /// Reading goes together with adding and with reading; everything else with nothing.
    const fn excludes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Read, Self::Read | Self::Backup) | (Self::Backup, Self::Read) => false,
            (Self::Read, Self::Prune) | (Self::Backup | Self::Prune, _) => true,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Backup => "a backup",
            Self::Read => "a reader",
            Self::Prune => "a pruning",
        }
    }
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// How often a lock is renewed.
    pub renew: Duration,
    /// From what age on a lock looks dead.
    pub old: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { renew: Duration::from_secs(30), old: Duration::from_mins(5) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    purpose: Purpose,
    host: String,
    /// Machine and process namespace, within which the number of a process means something.
    machine: String,
    pid: u32,
    /// When the process started, in ticks of its machine.
    started: u64,
    since: jiff::Timestamp,
}

impl Holder {
    fn new(purpose: Purpose) -> Self {
        let pid = std::process::id();
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let (machine, started) = (machine().unwrap_or_default(), start_of(pid).unwrap_or_default());
        Self { purpose, host, machine, pid, started, since: jiff::Timestamp::now() }
    }

    /// Whether it is known to be gone.
    fn is_gone(&self) -> bool {
        let here = machine().is_some_and(|machine| machine == self.machine);
        here && start_of(self.pid) != Some(self.started)
    }
}

fn machine() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

/// When a process started; `None` when there is none of that number.
fn start_of(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything: what counts stands behind it.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// Held until [`Lock::release`].
#[derive(Debug)]
pub struct Lock {
    vault: Vault,
    file: String,
    lost: Arc<AtomicBool>,
    renewing: JoinHandle<()>,
}

impl Lock {
    /// Takes the lock, or says who has it.
    pub async fn take(vault: &Vault, purpose: Purpose, times: Times) -> Result<Self> {
        let file = format!("{LOCKS}/{}.json", crate::random_hex()?);
        let mut text = serde_json::to_vec(&Holder::new(purpose))
            .map_err(|error| Error::Target { act: "write a lock".to_owned(), source: error.into() })?;
        match vault.write_small(&file, text.clone()).await {
            Err(Error::Full { .. }) => {
                // An empty file takes no room, and who makes room has to be able to begin.
                text.clear();
                vault.write_small(&file, Vec::new()).await?;
            }
            written => written?,
        }
        let taken = Self::look_around(vault, &file, purpose, times).await;
        if let Err(error) = taken {
            // What failed first is what there is to say; a lock that stays is dead with this process.
            let _ = vault.target.remove(&file).await;
            return Err(error);
        }
        let lost = Arc::new(AtomicBool::new(false));
        let renewing = renew(Arc::clone(&vault.target), file.clone(), text, times, Arc::clone(&lost));
        Ok(Self { vault: vault.clone(), file, lost, renewing: tokio::spawn(renewing) })
    }

    async fn look_around(vault: &Vault, own: &str, purpose: Purpose, times: Times) -> Result<()> {
        let items = vault.target.list(LOCKS).await?;
        let Some(mine) = items.iter().find(|item| own.ends_with(&item.name)).cloned() else {
            return Err(Error::Lied { file: own.to_owned(), what: "is not listed".to_owned() });
        };
        for item in items.iter().filter(|item| **item != mine) {
            let file = format!("{LOCKS}/{}", item.name);
            let Some(holder) = holder(vault, &file).await? else { continue };
            if !purpose.excludes(holder.purpose) {
                continue;
            }
            if holder.is_gone() || is_dead(vault, item, &mine, times).await? {
                tracing::warn!(
                    file,
                    pid = holder.pid,
                    host = holder.host,
                    "a lock whose holder is gone is removed"
                );
                vault.target.remove(&file).await?;
                continue;
            }
            let Holder { purpose, host, pid, since, .. } = holder;
            let holder = if pid == UNKNOWN {
                "somebody whose lock does not say who".to_owned()
            } else {
                format!("{} of process {pid} on {host}, since {since:.0}", purpose.words())
            };
            return Err(Error::Locked { place: vault.place(), holder, file });
        }
        Ok(())
    }

    /// Makes sure that nobody has taken the lock away.
    pub fn check(&self) -> Result<()> {
        if !self.lost.load(Ordering::Relaxed) {
            return Ok(());
        }
        let holder = "somebody who took this process for dead".to_owned();
        Err(Error::Locked { place: self.vault.place(), holder, file: self.file.clone() })
    }

    /// Gives it back.
    pub async fn release(self) {
        self.renewing.abort();
        if let Err(error) = self.vault.target.remove(&self.file).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                file = self.file,
                "a lock could not be removed"
            );
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

async fn renew(target: Arc<dyn Target>, file: String, text: Vec<u8>, times: Times, lost: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(times.renew).await;
        match target.size(&file).await {
            Ok(Some(_)) => {}
            Ok(None) => return lost.store(true, Ordering::Relaxed),
            // It is tried again; whoever watches the lock waits for longer than one renewal.
            Err(_) => continue,
        }
        let renewed = async {
            let mut sink = target.create(&file).await?;
            sink.write(text.clone().into()).await?;
            sink.finish().await
        };
        if let Err(error) = renewed.await {
            tracing::warn!(error = &error as &dyn std::error::Error, file, "a lock could not be renewed");
        }
    }
}

/// Who holds a lock; `None` when it is gone by now. One that cannot be read is held by somebody unknown.
async fn holder(vault: &Vault, file: &str) -> Result<Option<Holder>> {
    let text = match vault.read_small(file).await {
        Ok(text) => text,
        Err(Error::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(serde_json::from_slice(&text).unwrap_or(Holder {
        purpose: Purpose::Prune,
        host: "an unknown machine".to_owned(),
        machine: String::new(),
        pid: UNKNOWN,
        started: 0,
        since: jiff::Timestamp::UNIX_EPOCH,
    })))
}

/// Whether a lock is old by the clock of the place, and stays so while it is watched.
async fn is_dead(vault: &Vault, item: &Item, mine: &Item, times: Times) -> Result<bool> {
    let age = mine.modified.duration_since(item.modified).unwrap_or_default();
    if age < times.old {
        return Ok(false);
    }
    tracing::warn!(lock = item.name, "an old lock is watched for a while: nobody seems to renew it");
    tokio::time::sleep(times.renew * 3).await;
    let now = vault.target.list(LOCKS).await?;
    Ok(now.iter().find(|other| other.name == item.name).is_none_or(|other| other.modified == item.modified))
}
