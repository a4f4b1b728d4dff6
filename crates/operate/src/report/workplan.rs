//! Evidence under the tasks of a workplan: a Markdown file in which each task has a block of its own.
//!
//! A task is known by the line `id: …-T01` in a fenced block whose language is `task`. Its section ends before the next heading or rule
//! outside of a block. What was written there before stands between two marks and is replaced; nothing else of the file changes.

use std::fmt::Write as _;

use super::page::lines;
use super::{Report, Task};

/// How what is written begins.
const BEGIN: &str = "<!-- railhead report: ";
/// How it ends.
const END: &str = "<!-- end of railhead report -->";

/// Why a workplan cannot be written.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WorkplanError {
    /// It has none of the tasks.
    #[error("the workplan has no task T01 to T06: each is a block ```task with the line `id: …-T01`")]
    NoTask,
    /// A mark has no end, so that nobody can tell what is to be replaced.
    #[error("line {line} of the workplan begins what a report wrote, and its end is missing")]
    Open {
        /// The line, from 1.
        line: usize,
    },
}

/// A workplan with the report in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The whole text.
    pub text: String,
    /// The tasks that it does not have.
    pub absent: Vec<&'static str>,
}

/// Writes each task of `report` under its task in `workplan`.
pub fn into_workplan(workplan: &str, report: &Report) -> Result<Written, WorkplanError> {
    let old = without_reports(workplan)?;
    let ends = ends(&old);
    let mut absent: Vec<&'static str> = Vec::new();
    let mut inserts = Vec::new();
    for task in &report.tasks {
        match ends.iter().find(|(id, _)| is_of(id, task.id)) {
            Some((_, end)) => inserts.push((*end, block(task))),
            None => absent.push(task.id),
        }
    }
    if inserts.is_empty() {
        return Err(WorkplanError::NoTask);
    }
    let mut text = String::new();
    for (at, line) in old.iter().enumerate() {
        inserts.iter().filter(|(end, _)| *end == at).for_each(|(_, block)| text.push_str(block));
        text.push_str(line);
        text.push('\n');
    }
    inserts.iter().filter(|(end, _)| *end == old.len()).for_each(|(_, block)| text.push_str(block));
    Ok(Written { text, absent })
}

/// `RAIL-AP-WP-0001-T01` is the task `T01`, and `T01` itself is.
fn is_of(id: &str, task: &str) -> bool {
    id.strip_suffix(task).is_some_and(|before| before.is_empty() || before.ends_with('-'))
}

fn block(task: &Task) -> String {
    let day = task.evidence.iter().map(|source| source.time).max();
    let day = day.map_or_else(String::new, |time| format!(" ({:.10})", time.to_string()));
    let mut text = format!("\n{BEGIN}{} -->\n\n**Evidence{day}: {}**\n\n", task.id, task.state.word());
    lines(&mut text, task);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\n{END}");
    text
}

/// The lines of a file without what reports wrote, and without the empty line before each of it.
fn without_reports(workplan: &str) -> Result<Vec<&str>, WorkplanError> {
    let mut kept: Vec<&str> = Vec::new();
    let mut open = None;
    for (at, line) in workplan.lines().enumerate() {
        match open {
            None if line.starts_with(BEGIN) => {
                open = Some(at);
                if kept.last().is_some_and(|last| last.is_empty()) {
                    kept.pop();
                }
            }
            None => kept.push(line),
            Some(_) if line == END => open = None,
            Some(_) => {}
        }
    }
    match open {
        None => Ok(kept),
        Some(at) => Err(WorkplanError::Open { line: at + 1 }),
    }
}

/// Each task's id, with the line before which its section ends.
fn ends(lines: &[&str]) -> Vec<(String, usize)> {
    let mut found: Vec<(String, usize)> = Vec::new();
    let mut open: Option<String> = None;
    let mut fence: Option<&str> = None;
    // Behind the last line of the section that is not empty.
    let mut end = 0;
    for (at, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let is_fence = trimmed.starts_with("```");
        let is_border = fence.is_none() && (line.starts_with('#') || line.trim_end() == "---");
        if is_border && let Some(id) = open.take() {
            found.push((id, end));
        }
        match fence {
            None if is_fence => fence = Some(trimmed.trim_start_matches('`').trim()),
            Some(_) if is_fence => fence = None,
            Some("task") => {
                if let Some(id) = trimmed.strip_prefix("id:") {
                    open = Some(id.trim().trim_matches('"').to_owned());
                }
            }
            _ => {}
        }
        if !line.trim().is_empty() {
            end = at + 1;
        }
    }
    found.extend(open.map(|id| (id, end)));
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::State;
    use super::*;

    const WORKPLAN: &str = "---\ntitle: x\n---\n\n# Plan\n\n### T01 — Look\n\n```task\nid: RAIL-T01\nstatus: todo\n```\n\nText.\n\n```bash\n# no heading\n```\n\n---\n\n### T02 — Do\n\n```task\nid: \"RAIL-T02\"\n```\n\nMore.\n\n## Log\n\nDone.\n";

    fn report() -> Report {
        let task = |id, facts: &[&str]| Task {
            id,
            title: "x",
            state: State::Done,
            facts: facts.iter().map(|fact| (*fact).to_owned()).collect(),
            missing: Vec::new(),
            evidence: Vec::new(),
        };
        let tasks = vec![task("T01", &["seen"]), task("T02", &["done", "twice"]), task("T03", &[])];
        Report { schema: 1, site: None, host: "git.example.com".to_owned(), until: None, tasks }
    }

    #[test]
    fn each_task_gets_its_evidence_at_its_end() {
        let written = into_workplan(WORKPLAN, &report()).unwrap();
        assert_eq!(written.absent, ["T03"]);
        insta::assert_snapshot!(written.text);
    }

    #[test]
    fn a_second_report_takes_the_place_of_the_first() {
        let first = into_workplan(WORKPLAN, &report()).unwrap().text;
        assert_eq!(into_workplan(&first, &report()).unwrap().text, first);
        let mut later = report();
        later.tasks[0].facts = vec!["seen again".to_owned()];
        let second = into_workplan(&first, &later).unwrap().text;
        assert!(second.contains("- seen again\n") && !second.contains("- seen\n"), "{second}");
    }

    #[test]
    fn what_cannot_be_told_apart_is_refused() {
        assert_eq!(into_workplan("# Plan\n", &report()), Err(WorkplanError::NoTask));
        let cut = into_workplan(WORKPLAN, &report()).unwrap().text.replacen(END, "", 2);
        assert_eq!(into_workplan(&cut, &report()), Err(WorkplanError::Open { line: 20 }));
    }

    proptest! {
        #[test]
        fn nothing_else_of_the_file_changes(text in "(### T01\n|```task\n|id: A-T01\n|```\n|---\n|x\n|\n|# y\n){0,24}") {
            if let Ok(written) = into_workplan(&text, &report()) {
                let left = without_reports(&written.text).unwrap().join("
") + "
";
                prop_assert_eq!(left, text);
            }
        }
    }
}
