//! The benchmark: Railhead, nginx and other registries at the same work on the same machine, one after the other.
//!
//! What counts is the CPU time of the server's own processes, because it decides how many pulls a machine
//! serves, and because it stays steady when the machine is busy with something else. Wall time and memory
//! are shown beside it.
//!
//! Order: find the programs, start each once, do every work in rounds that visit the servers in turn
//! (A B A B), take medians, print. Invariants: a status or a length that was not expected ends the run;
//! only one server is under load at a time; the load generator prepares its content before the clock starts.

mod content;
mod figures;
mod http;
mod meter;
mod options;
mod page;
mod process;
mod servers;
mod session;
mod work;

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::options::Options;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            page::complain(&format!("bench: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Runs what the command line asks; false says that `--check` found a target missed.
fn run() -> Result<bool> {
    let Some(options) = Options::parse(std::env::args().skip(1))? else {
        page::say(options::HELP);
        return Ok(true);
    };
    let home = tempfile::Builder::new()
        .prefix("railhead-bench-")
        .tempdir_in(&options.directory)
        .with_context(|| format!("cannot make a directory in {}", options.directory.display()))?;
    let figures = work::run(&options, home.path())?;
    let text = page::render(&figures, &options);
    page::say(&text);
    if let Some(file) = &options.json {
        std::fs::write(file, page::json(&figures)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(file) = &options.docs {
        page::write_docs(file, &text)?;
    }
    Ok(!options.check || figures.missed().is_empty())
}
