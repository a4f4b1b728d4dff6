//! What CI and people run: `cargo xtask COMMAND`. One command a file; [`COMMANDS`] lists them.

mod bench;
mod ci;
mod failure;
mod layout;
mod licenses;
mod reference;
mod say;
mod steps;
mod tools;

use std::path::Path;
use std::process::ExitCode;

use failure::Failure;

/// A command: its name, what it does, and the function that gets the arguments behind the name.
type Command = (&'static str, &'static str, fn(&[String]) -> Result<(), Failure>);

/// Every command.
const COMMANDS: [Command; 5] = [
    ("bench", "measure Railhead beside other registries; --help tells more", bench::run),
    ("ci", "everything that has to be green; --help tells more", ci::run),
    ("layout", "write which functions a server runs, for the linker", layout::run),
    ("licenses", "check the tree's licenses, duplicates and sources against deny.toml", licenses::run),
    ("reference", "write the generated reference pages; --check compares instead", reference::run),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("--help", String::as_str);
    if matches!(name, "--help" | "-h" | "help") {
        say::line("Usage: cargo xtask COMMAND\n");
        for (name, about, _) in COMMANDS {
            say::line(&format!("  {name:<10} {about}"));
        }
        return ExitCode::SUCCESS;
    }
    let Some((_, _, command)) = COMMANDS.iter().find(|(known, _, _)| *known == name) else {
        say::problem(&format!("xtask: no such command: {name}; see cargo xtask --help"));
        return ExitCode::from(2);
    };
    match command(&arguments[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say::problem(&format!("xtask {name}: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// The workspace's directory.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
