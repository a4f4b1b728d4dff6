//! What people see of backups.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use railhead_backup::format::{Absence, Counts, MissingBlob, Source};
use railhead_backup::{Damage, Lost, Made, Progress, Pruned, Vault, Verified};
use serde::Serialize;

use crate::config::size::show;
use crate::printer::{Printer, fields, table, time};

/// How often a person hears how far it got.
const EVERY: Duration = Duration::from_secs(10);

/// Tells people how far something got: now and then, and only on a terminal.
pub struct Watch {
    printer: Printer,
    verb: &'static str,
    told: Option<Mutex<Instant>>,
}

impl Watch {
    /// `verb` is as in "backed up".
    pub fn new(printer: Printer, verb: &'static str) -> Self {
        let told = std::io::stderr().is_terminal() && !printer.is_json();
        Self { printer, verb, told: told.then(|| Mutex::new(Instant::now())) }
    }

    /// Takes in how far it got.
    pub fn tell(&self, progress: &Progress) {
        let Progress { blobs, of, bytes } = progress;
        self.say(|| format!("{blobs} of {of} blobs {}, {} moved", self.verb, show(*bytes)));
    }

    /// Says what `text` makes, if it is time to say something.
    pub fn say(&self, text: impl FnOnce() -> String) {
        let Some(Ok(mut told)) = self.told.as_ref().map(Mutex::lock) else { return };
        if told.elapsed() >= EVERY {
            *told = Instant::now();
            self.printer.note(&text());
        }
    }
}

/// A size for a person.
pub fn size(bytes: u64) -> String {
    show(bytes)
}

fn seconds(millis: u64) -> String {
    format!("{:.1} s", millis as f64 / 1000.0)
}

fn counted(counts: &Counts) -> String {
    let Counts { owners, repositories, manifests, tags, blobs, bytes } = counts;
    let owners = if *owners == 0 { String::new() } else { format!("{owners} owners, ") };
    format!(
        "{owners}{repositories} repositories, {manifests} manifests, {tags} tags, {blobs} blobs of {}",
        show(*bytes)
    )
}

/// A backup that was made.
pub fn made(place: &str, made: &Made, pruned: Option<&Pruned>) -> String {
    let mut rows = vec![
        ("backup", format!("{} at {place}", made.id)),
        ("content", counted(&made.counts)),
        (
            "copied",
            format!(
                "{} blobs of {}, and {} of accounts, repositories and lists",
                made.copied_blobs,
                show(made.copied_bytes),
                show(made.part_bytes)
            ),
        ),
        ("sealed", if made.sealed { "yes" } else { "no" }.to_owned()),
        ("signed", if made.signed { "yes" } else { "no" }.to_owned()),
        ("took", seconds(made.millis)),
    ];
    if let Some(pruned) = pruned {
        rows.push(("pruned", removed(pruned)));
    }
    fields(&rows)
}

fn removed(pruned: &Pruned) -> String {
    let Pruned { kept, out_of_order, removed, files, bytes } = pruned;
    let wrong = match out_of_order.len() {
        0 => String::new(),
        count => format!(", {count} of them with times that contradict their numbers"),
    };
    format!(
        "{} backups and {files} files of {}; {} backups stay{wrong}",
        removed.len(),
        show(*bytes),
        kept.len()
    )
}

/// A blob that a backup does not have.
pub fn missing(blob: &MissingBlob) -> String {
    match &blob.why {
        Absence::Deleted => {
            format!("blob {} was deleted while the backup was made, and is not in it", blob.digest)
        }
        Absence::Damaged { what } => {
            format!("blob {} is damaged, and is not in the backup: {what}", blob.digest)
        }
    }
}

