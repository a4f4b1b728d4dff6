//! `cargo xtask bench`: builds Railhead and the load generator in release mode and hands over to the latter.

use crate::failure::Failure;
use crate::tools::{cargo, run as execute};

/// Runs the benchmark with `arguments`; its own help tells what they are.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let only_others = arguments
        .iter()
        .skip_while(|argument| *argument != "--only")
        .nth(1)
        .is_some_and(|list| !list.split(',').any(|name| name.trim() == "railhead"));
    let help = arguments.iter().any(|argument| matches!(argument.as_str(), "--help" | "-h"));
    if !only_others && !help {
        execute(cargo().args(["build", "--quiet", "--release", "--package", "railhead"]))?;
    }
    execute(
        cargo().args(["run", "--quiet", "--release", "--package", "railhead-bench", "--"]).args(arguments),
    )
}
