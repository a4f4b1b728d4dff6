//! Pulls the image on the nodes of a cluster, as their kubelets do: a pod on each, by digest, whatever the node has already.
//!
//! Order: which nodes and which logins there are, on each node a pod without a pull secret and then one with it, what each came to.
//! The pods are removed by the proof's clean-up.
//!
//! Invariants: a pod is written down before it is made, so that it is removed whenever and however the proof ends; a pull that has to be
//! refused and is not is told like one that has to work and does not; whatever fails is named by a code of the doctor's catalogue,
//! or in the kubelet's own words.

mod cause;
mod field;
mod pod;
mod pull;
mod remove;

use std::time::Instant;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use railhead_client::chain;
use railhead_client::hops::without_patterns;
use railhead_cluster::Cluster;
use railhead_doctor::{Code, Layer, Owners};
use serde::{Deserialize, Serialize};

use self::field::Field;
use super::bench::{Bench, Checked, Record, Seen as Step, Trouble};
use super::record::{Outcome, Verdict};
use crate::site::Visibility;

/// The step's name.
pub(super) const NAME: &str = "node pull";
/// Nodes that pull at the same time.
const AT_ONCE: usize = 8;

/// The cluster whose nodes pull.
#[derive(Debug)]
pub struct Nodes {
    /// The cluster.
    pub cluster: Cluster,
    /// Where the pods are made.
    pub namespace: String,
    /// The pull secret that is tried, by its name in that namespace.
    pub secret: Option<String>,
    /// Only these nodes; without any, all that are ready.
    pub only: Vec<String>,
    /// Who owns which layer.
    pub owners: Owners,
    /// A word for the names of what is made, which nothing else has.
    pub id: String,
}

/// What a pull on a node came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePull {
    /// The node.
    pub node: String,
    /// The pull secrets; none where it was tried without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Whether the node pulled the image.
    pub pulled: bool,
    /// How it counts.
    pub outcome: Outcome,
    /// From the pod's creation to its end, as seen from here.
    pub millis: u64,
    /// When the kubelet began to pull.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
    /// How long the pull took, as the kubelet measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_millis: Option<u64>,
    /// The image's bytes on the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// What the kubelet says of a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// Why it failed, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// Why a node could not pull, who has to act, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// What the catalogue of findings calls it: `RH-TLS-UNTRUSTED`.
    pub code: String,
    /// Where it lies.
    pub layer: Layer,
    /// Who owns that layer, if the site says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What to do.
    pub fix: String,
}

impl Cause {
    /// `RH-TLS-UNTRUSTED (client, infra-team)`.
    pub fn words(&self) -> String {
        let owner = self.owner.as_ref().map_or_else(String::new, |owner| format!(", {owner}"));
        format!("{} ({}{owner})", self.code, self.layer)
    }
}

impl NodePull {
    /// `node1, with registry-pull`.
    fn place(&self) -> String {
        match self.secrets.as_slice() {
            [] => format!("{}, without a secret", self.node),
            secrets => format!("{}, with {}", self.node, secrets.join(" and ")),
        }
    }
}

impl Bench<'_> {
    /// Lets the nodes pull; what each came to.
    pub(super) async fn node_pulls(
        &self,
        nodes: &Nodes,
        visibility: Option<Visibility>,
        record: &mut Record<'_>,
    ) -> Vec<NodePull> {
        let since = Instant::now();
        let field = match field::look(nodes, &self.plan.image.platforms()).await {
            Ok(field) => field,
            Err(trouble) => {
                record.note(NAME, None, since.elapsed().as_millis() as u64, Err(trouble));
                return Vec::new();
            }
        };
        for (place, why) in &field.resting {
            record.note(NAME, Some(place), 0, Ok(Step::not_tried(why)));
        }
        let mut pulls = Vec::new();
        let tries = field.nodes.iter().enumerate();
        let tries = tries.map(|(at, node)| self.pulls_on(nodes, at, node, &field));
        let mut tries = futures_util::stream::iter(tries).buffered(AT_ONCE);
        while let Some(on_node) = tries.next().await {
            for tried in on_node {
                match tried {
                    Ok(mut pull) => {
                        pull.said = pull.said.map(|said| without_patterns(&record.secrets.clean(&said)));
                        let checked = judge(&mut pull, visibility);
                        record.note(NAME, Some(&pull.place()), pull.millis, checked);
                        pulls.push(pull);
                    }
                    Err((node, trouble)) => {
                        record.note(NAME, Some(&node), 0, Err(trouble));
                    }
                }
            }
        }
        let is_in_want = visibility == Some(Visibility::Private) && !pulls.iter().any(|pull| pull.pulled);
        if is_in_want && field.secrets.is_empty() {
            let why = "a private image needs a pull secret, and none is named: name it with --pull-secret";
            record.note(NAME, Some("with a secret"), 0, Ok(Step::not_tried(why)));
        }
        pulls
    }

    /// One node after the other login: what the first leaves on the node would make the second look fast.
    async fn pulls_on(
        &self,
        nodes: &Nodes,
        at: usize,
        node: &str,
        field: &Field,
    ) -> Vec<Result<NodePull, (String, Trouble)>> {
        let mut all = Vec::new();
        let without = field.tries_without.then_some(&[][..]);
        let with = Some(field.secrets.as_slice()).filter(|secrets| !secrets.is_empty());
        for (way, secrets) in without.into_iter().chain(with).enumerate() {
            let name = pod::name(&nodes.id, at * 2 + way, node);
            let pulled = self.pull_on(nodes, &name, node, secrets).await;
            all.push(pulled.map_err(|trouble| (node.to_owned(), trouble)));
        }
        all
    }
}

