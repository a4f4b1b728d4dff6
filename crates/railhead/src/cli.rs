//! The command line: every command, argument and flag. What they do is in `commands`, one verb a file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    audit, backup, completions, config, credential_provider, doctor, enable, explain, export, gc, handoff,
    hub, init, inspect, migrate, org, owner, prove, pull_secret, reference, repo, report, restore, retention,
    serve, status, tag, token, usage, user, verify,
};
use crate::printer::Output;

/// The container registry for a team's own forge.
///
/// Commands other than `serve` administer a registry: the one at `--server`, or the one whose data directory is
/// `--data`, whether it is running or not.
#[derive(Debug, Parser)]
#[command(name = "railhead", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    /// What applies to every command.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What applies to every command.
#[expect(clippy::doc_markdown, reason = "this is help for a terminal, not Markdown")]
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Print for people or for programs [variable: RAILHEAD_OUTPUT]
    #[arg(long, global = true, value_name = "KIND", value_enum)]
    pub output: Option<Output>,
    /// Read this configuration file instead of ./railhead.toml [variable: RAILHEAD_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data directory [variable: RAILHEAD_DATA]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<String>,
    /// Administer the registry at this URL, with the token in RAILHEAD_TOKEN [variable: RAILHEAD_SERVER]
    #[arg(long, global = true, value_name = "URL", conflicts_with = "data")]
    pub server: Option<String>,
    /// Read the token from this file; - is standard input [variable: RAILHEAD_TOKEN_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Trust the certificates in this file too, for --server [variable: RAILHEAD_CA]
    #[arg(long, global = true, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// What to do. A line here hides all that the command says of itself: where that is more, there is none here.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the registry
    Serve(serve::Serve),
    /// Create and manage users
    #[command(subcommand)]
    User(user::User),
    /// Create and manage organisations
    #[command(subcommand)]
    Org(org::Org),
    /// Show and set how much an owner may store
    #[command(subcommand)]
    Owner(owner::Owner),
    /// Create and revoke tokens
    #[command(subcommand)]
    Token(token::Token),
    /// Show and manage repositories
    #[command(subcommand)]
    Repo(repo::Repo),
    /// Show and delete tags
    #[command(subcommand)]
    Tag(tag::Tag),
    /// Show what was done
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Let images go by rules: plan, apply, undo, look ahead
    #[command(subcommand)]
    Retention(retention::Retention),
    Usage(usage::Usage),
    Gc(gc::Gc),
    Init(init::Init),
    Verify(verify::Verify),
    Doctor(doctor::Doctor),
    /// Find out what there is in the cluster around the registry: release, settings, routes, storage, backups, database
    Inspect(inspect::Inspect),
    /// Tell in six lines how the registry is: pod, database, route, certificate, last proof, last backup
    Status(status::Status),
    /// Tell what a finding of the doctor or of an inspection means
    Explain(explain::Explain),
    Enable(enable::Enable),
    Prove(prove::Prove),
    Handoff(handoff::Handoff),
    /// Make, change and try the login that a cluster pulls with
    #[command(subcommand)]
    PullSecret(pull_secret::PullSecret),
    Report(report::Report),
    /// Tell a hub what new evidence shows
    #[command(subcommand)]
    Hub(hub::Hub),
    /// Back up the registry of the data directory, while it serves
    ///
    /// TO is a directory, or `s3://BUCKET/PREFIX`, which is reached as the `backup.s3` keys of the configuration say. Blobs that
    /// are there from an earlier backup are not copied again. A backup has the hashes of passwords and tokens: keep it as
    /// closed as the registry, or seal it with --recipient. When it is stopped, the same command goes on where it was.
    Backup(backup::Backup),
    /// Restore a backup into an empty data directory, or try whether that works
    ///
    /// The data directory, and with Postgres or S3 the database and the bucket, has to be empty. When it is stopped, the same
    /// command goes on where it was; until then nobody serves what is there. What is damaged is left out and named, everything
    /// else is restored. Logins that were signed before end: clients log in again by themselves.
    Restore(restore::Restore),
    /// Move all that a registry serves to another one, and compare digest by digest
    ///
    /// Copies over the registries' API: tags, every platform, referrers, signatures, and on Gitea, Forgejo and Railhead also what no
    /// tag names. The tokens come from `RAILHEAD_FROM_TOKEN` and `RAILHEAD_TO_TOKEN`, or from files. What the target has is not
    /// copied again: when it is stopped, the same command goes on where it was, and a later one brings what is new. It ends with
    /// a report of every digest, and with exit code 0 only if both have the same.
    Migrate(migrate::Migrate),
    /// Write images as one tar archive, for nodes that cannot pull
    ///
    /// The archive is an OCI layout with docker's manifest.json: `ctr images import`, `docker load`, `podman load` and
    /// `skopeo copy oci-archive:FILE` take it. Without --registry the images are those of the data directory, also while it is
    /// served. Every platform of an image is in it, unless --platform takes one.
    Export(export::Export),
    /// Give the kubelet the login of a pull, by its exec API
    ///
    /// The kubelet runs this itself, as its configuration says: it asks on standard input and reads the answer on
    /// standard output. The login is a token of a service account, which the `[workloads]` rules of the registry take.
    CredentialProvider(credential_provider::CredentialProvider),
    /// Show the configuration
    #[command(subcommand)]
    Config(config::Config),
    /// Print completions for a shell
    Completions(completions::Completions),
    /// Write the reference pages
    #[command(hide = true)]
    Reference(reference::Reference),
}

impl Command {
    /// Whether it may keep evidence, of which the hub is told behind it.
    pub const fn keeps_evidence(&self) -> bool {
        matches!(
            self,
            Self::Doctor(_)
                | Self::Inspect(_)
                | Self::Enable(_)
                | Self::Prove(_)
                | Self::Handoff(_)
                | Self::PullSecret(_)
                | Self::Backup(_)
                | Self::Restore(_)
                | Self::Migrate(_)
                | Self::Retention(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn help_tells_all_that_a_command_says_of_itself() {
        let cli = Cli::command();
        for name in [
            "usage", "gc", "init", "verify", "doctor", "prove", "handoff", "report", "backup", "restore",
            "export", "migrate",
        ] {
            let command = cli.find_subcommand(name).unwrap();
            let (short, long) = (command.get_about().unwrap(), command.get_long_about());
            let long = long.map(ToString::to_string).unwrap_or_default();
            assert!(long.len() > short.to_string().len() + 100, "{name} --help says only: {long}");
        }
    }
}
