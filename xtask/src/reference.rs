//! `cargo xtask reference`: the pages of `docs/reference` that are made from the code.

use crate::failure::Failure;

/// Writes the pages, or with `--check` fails when one of them is not what would be written.
#[expect(clippy::unnecessary_wraps, reason = "commands share a signature, and there is no page yet")]
pub fn run(_arguments: &[String]) -> Result<(), Failure> {
    crate::say::line("reference: no page is generated yet");
    Ok(())
}
