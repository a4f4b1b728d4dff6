//! `railhead verify`

use clap::Args;
use railhead_api::{Damage, Damages, Route, ScrubState, Verification, VerifyStart};
use serde::Serialize;

use crate::admin::Admin;
use crate::config::size::{self, show};
use crate::failure::{Exit, Failure, Result};
use crate::printer::{Printer, fields, table, time_or};

/// Strangers that are listed for a person; JSON has all.
const EXAMPLES: usize = 10;

/// Hash what is stored again, and find and heal what is damaged.
///
/// Looks at all blobs, or at those of an owner, a repository, or one digest. A damaged blob is not served from then on, is
/// reported with what refers to it, and is healed from `scrub.backup` or `scrub.mirror`, where one is set. When
/// everything is looked at, the objects of the store are looked up in the catalog, too. Works while the registry
/// serves. The exit code is 7 when damage is left.
#[derive(Debug, Args)]
pub struct Verify {
    /// An owner, a repository, or a digest; without it everything
    #[arg(value_name = "OWNER|REPOSITORY|DIGEST")]
    what: Option<String>,
    /// Only look whether each object is there with the right size, without reading it
    #[arg(long)]
    sizes: bool,
    /// Heal nothing
    #[arg(long)]
    report: bool,
    /// Hash so many bytes a second, at most, as in 20MiB
    #[arg(long, value_name = "SIZE", conflicts_with = "sizes")]
    rate: Option<String>,
    /// Look at nothing: show how far the scrub in the background is, and what is known to be damaged
    #[arg(long, conflicts_with_all = ["what", "sizes", "report", "rate"])]
    known: bool,
}

impl Verify {
    /// Runs it.
    pub async fn run(self, admin: &Admin, printer: Printer) -> Result<()> {
        if self.known { known(admin, printer).await } else { verify(admin, printer, self.start()?).await }
    }

    fn start(self) -> Result<VerifyStart> {
        let rate = self.rate.as_deref().map(size::parse).transpose();
        let rate = rate.map_err(|wrong| Failure::new(Exit::Usage, format!("--rate: {wrong}")))?;
        let mut start = VerifyStart {
            sizes_only: self.sizes,
            report_only: self.report,
            bytes_per_second: rate.unwrap_or(0),
            ..VerifyStart::default()
        };
        match self.what {
            None => {}
            Some(digest) if digest.contains(':') => start.digest = Some(digest),
            Some(repository) if repository.contains('/') => start.repository = Some(repository),
            Some(owner) => start.owner = Some(owner),
        }
        Ok(start)
    }
}

async fn verify(admin: &Admin, printer: Printer, mut start: VerifyStart) -> Result<()> {
    let mut all = Verification::default();
    loop {
        let step: Verification = admin.send(&Route::Verify, &start).await?;
        all.blobs.count += step.blobs.count;
        all.blobs.bytes += step.blobs.bytes;
        all.recovered += step.recovered;
        all.objects += step.objects;
        all.damaged.extend(step.damaged);
        all.strangers.extend(step.strangers);
        start.after = step.next;
        if start.after.is_none() {
            break;
        }
        // Steps over objects are quick.
        if !printer.is_json() && step.blobs.count > 0 && all.objects == 0 {
            printer.note(&format!("{} blobs ({}) are looked at", all.blobs.count, show(all.blobs.bytes)));
        }
    }
    printer.data(&all, || show_all(&all))?;
    if !all.strangers.is_empty() {
        printer.note(
            "objects that the catalog does not know cost room and harm nobody; the next start after a kill removes them",
        );
    }
    left(all.damaged.iter().filter(|one| one.healed_from.is_none()).count())
}

fn left(damaged: usize) -> Result<()> {
    let message = match damaged {
        0 => return Ok(()),
        1 => "one blob is damaged".to_owned(),
        many => format!("{many} blobs are damaged"),
    };
    Err(Failure::new(Exit::Damaged, message).hint(
        "push the images again, or set scrub.backup or scrub.mirror to where they are and verify again; until then their pulls are refused",
    ))
}

