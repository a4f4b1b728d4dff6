//! The report as Markdown.

use std::fmt::Write as _;

use super::{Report, State, Task};

/// The page.
pub fn page(report: &Report) -> String {
    let mut text = format!("# Registry {}\n\n", report.site.as_deref().unwrap_or(&report.host));
    let until = report.until.map_or_else(
        || "There is no evidence of it yet.".to_owned(),
        |until| format!("What the evidence of `{}` shows, up to {until:.0}.", report.host),
    );
    // Writing to a string cannot fail, here and below.
    let _ =
        write!(text, "{until} Written by `railhead report`.\n\n| task | | state |\n| --- | --- | --- |\n");
    for task in &report.tasks {
        let _ = writeln!(text, "| {} | {} | {} |", task.id, task.title, task.state.word());
    }
    for task in &report.tasks {
        section(&mut text, task);
    }
    text
}

fn section(text: &mut String, task: &Task) {
    let _ = write!(text, "\n## {}: {}\n\n", task.id, task.title);
    lines(text, task);
}

/// What a task shows and lacks.
pub(super) fn lines(text: &mut String, task: &Task) {
    for fact in &task.facts {
        let _ = writeln!(text, "- {}", plain(fact));
    }
    if !task.missing.is_empty() {
        let head = if task.state == State::Failed { "Not as it should be, or missing" } else { "Missing" };
        let joint = if task.facts.is_empty() { "" } else { "\n" };
        let _ = write!(text, "{joint}{head}:\n\n");
        for missing in &task.missing {
            let command = match &missing.command {
                Some(command) => format!("`{}`", command.replace('`', "'")),
                None => "no command of this release shows it".to_owned(),
            };
            let _ = writeln!(text, "- {}: {command}", plain(&missing.what));
        }
    }
    if !task.evidence.is_empty() {
        let files: Vec<String> = task.evidence.iter().map(|source| format!("`{}`", source.file)).collect();
        let _ = writeln!(text, "\nEvidence: {}", files.join(", "));
    }
}

/// What came from a server is text, not Markdown.
fn plain(text: &str) -> String {
    text.replace('\n', " ").replace('<', "&lt;")
}
