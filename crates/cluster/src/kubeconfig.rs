//! Which cluster is meant, and with whose login: from the caller's kubeconfig.

use std::path::{Path, PathBuf};

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

use crate::Error;

/// Which kubeconfig, and which context of it. Without a file it is that of `KUBECONFIG`, or `~/.kube/config`; without a context
/// the file's current one.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The file.
    pub kubeconfig: Option<PathBuf>,
    /// The context.
    pub context: Option<String>,
}

impl Access {
    /// Reads the kubeconfig; its context's name and what it says.
    pub(crate) async fn read(&self) -> Result<(String, Config), Error> {
        let kubeconfig = match &self.kubeconfig {
            Some(path) => {
                let there = std::fs::metadata(path);
                there.map_err(|source| Error::Read { path: path.clone(), source })?;
                Kubeconfig::read_from(path)
            }
            None => Kubeconfig::read(),
        };
        let kubeconfig = kubeconfig.map_err(|error| self.wrong(error))?;
        let known: Vec<String> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
        let context = self.context.clone().or_else(|| kubeconfig.current_context.clone());
        let Some(context) = context.filter(|context| !context.is_empty()) else {
            return Err(Error::Kubeconfig("it names no current context; name one with --context".to_owned()));
        };
        if !known.contains(&context) {
            return Err(Error::Context { context, known });
        }
        let options = KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let mut config = config.map_err(|error| self.wrong(error))?;
        // A second try belongs to who knows what the first one was for.
        config.default_retry = false;
        Ok((context, config))
    }

    /// The library's error without what it may repeat of the file.
    fn wrong(&self, error: KubeconfigError) -> Error {
        let file = || self.kubeconfig.as_deref().unwrap_or(Path::new("the kubeconfig")).display().to_string();
        match error {
            KubeconfigError::FindPath => Error::NoKubeconfig,
            KubeconfigError::ReadConfig(source, path) => {
                if self.kubeconfig.is_none() && source.kind() == std::io::ErrorKind::NotFound {
                    return Error::NoKubeconfig;
                }
                Error::Read { path, source }
            }
            KubeconfigError::Parse(error) => {
                let line = error.location().map_or(1, |at| at.line());
                Error::Form { place: format!("{}:{line}", file()) }
            }
            KubeconfigError::LoadClientCertificate(_) => {
                Error::Kubeconfig("its client certificate cannot be read".to_owned())
            }
            KubeconfigError::LoadClientKey(_) => {
                Error::Kubeconfig("its client key cannot be read".to_owned())
            }
            KubeconfigError::LoadCertificateAuthority(_) | KubeconfigError::ParseCertificates(_) => {
                Error::Kubeconfig("its certificate authority cannot be read".to_owned())
            }
            KubeconfigError::LoadContext(_) | KubeconfigError::LoadClusterOfContext(_) => {
                Error::Kubeconfig("its context names a cluster that it does not describe".to_owned())
            }
            KubeconfigError::MissingClusterUrl => Error::Kubeconfig("its cluster has no address".to_owned()),
            KubeconfigError::ParseClusterUrl(_) => {
                Error::Kubeconfig("the address of its cluster is no URL".to_owned())
            }
            _ => Error::Kubeconfig("its parts do not fit together".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &str, context: Option<&str>) -> Result<(String, Config), Error> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let access = Access { kubeconfig: Some(file.path().to_owned()), context: context.map(str::to_owned) };
        access.read().await
    }

    const TWO: &str = r#"
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:6443"}}]
users: [{name: u, user: {token: geheim123}}]
contexts: [{name: one, context: {cluster: c, user: u, namespace: team}}, {name: two, context: {cluster: missing, user: u}}]
current-context: one
"#;

    #[tokio::test]
    async fn the_context_that_is_meant_is_taken() {
        let (context, config) = read(TWO, None).await.unwrap();
        assert_eq!((context.as_str(), config.default_namespace.as_str()), ("one", "team"));
        let error = read(TWO, Some("three")).await.unwrap_err();
        assert_eq!(error.to_string(), "the kubeconfig has no context 'three'");
        assert_eq!(error.hint().unwrap(), "it has one, two");
        let error = read(TWO, Some("two")).await.unwrap_err();
        assert!(error.to_string().contains("a cluster that it does not describe"), "{error}");
    }

    #[tokio::test]
    async fn what_is_no_kubeconfig_is_named_and_not_repeated() {
        for text in [
            "users: [{name: u, user: {token: geheim123\n",
            "clusters: 3\nusers: [{name: u, user: {token: geheim123}}]\n",
            "users: [{name: u, user: {client-key-data: 'geheim123 *'}}]\nclusters: [{name: c, cluster: {server: 'h ttp'}}]\ncontexts: [{name: a, context: {cluster: c, user: u}}]\ncurrent-context: a\n",
        ] {
            let error = read(text, None).await.unwrap_err();
            let all = format!("{error} {error:?} {:?}", error.hint());
            assert!(!all.contains("geheim123"), "{all}");
        }
        let access = Access { kubeconfig: Some("/nonexistent/config".into()), context: None };
        let error = access.read().await.unwrap_err();
        assert_eq!(error.to_string(), "cannot read the kubeconfig /nonexistent/config");
    }
}
