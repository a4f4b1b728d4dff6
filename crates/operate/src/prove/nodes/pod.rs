//! The pod that pulls on one node, and what its kubelet says of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

/// How long a pod may take before the cluster ends it by itself, in seconds: a proof that was killed leaves nothing running.
const DEADLINE: u32 = 300;
/// The longest name of a pod that is still a host name.
const LONGEST: usize = 63;
/// The command of the container, which cannot be found once the image is there.
const NOTHING: &str = "/railhead-proof-runs-nothing";
/// What all that a proof makes is called.
const PROOF: &str = "railhead-proof";

/// What a pod on `node` is called; `number` tells those of one proof apart.
pub(super) fn name(id: &str, number: usize, node: &str) -> String {
    let plain = node
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' });
    let mut name: String = format!("{PROOF}-{id}-{number}-").chars().chain(plain).collect();
    // Room for the suffix of what belongs to it.
    name.truncate(LONGEST - 2);
    name.trim_end_matches('-').to_owned()
}

/// Selects what one proof made.
pub(super) fn label(id: &str) -> String {
    format!("app.kubernetes.io/name={PROOF},app.kubernetes.io/instance={id}")
}

/// The pod. It runs nothing, as nobody, without rights, network names or a service account's token.
pub(super) fn pod(name: &str, namespace: &str, node: &str, image: &str, secrets: &[String]) -> Value {
    let secrets: Vec<Value> = secrets.iter().map(|name| json!({"name": name})).collect();
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(name, namespace),
        "spec": {
            // Not scheduled: each node is meant, also one that takes no other pods.
            "nodeName": node,
            "tolerations": [{"operator": "Exists"}],
            "restartPolicy": "Never",
            "activeDeadlineSeconds": DEADLINE,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "dnsPolicy": "Default",
            "imagePullSecrets": secrets,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65534, "runAsGroup": 65534, "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": "proof",
                "image": image,
                "imagePullPolicy": "Always",
                // In no image: what a team's own would do is not for a proof to begin.
                "command": [NOTHING],
                "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}, "limits": {"cpu": "100m", "memory": "32Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
                },
            }],
        },
    })
}

/// A pull secret for `host` with a login that nobody has.
pub(super) fn wrong_login(name: &str, namespace: &str, host: &str) -> Value {
    let logins = json!({"auths": {host: {"username": PROOF, "password": "this-is-a-wrong-token"}}});
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": metadata(name, namespace),
        "data": {".dockerconfigjson": STANDARD.encode(logins.to_string())},
    })
}

fn metadata(name: &str, namespace: &str) -> Value {
    // `railhead-proof-ID-NUMBER-NODE`
    let id = name.strip_prefix(PROOF).and_then(|rest| rest.split('-').nth(1)).unwrap_or_default();
    json!({
        "name": name,
        "namespace": namespace,
        "labels": {
            "app.kubernetes.io/managed-by": "railhead", "app.kubernetes.io/name": PROOF, "app.kubernetes.io/instance": id,
        },
    })
}

/// How far a pod is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The image is there.
    Pulled,
    /// The pull failed; what the kubelet says.
    Failed(String),
    /// The pod is gone, or will never pull.
    Ended(String),
}

