//! The gates before the change. Nothing is changed here.

use std::cell::RefCell;
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use railhead_cluster::Seen;
use serde_json::Value;

use super::change::Change;
use super::{Apply, Backup, Dump, Exposure, Record, chain, dump, kind, text};
use crate::enable::check::step;
use crate::enable::drift::drift;
use crate::enable::helm::{Files, State};
use crate::enable::plan::Wanted;
use crate::enable::{AppIni, Part};
use crate::prove::Outcome;

/// Who applies the route, by hand or by the command.
const MANAGER: &str = "railhead";
/// How many keys are named that differ.
const NAMED: usize = 5;

impl Apply<'_> {
    /// What there is before the change; none where a gate was not passed.
    pub(super) async fn gates(&self, record: &Record<'_>, dump: &RefCell<Option<Dump>>) -> Option<Change> {
        let state = record.take("release", Instant::now(), self.release().await, |state| {
            format!("{} of {}, revision {}", state.status, state.chart, state.revision)
        })?;
        let since = Instant::now();
        let values = record.take("values of the release", since, self.release_values().await, |_| {
            "they are those of the files, so nothing else changes".to_owned()
        })?;
        let since = Instant::now();
        if !record.note("dry run", since, self.dry_run(&state).await) {
            return None;
        }
        let since = Instant::now();
        let ini =
            record.take("app.ini before", since, self.app_ini().await, |_| "read in the pod".to_owned())?;
        let since = Instant::now();
        let exposure = record.take("exposure before", since, self.exposure().await, |seen| {
            format!("{} ways in", seen.ways.len())
        })?;
        if !self.forge.health("before", &mut |step| record.put(step)).await {
            return None;
        }
        let since = Instant::now();
        let errors = match self.errors().await {
            Ok(errors) => errors,
            Err(why) => {
                record.note("doctor before", since, Err(why));
                return None;
            }
        };
        let told = if errors.is_empty() { "no error on any route".to_owned() } else { errors.join("; ") };
        record.put(step("doctor before", since, Outcome::Fact, told));
        let since = Instant::now();
        let seen = self.secure(&ini, dump).await;
        let is_safe = record.note("backup", since, seen);
        is_safe.then(|| Change { state, values, ini, exposure, errors, upgraded: false, objects: Vec::new() })
    }

    async fn release(&self) -> Result<State, String> {
        let Wanted { release, namespace, version, .. } = self.wanted;
        let state = self.helm.state(release, namespace).await.map_err(|error| error.to_string())?;
        let state = state.ok_or_else(|| {
            format!("there is no release {release} in the namespace {namespace}; `helm list --all-namespaces` shows where it is")
        })?;
        if state.status != "deployed" {
            return Err(format!(
                "the release is {}, and only one that is deployed is changed: wait, or bring it back with `helm rollback {release} --namespace {namespace}`",
                state.status
            ));
        }
        match (version.as_deref(), state.version()) {
            (Some(wanted), Some(there)) if wanted != there => Err(format!(
                "the release is of {}, and the site says version {wanted}: a new chart is another change than a registry",
                state.chart
            )),
            _ => Ok(state),
        }
    }

    /// The values that the release has, which hold secrets. They have to be those of the files, or the upgrade would change more.
    async fn release_values(&self) -> Result<Value, String> {
        let Wanted { release, namespace, .. } = self.wanted;
        let values = self.helm.values(release, namespace).await.map_err(|error| error.to_string())?;
        let ours: Vec<[&str; 4]> =
            self.plan.settings.changes.iter().map(super::super::Setting::path).collect();
        let mut differ = drift(&values, &self.values.merged(), &ours);
        if differ.is_empty() {
            return Ok(values);
        }
        let more = differ.len().saturating_sub(NAMED);
        differ.truncate(NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        Err(format!(
            "the release has other values than the files for {}{more}, which the upgrade would change too: deploy the files first, or name all of them as `values` in [release]",
            differ.join(", ")
        ))
    }

    async fn dry_run(&self, state: &State) -> Result<String, String> {
        let mut words = Vec::new();
        for object in self.wanted.route.objects() {
            self.is_free(&object).await?;
            let tried = self.cluster.apply(&object, true).await.map_err(|error| chain(&error))?;
            let act = if tried.created { "would be made" } else { "is there" };
            words.push(format!("{} {} {act}", text(&object, "/kind"), text(&object, "/metadata/name")));
        }
        let files = self.files(self.version(state));
        self.helm.try_upgrade(&files).await.map_err(|error| error.to_string())?;
        words.push("the API server takes the upgrade".to_owned());
        Ok(words.join(", "))
    }

    /// Whether an object of the route is not there, or was applied from here.
    async fn is_free(&self, object: &Value) -> Result<(), String> {
        let (namespace, name) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
        let there = match self.cluster.get(&kind(object), Some(namespace), name).await {
            Ok(Seen::Found(there)) => there,
            Ok(Seen::Absent) => return Ok(()),
            Ok(Seen::Denied(right)) => return Err(format!("the right to {right} is missing")),
            Err(error) => return Err(chain(&error)),
        };
        let managers = there.pointer("/metadata/managedFields").and_then(Value::as_array);
        let names: Vec<&str> =
            managers.into_iter().flatten().filter_map(|one| one["manager"].as_str()).collect();
        if names.contains(&MANAGER) {
            return Ok(());
        }
        Err(format!(
            "{} {namespace}/{name} is there, and was made by {}: remove it, if nothing needs it",
            text(object, "/kind"),
            if names.is_empty() { "somebody else".to_owned() } else { names.join(", ") }
        ))
    }

    /// The version of the chart that is there, where nobody says one. A path is one version.
    pub(super) fn version<'v>(&'v self, state: &'v State) -> Option<&'v str> {
        let own = self.wanted.version.as_deref();
        let is_file = Path::new(&self.wanted.chart).exists();
        own.or_else(|| state.version()).filter(|_| !is_file)
    }

    pub(super) fn files<'f>(&'f self, version: Option<&'f str>) -> Files<'f> {
        Files {
            release: &self.wanted.release,
            namespace: &self.wanted.namespace,
            chart: &self.wanted.chart,
            version,
            values: self.values,
            overlay: self.plan.part(Part::Overlay).map(|change| change.text.as_str()),
        }
    }

    pub(super) async fn exposure(&self) -> Result<Exposure, String> {
        let seen =
            Exposure::read(self.cluster, &self.wanted.namespace).await.map_err(|error| chain(&error))?;
        if seen.unseen.is_empty() {
            return Ok(seen);
        }
        Err(format!(
            "what is reachable cannot be compared; these rights are missing: {}",
            seen.unseen.join(", ")
        ))
    }

    /// Takes a backup if one is wanted, and looks whether there is one of everything.
    async fn secure(&self, ini: &AppIni, dump: &RefCell<Option<Dump>>) -> Result<String, String> {
        let mut backups = self.backups.clone();
        let mut told = Vec::new();
        if let Some(take) = &self.take {
            let Wanted { release, namespace, .. } = self.wanted;
            let made = dump::dump(self.cluster, ini, release, namespace, take.directory).await?;
            told.push(made.words());
            backups.add(Backup::of_forge(made.file.display().to_string()));
            *dump.borrow_mut() = Some(made);
            match (take.images)().await.map_err(|why| format!("the images cannot be copied: {why}"))? {
                Some(copied) => {
                    told.push(format!("images: {copied}"));
                    backups.add(Backup::of_images(copied));
                }
                None => told.push(
                    "images: in the dump alone, as the registry shows none to this account on any route yet"
                        .to_owned(),
                ),
            }
        }
        let seen = backups.judge(self.limit, Timestamp::now());
        let seen = seen.map_err(|why| format!("{why}: take one now with --backup DIR"))?;
        // What was taken now says all of it.
        Ok(if told.is_empty() { seen } else { told.join("; ") })
    }
}
