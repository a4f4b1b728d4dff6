//! `cargo xtask ci`: everything that has to be green before a change is taken.
//!
//! Order: what is cheap and fails often comes first. Artifacts are shared: all steps use one target directory, and tests,
//! suites and the program that the suites drive are built in the development profile, with overflow checks and debug
//! assertions; `--release` has the suites drive the release build instead. Programs of others that suites drive are built
//! beside all that, as they need the cores but for part of their time, and suites that mostly wait for a cluster run beside
//! the rest.
//!
//! Invariant: what is built for tests is chosen out of the whole workspace, never by `--package`. That would leave out
//! features that other members ask of a dependency, and build nearly all dependencies once more.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::steps::{self, Lane, Step};
use crate::tools::{self, cargo, command};
use crate::{licenses, reference, root};

const HELP: &str = "\
Usage: cargo xtask ci [--fast] [--release] [--only STEP,…]

  --fast        leave out the tools' installation and the slow suites; what was left out is listed at the end
  --release     build the program as it is given out, and have the suites drive that; takes ten minutes more
  --only LIST   only these steps; an unknown name lists the known ones

A step that cannot run on this machine is listed as such; with CI=true it is a failure.";

/// Suites that are over in seconds and need no tools; every other one is slow.
const QUICK_SUITES: [&str; 0] = [];

/// Has the suites drive what is given out.
const RELEASE: &str = "--release";

/// The step in which the programs that suites drive are built.
const PROGRAMS: &str = "programs";

/// Where the suites are.
const SUITES: &str = "suites/tests";

/// Runs the steps that `arguments` choose.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let steps = all(arguments.iter().any(|argument| argument == RELEASE))?;
    let (mut fast, mut only) = (false, None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--fast" => fast = true,
            RELEASE => {}
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
fn all(release: bool) -> Result<Vec<Step>, Failure> {
    let mut steps = vec![
        Step::new("format", || cargo_run(&["fmt", "--all", "--check"])),
        Step::new("tools", || {
            install("suites", &["--debian", "--python"])?;
            // Where no cluster can run, what it needs is not worth its minutes.
            if has_cluster() { install("cluster", &["--debian"]) } else { Ok(()) }
        })
        .slow(true),
        // They spend much of their time on the network and on one core.
        Step::beside(&Lane::default(), PROGRAMS, || {
            install("suites", &["--go"])?;
            if has_cluster() { install("cluster", &["--go"]) } else { Ok(()) }
        })
        .slow(true),
        Step::new("clippy", || linted(&["test", "--locked", "--workspace", "--all-targets", "--no-run"])),
        Step::new("licenses", || licenses::run(&[])),
        Step::new("tests", tests),
    ];
    steps.push(if release {
        Step::new("release", || cargo_run(&["build", "--locked", "--release", "--package", "railhead"]))
    } else {
        // As a part of a test that runs it: alone it would be built with other features of its dependencies.
        Step::new("program", || test(&["--test", "serve", "--no-run"]))
    });
    let program = target().join(if release { "release/railhead" } else { "debug/railhead" });
    let wanted = program.clone();
    steps.push(Step::new("reference", move || reference::compare(&wanted)));
    steps.extend(suite_steps(&program)?);
    Ok(steps)
}

/// Unit and contract tests.
fn tests() -> Result<(), Failure> {
    test(&["--lib", "--bins", "--examples"])?;
    // By name, and not by leaving out the suites' crate: without it dependencies have other features, and are built anew.
    let names = own_tests()?;
    let chosen: Vec<&str> = names.iter().flat_map(|name| ["--test", name]).collect();
    test(&chosen)?;
    // Looking for examples reads every crate anew, which takes a minute and is in vain where there is none.
    if documented(&root().join("crates"))? { test(&["--doc"]) } else { Ok(()) }
}

/// Test programs of the crates. None may be called as a suite is.
fn own_tests() -> Result<Vec<String>, Failure> {
    let crates = root().join("crates");
    let cannot_list = |error| Failure::Start(format!("the listing of {}", crates.display()), error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&crates).map_err(cannot_list)? {
        let tests = entry.map_err(cannot_list)?.path().join("tests");
        if tests.is_dir() {
            names.extend(suites(&tests)?);
        }
    }
    names.sort();
    names.dedup();
    let taken = suites(&root().join(SUITES))?;
    match names.iter().find(|name| taken.contains(name)) {
        Some(name) => {
            Err(Failure::Usage(format!("a test of a crate is called `{name}`, as a suite is; rename it")))
        }
        None => Ok(names),
    }
}

/// The suites; those that run a cluster beside the others.
fn suite_steps(program: &Path) -> Result<Vec<Step>, Failure> {
    let clusters = Lane::default();
    let step = |suite: String| {
        let (program, name, slow) =
            (program.to_owned(), format!("suite-{suite}"), !QUICK_SUITES.contains(&suite.as_str()));
        let with_cluster = CLUSTER_SUITES.contains(&suite.as_str());
        let work = move || run_suite(&suite, &program);
        let step = if with_cluster { Step::beside(&clusters, &name, work) } else { Step::new(&name, work) };
        step.slow(slow).after(PROGRAMS)
    };
    let (beside, others): (Vec<_>, Vec<_>) =
        suites(&root().join(SUITES))?.into_iter().partition(|suite| CLUSTER_SUITES.contains(&suite.as_str()));
    Ok(beside.into_iter().chain(others).map(step).collect())
}

fn cargo_run(arguments: &[&str]) -> Result<(), Failure> {
    tools::run(cargo().args(arguments))
}

fn install(set: &str, parts: &[&str]) -> Result<(), Failure> {
    parts.iter().try_for_each(|part| tools::run(command("tools/install").args([set, part])))
}

fn test(chosen: &[&str]) -> Result<(), Failure> {
    linted(&[&["test", "--locked", "--workspace"], chosen].concat())
}

/// Runs cargo with clippy as the compiler of the workspace's own crates. `cargo clippy` does the same for a check; a build
/// that is linted on the way spares compiling everything once more for that.
fn linted(arguments: &[&str]) -> Result<(), Failure> {
    tools::run(lint(&mut cargo())?.args(arguments))
}

fn lint(cargo: &mut Command) -> Result<&mut Command, Failure> {
    let asked = command("rustc").args(["--print", "sysroot"]).output();
    let asked = asked.map_err(|error| Failure::Start("rustc --print sysroot".into(), error))?;
    let driver = Path::new(String::from_utf8_lossy(&asked.stdout).trim()).join("bin/clippy-driver");
    if !driver.is_file() {
        return Err(Failure::CannotRun(format!(
            "{} is missing; `rustup component add clippy`",
            driver.display()
        )));
    }
    // A failed assertion names its line without it.
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "false");
    // The form in which `cargo clippy` hands on what stands behind `--`.
    Ok(cargo
        .env("RUSTC_WORKSPACE_WRAPPER", driver)
        .env("CLIPPY_ARGS", "--deny__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__"))
}

