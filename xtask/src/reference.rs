//! `cargo xtask reference`: the pages of `docs/reference` that are made from the code, by the program itself.

use std::path::Path;

use crate::ci::target;
use crate::failure::Failure;
use crate::root;
use crate::tools::{self, cargo, command};

/// Writes the pages, or with `--check` fails when one of them is not what would be written.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let mode = match arguments {
        [] => "--write",
        [only] if only == "--check" => "--check",
        _ => return Err(Failure::Usage("Usage: cargo xtask reference [--check]".into())),
    };
    // As a part of a test that runs it, with the features that all tests are built with.
    tools::run(cargo().args(["test", "--quiet", "--workspace", "--test", "serve", "--no-run"]))?;
    said_by(&target().join("debug/railhead"), mode)
}

/// Fails when one of the pages is not what `program`, which is built, would write.
pub fn compare(program: &Path) -> Result<(), Failure> {
    said_by(program, "--check")
}

fn said_by(program: &Path, mode: &str) -> Result<(), Failure> {
    tools::run(command(program).args(["reference", mode]).arg(root().join("docs/reference")))
}