/// A backup in a list.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Listed {
    /// Its manifest can be read.
    Whole {
        /// Its name.
        id: String,
        /// When it was begun.
        time: Timestamp,
        /// What was backed up.
        source: Source,
        /// How much it is.
        counts: Counts,
        /// Whether it is sealed.
        sealed: bool,
        /// Blobs that it names and does not have.
        missing: usize,
    },
    /// It cannot.
    Damaged {
        /// Its name.
        id: String,
        /// What is wrong.
        damage: String,
    },
}

impl Listed {
    /// Reads the manifest of a backup.
    pub async fn read(vault: &Vault, id: &str) -> Self {
        match vault.snapshot(Some(id), None).await {
            Ok(snapshot) => Self::Whole {
                id: snapshot.id,
                time: snapshot.time,
                source: snapshot.source,
                counts: snapshot.counts,
                sealed: snapshot.sealed.is_some(),
                missing: snapshot.missing.len(),
            },
            Err(error) => Self::Damaged { id: id.to_owned(), damage: error.to_string() },
        }
    }

    /// What is wrong with it.
    pub fn damage(&self) -> Option<&str> {
        match self {
            Self::Whole { .. } => None,
            Self::Damaged { damage, .. } => Some(damage),
        }
    }
}

/// All backups of a place.
pub fn list(all: &[Listed]) -> String {
    if all.is_empty() {
        return "there is no backup\n".to_owned();
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|listed| match listed {
            Listed::Whole { id, time: at, source, counts, sealed, missing } => vec![
                id.clone(),
                time(*at),
                source.name().to_owned(),
                counts.repositories.to_string(),
                counts.tags.to_string(),
                counts.blobs.to_string(),
                show(counts.bytes),
                if *sealed { "yes" } else { "no" }.to_owned(),
                if *missing == 0 { String::new() } else { format!("{missing} blobs missing") },
            ],
            Listed::Damaged { id, damage } => {
                let mut row = vec![id.clone()];
                row.extend(std::iter::repeat_n(String::new(), 7));
                row.push(damage.clone());
                row
            }
        })
        .collect();
    table(&["BACKUP", "TIME", "OF", "REPOSITORIES", "TAGS", "BLOBS", "SIZE", "SEALED", ""], &rows)
}

/// What a verification found.
pub fn verified(verified: &Verified) -> String {
    let mut rows = vec![
        ("backups", verified.backups.len().to_string()),
        ("read", format!("{} files of {}", verified.files, show(verified.bytes))),
        ("damaged", verified.damages.len().to_string()),
    ];
    if verified.unread > 0 {
        rows.push(("not read", format!("{} sealed files; their sizes are right", verified.unread)));
    }
    if verified.absent > 0 {
        rows.push(("never had", format!("{} blobs, as their manifests say", verified.absent)));
    }
    if !verified.unsigned.is_empty() {
        rows.push(("not signed", verified.unsigned.len().to_string()));
    }
    rows.push(("took", seconds(verified.millis)));
    let mut text = fields(&rows);
    for Damage { file, what, backups, removed } in &verified.damages {
        let removed = if *removed { "; removed" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{file}: {what} (needed by {}){removed}", backups.join(", "));
    }
    text
}

/// What a pruning did.
pub fn pruned(pruned: &Pruned, dry_run: bool) -> String {
    let verb = if dry_run { "would go" } else { "gone" };
    let mut text = fields(&[(verb, removed(pruned))]);
    for id in &pruned.removed {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{id}");
    }
    text
}

/// Backups that a wrong clock made, if some stay because of that.
pub fn out_of_order(pruned: &Pruned) -> Option<String> {
    let ids = pruned.out_of_order.join(", ");
    (!ids.is_empty()).then(|| {
        format!("the clock was wrong when these backups were made, or others: {ids}. They stay; `railhead backup prune FROM --drop ID` removes one")
    })
}

/// What a restore left out, one a line.
pub fn lost_lines(lost: &[Lost]) -> String {
    lost.iter().fold(String::new(), |mut text, lost| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "lost: {lost}");
        text
    })
}
