//! Why the cluster could not be asked, or refused.

use std::fmt;
use std::path::PathBuf;

use http::StatusCode;
use serde_json::Value;

/// A right that the caller lacks, as RBAC names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MissingRight {
    /// `get`, `list`, `create`, `patch`, `delete`, `watch`.
    pub verb: String,
    /// The API group; empty for the core.
    pub group: String,
    /// `secrets`, `pods/exec`.
    pub resource: String,
    /// The namespace; none is all of them, or a resource outside of namespaces.
    pub namespace: Option<String>,
}

impl MissingRight {
    /// Reads what the API server says when nothing allows a request; none if it refuses for another reason, as for a quota.
    pub(crate) fn read(message: &str) -> Option<Self> {
        let quoted = |after: &str| {
            let (_, rest) = message.split_once(after)?;
            rest.strip_prefix('"')?.split_once('"').map(|(word, _)| word.to_owned())
        };
        let (_, rest) = message.split_once(" cannot ")?;
        let (verb, _) = rest.split_once(" resource ")?;
        Some(Self {
            verb: verb.to_owned(),
            group: quoted(" in API group ").unwrap_or_default(),
            resource: quoted(" resource ")?,
            namespace: quoted(" in the namespace "),
        })
    }

    /// The rule of a Role or a ClusterRole that would allow it, on one line of YAML.
    pub fn rule(&self) -> String {
        format!("{{apiGroups: [\"{}\"], resources: [{}], verbs: [{}]}}", self.group, self.resource, self.verb)
    }
}

impl fmt::Display for MissingRight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in the namespace {namespace}"),
            None => f.write_str(" in the whole cluster"),
        }
    }
}

/// Why the cluster could not be asked, or refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no kubeconfig.
    #[error("there is no kubeconfig")]
    NoKubeconfig,
    /// The file cannot be read.
    #[error("cannot read the kubeconfig {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a kubeconfig. What stands there is not repeated, since it may be a secret.
    #[error("{place} is not a kubeconfig that can be read")]
    Form {
        /// The file and its line, as far as they are known.
        place: String,
    },
    /// There is no context of that name.
    #[error("the kubeconfig has no context '{context}'")]
    Context {
        /// The context that was asked for.
        context: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The context does not lead to a cluster.
    #[error("the kubeconfig cannot be used: {0}")]
    Kubeconfig(String),
    /// The login that the kubeconfig describes cannot be made.
    #[error("cannot log in to the cluster: {0}")]
    Login(String),
    /// The API server does not answer, or went away before its answer was whole.
    #[error("cannot {act}: the API server at {server} cannot be reached, or went away")]
    Unreachable {
        /// What was asked.
        act: String,
        /// The API server.
        server: String,
        /// Why, from the nearest cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The API server took too long.
    #[error("cannot {act}: the API server at {server} took longer than {seconds} s")]
    Slow {
        /// What was asked.
        act: String,
        /// The API server.
        server: String,
        /// The bound.
        seconds: u64,
    },
    /// The API server does not know the caller.
    #[error("cannot {act}: the API server at {server} does not accept the login of the kubeconfig")]
    Unauthenticated {
        /// What was asked.
        act: String,
        /// The API server.
        server: String,
    },
    /// The caller lacks a right.
    #[error("cannot {act}: the right to {right} is missing")]
    Denied {
        /// What was asked.
        act: String,
        /// The right.
        right: MissingRight,
    },
    /// It is there already, or another manager owns a field.
    #[error("cannot {act}: {said}")]
    Conflict {
        /// What was asked.
        act: String,
        /// What the API server says.
        said: String,
    },
    /// The API server refuses for another reason.
    #[error("cannot {act}: the API server answers {status}: {said}")]
    Refused {
        /// What was asked.
        act: String,
        /// The status.
        status: StatusCode,
        /// What it says.
        said: String,
    },
    /// The answer is not what it should be.
    #[error("cannot {act}: the answer of the API server cannot be read: {why}")]
    Answer {
        /// What was asked.
        act: String,
        /// What is wrong with it; nothing of the answer itself, which may be a secret.
        why: String,
    },
    /// A manifest names no kind that the cluster has.
    #[error("the cluster has no kind {kind} of {api_version}")]
    NoKind {
        /// As in the manifest.
        kind: String,
        /// As in the manifest.
        api_version: String,
    },
    /// A manifest lacks what every one has.
    #[error("the manifest has no {0}")]
    Manifest(&'static str),
    /// A command in a pod could not be started, or its end is unknown.
    #[error("cannot run {program} in the pod {pod}: {said}")]
    Exec {
        /// The program.
        program: String,
        /// `NAMESPACE/NAME`.
        pod: String,
        /// Why.
        said: String,
    },
    /// What was read is larger than the caller wanted to keep.
    #[error("cannot {act}: there is more than {limit} bytes")]
    Large {
        /// What was asked.
        act: String,
        /// The bound.
        limit: usize,
    },
}

impl Error {
    /// What the caller can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoKubeconfig => "name one with --kubeconfig or KUBECONFIG".to_owned(),
            Self::Context { known, .. } if known.is_empty() => {
                "the kubeconfig has no contexts at all".to_owned()
            }
            Self::Context { known, .. } => format!("it has {}", known.join(", ")),
            Self::Unreachable { .. } | Self::Slow { .. } => {
                "check the address in the kubeconfig, and that the cluster runs; then give the command again"
                    .to_owned()
            }
            Self::Unauthenticated { .. } => {
                "log in to the cluster anew, as its administrators say, and check with `kubectl auth whoami`"
                    .to_owned()
            }
            Self::Denied { right, .. } => format!("a role needs the rule {}", right.rule()),
            Self::NoKind { .. } => "install what defines that kind first".to_owned(),
            _ => return None,
        })
    }

    /// The error of an answer that is no success.
    pub(crate) fn of(act: String, server: &str, status: StatusCode, body: &[u8]) -> Self {
        let said = said(body);
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthenticated { act, server: server.to_owned() },
            StatusCode::FORBIDDEN => match MissingRight::read(&said) {
                Some(right) => Self::Denied { act, right },
                None => Self::Refused { act, status, said },
            },
            StatusCode::CONFLICT => Self::Conflict { act, said },
            _ => Self::Refused { act, status, said },
        }
    }
}

/// The message of a Status, or the beginning of a text, on one line.
pub(crate) fn said(body: &[u8]) -> String {
    let message = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|status| status.get("message").and_then(Value::as_str).map(str::to_owned));
    let text = message.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { "nothing more".to_owned() } else { text.chars().take(600).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_is_read_from_what_the_server_says() {
        let message = r#"ingresses.networking.k8s.io is forbidden: User "system:serviceaccount:a:b" cannot list resource "ingresses" in API group "networking.k8s.io" in the namespace "team""#;
        let right = MissingRight::read(message).unwrap();
        assert_eq!(right.to_string(), "list ingresses.networking.k8s.io in the namespace team");
        assert_eq!(
            right.rule(),
            "{apiGroups: [\"networking.k8s.io\"], resources: [ingresses], verbs: [list]}"
        );
        let wide = r#"nodes is forbidden: User "u" cannot list resource "nodes" in API group "" at the cluster scope"#;
        assert_eq!(MissingRight::read(wide).unwrap().to_string(), "list nodes in the whole cluster");
        let quota = r#"pods "x" is forbidden: exceeded quota: small, requested: pods=1"#;
        assert_eq!(MissingRight::read(quota), None);
    }
}
