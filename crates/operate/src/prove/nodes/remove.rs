//! Removes what the proof made in the cluster.

use std::time::Duration;

use railhead_cluster::{Error, Kind, kinds};
use serde_json::Value;

use super::{Nodes, trouble};
use crate::prove::bench::{Bench, Checked, Seen as Step, Trouble, count};
use crate::prove::record::Verdict;

/// How long a pod may take to go.
const GOING: Duration = Duration::from_mins(1);

impl Bench<'_> {
    /// Removes every pod that was made, and sees that it is gone. `left` is what remains at any moment, as `pod NAMESPACE/NAME`.
    pub(in crate::prove) async fn remove_from_cluster(
        &self,
        nodes: &Nodes,
        left: &mut Vec<String>,
    ) -> Checked {
        let made = self.made.in_cluster_now();
        *left = made.iter().map(|(kind, name)| nodes.thing(kind, name)).collect();
        if made.is_empty() {
            return Ok(Step::ok("nothing was made there"));
        }
        let mut why = None;
        for (kind, name) in &made {
            match nodes.remove(kind, name).await {
                Ok(true) => {
                    let thing = nodes.thing(kind, name);
                    left.retain(|one| *one != thing);
                }
                Ok(false) => {}
                Err(error) => {
                    let failed = trouble(&error);
                    let is_gone = failed.class == Verdict::Unreachable;
                    why = Some(failed);
                    if is_gone {
                        // The others would be waited for in vain.
                        break;
                    }
                }
            }
        }
        if left.is_empty() {
            let pods = made.iter().filter(|(kind, _)| *kind == kinds::POD).count();
            let others = match made.len() - pods {
                0 => String::new(),
                others => format!(" and {}", count(others, "secret")),
            };
            return Ok(Step::ok(format!("{}{others}: gone", count(pods, "pod"))));
        }
        let (why, class) =
            why.map_or((String::new(), Verdict::Failed), |why| (format!(" ({})", why.detail), why.class));
        Err(Trouble::of(format!("{}{why}", nodes.remains(left)), class))
    }
}

impl Nodes {
    fn thing(&self, kind: &Kind, name: &str) -> String {
        format!("{} {}/{name}", kind.name.to_lowercase(), self.namespace)
    }

    /// Removes one thing; whether it is gone.
    async fn remove(&self, kind: &Kind, name: &str) -> Result<bool, Error> {
        let namespace = Some(self.namespace.as_str());
        let was_there = self.cluster.delete_within(kind, namespace, name, Some(0)).await?;
        if !was_there || *kind != kinds::POD {
            return Ok(true);
        }
        let gone = |object: Option<&Value>| object.is_none().then_some(());
        Ok(self.cluster.wait_for(kind, namespace, name, GOING, gone).await?.is_some())
    }

    /// What is said of what remains.
    pub(in crate::prove) fn remains(&self, left: &[String]) -> String {
        format!(
            "{} may remain; remove it with `kubectl delete pod,secret -n {} -l {}`",
            left.join(" and "),
            self.namespace,
            super::pod::label(&self.id)
        )
    }
}
