//! The checks before anything is applied. Each is a step with what was seen; one that could not be made says why, and never
//! counts as passed.

use std::time::Instant;

use railhead_client::chain;
use secrecy::ExposeSecret as _;

use super::app_ini::AppIni;
use super::helm::{Files, Helm, HelmError};
use super::plan::{Plan, Wanted};
use super::scan::{Scan, ScanError};
use super::values::{Opened, Values};
use crate::prove::{Outcome, Step};

/// A step that began at `since`.
pub fn step(name: &str, since: Instant, outcome: Outcome, detail: impl Into<String>) -> Step {
    let millis = since.elapsed().as_millis() as u64;
    Step {
        name: name.to_owned(),
        route: None,
        outcome,
        millis,
        digest: None,
        bytes: None,
        detail: detail.into(),
    }
}

/// Which files were read, and which could not be.
pub fn values(values: &Values) -> Step {
    let since = Instant::now();
    let closed: Vec<String> =
        values.closed().map(|(path, why)| format!("{}: {why}", path.display())).collect();
    if !closed.is_empty() {
        return step("values", since, Outcome::NotTried, closed.join("; "));
    }
    let words =
        |opened: &Opened| if matches!(opened, Opened::Plain) { "plain" } else { "decrypted in memory" };
    let files: Vec<String> = values
        .files()
        .iter()
        .map(|file| format!("{} ({})", file.path().display(), words(file.opened())))
        .collect();
    let detail = if files.is_empty() { "no values file is named".to_owned() } else { files.join(", ") };
    step("values", since, if files.is_empty() { Outcome::Fact } else { Outcome::Ok }, detail)
}

/// Renders the release with the overlay, and looks at the `app.ini` that comes out.
pub async fn rendered(
    helm: Result<&Helm, &HelmError>,
    files: &Files<'_>,
    wanted: &Wanted,
    plan: &Plan,
) -> Vec<Step> {
    let since = Instant::now();
    let text = match helm {
        Ok(helm) => helm.template(files).await,
        Err(error) => return vec![step("helm template", since, Outcome::NotTried, error.to_string())],
    };
    let text = match text {
        Ok(text) => text,
        Err(error @ (HelmError::Missing | HelmError::Closed { .. })) => {
            return vec![step("helm template", since, Outcome::NotTried, error.to_string())];
        }
        Err(error) => return vec![step("helm template", since, Outcome::Failed, error.to_string())],
    };
    let ini = match AppIni::rendered(text.expose_secret()) {
        Ok(ini) => ini,
        Err(error) => return vec![step("helm template", since, Outcome::Failed, error.to_string())],
    };
    let version = match &wanted.version {
        Some(version) => format!(" {version}"),
        None if std::path::Path::new(&wanted.chart).exists() => String::new(),
        None => " (its newest version)".to_owned(),
    };
    let chart = format!("{}{version}", wanted.chart);
    let ini = match judge(&ini, wanted, plan) {
        Ok(seen) => step("app.ini", since, Outcome::Ok, seen),
        Err(wrong) => step("app.ini", since, Outcome::Failed, wrong),
    };
    vec![step("helm template", since, Outcome::Ok, chart), ini]
}

/// Whether an `app.ini` says what it has to; what it says, or what is wrong.
pub(super) fn judge(ini: &AppIni, wanted: &Wanted, plan: &Plan) -> Result<String, String> {
    let (mut seen, mut wrong) = (Vec::new(), Vec::new());
    let mut look = |section: &str, key: &str, is_right: &dyn Fn(&str) -> bool| {
        let value = ini.get(section, key);
        let name = format!("[{section}] {key}");
        if ini.is_overridden(section, key) {
            wrong.push(format!("{name} is taken from a variable of the pod, which counts more than values"));
        } else if value.is_some_and(is_right) {
            // What somebody else says may be out of an encrypted file.
            let is_ours = plan.settings.changes.iter().any(|one| one.section == section && one.key == key);
            let shown = value.filter(|_| is_ours).map_or_else(String::new, |value| format!(" = {value}"));
            seen.push(format!("{name}{}", shown.trim_end()));
        } else {
            wrong.push(match value {
                Some(_) => format!("{name} is not what it has to be"),
                None => format!("{name} is not there"),
            });
        }
    };
    look("packages", "ENABLED", &|value| value.eq_ignore_ascii_case("true"));
    look("packages", "LIMIT_SIZE_CONTAINER", &|value| !value.is_empty());
    look("repository", "DISABLED_REPO_UNITS", &|value| !value.contains("repo.packages"));
    look("server", "ROOT_URL", &|value| {
        let host = value.strip_prefix("https://").and_then(|rest| rest.split('/').next());
        host.is_some_and(|host| host.eq_ignore_ascii_case(&wanted.host))
    });
    if wrong.is_empty() { Ok(seen.join(", ")) } else { Err(wrong.join("; ")) }
}

/// What was found where secrets do not belong.
pub fn secrets(scan: Result<Scan, ScanError>, values: &Values, since: Instant) -> Step {
    let scan = match scan {
        Ok(scan) => scan,
        Err(error) => return step("secrets", since, Outcome::Failed, chain(&error)),
    };
    if !scan.leaks.is_empty() {
        let leaks: Vec<String> =
            scan.leaks.iter().map(|leak| format!("{} has {}", leak.place, leak.what)).collect();
        return step("secrets", since, Outcome::Failed, leaks.join("; "));
    }
    let place = match &scan.tree {
        Some(tree) => format!(
            "none in {} files of {}, in its index, nor in what is written",
            scan.files,
            tree.display()
        ),
        None => "none in what is written; there is no git repository to look into".to_owned(),
    };
    let how = match values.closed().next() {
        Some(_) => "; by keys and shapes alone, since the values cannot be decrypted here",
        None => "",
    };
    step("secrets", since, Outcome::Ok, format!("{place}{how}"))
}

/// What is left to be done by hand, with the command, when all that could be done is done.
pub fn left(plan: &Plan, values: &Values, helm: Result<&Helm, &HelmError>, wanted: &Wanted) -> Vec<String> {
    let mut left = Vec::new();
    for (path, why) in values.closed() {
        let name = wanted.shown(path);
        left.push(format!(
            "{name} cannot be decrypted ({why}): where its age identity is, give the same command again, or `make` the deploy target"
        ));
    }
    if let Err(error) = helm {
        let hint = error.hint().unwrap_or("run it where helm is");
        left.push(format!("the release was not rendered, since {error}: {hint}"));
    }
    for follow_up in plan.follow_ups.iter().filter(|one| !wanted.is_own(one.owner.as_deref())) {
        let owner = follow_up.owner.as_deref().unwrap_or(follow_up.layer.word());
        left.push(format!("{owner} ({}): {}", follow_up.layer, follow_up.title));
    }
    left.extend(plan.settings.notes.iter().cloned());
    left
}
