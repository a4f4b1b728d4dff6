//! `cargo xtask licenses`: cargo-deny on the tree, as `deny.toml` says.
//!
//! Advisories are left out: they change without a change here, and would need a download on every run.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::say;
use crate::tools::{self, cargo, command};

/// The release that is installed when none is found.
const VERSION: &str = "0.20.2";

/// Checks licenses, banned and duplicate crates, and where they come from.
pub fn run(_arguments: &[String]) -> Result<(), Failure> {
    let deny = find_or_install()?;
    let mut check = command(deny);
    tools::run(check.args(["--locked", "check", "bans", "licenses", "sources"]))
}

/// cargo-deny from the PATH or the tools directory, else built into the latter.
fn find_or_install() -> Result<PathBuf, Failure> {
    if let Some(deny) = tools::find("cargo-deny") {
        return Ok(deny);
    }
    let cannot = |why: String| Failure::CannotRun(format!("cargo-deny is not installed, and {why}"));
    let directory = tools::directory().ok_or_else(|| cannot("there is no HOME to install it into".into()))?;
    say::line(&format!("cargo-deny {VERSION} is not there; building it takes some minutes"));
    let mut install = cargo();
    install
        .args(["install", "--locked", "--quiet", "--version", VERSION, "cargo-deny", "--root"])
        .arg(&directory);
    // It reads a few hundred manifests: optimising it takes three times as long as not doing so, and saves nothing.
    install.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0").env("CARGO_PROFILE_RELEASE_LTO", "off");
    tools::run(&mut install).map_err(|failure| cannot(failure.to_string()))?;
    tools::find("cargo-deny").ok_or_else(|| cannot("its installation left no program".into()))
}
