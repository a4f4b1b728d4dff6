//! `railhead completions SHELL`

use clap::{Args, CommandFactory as _};

use crate::cli::Cli;
use crate::failure::Result;
use crate::printer::Printer;

/// Print completions for a shell.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

impl Completions {
    /// Runs it.
    pub fn run(self, printer: Printer) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "railhead", &mut script);
        printer.raw(&String::from_utf8_lossy(&script))
    }
}
