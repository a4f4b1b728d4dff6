//! What people read: the tables, the reference page, and the samples as JSON.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is where the program talks")]

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::figures::{Figures, Metric, Sample, Target, median};
use crate::options::Options;
use crate::servers::Kind;

const BEGIN: &str = "<!-- figures: written by `cargo xtask bench --write-docs` -->\n";
const END: &str = "<!-- end of figures -->";

/// Prints a result.
pub fn say(text: &str) {
    println!("{text}");
}

/// Prints progress or an error.
pub fn complain(text: &str) {
    eprintln!("{text}");
}

/// The figures as Markdown.
pub fn render(figures: &Figures, options: &Options) -> String {
    let mut text = format!("Machine: {}.\n", machine());
    for (kind, version) in &figures.servers {
        let _ = writeln!(text, "- {}: {version}", kind.key());
    }
    for kind in &figures.absent {
        let _ = writeln!(text, "- {}: not installed, so not measured ({})", kind.key(), kind.source());
    }
    let scale = options.scale;
    let _ = writeln!(
        text,
        "\n{}Medians of {} rounds.\n",
        if options.quick { "A quick run, good for comparing only roughly. " } else { "" },
        scale.rounds
    );
    table(&mut text, figures, Some(verdicts), |metric, kind| Some(number(figures.median(metric, kind)?)));
    if let Some(hash) = figures.hash() {
        let _ = writeln!(text, "\nSHA-256 alone, on the same bytes: {} CPU s/GiB.", number(hash));
    }
    for (metric, times, met) in figures.with_forge() {
        let verdict = if met { "met" } else { "**missed**" };
        let _ = writeln!(
            text,
            "\nWith the accounts of a forge, {}: {times:.2} × local accounts (≤ 1.1 ×: {verdict}).",
            metric.title()
        );
    }
    for note in &figures.notes {
        let _ = writeln!(text, "\n{note}");
    }
    text.push_str("\nThroughput by the wall clock, load generator included:\n\n");
    table(&mut text, figures, None, |metric, kind| throughput(metric, figures.samples(metric, kind)));
    text.push_str("\nPeak of resident memory during the work, MiB:\n\n");
    table(&mut text, figures, None, |metric, kind| {
        let peaks = figures.samples(metric, kind).iter().filter_map(|sample| sample.cost);
        Some(number(median(peaks.map(|cost| cost.peak as f64 / f64::from(1 << 20)))?))
    });
    text
}

/// What stands in a table's last column.
type LastColumn = fn(&Figures, Metric) -> String;

/// A table with a line for each metric that `cell` has a figure for.
fn table(
    text: &mut String,
    figures: &Figures,
    targets: Option<LastColumn>,
    cell: impl Fn(Metric, Kind) -> Option<String>,
) {
    let kinds: Vec<Kind> = figures.servers.iter().map(|(kind, _)| *kind).collect();
    text.push_str("| Work |");
    for kind in &kinds {
        let _ = write!(text, " {} |", kind.key());
    }
    text.push_str(if targets.is_some() { " Target for railhead |\n" } else { "\n" });
    text.push_str("| --- |");
    text.push_str(&" ---: |".repeat(kinds.len()));
    text.push_str(if targets.is_some() { " --- |\n" } else { "\n" });
    for metric in Metric::ALL {
        let cells: Vec<_> = kinds.iter().map(|kind| cell(metric, *kind)).collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        let title = metric.title();
        let title = if targets.is_some() { title } else { title.split(',').next().unwrap_or(title) };
        let _ = write!(text, "| {title} |");
        for cell in cells {
            let _ = write!(text, " {} |", cell.as_deref().unwrap_or("–"));
        }
        if let Some(column) = targets {
            let _ = write!(text, " {} |", column(figures, metric));
        }
        text.push('\n');
    }
}

/// A metric's targets and whether they were met.
fn verdicts(figures: &Figures, metric: Metric) -> String {
    let verdict = |target: &Target| {
        let claim = match target {
            Target::AtMost(bound) => format!("≤ {bound}"),
            Target::TimesNginx(times) => format!("≤ {times} × nginx"),
            Target::TimesHash(times) => format!("≤ {times} × SHA-256 alone"),
            Target::TimesLocal(times) => format!("≤ {times} × local accounts"),
        };
        let Some(value) = figures.median(metric, Kind::Railhead) else { return claim };
        let Some(bound) = figures.bound(metric, *target) else { return claim };
        let times = match target {
            Target::AtMost(_) => String::new(),
            Target::TimesNginx(times) | Target::TimesHash(times) | Target::TimesLocal(times) => {
                format!(" ({:.2} ×)", value / bound * times)
            }
        };
        format!("{claim}{times}: {}", if value <= bound { "met" } else { "**missed**" })
    };
    metric.targets().iter().map(verdict).collect::<Vec<_>>().join("; ")
}

