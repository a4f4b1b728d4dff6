//! `railhead enable`: turns the registry of a forge on.
//!
//! Order: site file and flags, the values files, the plan, the checks, what is shown, what is applied, what is written.

mod apply;
mod print;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use railhead_operate::enable::apply::{Applied, Verdict};
use railhead_operate::enable::{
    self, Change, Files, Helm, HelmError, Part, Plan, Values, ValuesFile, Wanted, check,
};
use railhead_operate::prove::{Outcome, Step};
use railhead_operate::pull_secret::Sops;
use railhead_operate::{Evidence, Filed, Kind, Site, write_whole};
use serde::Serialize;

use self::apply::{Act, How};
use super::Context;
use super::operator::{block_on, keep, site_of};
use crate::failure::{Exit, Failure, Result};

/// Turn the registry of a forge on: show, check and apply what has to change
///
/// Reads the values files of the forge's Helm release, and makes what is missing: a values file without secrets, the route of /v2, lines
/// for sops, targets of make. Shows how the files change and who owns each change, renders the release with them, reads the app.ini
/// that comes out, and looks for decrypted values where they do not belong. Nothing is written without --write, and nothing in the
/// cluster changes without --apply. Files that somebody else wrote stay as they are. The release, its values files and the names are in [release] of the site file.
#[derive(Debug, Args)]
pub struct Enable {
    /// The registry; without it, the site file's
    #[arg(value_name = "HOST[:PORT]")]
    host: Option<String>,
    /// The Helm release of the forge
    #[arg(long, value_name = "NAME")]
    release: Option<String>,
    /// The namespace of the release
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// The chart, as helm takes it
    #[arg(long, value_name = "CHART")]
    chart: Option<String>,
    /// The version of the chart
    #[arg(long, value_name = "VERSION")]
    chart_version: Option<String>,
    /// A values file of the release; repeat it in the order of helm
    #[arg(long = "values", value_name = "FILE")]
    values: Vec<PathBuf>,
    /// Write the files
    #[arg(long)]
    write: bool,
    /// How it is applied
    #[command(flatten)]
    how: How,
}

/// What came of it, for programs and as evidence.
#[derive(Serialize)]
struct Done<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    /// The checks.
    checks: &'a [Step],
    /// How it was applied, if it was to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    applied: Option<Applied>,
    /// The issues for others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    filed: Vec<Filed>,
    /// The files that were written.
    written: Vec<PathBuf>,
    /// What somebody has to do by hand.
    left: &'a [String],
}

impl Enable {
    /// Runs it.
    pub fn run(self, context: &Context) -> Result<()> {
        let own = context.site()?;
        let Some(host) = self.host.as_ref().map(|host| host.to_ascii_lowercase()).or(own.host) else {
            return Err(Failure::new(Exit::Usage, "there is no registry to turn on")
                .hint("name its host, as in `railhead enable git.example.com`, or in the site file"));
        };
        let site = self.with_flags(site_of(context, &host)?);
        let Some(namespace) = site.release.namespace.clone() else {
            return Err(Failure::new(Exit::Usage, "nobody says in which namespace the release is").hint(
                "`helm list --all-namespaces` shows it; name it with --namespace, or as `namespace` in [release] of the site file",
            ));
        };
        let mut wanted = Wanted::of(&site, &host, &namespace);
        if self.how.context.is_some() {
            wanted.context.clone_from(&self.how.context);
        }
        let values = read(&site, &wanted)?;
        let plan = enable::plan(&wanted, &values)?;
        let helm = Helm::find(self.how.kubeconfig.clone(), wanted.context.clone());
        let checks = block_on(checks(&wanted, &values, &plan, helm.as_ref()))?;
        let mut left = check::left(&plan, &values, helm.as_ref(), &wanted);
        let printer = context.printer;
        if !printer.is_json() {
            printer.raw(&print::plan(&plan, &checks))?;
        }
        let failed = checks.iter().find(|step| step.outcome == Outcome::Failed).cloned();
        let act = Act { context, site: &site, wanted: &wanted, values: &values, plan: &plan, how: &self.how };
        let mut done = Done {
            plan: &plan,
            checks: &checks,
            applied: None,
            filed: Vec::new(),
            written: Vec::new(),
            left: &[],
        };
        if failed.is_none() && self.how.apply {
            done.applied = Some(applied(&act, helm, &checks)?);
        }
        let has_stayed = done.applied.as_ref().is_none_or(|applied| applied.verdict == Verdict::Applied);
        if failed.is_none() && has_stayed && (self.write || self.how.apply) {
            done.written = write(&plan)?;
        }
        let mut unfiled = Vec::new();
        if failed.is_none() && has_stayed && self.how.file {
            (done.filed, unfiled) = block_on(act.file())??;
            left.retain(|line| !done.filed.iter().any(|one| line.contains(&one.title)));
            left.extend(unfiled.iter().cloned());
        }
        done.left = &left;
        printer.data(&done, || print::rest(&done))?;
        if self.write || self.how.apply || self.how.file {
            let ok = failed.is_none() && has_stayed && unfiled.is_empty();
            let evidence = Evidence::new(Kind::Enable, &host, ok, &done)?;
            let path = keep(&site, &evidence, &act.secrets()?)?;
            printer.note(&format!("evidence: {}", path.display()));
        }
        if let Some(step) = failed {
            let message = format!("the check '{}' failed: {}", step.name, step.detail);
            return Err(Failure::new(Exit::Failed, message).hint(hint(&step.name)));
        }
        if let Some(applied) = &done.applied {
            apply::end(applied)?;
        }
        match unfiled.into_iter().next() {
            None => Ok(()),
            Some(why) => Err(Failure::new(Exit::Failed, why)
                .hint("everything else is done; give the same command again when that is mended")),
        }
    }

