//! What a person sees of `railhead enable`.

use std::fmt::Write as _;

use railhead_operate::enable::Plan;

use super::Done;
use crate::printer::clean;

/// All of it.
pub fn text(done: &Done<'_>) -> String {
    let mut text = changes(done.plan);
    text.push_str("\nchecks\n");
    for step in done.checks {
        let _ = writeln!(text, "{step}");
    }
    if !done.written.is_empty() {
        text.push_str("\nwritten\n");
        for file in done.written {
            let _ = writeln!(text, "  {}", file.display());
        }
    }
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
