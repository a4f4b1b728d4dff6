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

/// The cargo that runs this.
pub fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
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
