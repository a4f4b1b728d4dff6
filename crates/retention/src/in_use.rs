//! References that something runs with, and so must stay: from a list, or from what a cluster says of its workloads.
//!
//! The host of a reference is not looked at: nodes name one registry in many ways, and to keep an image too many
//! harms nobody.

use std::collections::{BTreeMap, BTreeSet};

use railhead_oci::{Digest, RepositoryName, Tag};
use serde_json::Value;

/// References in use, by repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InUse {
    tags: BTreeSet<(RepositoryName, Tag)>,
    digests: BTreeSet<(RepositoryName, Digest)>,
}

impl InUse {
    /// Reads references as they stand in a pod's specification; those that name no repository are given back.
    pub fn of<'a>(references: impl IntoIterator<Item = &'a str>) -> (Self, Vec<String>) {
        let (mut all, mut foreign) = (Self::default(), Vec::new());
        for text in references {
            if all.add(text.trim()).is_none() && !text.trim().is_empty() {
                foreign.push(text.to_owned());
            }
        }
        (all, foreign)
    }

    fn add(&mut self, text: &str) -> Option<()> {
        // As container runtimes write what they run: docker-pullable://host/name@digest.
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse::<Digest>().ok()?)),
            None => (text, None),
        };
        let (rest, tag) = match rest.rsplit_once(':') {
            Some((rest, tag)) if !tag.contains('/') => (rest, Some(tag.parse::<Tag>().ok()?)),
            _ => (rest, None),
        };
        let is_host = |first: &str| first.contains(['.', ':', '[']) || first == "localhost";
        let name = match rest.split_once('/') {
            Some((first, name)) if is_host(first) => name,
            _ => rest,
        };
        let name: RepositoryName = name.parse().ok()?;
        match (&tag, digest) {
            (None, None) => drop(self.tags.insert((name.clone(), "latest".parse().ok()?))),
            (Some(tag), _) => drop(self.tags.insert((name.clone(), tag.clone()))),
            (None, Some(_)) => {}
        }
        if let Some(digest) = digest {
            self.digests.insert((name, digest));
        }
        Some(())
    }

    pub(crate) fn has_tag(&self, name: &RepositoryName, tag: &Tag) -> bool {
        self.tags.contains(&(name.clone(), tag.clone()))
    }

    pub(crate) fn has_digest(&self, name: &RepositoryName, digest: &Digest) -> bool {
        self.digests.contains(&(name.clone(), *digest))
    }
}

/// The images of all workloads in what `kubectl get … -o json` writes, and how many objects of each kind there are.
///
/// Every pod template counts, wherever it is: in a `Deployment`, `StatefulSet`, `DaemonSet`, `Job` or `CronJob`, in each
/// `ReplicaSet` and `ControllerRevision` that a rollback goes back to, and in kinds that nobody has thought of yet.
pub fn workloads(list: &Value) -> (BTreeSet<String>, BTreeMap<String, usize>) {
    let (mut images, mut kinds) = (BTreeSet::new(), BTreeMap::new());
    let items = list.get("items").and_then(Value::as_array).map_or(std::slice::from_ref(list), Vec::as_slice);
    for item in items {
        let kind = item.get("kind").and_then(Value::as_str).unwrap_or("(no kind)");
        *kinds.entry(kind.to_owned()).or_default() += 1;
        collect(item, &mut images);
    }
    (images, kinds)
}

const CONTAINERS: [&str; 6] = [
    "containers",
    "initContainers",
    "ephemeralContainers",
    "containerStatuses",
    "initContainerStatuses",
    "ephemeralContainerStatuses",
];

/// Kubernetes' objects are not deep, and the JSON reader has a bound of its own.
fn collect(value: &Value, images: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let containers = value.as_array().filter(|_| CONTAINERS.contains(&name.as_str()));
                for container in containers.into_iter().flatten() {
                    let named =
                        ["image", "imageID"].into_iter().filter_map(|field| container.get(field)?.as_str());
                    // An imageID without a name is only the runtime's own word for the image.
                    images.extend(named.filter(|text| text.contains('/')).map(str::to_owned));
                }
                if name == "image"
                    && let Some(reference) = value.get("reference").and_then(Value::as_str)
                {
                    images.insert(reference.to_owned());
                }
                collect(value, images);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, images)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_read_as_pods_write_them() {
        let digest = Digest::sha256(b"a");
        let texts = [
            "git.example.com:8443/team/app:v1".to_owned(),
            "team/web".to_owned(),
            format!("docker-pullable://localhost/team/tool@{digest}"),
            format!("git.example.com/team/both:v2@{digest}"),
            "sha256:0123".to_owned(),
            " ".to_owned(),
        ];
        let (in_use, foreign) = InUse::of(texts.iter().map(String::as_str));
        let tag = |name: &str, tag: &str| in_use.has_tag(&name.parse().unwrap(), &tag.parse().unwrap());
        let by_digest = |name: &str| in_use.has_digest(&name.parse().unwrap(), &digest);
        assert!(tag("team/app", "v1") && tag("team/web", "latest") && tag("team/both", "v2"));
        assert!(by_digest("team/tool") && by_digest("team/both") && !by_digest("team/app"));
        assert!(!tag("team/tool", "latest"), "a digest says which one");
        assert_eq!(foreign, ["sha256:0123"]);
    }

    #[test]
    fn every_pod_template_counts() {
        let template = |image: &str| json!({ "spec": { "containers": [{ "image": image }] } });
        let list = json!({ "kind": "List", "items": [
            { "kind": "Deployment", "spec": { "template": template("h/team/deployment:1") } },
            { "kind": "ReplicaSet", "spec": { "replicas": 0, "template": template("h/team/rollback:1") } },
            { "kind": "ControllerRevision", "data": { "spec": { "template": template("h/team/revision:1") } } },
            { "kind": "CronJob", "spec": { "jobTemplate": { "spec": { "template": template("h/team/cron:1") } } } },
            { "kind": "Pod", "spec": {
                "initContainers": [{ "image": "h/team/init:1" }],
                "volumes": [{ "image": { "reference": "h/team/volume:1" } }],
              }, "status": { "containerStatuses": [{ "image": "h/team/pod:1", "imageID": "h/team/pod@sha256:12" }] } },
            { "kind": "Pod", "spec": {}, "status": { "containerStatuses": [{ "imageID": "sha256:12" }] } },
        ] });
        let (images, kinds) = workloads(&list);
        let images: Vec<_> = images.iter().map(|image| image.trim_start_matches("h/team/")).collect();
        assert_eq!(
            images,
            [
                "cron:1",
                "deployment:1",
                "init:1",
                "pod:1",
                "pod@sha256:12",
                "revision:1",
                "rollback:1",
                "volume:1"
            ]
        );
        assert_eq!((kinds["Pod"], kinds["Deployment"]), (2, 1));
        assert_eq!(workloads(&list["items"][0]).0.len(), 1, "one object alone");
    }
}
