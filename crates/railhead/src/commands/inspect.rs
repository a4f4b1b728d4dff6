//! `railhead inspect`: what there is in the cluster around the registry, and what is to be said about it.

mod print;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use railhead_cluster::{Access, Cluster};
use railhead_doctor::{Finding, Verdict};
use railhead_operate::inspect::{Inventory, ValuesError, ValuesFile, Wanted, collect, inventory, judge};
use railhead_operate::{Archive, Evidence, Filed, Kind, Secrets, Site};
use serde::Serialize;
use serde_json::Value;

use super::Context;
use super::follow_up::{self, FileArguments, Outcome};
use super::operator::{block_on, keep};
use crate::failure::{Exit, Failure, Result};

/// Find out what there is in the cluster around the registry: release, settings, routes, storage, backups, database
///
/// Reads the Kubernetes API with the kubeconfig's own rights, changes nothing, and prints no secret. What the kubeconfig may
/// not see is named, and the rest goes on. Ends with the exit code of the findings' class, as `railhead doctor` does.
#[derive(Debug, Args)]
pub struct Inspect {
    /// Which cluster
    #[command(flatten)]
    pub cluster: ClusterArguments,
    /// The forge is in this namespace [default: where one is found]
    #[arg(long, short, value_name = "NAME")]
    namespace: Option<String>,
    /// The forge is of this Helm release
    #[arg(long, value_name = "NAME")]
    release: Option<String>,
    /// A values file of the release, in the order in which Helm gets them; repeat it for others
    #[arg(long = "values", short = 'f', value_name = "FILE")]
    values: Vec<PathBuf>,
    /// The Makefile that deploys it, to compare its namespace with the live one
    #[arg(long, value_name = "FILE")]
    makefile: Option<PathBuf>,
    /// Keep the inspection as evidence in this directory [default: the site's, if there is a site file]
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
    /// What others have to mend
    #[command(flatten)]
    file: FileArguments,
    /// The account on the forge that files it, with its token in `RAILHEAD_TOKEN`
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

/// Which cluster, for every command that asks one.
#[derive(Clone, Debug, Args)]
pub struct ClusterArguments {
    /// The kubeconfig [default: KUBECONFIG, or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context [default: the site's, or the current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

impl ClusterArguments {
    /// The cluster that is meant.
    pub fn access(&self, site: &Site) -> Access {
        let context = self.context.clone().or_else(|| site.cluster.context.clone());
        Access { kubeconfig: self.kubeconfig.clone(), context }
    }
}

/// An inspection, for programs and as evidence.
#[derive(Serialize)]
struct Inspection<'a> {
    host: Option<&'a str>,
    verdict: &'a Verdict,
    findings: &'a [Finding],
    inventory: &'a Inventory,
    /// The issues for others.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    filed: &'a [Filed],
}

/// The same, with where it is kept.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    inspection: &'a Inspection<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<PathBuf>,
}

impl Inspect {
    /// Runs it; the code of the verdict.
    pub fn run(self, context: &Context) -> Result<ExitCode> {
        let mut site = context.site()?;
        if let Some(directory) = &self.evidence {
            site.evidence.clone_from(directory);
        }
        let wanted = self.wanted(&site)?;
        let access = self.cluster.access(&site);
        let collected = block_on(async {
            let cluster = Cluster::connect(&access).await?;
            if cluster.is_unverified() {
                context.printer.warning("the kubeconfig says not to verify the API server's certificate");
            }
            collect(&cluster, &wanted).await
        })??;
        if let Some(why) = collected.without_settings() {
            context.printer.note(&format!("the forge's app.ini could not be read: {why}"));
        }
        let before = before(&site)?;
        let inventory = inventory(&collected, &wanted, before.as_ref());
        let findings = judge(&inventory, &collected, &wanted, site.host.as_deref(), site.owners());
        let verdict = Verdict::of(&findings);
        let filed = self.file(context, &site, &findings)?;
        let inspection = Inspection {
            host: site.host.as_deref(),
            verdict: &verdict,
            findings: &findings,
            inventory: &inventory,
            filed: &filed.filed,
        };
        let kept = self.keep(&site, &inspection);
        // An inspection that cannot be kept is shown all the same.
        let evidence = kept.as_ref().ok().cloned().flatten();
        let shown = Shown { inspection: &inspection, evidence: evidence.clone() };
        context.printer.data(&shown, || {
            print::text(&inventory, &findings, &verdict, evidence.as_deref())
                + &follow_up::shown(&filed.filed)
        })?;
        kept?;
        filed.end()?;
        if site.host.is_none() {
            context.printer.note("no site file names the registry's host, so its routes were not judged");
        }
        Ok(ExitCode::from(verdict.exit))
    }

    /// Files what others have to mend. The forge is that of the registry, so the site has to name it.
    fn file(&self, context: &Context, site: &Site, findings: &[Finding]) -> Result<Outcome> {
        match (&site.host, self.file.file) {
            (Some(host), true) => {
                self.file.file(context, site, (host, self.user.as_deref()), "railhead inspect", findings)
            }
            (None, true) => Err(Failure::new(Exit::Usage, "no site file says which forge takes the issues")
                .hint("name the registry as `host` in [site]")),
            (_, false) => Ok(Outcome::default()),
        }
    }

    fn wanted(&self, site: &Site) -> Result<Wanted> {
        let values = self.values.iter().map(|path| ValuesFile::read(path)).collect::<Result<_, _>>();
        let makefile = self.makefile.as_ref().map(|path| {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::new(Exit::Usage, format!("cannot read {}", path.display())).because(&error)
            })?;
            Ok::<_, Failure>((path.display().to_string(), text))
        });
        Ok(Wanted {
            namespace: self.namespace.clone(),
            release: self.release.clone(),
            values: values?,
            makefile: makefile.transpose()?,
            beside: site.has_registry_beside(),
        })
    }

    fn keep(&self, site: &Site, inspection: &Inspection<'_>) -> Result<Option<PathBuf>> {
        if self.evidence.is_none() && site.file.is_none() {
            return Ok(None);
        }
        let host = inspection.host.unwrap_or(&inspection.inventory.context);
        let ok = inspection.verdict.exit == 0;
        let evidence = Evidence::new(Kind::Inspection, host, ok, inspection)?
            .with_versions([("kubernetes".to_owned(), inspection.inventory.kubernetes.clone())]);
        keep(site, &evidence, &Secrets::default()).map(Some)
    }
}

/// What the inspection before this one wrote down, for the growth between both.
fn before(site: &Site) -> Result<Option<(Timestamp, Value)>> {
    let newest = Archive::new(&site.evidence).newest(Kind::Inspection, site.host.as_deref())?;
    Ok(newest.map(|(_, evidence)| (evidence.time, evidence.result)))
}

impl From<ValuesError> for Failure {
    fn from(error: ValuesError) -> Self {
        Self::of(Exit::Usage, &error)
    }
}