/// Whether it is what it has to be.
fn judge(pull: &mut NodePull, visibility: Option<Visibility>) -> Checked {
    let is_without = pull.secrets.is_empty();
    let is_refused = pull.cause.as_ref().is_some_and(|cause| cause.layer == Layer::Identity);
    let has_own = pull.cause.as_ref().is_some_and(|cause| cause.code == Code::AuthRefused.to_string());
    let checked = match (pull.pulled, visibility) {
        (true, Some(Visibility::Private)) if is_without => Ok(Step::fact(format!(
            "pulled{}, though nobody may without a login: the node has one of its own, by a credential provider or in its runtime",
            measured(pull)
        ))),
        (true, _) => Ok(Step::ok(format!("pulled by digest{}", measured(pull)))),
        (false, _) if is_without && has_own => {
            Ok(Step::fact("refused: the node has a login of its own, and the registry does not take it"))
        }
        (false, Some(Visibility::Private)) if is_without && is_refused => {
            Ok(Step::ok("refused, as it has to be for a private image"))
        }
        (false, None) if is_without && is_refused => Ok(Step::fact("refused: the image is private")),
        (false, _) => Err(Trouble::new(words(pull))),
    };
    pull.outcome = checked.as_ref().map_or(Outcome::Failed, |seen| seen.outcome);
    checked
}

/// ` in 430 ms, 74319 bytes`, as far as the kubelet said so.
fn measured(pull: &NodePull) -> String {
    let time = pull.pull_millis.map_or_else(String::new, |millis| format!(" in {millis} ms"));
    let bytes = pull.bytes.map_or_else(String::new, |bytes| format!(", {bytes} bytes"));
    time + &bytes
}

fn words(pull: &NodePull) -> String {
    let said = cause::heart(pull.said.as_deref().unwrap_or("the kubelet says nothing"));
    match &pull.cause {
        Some(cause) => format!("{}: {said}", cause.words()),
        None => said.to_owned(),
    }
}

/// What the cluster's answer means for the proof.
fn trouble(error: &railhead_cluster::Error) -> Trouble {
    use railhead_cluster::Error;
    let class = match error {
        Error::Denied { .. } | Error::Unauthenticated { .. } => Verdict::Denied,
        Error::Unreachable { .. } | Error::Slow { .. } => Verdict::Unreachable,
        _ => Verdict::Failed,
    };
    let mut detail = chain(error);
    if let Some(hint) = error.hint() {
        detail = format!("{detail}; {hint}");
    }
    Trouble::of(detail, class)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pull(secrets: &[&str], pulled: bool, layer: Option<Layer>) -> NodePull {
        let cause = layer.map(|layer| Cause {
            code: "RH-X".into(),
            layer,
            owner: Some("infra".into()),
            fix: "do".into(),
        });
        NodePull {
            node: "node1".into(),
            secrets: secrets.iter().map(|&name| name.to_owned()).collect(),
            pulled,
            outcome: Outcome::NotTried,
            millis: 1,
            began: None,
            pull_millis: Some(430),
            bytes: Some(74319),
            said: Some("failed to resolve reference \"a\": refused".into()).filter(|_| !pulled),
            cause,
        }
    }

    #[test]
    fn a_private_image_has_to_be_refused_without_a_login_and_pulled_with_one() {
        let (private, public) = (Some(Visibility::Private), Some(Visibility::Public));
        let (identity, tls) = (Some(Layer::Identity), Some(Layer::Tls));
        for (secrets, pulled, layer, visibility, outcome) in [
            (&[][..], true, None, public, Outcome::Ok),
            (&[], true, None, private, Outcome::Fact),
            (&[], false, identity, private, Outcome::Ok),
            (&[], false, identity, public, Outcome::Failed),
            (&[], false, identity, None, Outcome::Fact),
            (&[], false, tls, private, Outcome::Failed),
            (&["a"], true, None, private, Outcome::Ok),
            (&["a"], false, identity, private, Outcome::Failed),
            (&["a"], false, None, None, Outcome::Failed),
        ] {
            let mut pull = pull(secrets, pulled, layer);
            let _ = judge(&mut pull, visibility);
            assert_eq!(pull.outcome, outcome, "{secrets:?} {pulled} {layer:?} {visibility:?}");
        }
    }

    #[test]
    fn a_failure_says_who_has_to_act_in_the_kubelets_own_words() {
        let trouble = judge(&mut pull(&["a", "b"], false, Some(Layer::Client)), None).err().unwrap();
        assert_eq!(trouble.detail, "RH-X (client, infra): refused");
        assert_eq!(pull(&["a", "b"], true, None).place(), "node1, with a and b");
        let seen = judge(&mut pull(&[], true, None), None).unwrap();
        assert_eq!(seen.detail, "pulled by digest in 430 ms, 74319 bytes");
    }
}
