//! The binary: reads the command line, runs one command, prints how it ended.

mod admin;
mod cli;
mod commands;
mod config;
mod failure;
mod forge;
mod heal;
mod printer;
mod site;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};
use crate::commands::Context;
use crate::config::Layers;
use crate::failure::{Exit, Failure, Result};
use crate::printer::{Output, Printer};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let layers = Layers::of_process();
    let wanted =
        layers.as_ref().ok().and_then(|layers| layers.variable("RAILHEAD_OUTPUT")).map(str::to_owned);
    let printer = Printer::new(cli.common.output.unwrap_or(match wanted.as_deref() {
        Some("json") => Output::Json,
        _ => Output::Text,
    }));
    let ended = match (layers, wanted.as_deref()) {
        (Err(error), _) => Err(error.into()),
        (_, Some(other)) if !matches!(other, "json" | "text") => {
            Err(Failure::new(Exit::Usage, format!("RAILHEAD_OUTPUT is '{other}'; it can be text or json")))
        }
        (Ok(layers), _) => run(cli, layers, printer),
    };
    match ended {
        Ok(code) => code,
        Err(failure) => printer.failure(&failure),
    }
}

/// Runs the command; the code to exit with, which is not 0 where a command's answer is in it.
fn run(cli: Cli, mut layers: Layers, printer: Printer) -> Result<ExitCode> {
    layers.file.clone_from(&cli.common.config);
    if let Some(data) = &cli.common.data {
        layers.flags.push(("data", vec![data.clone()]));
    }
    let context = Context { common: cli.common, layers, printer };
    let keeps_evidence = cli.command.keeps_evidence();
    let ended = run_command(cli.command, &context);
    if keeps_evidence {
        commands::hub::tell(&context);
    }
    ended
}

fn run_command(command: Command, context: &Context) -> Result<ExitCode> {
    let printer = context.printer;
    let done = match command {
        Command::Doctor(doctor) => return doctor.run(context),
        Command::Inspect(inspect) => return inspect.run(context),
        Command::Status(status) => return status.run(context),
        Command::Explain(explain) => explain.run(printer),
        Command::Enable(enable) => enable.run(context),
        Command::Prove(prove) => prove.run(context),
        Command::Handoff(handoff) => handoff.run(context),
        Command::PullSecret(command) => command.run(context),
        Command::Report(report) => report.run(context),
        Command::Hub(hub) => return hub.run(context),
        Command::Init(init) => init.run(context),
        Command::Backup(backup) => backup.run(context),
        Command::Migrate(migrate) => migrate.run(context),
        Command::Export(export) => export.run(context),
        Command::CredentialProvider(provider) => provider.run(context),
        Command::Restore(restore) => restore.run(context),
        Command::Serve(serve) => serve.run(context.clone()),
        Command::Config(config) => config.run(context.clone()),
        Command::Completions(completions) => completions.run(printer),
        Command::Reference(reference) => reference.run(printer),
        Command::User(command) => context.block_on(async |admin| command.run(&admin, printer).await),
        Command::Org(command) => context.block_on(async |admin| command.run(&admin, printer).await),
        Command::Owner(command) => context.block_on(async |admin| command.run(&admin, printer).await),
        Command::Token(command) => context.block_on(async |admin| command.run(&admin, printer).await),
        Command::Repo(command) => context.block_on(async |admin| command.run(&admin, printer).await),
        Command::Tag(command) => context.block_on(async |admin| command.run(&admin, printer).await),
        Command::Audit(command) => context.block_on(async |admin| command.run(&admin, printer).await),
        Command::Usage(command) => context.block_on(async |admin| command.run(&admin, printer).await),
        Command::Retention(command) => command.run(context),
        Command::Verify(command) => context.block_on(async |admin| command.run(&admin, printer).await),
        Command::Gc(command) => context.block_on(async |admin| command.run(&admin, printer).await),
    };
    done.map(|()| ExitCode::SUCCESS)
}
