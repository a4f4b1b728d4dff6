//! `railhead status`: the short daily form of an inspection.

use std::process::ExitCode;

use clap::Args;
use railhead_cluster::Cluster;
use railhead_operate::Archive;
use railhead_operate::inspect::{Kept, Line, State, Wanted, collect, inventory, status};
use serde::Serialize;

use super::Context;
use super::inspect::ClusterArguments;
use super::operator::block_on;
use crate::failure::{Exit, Result};
use crate::printer::table;

/// Tell in six lines how the registry is: pod, database, route, certificate, last proof, last backup
///
/// Reads the cluster and the site's evidence, and changes nothing. Ends with 1 when a line is bad.
#[derive(Debug, Args)]
pub struct Status {
    /// Which cluster
    #[command(flatten)]
    cluster: ClusterArguments,
    /// The forge is in this namespace [default: where one is found]
    #[arg(long, short, value_name = "NAME")]
    namespace: Option<String>,
}

/// The status, for programs.
#[derive(Serialize)]
struct Shown {
    state: State,
    lines: Vec<Line>,
    unseen: Vec<String>,
}

impl Status {
    /// Runs it.
    pub fn run(self, context: &Context) -> Result<ExitCode> {
        let site = context.site()?;
        let beside = site.has_registry_beside();
        let wanted = Wanted { namespace: self.namespace, beside, ..Wanted::default() };
        let access = self.cluster.access(&site);
        let collected = block_on(async { collect(&Cluster::connect(&access).await?, &wanted).await })??;
        let inventory = inventory(&collected, &wanted, None);
        let kept = Kept::read(&Archive::new(&site.evidence), site.host.as_deref())?;
        let lines = status(&inventory, site.host.as_deref(), &kept);
        let state = lines.iter().map(|line| line.state).max().unwrap_or(State::Unknown);
        let shown = Shown { state, lines, unseen: inventory.unseen };
        context.printer.data(&shown, || text(&shown.lines))?;
        if !shown.unseen.is_empty() {
            context.printer.note(&format!("the kubeconfig may not: {}", shown.unseen.join("; ")));
        }
        Ok(ExitCode::from(if state == State::Bad { Exit::Failed as u8 } else { 0 }))
    }
}

fn text(lines: &[Line]) -> String {
    let row = |line: &Line| vec![line.what.to_owned(), line.state.word().to_owned(), line.text.clone()];
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    table(&["WHAT", "STATE", ""], &rows)
}
