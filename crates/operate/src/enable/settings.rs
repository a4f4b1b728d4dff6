//! What a forge's configuration has to say for its registry to work, compared with what the values files say.
//!
//! | setting | is left alone when |
//! | --- | --- |
//! | `packages.ENABLED` | it is `true` |
//! | `packages.LIMIT_SIZE_CONTAINER` | somebody decided it |
//! | `repository.DISABLED_REPO_UNITS` | it does not name the packages; others that it names stay |
//! | `server.ROOT_URL` | it is https already, or another host's |
//!
//! What is absent is said explicitly: the chart merges into an `app.ini` that stays in the volume, and what was there once would
//! count for ever.

use railhead_client::Origin;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::values::{Found, Values, text};

/// Where the chart's values have the sections of `app.ini`.
pub(super) const CONFIG: [&str; 2] = ["gitea", "config"];
/// The unit of a repository that is its packages.
const PACKAGES_UNIT: &str = "repo.packages";

/// What was there before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Absent,
    /// This.
    Is(String),
    /// This, out of an encrypted file: it is not shown.
    Decrypted(String),
    /// Something that is encrypted and cannot be read here.
    Hidden,
}

impl Before {
    /// What it was, where that is known.
    fn known(&self) -> Option<&str> {
        match self {
            Self::Is(text) | Self::Decrypted(text) => Some(text),
            Self::Absent | Self::Hidden => None,
        }
    }

    /// For a person.
    pub fn shown(&self) -> &str {
        match self {
            Self::Absent => "absent",
            Self::Is(text) if text.is_empty() => "empty",
            Self::Is(text) => text,
            Self::Decrypted(_) | Self::Hidden => "(encrypted)",
        }
    }
}

impl Serialize for Before {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Is(text) => serializer.serialize_some(text),
            Self::Absent => serializer.serialize_none(),
            Self::Decrypted(_) | Self::Hidden => serializer.serialize_some(self.shown()),
        }
    }
}

/// A key of `app.ini` that has to change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// The section.
    pub section: &'static str,
    /// The key.
    pub key: &'static str,
    /// What it has to be.
    pub wanted: Value,
    /// What it was.
    pub before: Before,
    /// Why.
    pub why: &'static str,
}

impl Setting {
    /// `[packages] ENABLED`.
    pub fn name(&self) -> String {
        format!("[{}] {}", self.section, self.key)
    }

    /// Where the chart's values have it.
    pub const fn path(&self) -> [&'static str; 4] {
        [CONFIG[0], CONFIG[1], self.section, self.key]
    }
}

/// What has to change, and what is worth knowing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Settings {
    /// The changes, in the order of `app.ini`.
    pub changes: Vec<Setting>,
    /// What was left alone and should be looked at by a person.
    pub notes: Vec<String>,
}

/// Compares.
pub fn settings(values: &Values, host: &str, limit: &str) -> Settings {
    let mut found = Settings::default();
    found.switch(values);
    found.limit(values, limit);
    found.units(values);
    found.root_url(values, host);
    found
}

fn before(values: &Values, section: &str, key: &str) -> Before {
    match values.find(&[CONFIG[0], CONFIG[1], section, key]) {
        Found::Absent => Before::Absent,
        Found::Hidden { .. } => Before::Hidden,
        Found::Set { value, hidden: true, .. } => Before::Decrypted(text(value)),
        Found::Set { value, .. } => Before::Is(text(value)),
    }
}

impl Settings {
    fn add(
        &mut self,
        (section, key): (&'static str, &'static str),
        before: Before,
        wanted: impl Into<Value>,
        why: &'static str,
    ) {
        self.changes.push(Setting { section, key, wanted: wanted.into(), before, why });
    }

    fn switch(&mut self, values: &Values) {
        let at = ("packages", "ENABLED");
        let before = before(values, at.0, at.1);
        if !before.known().is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            self.add(at, before, true, "the registry is a part of the packages");
        }
    }

    fn limit(&mut self, values: &Values, limit: &str) {
        let at = ("packages", "LIMIT_SIZE_CONTAINER");
        // A limit that somebody has set is a decision, also when it cannot be read here.
        if before(values, at.0, at.1) == Before::Absent {
            let wanted = limit.parse::<i64>().map_or_else(|_| Value::from(limit), Value::from);
            self.add(
                at,
                Before::Absent,
                wanted,
                "how large a layer may be is decided, and not left to a default",
            );
        }
    }

    fn units(&mut self, values: &Values) {
        let at = ("repository", "DISABLED_REPO_UNITS");
        let why = "repositories show their packages";
        let before = before(values, at.0, at.1);
        match &before {
            Before::Absent => self.add(at, before, "", why),
            Before::Is(text) | Before::Decrypted(text) => {
                let units: Vec<&str> =
                    text.split(',').map(str::trim).filter(|unit| !unit.is_empty()).collect();
                let kept: Vec<&str> = units.iter().copied().filter(|unit| *unit != PACKAGES_UNIT).collect();
                if kept.len() < units.len() {
                    let kept = kept.join(",");
                    self.add(at, before, kept, why);
                }
            }
            Before::Hidden => self.notes.push(format!(
                "[{}] {} is encrypted and cannot be read here, so it is left alone: look that it does not name {PACKAGES_UNIT}",
                at.0, at.1
            )),
        }
    }

    fn root_url(&mut self, values: &Values, host: &str) {
        let at = ("server", "ROOT_URL");
        let why = "clients are sent to this URL for a token, and by http everybody on the way can read it";
        let before = before(values, at.0, at.1);
        let Some(url) = before.known() else {
            return self.add(at, before, format!("https://{host}/"), why);
        };
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if scheme == "https" && authority.eq_ignore_ascii_case(host) {
            return;
        }
        if !same_name(authority, host) {
            self.notes.push(format!(
                "[{}] {} is {}, which is another host than {host}: it is left alone, since every link of the forge has it",
                at.0,
                at.1,
                before.shown()
            ));
            return;
        }
        let path = path.trim_matches('/');
        let path = if path.is_empty() { String::new() } else { format!("{path}/") };
        self.add(at, before.clone(), format!("https://{host}/{path}"), why);
    }
}

