//! What a person sees of `railhead enable`.

use std::fmt::Write as _;

use railhead_operate::enable::Plan;
use railhead_operate::prove::Step;

use super::Done;
use crate::commands::follow_up;
use crate::printer::clean;

/// What is to be done, and whether it would work.
pub fn plan(plan: &Plan, checks: &[Step]) -> String {
    let mut text = changes(plan);
    text.push_str("\nchecks\n");
    for step in checks {
        let _ = writeln!(text, "{step}");
    }
    clean(&text)
}

/// What was done, and what is left.
pub fn rest(done: &Done<'_>) -> String {
    let mut text = String::new();
    if let Some(applied) = &done.applied {
        let _ = writeln!(text, "{}", applied.verdict.words());
    }
    if !done.written.is_empty() {
        text.push_str("\nwritten\n");
        for file in &done.written {
            let _ = writeln!(text, "  {}", file.display());
        }
    }
    text.push_str(&follow_up::shown(&done.filed));
    if !done.left.is_empty() {
        text.push_str("\nleft to do\n");
        for what in done.left {
            let _ = writeln!(text, "- {what}");
        }
    }
    clean(&text)
}

/// What changes, and whose it is.
pub fn changes(plan: &Plan) -> String {
    let mut text = format!("{}: release {} in namespace {}\n", plan.host, plan.release, plan.namespace);
    if !plan.settings.changes.is_empty() {
        text.push_str("\nsettings of the forge (app.ini)\n");
        for change in &plan.settings.changes {
            let _ = writeln!(
                text,
                "  {:<36} {} -> {}  ({})",
                change.name(),
                change.before.shown(),
                change.wanted,
                change.why
            );
        }
    }
    for change in &plan.changes {
        let owner = change.owner.as_ref().map_or_else(String::new, |owner| format!(", {owner}"));
        let _ = writeln!(text, "\n{} ({}{owner})", change.what, change.layer);
        if change.is_there() {
            let _ = writeln!(text, "  {} says so already", change.file.display());
        } else {
            // A terminal would have its own idea of a tab.
            text.push_str(&change.diff.replace('\t', "        "));
        }
    }
    if !plan.sops.is_empty() {
        text.push_str("\nthe same settings in the encrypted file, for those who keep them there\n");
        for line in &plan.sops {
            let _ = writeln!(text, "  {line}");
        }
    }
    for one in &plan.follow_ups {
        let owner = one.owner.as_ref().map_or_else(String::new, |owner| format!(", {owner}"));
        let _ =
            writeln!(text, "\n{} ({}{owner}), not done here\n{}", one.title, one.layer, one.text.trim_end());
    }
    text
}
