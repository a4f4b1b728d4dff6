//! `railhead credential-provider`: the login of a pull, for the kubelet.
//!
//! The kubelet runs it for images that its configuration matches, gives a `CredentialProviderRequest` on standard input, and
//! wants a `CredentialProviderResponse` on standard output (`credentialprovider.kubelet.k8s.io/v1`). What comes back is a
//! token of a service account, which Railhead takes as a password: the one of the pod that the kubelet sends along where it
//! is set to, else the one in a file on the node. Nothing is asked and nothing is kept here.

use std::io::Read as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Context;
use crate::config::read_secret;
use crate::failure::{Exit, Failure, Result};

const API: &str = "credentialprovider.kubelet.k8s.io/v1";
/// Longest request that is read, in bytes.
const REQUEST_MAX: u64 = 1 << 20;
/// Seconds before a token ends in which it is not used any more.
const BEFORE_END: i64 = 30;
/// Seconds that the kubelet may keep a login of a token whose end cannot be read.
const KEPT: i64 = 60;

/// Give the kubelet the login of a pull
#[derive(Debug, Args)]
pub struct CredentialProvider {
    /// The token to show when the kubelet sends none of a pod, as for all pods of a node
    #[arg(long, value_name = "FILE")]
    workload_token_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    api_version: String,
    kind: String,
    image: String,
    #[serde(default)]
    service_account_token: String,
}

impl CredentialProvider {
    /// Answers one request.
    pub fn run(self, context: &Context) -> Result<()> {
        let mut text = String::new();
        std::io::stdin().take(REQUEST_MAX).read_to_string(&mut text).map_err(|error| {
            Failure::new(Exit::Failed, "cannot read the kubelet's request on standard input").because(&error)
        })?;
        let now = railhead_forge::system_now() / 1000;
        let answer = self.answer(&text, now)?;
        context.printer.raw(&format!("{answer}\n"))
    }

    fn answer(&self, text: &str, now: i64) -> Result<Value> {
        let wrong = |message: String| {
            Failure::new(Exit::Usage, message).hint("the kubelet runs this; see the guide on Kubernetes")
        };
        let request: Request = serde_json::from_str(text).map_err(|error| {
            wrong("standard input is not a CredentialProviderRequest of the kubelet".to_owned())
                .because(&error)
        })?;
        if request.api_version != API || request.kind != "CredentialProviderRequest" {
            let (version, kind) = (request.api_version, request.kind);
            return Err(wrong(format!(
                "the request is {version} {kind}, and not {API} CredentialProviderRequest"
            )));
        }
        let token = match (request.service_account_token.as_str(), &self.workload_token_file) {
            ("", None) => {
                return Err(Failure::new(Exit::Denied, "the kubelet sent no token of a service account").hint(
                    "set tokenAttributes in its CredentialProviderConfig, or give --workload-token-file in its args",
                ));
            }
            ("", Some(file)) => read_secret(file)?,
            (token, _) => SecretString::from(token),
        };
        let left = end(&token).map_or(KEPT, |end| (end - now - BEFORE_END).max(0));
        let registry = registry(&request.image);
        Ok(json!({
            "apiVersion": API,
            "kind": "CredentialProviderResponse",
            // Another repository may want another rule, but the login is the same.
            "cacheKeyType": "Registry",
            "cacheDuration": format!("{left}s"),
            "auth": { registry: { "username": "workload", "password": token.expose_secret() } },
        }))
    }
}

/// When a token ends, in Unix seconds. It is not believed, only not shown for longer.
fn end(token: &SecretString) -> Option<i64> {
    let payload = URL_SAFE_NO_PAD.decode(token.expose_secret().split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Value>(&payload).ok()?.get("exp")?.as_i64()
}

/// The registry of an image, as the kubelet matches it: its host, with the port where it has one.
fn registry(image: &str) -> &str {
    image.split('/').next().unwrap_or(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn token(exp: i64) -> String {
        format!("eyJ.{}.c2ln", URL_SAFE_NO_PAD.encode(json!({ "exp": exp }).to_string()))
    }

    fn request(token: Option<&str>) -> String {
        let mut request = json!({
            "apiVersion": API, "kind": "CredentialProviderRequest",
            "image": "registry.example.com:5050/team/app:v1",
        });
        if let Some(token) = token {
            request["serviceAccountToken"] = token.into();
        }
        request.to_string()
    }

    #[test]
    fn the_pods_token_comes_before_the_nodes_and_is_kept_until_shortly_before_its_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), token(NOW + 90)).unwrap();
        let with = CredentialProvider { workload_token_file: Some(file.path().to_owned()) };
        let of_pod = token(NOW + 630);
        let answer = with.answer(&request(Some(&of_pod)), NOW).unwrap();
        assert_eq!(answer["auth"]["registry.example.com:5050"]["password"], of_pod.as_str());
        assert_eq!(
            (answer["cacheDuration"].as_str(), answer["kind"].as_str()),
            (Some("600s"), Some("CredentialProviderResponse"))
        );
        let answer = with.answer(&request(None), NOW).unwrap();
        assert_eq!(answer["auth"]["registry.example.com:5050"]["password"], token(NOW + 90).as_str());
        assert_eq!(answer["cacheDuration"], "60s");
        let ended = with.answer(&request(Some(&token(NOW - 1))), NOW).unwrap();
        assert_eq!(ended["cacheDuration"], "0s");
        let opaque = with.answer(&request(Some("opaque")), NOW).unwrap();
        assert_eq!(opaque["cacheDuration"], "60s");
    }

    #[test]
    fn what_is_no_request_is_refused_without_an_answer() {
        let without = CredentialProvider { workload_token_file: None };
        assert!(without.answer(&request(None), NOW).is_err());
        let v1beta1 = request(Some("t")).replace("/v1\"", "/v1beta1\"");
        for text in ["", "{}", "[]", v1beta1.as_str()] {
            assert!(without.answer(text, NOW).is_err(), "{text}");
        }
    }
}
