//! Finding programs and running them in the workspace.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use crate::failure::Failure;
use crate::root;

/// Where `tools/install` puts programs: the same rule as there.
pub fn directory() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    variable("RAILHEAD_TOOLS").or_else(|| Some(cache?.join("railhead-tools")))
}

/// A program on the PATH or in the tools directory.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = directory().map(|tools| tools.join("bin"));
    std::env::split_paths(&path).chain(tools).map(|place| place.join(name)).find(|file| file.is_file())
}

/// The cargo that runs this, without what it told of this program: build scripts that depend on it would run again, and
/// nearly all crates with them, whenever somebody calls cargo without xtask in between.
pub fn cargo() -> Command {
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        if is_told_of_a_package(&name.to_string_lossy()) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// What cargo adds to the environment of a program that it runs.
fn is_told_of_a_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

/// A command in the workspace's directory, told where `tools/install` puts programs. The PATH stays as it is: build
/// scripts depend on it, and would run again whenever cargo is called in another way.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    if let Some(directory) = directory() {
        command.env("RAILHEAD_TOOLS", directory);
    }
    command
}

/// Runs `command` with this process's input and output until it ends well.
pub fn run(command: &mut Command) -> Result<(), Failure> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Ended(line, status)),
        Err(error) => Err(Failure::Start(line, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_called_as_a_person_calls_it() {
        // The test itself is run by cargo, with all that it tells.
        assert!(
            std::env::var_os("CARGO_PKG_NAME").is_some() && std::env::var_os("CARGO_MANIFEST_DIR").is_some()
        );
        let cargo = cargo();
        let removed: Vec<_> =
            cargo.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        for name in ["CARGO_PKG_NAME", "CARGO_PKG_VERSION", "CARGO_MANIFEST_DIR"] {
            assert!(removed.contains(&OsStr::new(name)), "{name} is kept");
        }
        assert!(!is_told_of_a_package("CARGO_TARGET_DIR") && !is_told_of_a_package("CARGO_HOME"));
    }
}
