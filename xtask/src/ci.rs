//! `cargo xtask ci`: everything that has to be green before a change is taken.
//!
//! Order: what is cheap and fails often comes first. Artifacts are shared: all steps use one target directory, tests
//! and suites are built in the development profile, and the suites drive the one release binary.
//!
//! Invariant: what is built for tests is chosen out of the whole workspace, never by `--package`. That would leave out
//! features that other members ask of a dependency, and build nearly all dependencies once more.

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::steps::{self, Step};
use crate::tools::{self, cargo, command};
use crate::{licenses, reference, root};

const HELP: &str = "\
Usage: cargo xtask ci [--fast] [--only STEP,…]

  --fast        leave out the tools' installation and the slow suites; what was left out is listed at the end
  --only LIST   only these steps; an unknown name lists the known ones

A step that cannot run on this machine is listed as such; with CI=true it is a failure.";

/// Suites that are over in seconds and need no tools; every other one is slow.
const QUICK_SUITES: [&str; 0] = [];

/// Crate of the suites.
const SUITES: &str = "railhead-suites";

/// Runs the steps that `arguments` choose.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let steps = all()?;
    let (mut fast, mut only) = (false, None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--fast" => fast = true,
            "--only" => only = Some(chosen(&steps, arguments.next().map_or("", String::as_str))?),
            "--help" | "-h" => {
                crate::say::line(HELP);
                return Ok(());
            }
            other => return Err(Failure::Usage(format!("unknown option {other}\n\n{HELP}"))),
        }
    }
    let strict = std::env::var("CI").is_ok_and(|value| value == "true");
    let wanted = |step: &Step| only.as_ref().map_or(!(fast && step.slow), |names| names.contains(&step.name));
    steps::run(&steps, wanted, strict)
}

/// Every step, in order.
fn all() -> Result<Vec<Step>, Failure> {
    let mut steps = vec![
        Step::new("format", || cargo_run(&["fmt", "--all", "--check"])),
        Step::new("tools", || {
            tools::run(command("tools/install").arg("suites"))?;
            // Where no cluster can run, what it needs is not worth its minutes.
            if cluster().is_ok_and(|cluster| cluster.code() == Some(NOT_HERE)) {
                return Ok(());
            }
            tools::run(command("tools/install").arg("cluster"))
        })
        .slow(true),
        Step::new("clippy", || {
            cargo_run(&["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"])
        }),
        Step::new("licenses", || licenses::run(&[])),
        Step::new("tests", || {
            test(&["--lib", "--bins", "--examples"])?;
            test(&["--exclude", SUITES, "--test", "*"])?;
            test(&["--doc"])
        }),
        Step::new("release", || cargo_run(&["build", "--locked", "--release", "--package", "railhead"])),
        Step::new("reference", || reference::run(&["--check".to_owned()])),
    ];
    for suite in suites(&root().join("suites/tests"))? {
        let slow = !QUICK_SUITES.contains(&suite.as_str());
        steps.push(Step::new(&format!("suite-{suite}"), move || run_suite(&suite)).slow(slow));
    }
    Ok(steps)
}

fn cargo_run(arguments: &[&str]) -> Result<(), Failure> {
    tools::run(cargo().args(arguments))
}

fn test(chosen: &[&str]) -> Result<(), Failure> {
    cargo_run(&[&["test", "--locked", "--workspace"], chosen].concat())
}

/// The exit code of `tools/cluster check` where the machine is what is missing.
const NOT_HERE: i32 = 3;

/// Whether a cluster can run here; says what is missing.
fn cluster() -> Result<std::process::ExitStatus, Failure> {
    let check = command("tools/cluster").arg("check").status();
    check.map_err(|error| Failure::Start("tools/cluster check".into(), error))
}

fn run_suite(suite: &str) -> Result<(), Failure> {
    if suite == "cluster" {
        let why = "see what tools/cluster says above".to_owned();
        match cluster()?.code() {
            Some(0) => {}
            Some(NOT_HERE) => return Err(Failure::NotHere(why)),
            _ => return Err(Failure::CannotRun(why)),
        }
    }
    let mut test = cargo();
    test.args(["test", "--locked", "--workspace", "--test", suite]);
    tools::run(test.env("RAILHEAD_BIN", target().join("release/railhead")))
}

/// Cargo's target directory.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |target| root().join(target))
}

/// Names of the test programs in `directory`, sorted: files, and directories with a `main.rs`.
fn suites(directory: &Path) -> Result<Vec<String>, Failure> {
    let cannot_list = |error| Failure::Start(format!("the listing of {}", directory.display()), error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(cannot_list)? {
        let path = entry.map_err(cannot_list)?.path();
        let is_suite =
            path.extension().is_some_and(|extension| extension == "rs") || path.join("main.rs").is_file();
        if let (true, Some(name)) = (is_suite, path.file_stem()) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The steps that the comma-separated `list` names.
fn chosen(steps: &[Step], list: &str) -> Result<Vec<String>, Failure> {
    let names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
    match names.iter().find(|name| !steps.iter().any(|step| step.name == **name)) {
        None => Ok(names),
        Some(unknown) => {
            let known: Vec<_> = steps.iter().map(|step| step.name.as_str()).collect();
            Err(Failure::Usage(format!("no such step: `{unknown}`; known are {}", known.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_a_step_whether_it_is_a_file_or_a_directory() {
        let names: Vec<_> = all().unwrap().into_iter().map(|step| step.name).collect();
        for suite in ["suite-conformance", "suite-clients"] {
            assert!(names.iter().any(|name| name == suite), "{suite} is not among {names:?}");
        }
    }

    #[test]
    fn an_unknown_step_is_refused_with_the_known_ones() {
        let error = chosen(&all().unwrap(), "format,clipy").unwrap_err().to_string();
        assert!(error.starts_with("no such step: `clipy`; known are format, tools, clippy"), "{error}");
    }
}
