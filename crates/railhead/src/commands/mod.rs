//! What the commands do: one verb a file. Every one but `serve` and those that only print asks the admin API.

pub mod audit;
pub mod backup;
pub mod completions;
pub mod config;
pub mod credential_provider;
pub mod doctor;
pub mod enable;
pub mod explain;
pub mod export;
mod follow_up;
pub mod gc;
pub mod handoff;
pub mod hub;
pub mod init;
pub mod inspect;
pub mod migrate;
pub mod operator;
pub mod org;
pub mod owner;
pub mod prove;
pub mod pull_secret;
pub mod reference;
mod remote;
pub mod repo;
pub mod report;
pub mod restore;
pub mod retention;
pub mod serve;
pub mod status;
mod stop;
pub mod tag;
pub mod token;
pub mod usage;
pub mod user;
pub mod verify;
mod welcome;

use std::io::IsTerminal as _;

use railhead_access::TokenScope;
use railhead_operate::{Retention, Site};
use railhead_workload::Workloads;
use secrecy::SecretString;

use crate::admin::Admin;
use crate::cli::Common;
use crate::config::{Config, Layers, Values};
use crate::failure::{Exit, Failure, Result};
use crate::printer::Printer;

/// What a command has to start from.
#[derive(Clone)]
pub struct Context {
    /// The common flags.
    pub common: Common,
    /// What the configuration is made of.
    pub layers: Layers,
    /// What prints.
    pub printer: Printer,
}

impl Context {
    /// Reads the configuration.
    pub fn config(&self) -> Result<Config> {
        Ok(Config::of(&Values::read(&self.layers)?)?)
    }

    /// Reads the operator's part of the site file; without a file nothing is known. The server's part is checked too, so
    /// that a misspelt table is not passed over by both readers.
    pub fn site(&self) -> Result<Site> {
        Values::read(&self.layers)?;
        match self.layers.site_file() {
            Some(path) => Ok(Site::read(&path)?),
            None => Ok(Site::default()),
        }
    }

    /// Reads the rules of retention in the site file; without a file there are none.
    pub fn retention(&self) -> Result<Retention> {
        match self.layers.site_file() {
            Some(path) => Ok(Retention::read(&path)?),
            None => Ok(Retention::default()),
        }
    }

    /// Reads whose tokens of jobs and service accounts count; without a file nobody's do.
    pub fn workloads(&self) -> Result<Option<Workloads<TokenScope>>> {
        match self.layers.site_file() {
            Some(path) => Ok(crate::config::workloads::read(&path)?),
            None => Ok(None),
        }
    }

    /// Connects to the registry that is meant, and runs `command` with it.
    pub fn block_on(&self, command: impl AsyncFnOnce(Admin) -> Result<()>) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Exit::Failed, "cannot start the runtime").because(&error))?;
        runtime.block_on(async {
            let admin = Admin::connect(self).await?;
            let closing = admin.clone();
            let ended = command(admin).await;
            // What failed first is what there is to say.
            ended.and(closing.close().await)
        })
    }
}

/// Asks whether to do what cannot be undone, unless `--yes` was given. `what` is as in "delete team/app".
pub fn confirm(printer: Printer, yes: bool, what: &str) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(
            Failure::new(Exit::Usage, format!("{what} cannot be undone")).hint("give --yes if that is meant")
        );
    }
    match printer.question(&format!("{what}? This cannot be undone. [y/N]"))?.as_deref().map(str::trim) {
        Some("y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure::new(Exit::Failed, "nothing was done")),
    }
}

/// Reads a password: one line of standard input, which a terminal does not show.
pub fn read_password(printer: Printer, ask: bool) -> Result<SecretString> {
    read_hidden(printer, "password", ask)
}

/// Reads a secret, which `what` names: one line of standard input, which a terminal does not show.
fn read_hidden(printer: Printer, what: &str, ask: bool) -> Result<SecretString> {
    let failed =
        |error: std::io::Error| Failure::new(Exit::Failed, format!("cannot read the {what}")).because(&error);
    let hidden = std::io::stdin().is_terminal().then(Hidden::hide).transpose().map_err(failed)?;
    let line = if ask && hidden.is_some() {
        let (first, rest) = what.split_at(1);
        printer.question(&format!("{}{rest}:", first.to_uppercase()))?.unwrap_or_default()
    } else {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map_err(failed)?;
        line
    };
    match line.trim_end_matches(['\r', '\n']) {
        "" => Err(Failure::new(Exit::Usage, format!("the {what} on standard input is empty"))),
        secret => Ok(secret.into()),
    }
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden(rustix::termios::Termios);

impl Hidden {
    fn hide() -> std::io::Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(std::io::stdin())?;
        let mut without = before.clone();
        without.local_modes.remove(LocalModes::ECHO);
        without.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(std::io::stdin(), OptionalActions::Now, &without)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing either.
        let _ = rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, &self.0);
    }
}
