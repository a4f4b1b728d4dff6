//! Objects of kinds that others bring: their definitions as their projects publish them, and the status that their controllers
//! would write.

use std::path::{Path, PathBuf};
use std::time::Duration;

use railhead_cluster::Kind;
use serde_json::Value;

use super::Cluster;
use crate::program::tools;

/// The kind of a kind.
const DEFINITION: Kind = Kind {
    group: "apiextensions.k8s.io",
    versions: &["v1"],
    plural: "customresourcedefinitions",
    name: "CustomResourceDefinition",
    namespaced: false,
};
/// How long the API server may take to serve a new kind, or to forget one.
const PATIENCE: Duration = Duration::from_secs(30);

/// Kinds that are defined as long as this lives; with them go their objects.
pub struct Definitions<'a> {
    cluster: &'a Cluster,
    /// As `certificates.cert-manager.io`.
    names: Vec<String>,
}

impl Cluster {
    /// Defines kinds; each file is called `GROUP_PLURAL`, as their projects have them.
    pub fn define<'a>(&'a self, files: &[&str]) -> Definitions<'a> {
        let names = files.iter().map(|file| {
            let (group, plural) = file.split_once('_').unwrap();
            let name = format!("{plural}.{group}");
            let path = format!("/apis/{}/v1/{}/{name}", DEFINITION.group, DEFINITION.plural);
            // As it is: a definition is too large for a reader of YAML that is careful.
            self.patch(&format!("{path}?fieldManager=test"), "apply-patch+yaml", &published(file));
            name
        });
        let definitions = Definitions { cluster: self, names: names.collect() };
        for name in &definitions.names {
            let is_served = |object: Option<&Value>| {
                let conditions = object?.pointer("/status/conditions")?.as_array()?;
                let established = |one: &&Value| one["type"] == "Established" && one["status"] == "True";
                conditions.iter().find(established).map(drop)
            };
            self.wait_for(name, is_served).unwrap_or_else(|| panic!("{name} is not served"));
        }
        definitions
    }

    /// Writes the status of an object, as its controller does. `path` is as `apis/GROUP/VERSION/namespaces/NAMESPACE/PLURAL/NAME`.
    pub fn set_status(&self, path: &str, status: &Value) {
        let file = self.path("status.json");
        std::fs::write(&file, serde_json::json!({"status": status}).to_string()).unwrap();
        self.patch(&format!("/{path}/status"), "merge-patch+json", &file);
    }

    fn patch(&self, path: &str, form: &str, body: &Path) {
        let (url, data) = (format!("https://127.0.0.1:6443{path}"), format!("@{}", body.display()));
        let form = format!("content-type: application/{form}");
        let authority = self.authority();
        let token = format!("authorization: Bearer {}", self.token());
        let words = [
            "-sS",
            "--fail-with-body",
            "-X",
            "PATCH",
            "-o",
            "/dev/null",
            "--cacert",
            authority.to_str().unwrap(),
        ];
        self.tool("curl")
            .run(words.into_iter().chain(["-H", &token, "-H", &form, "--data-binary", &data, &url]))
            .ok();
    }

    /// The administrator's.
    fn token(&self) -> String {
        let kubeconfig = std::fs::read_to_string(self.kubeconfig()).unwrap();
        let (_, rest) = kubeconfig.split_once("token: ").unwrap();
        rest.split('}').next().unwrap().to_owned()
    }

    fn wait_for(&self, name: &str, look: impl FnMut(Option<&Value>) -> Option<()> + Send) -> Option<()> {
        self.api(async |api| api.wait_for(&DEFINITION, None, name, PATIENCE, look).await.unwrap())
    }
}

impl Drop for Definitions<'_> {
    fn drop(&mut self) {
        // A test that failed has said what there is to say, and its cluster ends soon.
        if std::thread::panicking() {
            return;
        }
        for name in &self.names {
            assert!(
                self.cluster.api(async |api| api.delete(&DEFINITION, None, name).await).unwrap(),
                "{name}"
            );
        }
        for name in &self.names {
            let is_gone = |object: Option<&Value>| object.is_none().then_some(());
            self.cluster.wait_for(name, is_gone).unwrap_or_else(|| panic!("{name} does not go"));
        }
    }
}

fn published(file: &str) -> PathBuf {
    let path = tools().join("definitions").join(format!("{file}.yaml"));
    assert!(path.is_file(), "CANNOT RUN: {}: not found; run tools/install cluster", path.display());
    path
}
