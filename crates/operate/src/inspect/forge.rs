//! Where the forge runs: the workload with its image, its pods, and where a directory of it is kept.

use serde_json::Value;

use super::look::{full_name, is, list, name, namespace, number, selects, text};

/// A workload that runs a forge.
#[derive(Clone, Debug)]
pub struct Workload<'a> {
    /// The Deployment or StatefulSet.
    pub object: &'a Value,
    /// The container with the forge.
    pub container: &'a Value,
    /// `gitea` or `forgejo`.
    pub software: &'static str,
}

/// All of them, in the order of the lists.
pub fn workloads<'a>(objects: impl Iterator<Item = &'a Value>) -> Vec<Workload<'a>> {
    let of = |object: &'a Value| {
        list(object, "/spec/template/spec/containers").iter().find_map(|container| {
            let software = software(text(container, "/image"))?;
            Some(Workload { object, container, software })
        })
    };
    objects.filter_map(of).collect()
}

/// What an image is of, by the last part of its name.
fn software(image: &str) -> Option<&'static str> {
    let last = image.split('@').next()?.rsplit('/').next()?;
    match last.split(':').next()? {
        "gitea" => Some("gitea"),
        "forgejo" => Some("forgejo"),
        _ => None,
    }
}

/// The version in an image's tag, as `1.25.4` of `1.25.4-rootless`.
pub fn version(image: &str) -> Option<String> {
    let last = image.split('@').next()?.rsplit('/').next()?;
    let tag = last.split_once(':')?.1;
    let version = tag.split('-').next()?;
    version.starts_with(|first: char| first.is_ascii_digit()).then(|| version.to_owned())
}

/// Where a directory of the container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On a claim.
    Claim(String),
    /// In a directory of the node.
    Node(String),
    /// In memory, or gone with the pod.
    Nowhere,
    /// On a volume of another kind: `nfs`, `csi`.
    Other(String),
}

impl Workload<'_> {
    /// Its namespace.
    pub fn namespace(&self) -> &str {
        namespace(self.object)
    }

    /// As `Deployment default/gitea`.
    pub fn words(&self) -> String {
        format!("{} {}", text(self.object, "/kind"), full_name(self.object))
    }

    /// Its Helm release, by Helm's own annotation or the usual label.
    pub fn release(&self) -> Option<&str> {
        let of = |pointer| Some(text(self.object, pointer)).filter(|text| !text.is_empty());
        of("/metadata/annotations/meta.helm.sh~1release-name")
            .or_else(|| of("/metadata/labels/app.kubernetes.io~1instance"))
    }

    /// Its pods, those that run first.
    pub fn pods<'a>(&self, pods: &'a [Value]) -> Vec<&'a Value> {
        let selector = self.object.pointer("/spec/selector/matchLabels");
        let mine = |pod: &&Value| {
            namespace(pod) == self.namespace() && selects(selector, pod.pointer("/metadata/labels"))
        };
        let mut pods: Vec<&Value> = pods.iter().filter(mine).collect();
        pods.sort_by_key(|pod| (!is_ready(pod), name(pod).to_owned()));
        pods
    }

    /// Pods that are asked for, those that are updated and ready, and all that are ready. While a roll-out is stuck, the old pods
    /// are ready and the new ones are not.
    pub fn rollout(&self) -> (u64, u64, u64) {
        let wanted = self.object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
        let seen =
            number(self.object, "/metadata/generation") <= number(self.object, "/status/observedGeneration");
        let status = |called: &str| number(self.object, &format!("/status/{called}"));
        let (all, updated, ready) = (status("replicas"), status("updatedReplicas"), status("readyReplicas"));
        let old = all.saturating_sub(updated);
        let updated = if seen { updated.min(ready.saturating_sub(old)) } else { 0 };
        (wanted, updated, ready)
    }

    /// The value of a variable of the container, where it stands in the pod template.
    pub fn variable(&self, called: &str) -> Option<&str> {
        let variable = list(self.container, "/env").iter().find(|one| text(one, "/name") == called)?;
        variable.get("value")?.as_str()
    }

    /// On what volume a path of the container is.
    pub fn place(&self, path: &str) -> Place {
        let mounts = list(self.container, "/volumeMounts").iter();
        let over = |mount: &&Value| is_below(path, text(mount, "/mountPath"));
        let Some(mount) = mounts.filter(over).max_by_key(|mount| text(mount, "/mountPath").len()) else {
            return Place::Nowhere;
        };
        let called = text(mount, "/name");
        if let Some(volume) = list(self.object, "/spec/template/spec/volumes")
            .iter()
            .find(|volume| text(volume, "/name") == called)
        {
            return volume_place(volume);
        }
        // A StatefulSet makes a claim for each of its pods.
        let templates = list(self.object, "/spec/volumeClaimTemplates").iter();
        match templates.map(name).find(|template| *template == called) {
            Some(template) => Place::Claim(format!("{template}-{}-0", name(self.object))),
            None => Place::Nowhere,
        }
    }

    /// The Secrets that the pod template mounts.
    pub fn mounted_secrets(&self) -> impl Iterator<Item = &str> {
        let volumes = list(self.object, "/spec/template/spec/volumes").iter();
        volumes.map(|volume| text(volume, "/secret/secretName")).filter(|name| !name.is_empty())
    }
}