/// Whether both are the same host, whatever their ports.
fn same_name(left: &str, right: &str) -> bool {
    let name = |text: &str| match format!("https://{text}").parse::<Origin>() {
        Ok(Origin::Web { host, .. }) => host.to_ascii_lowercase(),
        _ => text.to_ascii_lowercase(),
    };
    name(left) == name(right)
}

#[cfg(test)]
mod tests {
    use super::super::values::tests::plain;
    use super::*;

    fn said(files: &[&str]) -> (Vec<String>, usize) {
        let found = settings(&plain(files), "git.example.com", "-1");
        let words = found.changes.iter().map(|one| {
            let before = match &one.before {
                Before::Is(text) => format!("'{text}'"),
                other => other.shown().to_owned(),
            };
            format!("{} {before} -> {}", one.name(), one.wanted)
        });
        (words.collect(), found.notes.len())
    }

    fn config(text: &str) -> String {
        format!("gitea: {{config: {{{text}}}}}")
    }

    #[test]
    fn what_is_absent_is_said_explicitly() {
        let (changes, notes) = said(&[&config("server: {ROOT_URL: 'http://git.example.com'}")]);
        assert_eq!(
            changes,
            [
                "[packages] ENABLED absent -> true",
                "[packages] LIMIT_SIZE_CONTAINER absent -> -1",
                "[repository] DISABLED_REPO_UNITS absent -> \"\"",
                "[server] ROOT_URL 'http://git.example.com' -> \"https://git.example.com/\"",
            ]
        );
        assert_eq!(notes, 0);
    }

    #[test]
    fn what_somebody_decided_stays() {
        let decided = config(
            "packages: {ENABLED: 'True', LIMIT_SIZE_CONTAINER: 2 GiB}, repository: {DISABLED_REPO_UNITS: repo.wiki}, \
             server: {ROOT_URL: 'https://Git.example.com/forge/'}",
        );
        assert_eq!(said(&[&decided]), (vec![], 0));
        let off = config(
            "packages: {ENABLED: false}, repository: {DISABLED_REPO_UNITS: 'repo.wiki, repo.packages'}",
        );
        let (changes, _) = said(&[&decided, &off]);
        assert_eq!(
            changes,
            [
                "[packages] ENABLED 'false' -> true",
                "[repository] DISABLED_REPO_UNITS 'repo.wiki, repo.packages' -> \"repo.wiki\"",
            ]
        );
    }

    #[test]
    fn a_path_stays_and_another_host_is_not_ours() {
        for (url, wanted) in [
            ("http://git.example.com:3000/forge", Some("\"https://git.example.com/forge/\"")),
            ("git.example.com", Some("\"https://git.example.com/\"")),
            ("http://code.example.com/", None),
        ] {
            let (changes, notes) = said(&[&config(&format!("server: {{ROOT_URL: '{url}'}}"))]);
            let change = changes.iter().find(|change| change.contains("ROOT_URL"));
            assert_eq!(change.and_then(|change| change.split(" -> ").nth(1)), wanted, "{url}");
            assert_eq!(notes, usize::from(wanted.is_none()));
        }
    }

    #[test]
    fn what_is_encrypted_is_set_or_named_but_never_guessed() {
        let closed = "gitea: {config: {packages: {ENABLED: 'ENC[x]', LIMIT_SIZE_CONTAINER: 'ENC[x]'}, \
                      repository: {DISABLED_REPO_UNITS: 'ENC[x]'}, server: {ROOT_URL: 'ENC[x]'}}}\nsops: {mac: 'ENC[x]'}";
        let (changes, notes) = said(&[closed]);
        assert_eq!(
            changes,
            [
                "[packages] ENABLED (encrypted) -> true",
                "[server] ROOT_URL (encrypted) -> \"https://git.example.com/\"",
            ]
        );
        assert_eq!(notes, 1);
    }
}
