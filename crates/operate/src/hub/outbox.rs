//! What waits for the hub, on the disk: `hub` in the directory of the evidence.
//!
//! - `outbox/`: a file for each message, with its exact body; the name has the time, the order and the message's id.
//! - `refused/`: those that the hub did not want, each with a file that says why.
//! - `told`: the documents whose messages were made, a name a line.
//! - `pause.json`: how often it failed in a row, and when to try again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::HubError;
use super::change::{About, Message, Picture, changes, picture};
use crate::evidence::{Archive, EvidenceError, Kind, failed, read, stamp, write_whole};
use crate::report::History;
use crate::site::Site;

/// What waits for the hub of a site.
#[derive(Clone, Debug)]
pub struct Outbox {
    archive: Archive,
    place: PathBuf,
}

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its file.
    pub path: PathBuf,
    /// Its id.
    pub id: String,
    /// Its exact body.
    pub body: Vec<u8>,
}

/// A message that the hub refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Its file.
    pub path: PathBuf,
    /// What the hub said.
    pub why: String,
}

/// The hub could not be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// How often in a row.
    pub tries: u32,
    /// When it is tried again.
    pub until: Timestamp,
    /// Why it failed last.
    pub why: String,
}

/// Held until it is dropped; the system lets go of it when the process ends.
pub(super) struct Lock {
    _file: File,
}

impl Outbox {
    /// That of a site.
    pub fn new(site: &Site) -> Self {
        Self { archive: Archive::new(&site.evidence), place: site.evidence.join("hub") }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.place
    }

    /// Makes the messages about all documents that were not told yet; how many.
    pub fn gather(&self, site: &Site) -> Result<usize, HubError> {
        if self.untold()?.is_empty() {
            return Ok(0);
        }
        let _lock = self.lock("lock", FlockOperation::LockExclusive)?;
        // Looked at again: who held the lock may have told of them.
        let untold = self.untold()?;
        let told = self.told()?;
        let mut hosts: BTreeMap<String, Timestamp> = BTreeMap::new();
        for path in &untold {
            let evidence = read(path)?;
            let newest = hosts.entry(evidence.host).or_insert(evidence.time);
            *newest = evidence.time.max(*newest);
        }
        let mut count = 0;
        for (host, time) in &hosts {
            let before = History::read_those(&self.archive, host, |file| told.contains(file))?;
            // A host that is new to the hub has no tasks yet: it is told of all, also of those that nothing shows.
            let before = if before.is_empty() { Picture::new() } else { picture(&before, site)? };
            let after = picture(&History::read(&self.archive, host)?, site)?;
            let about = About { site: site.name.as_deref(), host, time: *time };
            for message in changes(&before, &after, &about) {
                self.put(*time, count, &message)?;
                count += 1;
            }
        }
        self.note_told(&untold)?;
        Ok(count)
    }

    /// What waits, the oldest first.
    pub fn waiting(&self) -> Result<Vec<Waiting>, HubError> {
        let mut waiting = Vec::new();
        for path in files(&self.place.join("outbox"))? {
            let Some(id) = id_of(&path) else { continue };
            let id = id.to_owned();
            let body = fs::read(&path).map_err(failed("read", &path))?;
            waiting.push(Waiting { path, id, body });
        }
        Ok(waiting)
    }

    /// What the hub refused, the oldest first.
    pub fn refused(&self) -> Result<Vec<Refused>, HubError> {
        let refused = files(&self.place.join("refused"))?.into_iter().filter(|path| id_of(path).is_some());
        // A kill may have come before the reason was written.
        let why = |path: &Path| fs::read_to_string(path.with_extension("why")).unwrap_or_default();
        Ok(refused.map(|path| Refused { why: why(&path), path }).collect())
    }

    /// Puts what the hub refused back to what waits; how many.
    pub fn again(&self) -> Result<usize, HubError> {
        let refused = self.refused()?;
        for one in &refused {
            self.shift(&one.path, "outbox")?;
            remove(&one.path.with_extension("why"))?;
        }
        Ok(refused.len())
    }