fn show_all(all: &Verification) -> String {
    let healed = all.damaged.iter().filter(|one| one.healed_from.is_some()).count();
    let of = |damaged: &str| all.damaged.iter().filter(|one| kind(one) == damaged).count();
    let mut text = fields(&[
        ("blobs", format!("{} ({})", all.blobs.count, show(all.blobs.bytes))),
        ("missing", of("missing").to_string()),
        ("wrong size", of("size").to_string()),
        ("wrong content", of("content").to_string()),
        ("unreadable", of("unreadable").to_string()),
        ("healed", healed.to_string()),
        ("whole again", all.recovered.to_string()),
        ("objects", all.objects.to_string()),
        (
            "unknown",
            format!(
                "{} ({})",
                all.strangers.len(),
                show(all.strangers.iter().map(|stranger| stranger.size).sum())
            ),
        ),
    ]);
    if !all.damaged.is_empty() {
        text.push('\n');
        text.push_str(&damages(&all.damaged));
    }
    if !all.strangers.is_empty() {
        let rows: Vec<_> = all
            .strangers
            .iter()
            .take(EXAMPLES)
            .map(|one| vec![one.key.clone(), show(one.size), time_or(Some(one.written), "-")])
            .collect();
        text.push('\n');
        text.push_str(&table(&["UNKNOWN OBJECT", "SIZE", "WRITTEN"], &rows));
        if all.strangers.len() > EXAMPLES {
            text.push_str("…\n");
        }
    }
    text
}

/// The class of what was found.
fn kind(damage: &Damage) -> &'static str {
    match damage.found.split([' ', ':']).next() {
        Some("missing") => "missing",
        Some("content") => "content",
        Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => "size",
        _ => "unreadable",
    }
}

fn damages(damaged: &[Damage]) -> String {
    let row = |one: &Damage| {
        let state = match (&one.healed_from, one.since) {
            (Some(from), _) => format!("healed from {from}"),
            (None, Some(since)) => format!("since {}", time_or(Some(since), "-")),
            (None, None) => "damaged".to_owned(),
        };
        vec![one.digest.clone(), show(one.size), one.found.clone(), state, references(one)]
    };
    let rows: Vec<_> = damaged.iter().map(row).collect();
    table(&["BLOB", "SIZE", "FOUND", "STATE", "NEEDED BY"], &rows)
}

/// Tags, or where there are none, repositories.
fn references(damage: &Damage) -> String {
    let names = damage.uses.iter().flat_map(|one| {
        let tags = one.tags.iter().map(move |tag| format!("{}:{tag}", one.repository));
        let digest = one.manifests.first().map(|digest| format!("{}@{digest}", one.repository));
        let bare = one.tags.is_empty().then(|| digest.unwrap_or_else(|| one.repository.clone()));
        tags.chain(bare)
    });
    names.collect::<Vec<_>>().join(" ")
}

/// What is known without looking.
#[derive(Serialize)]
struct Known {
    scrub: ScrubState,
    damaged: Vec<Damage>,
}

async fn known(admin: &Admin, printer: Printer) -> Result<()> {
    let scrub: ScrubState = admin.get(&Route::Scrub, &[]).await?;
    let mut all = Known { scrub, damaged: Vec::new() };
    let mut after: Option<String> = None;
    loop {
        let query: Vec<_> = after.take().into_iter().map(|after| ("after", after)).collect();
        let page: Damages = admin.get(&Route::Damage, &query).await?;
        all.damaged.extend(page.damages);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    printer.data(&all, || {
        let scrub = &all.scrub;
        let round = match scrub.round_seconds {
            0 => "never by itself".to_owned(),
            seconds => format!("{} days", seconds / 86_400),
        };
        let sources = scrub.sources.join(", ");
        let mut text = fields(&[
            ("a round takes", round),
            ("it began", time_or(scrub.started, "-")),
            ("hashed", format!("{} blobs ({})", scrub.hashed.count, show(scrub.hashed.bytes))),
            ("found damaged", scrub.found.to_string()),
            ("last full round", time_or(scrub.ended, "-")),
            ("damaged now", format!("{} ({})", scrub.damaged.count, show(scrub.damaged.bytes))),
            ("heals from", if sources.is_empty() { "the next push only".to_owned() } else { sources }),
        ]);
        if !all.damaged.is_empty() {
            text.push('\n');
            text.push_str(&damages(&all.damaged));
        }
        text
    })?;
    left(all.damaged.len())
}
