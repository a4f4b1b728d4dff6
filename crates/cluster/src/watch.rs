//! Waiting for what becomes of an object, and the events that tell why.

use std::time::Duration;

use futures_util::{TryStreamExt as _, pin_mut};
use kube::api::WatchEvent;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::cluster::{Cluster, get};
use crate::kind::segment;
use crate::objects::act;
use crate::{Error, Kind, Seen, kinds};

/// After this the API server ends a watch, and the object is read anew.
const WATCH: u32 = 240;
/// Between two watches.
const PAUSE: Duration = Duration::from_millis(200);

impl Cluster {
    /// Looks at an object, and again each time that it changes, until `look` has seen enough; none when `patience` ended first.
    /// `look` gets no object where there is none, or none any more.
    pub async fn wait_for<T>(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        patience: Duration,
        mut look: impl FnMut(Option<&Value>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let until = Instant::now() + patience;
        let act = act("watch", kind, namespace, Some(name));
        loop {
            match timeout_at(until, self.watch_once(&act, kind, namespace, name, &mut look)).await {
                Err(_) => return Ok(None),
                Ok(Err(error)) => return Err(error),
                Ok(Ok(Some(seen))) => return Ok(Some(seen)),
                // The server ended the watch, as it does after a while; one that does so at once is not to be pestered.
                Ok(Ok(None)) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn watch_once<T>(
        &self,
        act: &str,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        look: &mut impl FnMut(Option<&Value>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let version = kind.versions.first().copied().unwrap_or("v1");
        let path = kind.path(version, namespace);
        let only = format!("fieldSelector=metadata.name%3D{}", segment(name));
        // A list of one, since its version is what the watch goes on from.
        let list = self.json(act, get(&format!("{path}?{only}"))).await?;
        let now = list.get("items").and_then(|items| items.get(0));
        if let Some(seen) = look(now) {
            return Ok(Some(seen));
        }
        let from = list.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
        let watch = get(&format!(
            "{path}?{only}&watch=true&timeoutSeconds={WATCH}&resourceVersion={}",
            segment(from)
        ));
        let request = watch.map_err(|error| Error::Answer { act: act.to_owned(), why: error.to_string() })?;
        let events =
            self.client.request_events::<Value>(request).await.map_err(|error| self.failed(act, error))?;
        pin_mut!(events);
        while let Some(event) = events.try_next().await.map_err(|error| self.failed(act, error))? {
            let seen = match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => look(Some(&object)),
                WatchEvent::Deleted(_) => look(None),
                WatchEvent::Bookmark(_) => None,
                // The server has forgotten that version: the object is read anew.
                WatchEvent::Error(status) if status.code == 410 => return Ok(None),
                WatchEvent::Error(status) => return Err(self.failed(act, kube::Error::Api(status))),
            };
            if seen.is_some() {
                return Ok(seen);
            }
        }
        Ok(None)
    }

    /// What happened to an object, the oldest first.
    pub async fn events(&self, namespace: &str, name: &str) -> Result<Seen<Vec<Value>>, Error> {
        let query = format!("fieldSelector=involvedObject.name%3D{}", segment(name));
        let events = self.list_where(&kinds::EVENT, Some(namespace), &query).await?;
        Ok(events.map(|mut events| {
            events.sort_by_cached_key(|event| {
                let time = ["/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
                time.iter().find_map(|at| event.pointer(at)?.as_str().map(str::to_owned)).unwrap_or_default()
            });
            events
        }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Fake, Said, status};

    #[tokio::test]
    async fn an_object_is_looked_at_until_enough_is_seen() {
        let fake = Fake::start(|request| {
            if !request.query.contains("watch=true") {
                return Said::json(200, &json!({"metadata": {"resourceVersion": "7"}, "items": [{"status": {"phase": "Pending"}}]}));
            }
            assert!(request.query.contains("resourceVersion=7"), "{}", request.query);
            Said::lines(&[
                json!({"type": "MODIFIED", "object": {"status": {"phase": "Pending"}}}),
                json!({"type": "MODIFIED", "object": {"status": {"phase": "Running"}}}),
            ])
        })
        .await;
        let mut seen = Vec::new();
        let phase = |pod: Option<&Value>| pod.map(|pod| pod["status"]["phase"].as_str().unwrap().to_owned());
        let patience = Duration::from_secs(20);
        let cluster = fake.cluster().await;
        let running = cluster.wait_for(&kinds::POD, Some("team"), "a", patience, |pod| {
            seen.extend(phase(pod));
            phase(pod).filter(|phase| phase == "Running")
        });
        assert_eq!(running.await.unwrap().as_deref(), Some("Running"));
        assert_eq!(seen, ["Pending", "Pending", "Running"]);
    }

    #[tokio::test]
    async fn waiting_ends_and_a_missing_right_is_an_error() {
        let fake = Fake::start(|request| {
            if request.query.contains("watch=true") {
                return Said::lines(&[]);
            }
            if request.path.contains("/team/") {
                return Said::json(200, &json!({"metadata": {"resourceVersion": "7"}, "items": []}));
            }
            Said::json(403, &status(403, r#"pods is forbidden: User "u" cannot list resource "pods" in API group "" in the namespace "other""#))
        })
        .await;
        let cluster = fake.cluster().await;
        let never = |_: Option<&Value>| None::<()>;
        let short = Duration::from_millis(50);
        assert_eq!(cluster.wait_for(&kinds::POD, Some("team"), "a", short, never).await.unwrap(), None);
        let error = cluster.wait_for(&kinds::POD, Some("other"), "a", short * 100, never).await.unwrap_err();
        assert!(matches!(error, Error::Denied { .. }), "{error}");
    }
}