/// What is to be seen of a pod; none while it goes on.
pub(super) fn phase(pod: Option<&Value>) -> Option<Phase> {
    let Some(pod) = pod else { return Some(Phase::Ended("somebody removed the pod".to_owned())) };
    let state = &pod["status"]["containerStatuses"][0]["state"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if state["running"].is_object() || state["terminated"]["containerID"].is_string() {
        return Some(Phase::Pulled);
    }
    let waiting = &state["waiting"];
    match waiting["reason"].as_str() {
        // The message of a back-off says less than that of the failure before it.
        Some("ErrImagePull") => return Some(Phase::Failed(text(&waiting["message"]))),
        Some("ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" | "RegistryUnavailable") => {
            return Some(Phase::Failed(text(&waiting["message"])));
        }
        // The kubelet makes and starts a container only of an image that it has.
        Some("CreateContainerError" | "RunContainerError" | "CreateContainerConfigError") => {
            return Some(Phase::Pulled);
        }
        _ => {}
    }
    if pod["status"]["phase"] == "Failed" {
        let reason = format!("{} {}", text(&pod["status"]["reason"]), text(&pod["status"]["message"]));
        return Some(Phase::Ended(format!("the node refuses the pod: {}", reason.trim())));
    }
    None
}

/// The same for the kubelet's next try, of a pod whose image it could not pull.
pub(super) fn next_try() -> impl FnMut(Option<&Value>) -> Option<Phase> {
    let mut is_waiting = false;
    move |pod| {
        let reason = pod.map(|pod| &pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"]);
        let is_failure = reason.is_some_and(|reason| reason == "ErrImagePull");
        is_waiting |= reason.is_some_and(|reason| reason == "ImagePullBackOff");
        match phase(pod) {
            Some(Phase::Failed(said)) => (is_waiting && is_failure).then_some(Phase::Failed(said)),
            other => other,
        }
    }
}

/// What the events tell of a pull.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// How long the pull took, as the kubelet measured it.
    pub(super) millis: Option<u64>,
    /// The image's bytes.
    pub(super) bytes: Option<u64>,
    /// The whole message of the newest failure.
    pub(super) failure: Option<String>,
    /// When the kubelet began.
    pub(super) began: Option<Timestamp>,
    /// The newest warning beside that, as of a pod that gets no network.
    pub(super) warning: Option<String>,
    /// The pull secrets that it did not get.
    pub(super) unfetched: Vec<String>,
}

/// Reads events, the oldest first.
pub(super) fn told(events: &[Value]) -> Told {
    let mut told = Told::default();
    for event in events {
        let message = event["message"].as_str().unwrap_or_default();
        match event["reason"].as_str() {
            Some("Pulling") => {
                told.began = event["firstTimestamp"].as_str().and_then(|time| time.parse().ok());
            }
            Some("Pulled") => {
                // `Successfully pulled image "x" in 1.2s (1.5s including waiting). Image size: 123 bytes.`
                let after = |words: &str| message.split_once(words).map(|(_, rest)| rest);
                told.millis = after("\" in ").and_then(duration);
                told.bytes = after("Image size: ").and_then(|rest| rest.split(' ').next()?.parse().ok());
            }
            Some("Failed") if message.starts_with("Failed to pull image") => {
                told.failure = Some(message.to_owned());
            }
            // `Unable to retrieve some image pull secrets (a, b); attempting to pull the image may not succeed.`
            Some("FailedToRetrieveImagePullSecret") => {
                let names = message.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
                let names = names.map_or("", |(names, _)| names).split(", ").filter(|name| !name.is_empty());
                told.unfetched = names.map(str::to_owned).collect();
            }
            Some(_) if event["type"] == "Warning" => told.warning = Some(message.to_owned()),
            _ => {}
        }
    }
    told
}

/// Milliseconds of a duration as Go writes it, at the beginning of a text: `1m2.5s`, `430ms`.
fn duration(text: &str) -> Option<u64> {
    let word: &str = text.split(' ').next()?;
    let mut rest = word.trim_end_matches(['.', ',']);
    let (mut millis, mut any) = (0.0, false);
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
        millis += number
            * match &rest[..unit] {
                "h" => 3_600_000.0,
                "m" => 60_000.0,
                "s" => 1000.0,
                "ms" => 1.0,
                "µs" | "us" => 0.001,
                _ => return None,
            };
        rest = &rest[unit..];
        any = true;
    }
    any.then_some(millis as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_pulled_or_failed_or_will_never() {
        let state = |state: Value| json!({"status": {"containerStatuses": [{"state": state}]}});
        let waiting = |reason: &str| state(json!({"waiting": {"reason": reason, "message": "why"}}));
        assert_eq!(phase(Some(&json!({}))), None);
        assert_eq!(phase(Some(&waiting("ContainerCreating"))), None);
        assert_eq!(phase(Some(&state(json!({"running": {}})))), Some(Phase::Pulled));
        let ended = json!({"terminated": {"exitCode": 0, "containerID": "containerd://x"}});
        assert_eq!(phase(Some(&state(ended))), Some(Phase::Pulled));
        for reason in ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"] {
            assert_eq!(phase(Some(&waiting(reason))), Some(Phase::Failed("why".into())), "{reason}");
        }
        for reason in ["CreateContainerError", "RunContainerError", "CreateContainerConfigError"] {
            assert_eq!(phase(Some(&waiting(reason))), Some(Phase::Pulled), "{reason}");
        }
        let evicted = json!({"status": {"phase": "Failed", "reason": "OutOfcpu"}});
        assert_eq!(phase(Some(&evicted)), Some(Phase::Ended("the node refuses the pod: OutOfcpu".into())));
        assert!(matches!(phase(None), Some(Phase::Ended(_))));
    }

    #[test]
    fn the_next_try_is_seen_after_the_kubelet_has_waited() {
        let waiting = |reason: &str| json!({"status": {"containerStatuses": [{"state": {"waiting": {"reason": reason, "message": reason}}}]}});
        let mut look = next_try();
        assert_eq!(look(Some(&waiting("ErrImagePull"))), None);
        assert_eq!(look(Some(&waiting("ImagePullBackOff"))), None);
        assert_eq!(look(Some(&waiting("ErrImagePull"))), Some(Phase::Failed("ErrImagePull".into())));
        let running = json!({"status": {"containerStatuses": [{"state": {"running": {}}}]}});
        assert_eq!(next_try()(Some(&running)), Some(Phase::Pulled));
    }

    #[test]
    fn names_are_host_names_and_say_whose_they_are() {
        let name = name("0badcafe", 3, "Node_1.example.com");
        assert_eq!(name, "railhead-proof-0badcafe-3-node-1-example-com");
        assert!(super::name("0badcafe", 13, &"x".repeat(253)).len() <= 61);
        let pod = pod(&name, "team", "node1", "a@b", &["pull".to_owned()]);
        assert_eq!(pod["metadata"]["labels"]["app.kubernetes.io/instance"], "0badcafe");
        assert_eq!(pod["spec"]["imagePullSecrets"], json!([{"name": "pull"}]));
        assert_eq!(pod["spec"]["containers"][0]["command"], json!([NOTHING]));
        assert!(label("0badcafe").ends_with("app.kubernetes.io/instance=0badcafe"));
    }

    #[test]
    fn times_and_sizes_are_the_kubelets() {
        let event = |reason: &str, message: &str| json!({"reason": reason, "message": message, "firstTimestamp": "2026-07-01T12:00:00Z"});
        let events = [
            event("Pulling", "Pulling image \"a\""),
            event(
                "FailedToRetrieveImagePullSecret",
                "Unable to retrieve some image pull secrets (a, b); attempting to pull the image may not succeed.",
            ),
            event("Failed", "Error: ErrImagePull"),
            event("Failed", "Failed to pull image \"a\": not found"),
            event(
                "Pulled",
                "Successfully pulled image \"a\" in 1.25s (1.5s including waiting). Image size: 66048 bytes.",
            ),
        ];
        let mut events = events.to_vec();
        events.push(json!({"reason": "FailedCreatePodSandBox", "type": "Warning", "message": "no network"}));
        let told = told(&events);
        assert_eq!(told.warning.as_deref(), Some("no network"));
        assert_eq!((told.millis, told.bytes), (Some(1250), Some(66048)));
        assert_eq!(told.failure.as_deref(), Some("Failed to pull image \"a\": not found"));
        assert!(told.began.is_some());
        assert_eq!(told.unfetched, ["a", "b"]);
        for (text, millis) in [("430ms", 430), ("1m2.5s", 62500), ("2s", 2000), ("812.5µs", 0)] {
            assert_eq!(duration(text), Some(millis), "{text}");
        }
        assert_eq!(duration("soon"), None);
    }
}
