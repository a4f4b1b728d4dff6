//! Runs `helm`. What is decrypted reaches it through memory: an anonymous file that only it and this process have.
//!
//! Invariants: no decrypted value is on a disk or a command line; what helm says is shown only when it failed, without the values that
//! sops encrypts, and with the names of the real files.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::{MemfdFlags, memfd_create};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::process::Command;

use super::values::{Opened, Values};
use crate::programs::find;
use crate::secrets::Secrets;

/// How long helm waits for a roll-out.
const PATIENCE: &str = "5m";

/// Why helm did not do it.
#[derive(Debug, thiserror::Error)]
pub enum HelmError {
    /// The program is not here.
    #[error("the program helm is not in the PATH")]
    Missing,
    /// It cannot be run.
    #[error("cannot run helm")]
    Run(#[source] io::Error),
    /// A values file that it needs is encrypted with a key that is not here.
    #[error("the values in {} cannot be decrypted: {why}", path.display())]
    Closed {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It failed.
    #[error("helm {act} failed: {said}")]
    Failed {
        /// What it was to do.
        act: &'static str,
        /// What it said.
        said: String,
    },
}

impl HelmError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing => Some("install helm (https://helm.sh)"),
            Self::Closed { .. } => Some(
                "sops needs the private key: for age, in SOPS_AGE_KEY_FILE or ~/.config/sops/age/keys.txt",
            ),
            Self::Run(_) | Self::Failed { .. } => None,
        }
    }
}

/// The program, and the cluster that it works on.
#[derive(Clone, Debug)]
pub struct Helm {
    program: PathBuf,
    /// The file with the cluster's address; what `KUBECONFIG` says without it.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it.
    pub context: Option<String>,
}

/// A release as the cluster has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Its newest revision.
    pub revision: u64,
    /// `deployed`, `failed`, `pending-upgrade`.
    pub status: String,
    /// `gitea-12.5.0`.
    pub chart: String,
}

impl State {
    /// The version of the chart: what follows the first dash with a digit behind it.
    pub fn version(&self) -> Option<&str> {
        let at = self.chart.match_indices('-').map(|(at, _)| at + 1);
        at.map(|at| &self.chart[at..]).find(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()))
    }
}

/// A release and the files that make it.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// The release.
    pub release: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// The chart.
    pub chart: &'a str,
    /// The chart's version.
    pub version: Option<&'a str>,
    /// The user's values.
    pub values: &'a Values,
    /// The overlay's text, which comes last.
    pub overlay: Option<&'a str>,
}

impl Helm {
    /// The one in the `PATH`.
    pub fn find(kubeconfig: Option<PathBuf>, context: Option<String>) -> Result<Self, HelmError> {
        let program = find("helm").ok_or(HelmError::Missing)?;
        Ok(Self { program, kubeconfig, context })
    }

    /// What the release would be: its manifests, which hold secrets.
    pub async fn template(&self, files: &Files<'_>) -> Result<SecretString, HelmError> {
        self.with_files("template", &["template"], files).await
    }

    /// Brings the release to what the files say, and waits until it is there.
    pub async fn upgrade(&self, files: &Files<'_>) -> Result<(), HelmError> {
        // Not --install: a release that is not there would be made, perhaps in the wrong namespace.
        self.with_files("upgrade", &["upgrade", "--wait", "--timeout", PATIENCE], files).await.map(|_| ())
    }

    /// Brings the release back to a revision, and waits until it is there.
    pub async fn rollback(&self, release: &str, namespace: &str, revision: u64) -> Result<(), HelmError> {
        let mut command = self.command(&["rollback", "--wait", "--timeout", PATIENCE]);
        command.args(["--namespace", namespace, "--", release, &revision.to_string()]);
        run(command, "rollback", &Secrets::default(), &[]).await.map(|_| ())
    }

    /// Whether the cluster would take the upgrade. Nothing changes.
    pub async fn try_upgrade(&self, files: &Files<'_>) -> Result<(), HelmError> {
        self.with_files("upgrade --dry-run", &["upgrade", "--dry-run=server"], files).await.map(|_| ())
    }

