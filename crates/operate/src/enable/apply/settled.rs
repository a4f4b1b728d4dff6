//! Whether the change has arrived: in the pod's configuration, and on every route.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use railhead_client::hops::{Settings, Walker};
use railhead_doctor::{Diagnosis, Severity, diagnose};
use tokio::time::{Instant, sleep};

use super::{Apply, chain, dump, waits_for_certificate};
use crate::enable::AppIni;
use crate::enable::check;

/// How long a proxy may take to learn of a route.
const PROXY: Duration = Duration::from_mins(1);
/// How long a certificate may take.
const CERTIFICATE: Duration = Duration::from_mins(5);
/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// The largest `app.ini` that is read.
const LARGEST: usize = 1 << 20;
/// How long reading it may take.
const READING: Duration = Duration::from_secs(30);
/// What is read where nobody named a repository. It need not exist.
const NOBODYS: &str = "railhead/doctor";

impl Apply<'_> {
    /// Whether the running forge reads what it has to.
    pub(super) async fn live(&self) -> Result<String, String> {
        check::judge(&self.app_ini().await?, self.wanted, self.plan)
    }

    /// What the running forge reads.
    pub(super) async fn app_ini(&self) -> Result<AppIni, String> {
        let (pod, config) = dump::pod(self.cluster, &self.wanted.release, &self.wanted.namespace).await?;
        let ran = self.cluster.exec(&pod, &["cat", &config], LARGEST, READING).await;
        let ran = ran.map_err(|error| chain(&error))?;
        if ran.code != 0 {
            return Err(format!("{config} in the pod {pod} cannot be read"));
        }
        Ok(AppIni::parse(&ran.text()))
    }

    /// Looks at the routes until the first has no error and no other has one that it did not have before.
    pub(super) async fn reaches(&self, before: &[String]) -> Result<String, String> {
        let usual = if waits_for_certificate(self.wanted) { CERTIFICATE } else { PROXY };
        let patience = self.patience.unwrap_or(usual);
        let until = Instant::now() + patience;
        loop {
            let diagnosis = self.diagnose().await?;
            let worse = self.worse(&diagnosis, before);
            if worse.is_empty() {
                let routes: Vec<&str> = self.routes.iter().map(|route| route.name.as_str()).collect();
                return Ok(format!("{}; routes: {}", diagnosis.verdict.text, routes.join(", ")));
            }
            if Instant::now() > until {
                return Err(worse.into_iter().collect::<Vec<_>>().join("; "));
            }
            sleep(PAUSE).await;
        }
    }

    fn worse(&self, diagnosis: &Diagnosis, before: &[String]) -> BTreeSet<String> {
        let first = self.routes.first().map(|route| route.name.as_str());
        errors(diagnosis)
            .filter(|(route, said)| Some(route.as_str()) == first || !before.contains(said))
            .map(|(_, said)| said)
            .collect()
    }

    /// The errors that there are now.
    pub(super) async fn errors(&self) -> Result<Vec<String>, String> {
        Ok(errors(&self.diagnose().await?).map(|(_, said)| said).collect())
    }

    async fn diagnose(&self) -> Result<Diagnosis, String> {
        let repository = NOBODYS.parse().map_err(|error: railhead_oci::NameError| error.to_string())?;
        let mut settings = Settings::new(self.place.host.clone(), repository);
        settings.known = self.routes.to_vec();
        settings.write = false;
        let walker = Walker::new(settings).map_err(|error| chain(&error))?;
        Ok(diagnose(self.place, walker.walk_all(self.routes).await, Timestamp::now()))
    }
}

/// Each error on each route: the route, and the code with it.
fn errors(diagnosis: &Diagnosis) -> impl Iterator<Item = (String, String)> {
    let errors = diagnosis.findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.flat_map(|finding| {
        let said =
            |route: &String| (route.clone(), format!("{} on {route}: {}", finding.code, finding.title));
        finding.routes.iter().map(said).collect::<Vec<_>>()
    })
}