/// The suites that run a cluster.
const CLUSTER_SUITES: [&str; 3] = ["apply", "cluster", "replay"];

/// The exit code of `tools/cluster check` where the machine is what is missing.
const NOT_HERE: i32 = 3;

fn has_cluster() -> bool {
    !cluster().is_ok_and(|cluster| cluster.code() == Some(NOT_HERE))
}

/// Whether a cluster can run here; says what is missing.
fn cluster() -> Result<std::process::ExitStatus, Failure> {
    let check = command("tools/cluster").arg("check").status();
    check.map_err(|error| Failure::Start("tools/cluster check".into(), error))
}

fn run_suite(suite: &str, program: &Path) -> Result<(), Failure> {
    if CLUSTER_SUITES.contains(&suite) {
        let why = "see what tools/cluster says above".to_owned();
        match cluster()?.code() {
            Some(0) => {}
            Some(NOT_HERE) => return Err(Failure::NotHere(why)),
            _ => return Err(Failure::CannotRun(why)),
        }
    }
    let mut test = cargo();
    lint(&mut test)?.args(["test", "--locked", "--workspace", "--test", suite]);
    tools::run(test.env("RAILHEAD_BIN", program))
}

/// Whether documentation below `directory` has an example that can be run.
fn documented(directory: &Path) -> Result<bool, Failure> {
    let cannot_read = |error| Failure::Start(format!("the reading of {}", directory.display()), error);
    for entry in std::fs::read_dir(directory).map_err(cannot_read)? {
        let path = entry.map_err(cannot_read)?.path();
        let found = if path.is_dir() {
            documented(&path)?
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            has_example(&std::fs::read_to_string(&path).map_err(cannot_read)?)
        } else {
            false
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a source's documentation has a block of code that is Rust.
fn has_example(source: &str) -> bool {
    let mut inside = false;
    for line in source.lines().map(str::trim_start) {
        let Some(text) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else { continue };
        let Some(kind) = text.trim().strip_prefix("```") else { continue };
        let rust =
            ["", "rust", "no_run", "should_panic"].contains(&kind.split(',').next().unwrap_or_default());
        if !inside && rust {
            return true;
        }
        inside = !inside;
    }
    false
}

/// Cargo's target directory.
pub fn target() -> PathBuf {
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
        let names: Vec<_> = all(false).unwrap().into_iter().map(|step| step.name).collect();
        for suite in ["suite-conformance", "suite-clients"] {
            assert!(names.iter().any(|name| name == suite), "{suite} is not among {names:?}");
        }
    }

    #[test]
    fn an_example_in_the_documentation_is_found() {
        assert!(has_example("/// ```\n/// let x = 1;\n/// ```\nfn x() {}"));
        assert!(has_example("    //! ```no_run\n    //! x();"));
        assert!(!has_example("/// ```text\n/// a tree\n/// ```\n/// and `code`\nlet x = \"```\";"));
    }

    #[test]
    fn an_unknown_step_is_refused_with_the_known_ones() {
        let error = chosen(&all(false).unwrap(), "format,clipy").unwrap_err().to_string();
        assert!(
            error.starts_with("no such step: `clipy`; known are format, tools, programs, clippy"),
            "{error}"
        );
    }
}
