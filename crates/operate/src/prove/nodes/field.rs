//! The nodes that are to pull, and the logins that they are tried with.

use railhead_cluster::{Error, Kind, Seen, kinds};
use serde_json::Value;

use super::{Nodes, trouble};
use crate::prove::bench::Trouble;
use crate::prove::record::Verdict;

const SERVICE_ACCOUNT: Kind = Kind {
    group: "",
    versions: &["v1"],
    plural: "serviceaccounts",
    name: "ServiceAccount",
    namespaced: true,
};

/// What is tried where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// The nodes that pull.
    pub(super) nodes: Vec<String>,
    /// What is not tried, and why.
    pub(super) resting: Vec<(String, String)>,
    /// Whether a pod can be without a pull secret.
    pub(super) tries_without: bool,
    /// The pull secrets of the pods that have some.
    pub(super) secrets: Vec<String>,
}

/// Asks the cluster.
pub(super) async fn look(nodes: &Nodes, platforms: &[String]) -> Result<Field, Trouble> {
    let all = found(nodes.cluster.list(&kinds::NODE, None).await)?.unwrap_or_default();
    let mut field = choose(&all, &nodes.only, platforms)?;
    let account = nodes.cluster.get(&SERVICE_ACCOUNT, Some(&nodes.namespace), "default").await;
    let account = match account.map_err(|error| trouble(&error))? {
        Seen::Found(account) => account,
        Seen::Absent => {
            let what =
                format!("there is no namespace {}, or it has no service account default", nodes.namespace);
            return Err(Trouble::new(what));
        }
        // Only who gives pods a pull secret unasked is then unknown.
        Seen::Denied(_) => Value::Null,
    };
    field.login(&account, nodes);
    Ok(field)
}

fn found<T>(seen: Result<Seen<T>, Error>) -> Result<Option<T>, Trouble> {
    match seen.map_err(|error| trouble(&error))? {
        Seen::Found(found) => Ok(Some(found)),
        Seen::Absent => Ok(None),
        Seen::Denied(right) => {
            let what = format!("the right to {right} is missing; a role needs the rule {}", right.rule());
            Err(Trouble::of(what, Verdict::Denied))
        }
    }
}

/// The nodes that pull, of all that there are.
fn choose(all: &[Value], only: &[String], platforms: &[String]) -> Result<Field, Trouble> {
    let name = |node: &Value| node["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if let Some(unknown) = only.iter().find(|one| !all.iter().any(|node| name(node) == **one)) {
        let names: Vec<String> = all.iter().map(name).collect();
        let what = format!("the cluster has no node {unknown}; it has {}", names.join(", "));
        return Err(Trouble::new(what));
    }
    let (mut nodes, mut resting) = (Vec::new(), Vec::new());
    for node in all.iter().filter(|node| only.is_empty() || only.contains(&name(node))) {
        match hindrance(node, platforms) {
            None => nodes.push(name(node)),
            Some(why) => resting.push((name(node), why)),
        }
    }
    nodes.sort();
    resting.sort();
    if nodes.is_empty() {
        let why: Vec<String> = resting.iter().map(|(node, why)| format!("{node}: {why}")).collect();
        let why = if why.is_empty() { "the cluster has none".to_owned() } else { why.join("; ") };
        return Err(Trouble::new(format!("no node can pull: {why}")));
    }
    Ok(Field { nodes, resting, tries_without: true, secrets: Vec::new() })
}

/// Why a node cannot pull this image.
fn hindrance(node: &Value, platforms: &[String]) -> Option<String> {
    let conditions = node["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    if !conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True") {
        return Some("the node is not ready".to_owned());
    }
    let info = &node["status"]["nodeInfo"];
    let (system, machine) = (info["operatingSystem"].as_str()?, info["architecture"].as_str()?);
    let own = format!("{system}/{machine}");
    // A variant, as in linux/arm64/v8, is not known of a node.
    let is_of = |platform: &String| {
        platform.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let is_made = platforms.is_empty() || platforms.iter().any(is_of);
    (!is_made).then(|| format!("the image is not made for {own}"))
}

impl Field {
    /// A pod that names no pull secret gets those of its service account.
    fn login(&mut self, account: &Value, nodes: &Nodes) {
        let given = account["imagePullSecrets"].as_array().map_or(&[][..], Vec::as_slice);
        let given: Vec<String> =
            given.iter().filter_map(|one| one["name"].as_str().map(str::to_owned)).collect();
        if !given.is_empty() {
            self.tries_without = false;
            let why = format!(
                "the service account default of the namespace {} gives every pod the pull secret {}",
                nodes.namespace,
                given.join(" and ")
            );
            self.resting.push(("without a secret".to_owned(), why));
        }
        self.secrets = nodes.secret.as_ref().map_or(given, |secret| vec![secret.clone()]);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, ready: &str, machine: &str) -> Value {
        json!({"metadata": {"name": name}, "status": {
            "conditions": [{"type": "Ready", "status": ready}],
            "nodeInfo": {"operatingSystem": "linux", "architecture": machine}}})
    }

    #[test]
    fn nodes_that_are_ready_and_of_the_right_kind_pull() {
        let all = [
            node("b", "True", "amd64"),
            node("a", "True", "arm64"),
            node("c", "False", "amd64"),
            node("d", "True", "s390x"),
        ];
        let platforms = ["linux/amd64".to_owned(), "linux/arm64/v8".to_owned()];
        let field = choose(&all, &[], &platforms).unwrap();
        assert_eq!(field.nodes, ["a", "b"]);
        let resting: Vec<String> = field.resting.iter().map(|(node, why)| format!("{node}: {why}")).collect();
        assert_eq!(resting, ["c: the node is not ready", "d: the image is not made for linux/s390x"]);
        assert_eq!(choose(&all, &["b".to_owned()], &platforms).unwrap().nodes, ["b"]);
        for (only, words) in
            [("x", "no node x; it has b, a, c, d"), ("c", "no node can pull: c: the node is not ready")]
        {
            let error = choose(&all, &[only.to_owned()], &platforms).unwrap_err();
            assert!(error.detail.contains(words), "{}", error.detail);
        }
    }
}