    /// What the flags say counts more.
    fn with_flags(&self, mut site: Site) -> Site {
        let release = &mut site.release;
        for (flag, key) in [
            (&self.release, &mut release.name),
            (&self.namespace, &mut release.namespace),
            (&self.chart, &mut release.chart),
            (&self.chart_version, &mut release.version),
        ] {
            if flag.is_some() {
                key.clone_from(flag);
            }
        }
        if !self.values.is_empty() {
            release.values.clone_from(&self.values);
        }
        site
    }
}

/// Applies the plan, when nothing is left that could not be checked.
fn applied(act: &Act<'_>, helm: Result<Helm, HelmError>, checks: &[Step]) -> Result<Applied> {
    let untried: Vec<&str> = checks
        .iter()
        .filter(|step| step.outcome == Outcome::NotTried)
        .map(|step| step.name.as_str())
        .collect();
    let helm = match helm {
        Ok(helm) if untried.is_empty() => helm,
        _ => {
            let message = format!("what could not be checked is not applied: {}", untried.join(", "));
            return Err(Failure::new(Exit::Conflict, message).hint(
                "give the command where helm, sops and the key are; without --apply it goes as far as it can",
            ));
        }
    };
    let printer = act.context.printer;
    let mut told = Ok(());
    let mut watch = |step: &Step| {
        if !printer.is_json() && told.is_ok() {
            told = printer.raw(&format!("{step}\n"));
        }
    };
    if !printer.is_json() {
        printer.raw("\napply\n")?;
    }
    let applied = block_on(act.apply(&helm, &mut watch))??;
    told?;
    Ok(applied)
}

/// The values files, without the overlay, which is made anew.
fn read(site: &Site, wanted: &Wanted) -> Result<Values> {
    let sops = Sops::find(site.cluster.sops_config.as_deref());
    let mut files = Vec::new();
    for path in wanted.values.iter().filter(|path| Some(*path) != wanted.overlay.as_ref()) {
        files.push(ValuesFile::read(path, sops.as_ref())?);
    }
    Ok(Values::new(files))
}

async fn checks(wanted: &Wanted, values: &Values, plan: &Plan, helm: Result<&Helm, &HelmError>) -> Vec<Step> {
    let files = Files {
        release: &wanted.release,
        namespace: &wanted.namespace,
        chart: &wanted.chart,
        version: wanted.version.as_deref(),
        values,
        overlay: plan.part(Part::Overlay).map(|change| change.text.as_str()),
    };
    let mut all = vec![check::values(values)];
    all.extend(check::rendered(helm, &files, wanted, plan).await);
    let since = Instant::now();
    let shown = print::changes(plan);
    let mut texts: Vec<(&str, &str)> = vec![("what is shown", shown.as_str())];
    let names: Vec<String> = plan.changes.iter().map(|change| change.file.display().to_string()).collect();
    texts
        .extend(names.iter().map(String::as_str).zip(plan.changes.iter().map(|change| change.text.as_str())));
    all.push(check::secrets(enable::scan(&wanted.base, values, &texts), values, since));
    all
}

fn write(plan: &Plan) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for Change { file, text, .. } in plan.changes.iter().filter(|change| !change.is_there()) {
        if let Some(directory) = file.parent().filter(|parent| *parent != Path::new("")) {
            std::fs::create_dir_all(directory).map_err(|error| {
                Failure::new(Exit::Failed, format!("cannot make the directory {}", directory.display()))
                    .because(&error)
            })?;
        }
        write_whole(file, text.as_bytes())?;
        written.push(file.clone());
    }
    Ok(written)
}

fn hint(check: &str) -> &'static str {
    match check {
        "secrets" => {
            "take it out of the file, and out of git's index; change the secret if it was ever committed"
        }
        "app.ini" => "look which values file or variable says it, and mend that",
        _ => "nothing was written; mend it and give the same command again",
    }
}
