//! An `app.ini`: as Gitea and Forgejo read it, and as the chart renders it, in a Secret with one key a section.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::yaml::{self, YamlError};

/// How the chart calls the Secret that its settings are in.
const INLINE: &str = "-inline-config";
/// The chart's key for what stands before the first section.
const GENERALS: &str = "_generals_";
/// How the name of a variable begins that `environment-to-ini` writes into the file.
const VARIABLES: [&str; 2] = ["GITEA__", "FORGEJO__"];

/// Why the settings are not in what the chart rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderedError {
    /// It is not YAML.
    #[error("what the chart rendered cannot be read")]
    Yaml(#[from] YamlError),
    /// It has no Secret with settings.
    #[error("the chart renders no Secret with the forge's settings; is it the chart of Gitea or Forgejo?")]
    None,
}

/// Sections, their keys, and the values. Names are compared as the forge does: without case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppIni {
    sections: BTreeMap<String, BTreeMap<String, String>>,
    from_variables: Vec<(String, String)>,
}

impl AppIni {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Self {
        let mut ini = Self::default();
        let mut section = String::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with([';', '#']) {
                continue;
            }
            match line.strip_prefix('[').and_then(|line| line.split_once(']')) {
                Some((name, _)) => name.trim().clone_into(&mut section),
                None => ini.line(&section, line),
            }
        }
        ini
    }

    /// Reads it out of what `helm template` printed.
    pub fn rendered(text: &str) -> Result<Self, RenderedError> {
        let documents = yaml::read(text)?;
        let is_inline = |document: &&Value| {
            document["kind"] == "Secret"
                && document["metadata"]["name"].as_str().is_some_and(|name| name.ends_with(INLINE))
        };
        let secret = documents.iter().find(is_inline).ok_or(RenderedError::None)?;
        let mut ini = Self::of_secret(&secret["stringData"]);
        ini.variables(&documents);
        Ok(ini)
    }

    /// Reads the data of the chart's Secret, as plain text.
    pub fn of_secret(data: &Value) -> Self {
        let mut ini = Self::default();
        for (name, text) in data.as_object().into_iter().flatten() {
            let section = if name == GENERALS { "" } else { name };
            for line in text.as_str().unwrap_or_default().lines().filter(|line| !line.trim().is_empty()) {
                ini.line(section, line.trim());
            }
        }
        ini
    }

    fn line(&mut self, section: &str, line: &str) {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let value = value.trim();
        let bare = ['`', '"'].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        self.put(section, key.trim(), bare.unwrap_or(value));
    }

    fn put(&mut self, section: &str, key: &str, value: &str) {
        let section = self.sections.entry(section.to_ascii_lowercase()).or_default();
        section.insert(key.to_ascii_uppercase(), value.to_owned());
    }

    /// Variables of the pods are written over the settings. Where one gets its value from is not looked at.
    fn variables(&mut self, documents: &[Value]) {
        let specs = documents.iter().map(|document| &document["spec"]["template"]["spec"]);
        let all = specs.flat_map(|spec| [&spec["initContainers"], &spec["containers"]]);
        let all = all.flat_map(|list| list.as_array().into_iter().flatten());
        for variable in all.flat_map(|one| one["env"].as_array().into_iter().flatten()) {
            let name = variable["name"].as_str().unwrap_or_default();
            let Some(rest) = VARIABLES.iter().find_map(|begin| name.strip_prefix(begin)) else { continue };
            let Some((section, key)) = rest.split_once("__") else { continue };
            match variable["value"].as_str() {
                Some(value) => self.put(section, key, value),
                None => self.from_variables.push((section.to_ascii_lowercase(), key.to_ascii_uppercase())),
            }
        }
    }

    /// The value of a key; none where nothing says it.
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        let section = self.sections.get(&section.to_ascii_lowercase())?;
        section.get(&key.to_ascii_uppercase()).map(String::as_str)
    }

    /// Whether there is such a section.
    pub fn has_section(&self, section: &str) -> bool {
        self.sections.contains_key(&section.to_ascii_lowercase())
    }

    /// Whether a variable with a value from elsewhere takes the place of a key's.
    pub fn is_overridden(&self, section: &str, key: &str) -> bool {
        let at = (section.to_ascii_lowercase(), key.to_ascii_uppercase());
        self.from_variables.contains(&at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_the_forge_reads_it() {
        let ini = AppIni::parse(
            "APP_NAME = A = B\n; a comment\n[server]\nROOT_URL=https://a/  \nPASSWD = `a;b#c`\n\n[ repository.upload ]\nenabled = \"no\"\nALONE\n",
        );
        assert_eq!(ini.get("", "APP_NAME"), Some("A = B"));
        assert_eq!(ini.get("server", "ROOT_URL"), Some("https://a/"));
        assert_eq!(ini.get("SERVER", "passwd"), Some("a;b#c"));
        assert_eq!(ini.get("repository.upload", "ENABLED"), Some("no"));
        assert_eq!(ini.get("repository.upload", "alone"), Some(""));
        assert!(!ini.has_section("packages"));
    }

    #[test]
    fn the_charts_secret_is_found_among_what_it_renders() {
        let rendered = "kind: Secret\nmetadata: {name: gitea}\nstringData: {assertions: x}\n---\n\
             kind: Secret\nmetadata: {name: gitea-inline-config}\nstringData:\n  _generals_: APP_NAME=x\n  packages: |-\n    ENABLED=true\n    LIMIT_SIZE_CONTAINER=-1\n---\n\
             kind: Deployment\nspec: {template: {spec: {initContainers: [{env: [{name: GITEA__packages__ENABLED, value: 'false'}, \
             {name: GITEA__database__PASSWD, valueFrom: {secretKeyRef: {name: a, key: b}}}, {name: HOME, value: x}]}]}}}\n";
        let ini = AppIni::rendered(rendered).unwrap();
        assert_eq!(ini.get("", "APP_NAME"), Some("x"));
        assert_eq!(ini.get("packages", "LIMIT_SIZE_CONTAINER"), Some("-1"));
        assert_eq!(ini.get("packages", "ENABLED"), Some("false"), "a variable counts more");
        assert!(ini.is_overridden("database", "passwd") && !ini.is_overridden("packages", "ENABLED"));
        assert!(matches!(AppIni::rendered("kind: Secret"), Err(RenderedError::None)));
    }
}