    /// Why the hub is left alone, and until when.
    pub fn pause(&self) -> Result<Option<Pause>, HubError> {
        let path = self.place.join("pause.json");
        match fs::read(&path) {
            // A pause that cannot be read is none.
            Ok(text) => Ok(serde_json::from_slice(&text).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path)(error).into()),
        }
    }

    pub(super) fn set_pause(&self, pause: Option<&Pause>) -> Result<(), HubError> {
        let path = self.place.join("pause.json");
        match pause {
            Some(pause) => {
                let text = serde_json::to_vec_pretty(pause).map_err(EvidenceError::Shape)?;
                Ok(write_whole(&path, &text)?)
            }
            None => remove(&path),
        }
    }

    /// The hub does not want it.
    pub(super) fn set_aside(&self, message: &Waiting, why: &str) -> Result<Refused, HubError> {
        let path = self.shift(&message.path, "refused")?;
        write_whole(&path.with_extension("why"), why.as_bytes())?;
        Ok(Refused { path, why: why.to_owned() })
    }

    /// Sending is for one at a time, so that the order is kept.
    pub(super) fn sending(&self) -> Result<Lock, HubError> {
        self.lock("sending", FlockOperation::NonBlockingLockExclusive)
    }

    fn lock(&self, name: &str, how: FlockOperation) -> Result<Lock, HubError> {
        fs::create_dir_all(&self.place).map_err(failed("make the directory", &self.place))?;
        let path = self.place.join(name);
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed("open", &path))?;
        match flock(&file, how) {
            Ok(()) => Ok(Lock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(HubError::Busy { path: self.place.clone() }),
            Err(error) => Err(failed("lock", &path)(error.into()).into()),
        }
    }

    /// The documents that the hub was not told of.
    fn untold(&self) -> Result<Vec<PathBuf>, HubError> {
        let told = self.told()?;
        let mut untold = Vec::new();
        for kind in Kind::ALL {
            untold.extend(
                self.archive.files(kind)?.into_iter().filter(|path| !told.contains(name_of(path).as_str())),
            );
        }
        Ok(untold)
    }

    fn told(&self) -> Result<BTreeSet<String>, HubError> {
        let path = self.place.join("told");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(error) => Err(failed("read", &path)(error).into()),
        }
    }

    /// Adds documents to those that are told. A line that a kill cut off names no document, and stays for itself.
    fn note_told(&self, documents: &[PathBuf]) -> Result<(), HubError> {
        let path = self.place.join("told");
        let write = || {
            let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path)?;
            let mut last = [b'\n'];
            if file.metadata()?.len() > 0 {
                file.seek(SeekFrom::End(-1))?;
                file.read_exact(&mut last)?;
            }
            let mut lines = if last == [b'\n'] { String::new() } else { "\n".to_owned() };
            for document in documents {
                lines.push_str(&name_of(document));
                lines.push('\n');
            }
            file.write_all(lines.as_bytes())?;
            file.sync_all()?;
            File::open(&self.place)?.sync_all()
        };
        Ok(write().map_err(failed("write", &path))?)
    }

    fn put(&self, time: Timestamp, at: usize, message: &Message) -> Result<(), HubError> {
        let outbox = self.place.join("outbox");
        fs::create_dir_all(&outbox).map_err(failed("make the directory", &outbox))?;
        let name = format!("{}-{at:05}-{}.json", stamp(time), message.id);
        Ok(write_whole(&outbox.join(name), message.body.as_bytes())?)
    }

    /// Moves a message to another directory; where it is then.
    fn shift(&self, from: &Path, directory: &str) -> Result<PathBuf, HubError> {
        let directory = self.place.join(directory);
        let to = directory.join(name_of(from));
        let shift = || {
            fs::create_dir_all(&directory)?;
            fs::rename(from, &to)?;
            File::open(&directory)?.sync_all()
        };
        shift().map_err(failed("move", from))?;
        Ok(to)
    }
}

impl Waiting {
    /// The hub has it.
    pub(super) fn taken(&self) -> Result<(), HubError> {
        remove(&self.path)
    }

    /// What it is, for a person: its type, and what it is about.
    pub fn words(&self) -> (String, String) {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let kind = body["type"].as_str().unwrap_or("unreadable");
        let of = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
        let subject = ["/data/finding", "/data/follow_up", "/data/task"].into_iter().find_map(|thing| {
            let id = of(&format!("{thing}/id")).or_else(|| of(&format!("{thing}/code")));
            let title = of(&format!("{thing}/title"))?;
            Some(id.map_or_else(|| title.to_owned(), |id| format!("{id}: {title}")))
        });
        (kind.to_owned(), subject.unwrap_or_default())
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The id in the name of a message's file; none where the file is no message.
fn id_of(path: &Path) -> Option<&str> {
    let (_, id) = path.file_name()?.to_str()?.strip_suffix(".json")?.rsplit_once('-')?;
    id.starts_with("msg_").then_some(id)
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, HubError> {
    let list = || fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
    match list() {
        Ok(mut files) => {
            files.sort();
            Ok(files)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed("read the directory", directory)(error).into()),
    }
}

fn remove(path: &Path) -> Result<(), HubError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error).into()),
        _ => Ok(()),
    }
}
