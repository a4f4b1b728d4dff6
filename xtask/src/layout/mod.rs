//! `cargo xtask layout`: writes which functions a server runs, so that the linker lays them side by side.
//!
//! Order: build, let valgrind watch a server from its start over a login, a push and a pull to its end, find short
//! patterns for the names that ran, write them as a script for the linker. `crates/railhead/build.rs` gives it to the
//! linker. The names carry no hash, so that the page stays good when code changes: what is new lies elsewhere until it
//! is written anew, which costs memory and nothing else.

mod patterns;
mod watch;

use std::path::PathBuf;

use crate::failure::Failure;
use crate::tools::{cargo, run as execute};
use crate::{root, say};

/// Writes the script, as the binary that is given shows it, or a new one.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let binary = match arguments {
        [] => {
            execute(cargo().args(["build", "--quiet", "--release", "--package", "railhead"]))?;
            crate::ci::target().join("release/railhead")
        }
        [binary] if !binary.starts_with('-') => PathBuf::from(binary),
        _ => return Err(Failure::Usage("Usage: cargo xtask layout [BINARY]".into())),
    };
    let ran = watch::functions(&binary)?;
    let known = watch::symbols(&binary)?;
    let chosen = patterns::of(&known, &ran);
    let file: PathBuf = root().join("crates/railhead/layout.ld");
    std::fs::write(&file, patterns::script(&chosen))
        .map_err(|error| Failure::Start(format!("writing {}", file.display()), error))?;
    let kib = |bytes: u64| bytes.div_ceil(1024);
    let (ran, laid) = chosen.iter().fold((0, 0), |(ran, laid), one| (ran + one.ran, laid + one.laid));
    say::line(&format!("{} patterns: {} KiB ran, {} KiB lie together", chosen.len(), kib(ran), kib(laid)));
    Ok(())
}
