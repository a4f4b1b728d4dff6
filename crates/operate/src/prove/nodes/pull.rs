//! One pull on one node.
//!
//! Order: the pod, what becomes of it, what the kubelet told of it, why it failed. A kubelet that did not get the pull secret in time has
//! tried without it, and its next try counts.

use std::time::{Duration, Instant};

use railhead_cluster::{Error, Seen, kinds};
use serde_json::Value;
use tokio::time::sleep;

use super::cause::{self, At, Found, is_refusal};
use super::pod::{self, Phase, Told, phase};
use super::{Cause, NodePull, Nodes, trouble};
use crate::prove::bench::{Bench, Trouble};
use crate::prove::record::Outcome;

/// How long a pull may take.
const PATIENCE: Duration = Duration::from_mins(3);
/// How long a kubelet takes to try again, and somewhat more: it waits 10 s.
const AGAIN: Duration = Duration::from_secs(30);
/// How long events may come after what they tell of.
const LATE: Duration = Duration::from_secs(5);
/// Between two looks at the events.
const PAUSE: Duration = Duration::from_millis(200);

impl Bench<'_> {
    /// Lets `node` pull the image in a pod called `name`.
    pub(super) async fn pull_on(
        &self,
        nodes: &Nodes,
        name: &str,
        node: &str,
        secrets: &[String],
    ) -> Result<NodePull, Trouble> {
        let digest = self.plan.image.root().ok_or_else(|| Trouble::new("the image has no digest"))?.digest;
        // By digest, so that nothing but this image can be meant.
        let image = format!("{}/{}@{digest}", self.plan.host, self.plan.repository);
        let since = Instant::now();
        let pod = pod::pod(name, &nodes.namespace, node, &image, secrets);
        let (seen, told) = self.watch_pod(nodes, name, &pod).await.map_err(|error| trouble(&error))?;
        let millis = since.elapsed().as_millis() as u64;
        let said = match seen {
            Phase::Pulled => None,
            Phase::Failed(said) => Some(told.failure.unwrap_or(said)),
            Phase::Ended(said) => Some(said),
        };
        let cause = match &said {
            Some(said) => self.cause(nodes, name, node, said, secrets, &told.unfetched).await,
            None => None,
        };
        Ok(NodePull {
            node: node.to_owned(),
            secrets: secrets.to_vec(),
            pulled: said.is_none(),
            outcome: Outcome::NotTried,
            millis,
            began: told.began,
            pull_millis: told.millis,
            bytes: told.bytes,
            said,
            cause,
        })
    }

    /// Makes a pod, waits until its image is there or is not to be had, and removes it.
    async fn watch_pod(&self, nodes: &Nodes, name: &str, pod: &Value) -> Result<(Phase, Told), Error> {
        let namespace = Some(nodes.namespace.as_str());
        {
            let _whole = self.whole.lock().await;
            self.made.in_cluster(kinds::POD, name);
            nodes.cluster.create(pod).await?;
        }
        let wait = |patience, look| nodes.cluster.wait_for(&kinds::POD, namespace, name, patience, look);
        let mut seen = wait(PATIENCE, Box::new(phase) as Look).await?;
        let mut told = told(nodes, name, seen.as_ref()).await?;
        let is_early = matches!(&seen, Some(Phase::Failed(said)) if is_refusal(said));
        if is_early
            && !told.unfetched.is_empty()
            && let Some(next) = wait(AGAIN, Box::new(pod::next_try()) as Look).await?
        {
            told = self::told(nodes, name, Some(&next)).await?;
            seen = Some(next);
        }
        nodes.cluster.delete_within(&kinds::POD, namespace, name, Some(0)).await?;
        let late = || {
            let why = told.warning.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            Phase::Ended(format!("it was not pulled within {} s{why}", PATIENCE.as_secs()))
        };
        Ok((seen.unwrap_or_else(late), told))
    }

    /// Why it failed. What only says that there is nothing is asked about once more.
    async fn cause(
        &self,
        nodes: &Nodes,
        name: &str,
        node: &str,
        said: &str,
        secrets: &[String],
        unfetched: &[String],
    ) -> Option<Cause> {
        let at = At { host: &self.plan.host, namespace: &nodes.namespace, secrets, unfetched };
        let found = match cause::cause(said, at)? {
            Found::Known(found) => found,
            Found::Nothing => cause::nothing(&at, self.asks_for_logins(nodes, name, node).await),
        };
        let owner = nodes.owners.of(found.layer).map(str::to_owned);
        Some(Cause { code: found.code.to_string(), layer: found.layer, owner, fix: found.fix })
    }

    /// Whether what the node reaches refuses a login that nobody has, as the registry does; none where that cannot be told.
    ///
    /// A runtime says the same of a registry without the image and of a proxy without a route. Only the former asks for a login.
    async fn asks_for_logins(&self, nodes: &Nodes, name: &str, node: &str) -> Option<bool> {
        self.plan.account.as_ref()?;
        let name = format!("{name}-x");
        let secret = pod::wrong_login(&name, &nodes.namespace, &self.plan.host);
        {
            let _whole = self.whole.lock().await;
            self.made.in_cluster(kinds::SECRET, &name);
            // Who may not make one cannot tell.
            nodes.cluster.create(&secret).await.ok()?;
        }
        let digest = self.plan.image.root()?.digest;
        // A public image would be given without a login.
        let image = format!("{}/{}-none@{digest}", self.plan.host, self.plan.repository);
        let pod = pod::pod(&name, &nodes.namespace, node, &image, std::slice::from_ref(&name));
        match self.watch_pod(nodes, &name, &pod).await.ok()?.0 {
            Phase::Failed(said) if is_refusal(&said) => Some(true),
            Phase::Failed(said) if cause::is_nothing(&said) => Some(false),
            _ => None,
        }
    }
}

type Look = Box<dyn FnMut(Option<&Value>) -> Option<Phase>>;

/// What the events tell, which may come a moment after what they tell of. Who may not read them learns no times.
async fn told(nodes: &Nodes, name: &str, seen: Option<&Phase>) -> Result<Told, Error> {
    let until = Instant::now() + LATE;
    loop {
        let Seen::Found(events) = nodes.cluster.events(&nodes.namespace, name).await? else {
            return Ok(Told::default());
        };
        let told = pod::told(&events);
        let is_whole = match seen {
            Some(Phase::Pulled) => told.millis.is_some(),
            Some(Phase::Failed(_)) => told.failure.is_some(),
            Some(Phase::Ended(_)) | None => true,
        };
        if is_whole || Instant::now() > until {
            return Ok(told);
        }
        sleep(PAUSE).await;
    }
}