fn throughput(metric: Metric, samples: &[Sample]) -> Option<String> {
    let per_second = median(
        samples.iter().filter_map(|sample| sample.cost.map(|cost| sample.amount / cost.wall.as_secs_f64())),
    )?;
    Some(match metric {
        Metric::Push | Metric::Pull | Metric::MemoryPushes => format!("{:.0} MiB/s", per_second * 1024.0),
        _ => format!("{per_second:.0}/s"),
    })
}

/// Three digits that matter.
fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// The class of this machine: nothing that names one.
fn machine() -> String {
    let read = |file| std::fs::read_to_string(file).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, model)| model.trim());
    let sha = if cpu.contains(" sha_ni") { " with SHA extensions" } else { "" };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory: u64 = read("/proc/meminfo")
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = kernel.trim().split('-').next().unwrap_or_default().to_owned();
    format!("{cores} × {model}{sha}, {} GiB of memory, Linux {kernel}", (memory + (1 << 19)) >> 20)
}

/// Every sample.
pub fn json(figures: &Figures) -> Result<String> {
    let mut metrics = serde_json::Map::new();
    for metric in Metric::ALL {
        let mut servers = serde_json::Map::new();
        for (kind, _) in &figures.servers {
            let samples: Vec<Value> = figures.samples(metric, *kind).iter().map(sample).collect();
            if let Some(median) = figures.median(metric, *kind) {
                servers.insert(kind.key().to_owned(), json!({ "median": median, "samples": samples }));
            }
        }
        if !servers.is_empty() {
            metrics.insert(metric.key().to_owned(), json!({ "title": metric.title(), "servers": servers }));
        }
    }
    let versions: serde_json::Map<_, _> =
        figures.servers.iter().map(|(kind, version)| (kind.key().to_owned(), json!(version))).collect();
    let document = json!({
        "machine": machine(),
        "versions": versions,
        "sha256_cpu_seconds_per_gib": figures.hash(),
        "metrics": metrics,
        "missed": figures.missed().iter().map(|(metric, _)| metric.key()).collect::<Vec<_>>(),
    });
    Ok(serde_json::to_string_pretty(&document).context("cannot write JSON")? + "\n")
}

fn sample(sample: &Sample) -> Value {
    json!({
        "value": sample.value,
        "amount": sample.amount,
        "cpu_seconds": sample.cost.map(|cost| cost.cpu.as_secs_f64()),
        "wall_seconds": sample.cost.map(|cost| cost.wall.as_secs_f64()),
        "peak_bytes": sample.cost.map(|cost| cost.peak),
    })
}

/// Replaces the figures in the reference page; its words stay.
pub fn write_docs(file: &Path, figures: &str) -> Result<()> {
    let page = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let parts = page.split_once(BEGIN).and_then(|(head, rest)| Some((head, rest.split_once(END)?.1)));
    ensure!(parts.is_some(), "{} lacks the marks between which figures stand", file.display());
    let (head, tail) = parts.unwrap_or_default();
    std::fs::write(file, format!("{head}{BEGIN}\n{figures}\n{END}{tail}"))
        .with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_target_shows_by_how_much() {
        let sample = |value| Sample { value, cost: None, amount: 1.0 };
        let mut figures = Figures::default();
        figures.add(Metric::BlobHead, Kind::Railhead, sample(50.0));
        assert_eq!(verdicts(&figures, Metric::BlobHead), "≤ 2 × nginx");
        figures.add(Metric::BlobHead, Kind::Nginx, sample(20.0));
        assert_eq!(verdicts(&figures, Metric::BlobHead), "≤ 2 × nginx (2.50 ×): **missed**");
        assert_eq!(verdicts(&figures, Metric::Image), "≤ 4");
    }

    #[test]
    fn figures_are_replaced_between_their_marks() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("page.md");
        std::fs::write(&file, format!("words\n{BEGIN}old\n{END}\nmore\n")).unwrap();
        write_docs(&file, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("words\n{BEGIN}\nnew\n{END}\nmore\n"));
        std::fs::write(&file, "words").unwrap();
        assert!(write_docs(&file, "new").is_err());
    }
}
