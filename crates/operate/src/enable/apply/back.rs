//! The way back: everything that was changed is as it was before, also where the API server was away for a while.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use super::change::Change;
use super::{Apply, Record, Verdict, chain, kind, text};
use crate::enable::check::step;
use crate::enable::plan::Wanted;
use crate::prove::Outcome;

/// How long an API server that is away is waited for.
const AWAY: Duration = Duration::from_mins(5);
/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// What the API server keeps of an object by itself.
const OWN: [&str; 5] = ["managedFields", "resourceVersion", "uid", "generation", "creationTimestamp"];

impl Apply<'_> {
    pub(super) async fn roll_back(&self, record: &Record<'_>, change: &Change) -> Verdict {
        let Wanted { release, namespace, .. } = self.wanted;
        let since = Instant::now();
        match self.answers().await {
            Ok(0) => {}
            Ok(tries) => {
                record.note("API server", since, Ok(format!("it answers again, after {tries} tries")));
            }
            Err(why) => {
                record.note("API server", since, Err(why));
                return Verdict::NotRolledBack;
            }
        }
        let mut is_well = true;
        if change.upgraded {
            let since = Instant::now();
            let revision = change.state.revision;
            let back = self.helm.rollback(release, namespace, revision).await;
            let back = back.map(|()| format!("to revision {revision}")).map_err(|error| {
                format!("{error}; by hand: `helm rollback {release} {revision} --namespace {namespace}`")
            });
            is_well &= record.note("roll back the release", since, back);
        }
        for (object, before) in change.objects.iter().rev() {
            let since = Instant::now();
            is_well &=
                record.note("roll back the route", since, self.put_back(object, before.as_ref()).await);
        }
        if change.upgraded && is_well {
            self.note_what_stays(record, change).await;
        }
        is_well &= self.forge.health("after the roll-back", &mut |step| record.put(step)).await;
        if is_well { Verdict::RolledBack } else { Verdict::NotRolledBack }
    }

    /// The chart never takes a key out of the `app.ini` in the volume, so one that was new is there still.
    async fn note_what_stays(&self, record: &Record<'_>, change: &Change) {
        let since = Instant::now();
        let now = match self.app_ini().await {
            Ok(now) => now,
            Err(why) => {
                return record.put(step("app.ini after the roll-back", since, Outcome::NotTried, why));
            }
        };
        let settings = self.plan.settings.changes.iter();
        let stay: Vec<String> = settings
            .filter(|one| now.get(one.section, one.key) != change.ini.get(one.section, one.key))
            .map(crate::enable::Setting::name)
            .collect();
        let told = if stay.is_empty() {
            "as it was".to_owned()
        } else {
            format!(
                "{} in the file stay new until the chart writes them again; it never takes a key out",
                stay.join(", ")
            )
        };
        record.put(step("app.ini after the roll-back", since, Outcome::Fact, told));
    }

    /// Waits for the API server; how often it did not answer.
    async fn answers(&self) -> Result<u32, String> {
        let since = Instant::now();
        let mut tries = 0;
        loop {
            match self.cluster.version().await {
                Ok(_) => return Ok(tries),
                Err(error) if since.elapsed() > AWAY => return Err(chain(&error)),
                Err(_) => tries += 1,
            }
            sleep(PAUSE).await;
        }
    }

    async fn put_back(&self, object: &Value, before: Option<&Value>) -> Result<String, String> {
        let (namespace, name) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
        let words = format!("{} {namespace}/{name}", text(object, "/kind"));
        let Some(before) = before else {
            self.cluster.delete(&kind(object), Some(namespace), name).await.map_err(|error| chain(&error))?;
            return Ok(format!("{words} is gone again"));
        };
        let mut before = before.clone();
        if let Some(root) = before.as_object_mut() {
            root.remove("status");
        }
        if let Some(metadata) = before["metadata"].as_object_mut() {
            for key in OWN {
                metadata.remove(key);
            }
        }
        self.cluster.apply(&before, false).await.map_err(|error| chain(&error))?;
        Ok(format!("{words} is as it was"))
    }
}