fn volume_place(volume: &Value) -> Place {
    let claim = text(volume, "/persistentVolumeClaim/claimName");
    if !claim.is_empty() {
        return Place::Claim(claim.to_owned());
    }
    if volume.get("emptyDir").is_some() {
        return Place::Nowhere;
    }
    if volume.get("hostPath").is_some() {
        return Place::Node(text(volume, "/hostPath/path").to_owned());
    }
    let kind = volume.as_object().and_then(|fields| fields.keys().find(|key| *key != "name").cloned());
    Place::Other(kind.unwrap_or_default())
}

fn is_below(path: &str, above: &str) -> bool {
    let above = above.trim_end_matches('/');
    path == above || path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a pod says that it is ready.
pub fn is_ready(pod: &Value) -> bool {
    super::look::condition(pod, "Ready").is_some_and(|(status, _)| status == "True")
}

/// The services that lead to the workload's pods.
pub fn services<'a>(workload: &Workload<'_>, services: &'a [Value]) -> Vec<&'a Value> {
    let labels = workload.object.pointer("/spec/template/metadata/labels");
    let mine = |service: &&Value| {
        namespace(service) == workload.namespace() && selects(service.pointer("/spec/selector"), labels)
    };
    services.iter().filter(mine).collect()
}

/// Addresses behind a service that are ready, and that are not.
pub fn behind(slices: &[Value], in_namespace: &str, service: &str) -> (usize, usize) {
    let mine = |slice: &&Value| {
        namespace(slice) == in_namespace
            && text(slice, "/metadata/labels/kubernetes.io~1service-name") == service
    };
    let endpoints = slices.iter().filter(mine).flat_map(|slice| list(slice, "/endpoints"));
    endpoints.fold((0, 0), |(ready, not), endpoint| {
        let addresses = list(endpoint, "/addresses").len();
        // What is not said counts as ready.
        if endpoint.pointer("/conditions/ready") == Some(&Value::Bool(false)) {
            (ready, not + addresses)
        } else {
            (ready + addresses, not)
        }
    })
}

/// The object of that name.
pub fn find<'a>(objects: &'a [Value], in_namespace: &str, called: &str) -> Option<&'a Value> {
    objects.iter().find(|object| is(object, in_namespace, called))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_forge_is_known_by_its_image() {
        for (image, found, release) in [
            ("docker.gitea.com/gitea:1.25.4-rootless", Some("gitea"), Some("1.25.4")),
            ("codeberg.org/forgejo/forgejo:12@sha256:00", Some("forgejo"), Some("12")),
            ("localhost:5000/gitea", Some("gitea"), None),
            ("gitea/act_runner:nightly", None, None),
            ("gitea/runner-images:ubuntu-latest", None, None),
        ] {
            assert_eq!(software(image), found, "{image}");
            if found.is_some() {
                assert_eq!(version(image).as_deref(), release, "{image}");
            }
        }
    }

    #[test]
    fn a_path_is_on_the_innermost_volume() {
        let object = json!({"kind": "Deployment", "metadata": {"name": "g", "namespace": "n"}, "spec": {"template": {"spec": {
            "containers": [{"image": "gitea", "volumeMounts": [{"mountPath": "/data", "name": "data"}, {"mountPath": "/data/tmp", "name": "temp"}]}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}, {"name": "temp", "emptyDir": {}}]}}}});
        let workload = &workloads(std::iter::once(&object))[0];
        assert_eq!(workload.place("/data/packages"), Place::Claim("c".into()));
        assert_eq!(workload.place("/data/tmp/x"), Place::Nowhere);
        assert_eq!(workload.place("/database"), Place::Nowhere);
    }
}
