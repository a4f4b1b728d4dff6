//! `cargo xtask reference`: the pages of `docs/reference` that are made from the code, by the program itself.

use crate::failure::Failure;
use crate::root;
use crate::tools::{self, cargo};

/// Writes the pages, or with `--check` fails when one of them is not what would be written.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let mode = match arguments {
        [] => "--write",
        [only] if only == "--check" => "--check",
        _ => return Err(Failure::Usage("Usage: cargo xtask reference [--check]".into())),
    };
    let mut railhead = cargo();
    // The release build is the one that the suites and the benchmark need anyway.
    railhead.args(["run", "--quiet", "--release", "--package", "railhead", "--", "reference", mode]);
    tools::run(railhead.arg(root().join("docs/reference")))
}
