//! The change, and the gates after it.

use std::cell::RefCell;
use std::time::Instant;

use railhead_cluster::{Seen, kinds};
use serde_json::Value;

use super::{Apply, Exposure, Record, chain, kind, text};
use crate::enable::AppIni;
use crate::enable::helm::State;
use crate::enable::plan::Wanted;

/// What was before the change, and what of it has been changed.
pub(super) struct Change {
    pub(super) state: State,
    /// The release's values, which hold secrets.
    pub(super) values: Value,
    /// What the running forge reads, which holds secrets.
    pub(super) ini: AppIni,
    /// What is reachable.
    pub(super) exposure: Exposure,
    /// What the doctor found.
    pub(super) errors: Vec<String>,
    /// Whether helm was told to upgrade.
    pub(super) upgraded: bool,
    /// Each object of the route with what was there before.
    pub(super) objects: Vec<(Value, Option<Value>)>,
}

impl Apply<'_> {
    /// The change, and the gates after it; whether all of it went well.
    pub(super) async fn course(&self, record: &Record<'_>, change: &RefCell<Change>) -> bool {
        let since = Instant::now();
        if !record.note("helm upgrade", since, self.upgrade(change).await) {
            return false;
        }
        let since = Instant::now();
        if !record.note("route", since, self.put_route(change).await) {
            return false;
        }
        let since = Instant::now();
        if !record.note("app.ini in the pod", since, self.live().await) {
            return false;
        }
        let since = Instant::now();
        let errors = change.borrow().errors.clone();
        if !record.note("doctor after", since, self.reaches(&errors).await) {
            return false;
        }
        let since = Instant::now();
        let before = change.borrow().exposure.clone();
        if !record.note("exposure after", since, self.not_broader(&before).await) {
            return false;
        }
        self.forge.health("after", &mut |step| record.put(step)).await
    }

    async fn upgrade(&self, change: &RefCell<Change>) -> Result<String, String> {
        let state = {
            let change = change.borrow();
            let says = |setting: &crate::enable::Setting| {
                *crate::yaml::at(&change.values, &setting.path()) == setting.wanted
            };
            if self.plan.settings.changes.iter().all(says) {
                return Ok("the release has these values already".to_owned());
            }
            change.state.clone()
        };
        change.borrow_mut().upgraded = true;
        if let Err(error) = self.helm.upgrade(&self.files(self.version(&state))).await {
            return Err(format!("{error}{}", self.stuck().await));
        }
        Ok(format!("after revision {}, and its pods are ready", state.revision))
    }

    /// What the release's pods wait for, as far as that can be seen.
    async fn stuck(&self) -> String {
        let Wanted { release, namespace, .. } = self.wanted;
        let query = format!("labelSelector=app.kubernetes.io%2Finstance%3D{release}");
        let Ok(Seen::Found(pods)) = self.cluster.list_where(&kinds::POD, Some(namespace), &query).await
        else {
            return String::new();
        };
        pods.iter().flat_map(waiting).fold(String::new(), |said, one| said + "; " + &one)
    }

    async fn put_route(&self, change: &RefCell<Change>) -> Result<String, String> {
        let mut words = Vec::new();
        for object in self.wanted.route.objects() {
            let (namespace, name) = (text(&object, "/metadata/namespace"), text(&object, "/metadata/name"));
            let before = match self.cluster.get(&kind(&object), Some(namespace), name).await {
                Ok(Seen::Found(before)) => Some(before),
                Ok(Seen::Absent) => None,
                Ok(Seen::Denied(right)) => return Err(format!("the right to {right} is missing")),
                Err(error) => return Err(chain(&error)),
            };
            change.borrow_mut().objects.push((object.clone(), before));
            let made = self.cluster.apply(&object, false).await.map_err(|error| chain(&error))?;
            let act = if made.created { "made" } else { "as it has to be" };
            words.push(format!("{} {namespace}/{name} {act}", text(&object, "/kind")));
        }
        Ok(words.join(", "))
    }

    async fn not_broader(&self, before: &Exposure) -> Result<String, String> {
        let after = self.exposure().await?;
        let broader: Vec<String> =
            after.broader(before, &self.wanted.route).map(ToString::to_string).collect();
        if broader.is_empty() {
            return Ok(format!("{} ways in, and none that was not asked for", after.ways.len()));
        }
        Err(format!("more is reachable than before: {}", broader.join("; ")))
    }
}

/// Each container of a pod that waits, with why.
fn waiting(pod: &Value) -> Vec<String> {
    let statuses = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let all = statuses.iter().filter_map(|at| pod.pointer(at)?.as_array()).flatten();
    let words = |status: &Value| {
        let reason = status.pointer("/state/waiting/reason")?.as_str()?;
        let (pod, container) = (text(pod, "/metadata/name"), text(status, "/name"));
        let code = status.pointer("/lastState/terminated/exitCode").and_then(Value::as_i64);
        let code = code.map_or_else(String::new, |code| format!(", it last ended with code {code}"));
        Some(format!("{container} in the pod {pod} waits: {reason}{code}"))
    };
    all.filter_map(words).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_that_does_not_come_up_is_named() {
        let pod = json!({"metadata": {"name": "gitea-1"}, "status": {"containerStatuses": [
            {"name": "gitea", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}}},
            {"name": "other", "state": {"running": {}}}]}});
        let wanted = "gitea in the pod gitea-1 waits: CrashLoopBackOff, it last ended with code 1";
        assert_eq!(waiting(&pod), [wanted]);
    }
}