    /// The release as it is; none when there is none.
    pub async fn state(&self, release: &str, namespace: &str) -> Result<Option<State>, HelmError> {
        let mut command = self.command(&["list", "--all", "--output", "json"]);
        command.args(["--namespace", namespace, "--filter", &format!("^{}$", release.replace('.', "\\."))]);
        let list = json(command, "list").await?;
        let found = list.as_array().and_then(|list| list.iter().find(|one| one["name"] == release));
        Ok(found.map(|one| {
            let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
            // It prints the number as a text.
            let revision = one["revision"].as_u64().or_else(|| text("revision").parse().ok());
            State { revision: revision.unwrap_or_default(), status: text("status"), chart: text("chart") }
        }))
    }

    /// The values that a release was given. They hold secrets.
    pub(super) async fn values(&self, release: &str, namespace: &str) -> Result<Value, HelmError> {
        let mut command = self.command(&["get", "values", "--output", "json"]);
        command.args(["--namespace", namespace, "--", release]);
        json(command, "get values").await
    }

    async fn with_files(
        &self,
        act: &'static str,
        words: &[&str],
        files: &Files<'_>,
    ) -> Result<SecretString, HelmError> {
        let mut command = self.command(words);
        command.args(["--namespace", files.namespace]);
        if let Some(version) = files.version {
            command.args(["--version", version]);
        }
        let mut secrets = Secrets::default();
        // They are open until helm has ended.
        let mut memory: Vec<(OwnedFd, PathBuf)> = Vec::new();
        for file in files.values.files() {
            let path = match file.opened() {
                Opened::Plain => file.path().to_owned(),
                Opened::Decrypted(plain) => {
                    for (_, value) in file.hidden_values() {
                        secrets.learn("", &value);
                    }
                    in_memory(plain.expose_secret(), file.path(), &mut memory)?
                }
                Opened::Closed(why) => {
                    return Err(HelmError::Closed { path: file.path().to_owned(), why: why.clone() });
                }
            };
            command.arg("--values").arg(path);
        }
        if let Some(overlay) = files.overlay {
            let path = in_memory(overlay, Path::new("the overlay"), &mut memory)?;
            command.arg("--values").arg(path);
        }
        command.args(["--", files.release, files.chart]);
        run(command, act, &secrets, &memory).await
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words);
        if let Some(kubeconfig) = &self.kubeconfig {
            command.env("KUBECONFIG", kubeconfig);
        }
        if let Some(context) = &self.context {
            command.args(["--kube-context", context]);
        }
        // It needs none of our secrets.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RAILHEAD_"))
        {
            command.env_remove(name);
        }
        command
    }
}

/// An anonymous file with `text`, by the name under which a child finds it.
fn in_memory(text: &str, shown: &Path, memory: &mut Vec<(OwnedFd, PathBuf)>) -> Result<PathBuf, HelmError> {
    // Without CLOEXEC, since helm is to have it.
    let file = memfd_create("values", MemfdFlags::empty()).map_err(|error| HelmError::Run(error.into()))?;
    let mut writer = File::from(file);
    writer.write_all(text.as_bytes()).map_err(HelmError::Run)?;
    let file = OwnedFd::from(writer);
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    memory.push((file, shown.to_owned()));
    Ok(path)
}

/// What helm prints as JSON.
async fn json(command: Command, act: &'static str) -> Result<Value, HelmError> {
    let said = run(command, act, &Secrets::default(), &[]).await?;
    serde_json::from_str(said.expose_secret()).map_err(|error| HelmError::Failed {
        act,
        said: format!("its answer is not JSON, at line {}", error.line()),
    })
}

async fn run(
    mut command: Command,
    act: &'static str,
    secrets: &Secrets,
    memory: &[(OwnedFd, PathBuf)],
) -> Result<SecretString, HelmError> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Ctrl-C is ours: who ends helm in the middle has to roll back afterwards.
    command.process_group(0).kill_on_drop(true);
    let output = command.output().await.map_err(HelmError::Run)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned().into());
    }
    let mut said = secrets.clean(&String::from_utf8_lossy(&output.stderr));
    for (file, shown) in memory {
        let name = format!("/proc/self/fd/{}", file.as_raw_fd());
        said = said.replace(&name, &shown.display().to_string());
    }
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // Warnings come first, and what failed last.
    let failed = lines.iter().rposition(|line| line.starts_with("Error:")).unwrap_or(0);
    let said = lines.get(failed..).unwrap_or_default().join(" ");
    let said = said.strip_prefix("Error: ").unwrap_or(&said).to_owned();
    Err(HelmError::Failed { act, said: if said.is_empty() { "it says nothing".to_owned() } else { said } })
}
