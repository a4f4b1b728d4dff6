//! The table `[workloads]` of the file: whose tokens of jobs and service accounts count, and what for. One table a rule.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use railhead_access::{Action, TokenScope};
use railhead_client::Trust;
use railhead_operate::nearest;
use railhead_workload::{Claim, Glob, Issuer, KeySource, Rule, Workloads};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::values::beside;
use super::{ConfigError, line_of};

/// The table's name.
pub const TABLE: &str = "workloads";
/// What a rule may have.
const KEYS: [&str; 8] = ["issuer", "audience", "claims", "grant", "minutes", "keys", "ca", "token_file"];
/// How long a grant is good unless the rule says otherwise, and the longest that can be said.
const MINUTES: (i64, i64) = (15, 24 * 60);
/// Whom a token is for, unless the rule says otherwise.
const AUDIENCE: &str = "railhead";

/// Reads the rules in the file at `path`.
pub fn read(path: &Path) -> Result<Option<Workloads<TokenScope>>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        ConfigError::new(format!("cannot read the configuration file {}", path.display())).because(error)
    })?;
    let Ok(whole) = DeTable::parse(&text) else { return Ok(None) };
    let Some((_, tables)) = whole.get_ref().iter().find(|(name, _)| name.get_ref() == TABLE) else {
        return Ok(None);
    };
    let file = File { path, text: &text };
    let (mut rules, mut issuers) = (Vec::new(), BTreeMap::<String, Issuer>::new());
    for (name, table) in file.table(TABLE, tables)? {
        let at = format!("{TABLE}.{}", name.get_ref());
        let rule = file.rule(&at, name.get_ref(), file.table(&at, table)?)?;
        let (rule, issuer) = rule;
        if let Some(known) = issuers.get_mut(&issuer.url) {
            merge(known, issuer, &at)?;
        } else {
            issuers.insert(issuer.url.clone(), issuer);
        }
        rules.push(rule);
    }
    Ok((!rules.is_empty()).then(|| Workloads::new(rules, issuers.into_values().collect())))
}

/// Rules of one issuer share its keys: what one of them says counts for all.
fn merge(known: &mut Issuer, other: Issuer, at: &str) -> Result<(), ConfigError> {
    let differ = |what| ConfigError::new(format!("{at}: another rule of the same issuer has other `{what}`"));
    match (&known.keys, other.keys) {
        (_, KeySource::Discovery) => {}
        (KeySource::Discovery, keys) => known.keys = keys,
        (KeySource::Url(one), KeySource::Url(two)) if *one == two => {}
        (KeySource::File(one), KeySource::File(two)) if *one == two => {}
        _ => return Err(differ("keys")),
    }
    if other.trust.is_some() {
        known.trust = other.trust;
    }
    match (&known.token_file, other.token_file) {
        (_, None) => {}
        (None, file) => known.token_file = file,
        (Some(one), Some(two)) if *one == two => {}
        _ => return Err(differ("token_file")),
    }
    Ok(())
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl<'a> File<'a> {
    fn table(&self, at: &str, value: &'a Spanned<DeValue<'a>>) -> Result<&'a DeTable<'a>, ConfigError> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.wrong(at, value.span().start, "is a table")),
        }
    }

    fn rule(
        &self,
        at: &str,
        name: &str,
        table: &'a DeTable<'a>,
    ) -> Result<(Rule<TokenScope>, Issuer), ConfigError> {
        for (key, _) in table {
            if !KEYS.contains(&key.get_ref().as_ref()) {
                let line = line_of(self.text, key.span().start);
                let error = ConfigError::new(format!(
                    "{}:{line}: the key '{at}.{}' is unknown",
                    self.path.display(),
                    key.get_ref()
                ));
                return Err(match nearest(key.get_ref(), KEYS) {
                    Some(meant) => error.hint(format!("did you mean '{meant}'?")),
                    None => error.hint(format!("a rule has {}", KEYS.join(", "))),
                });
            }
        }
        let find = |key: &str| table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value);
        let need = |key: &str| {
            find(key).ok_or_else(|| {
                ConfigError::new(format!("{at} ({}): `{key}` is missing", self.path.display()))
            })
        };
        let text = |key: &str| find(key).map(|value| self.text(&format!("{at}.{key}"), value)).transpose();
        let url = self.text(&format!("{at}.issuer"), need("issuer")?)?;
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(ConfigError::new(format!("{at}.issuer: '{url}' is not the URL of an issuer"))
                .hint("write it exactly as the claim iss of its tokens, as in https://token.actions.githubusercontent.com"));
        }
        let file = |text: String| PathBuf::from(beside(self.path, &text));
        let keys = match text("keys")? {
            None => KeySource::Discovery,
            Some(at) if at.starts_with("https://") || at.starts_with("http://") => KeySource::Url(at),
            Some(path) => KeySource::File(file(path)),
        };
        let ca = text("ca")?.map(file);
        let trust = Trust::system(ca.as_deref())
            .map_err(|error| ConfigError::new(format!("{at}.ca cannot be used")).because(error))?;
        let issuer =
            Issuer { url: url.clone(), keys, trust: Some(trust), token_file: text("token_file")?.map(file) };
        let grants = self.list(&format!("{at}.grant"), need("grant")?)?;
        let rule = Rule {
            name: name.to_owned(),
            issuer: url,
            audience: text("audience")?.unwrap_or_else(|| AUDIENCE.to_owned()),
            claims: self.claims(&format!("{at}.claims"), need("claims")?)?,
            grants: grants.iter().map(|grant| scope(at, grant)).collect::<Result<_, _>>()?,
            life: Duration::from_mins(self.minutes(&format!("{at}.minutes"), find("minutes"))?),
        };
        Ok((rule, issuer))
    }

    fn claims(&self, at: &str, value: &'a Spanned<DeValue<'a>>) -> Result<Vec<Claim>, ConfigError> {
        let table = self.table(at, value)?;
        let mut claims = Vec::new();
        for (name, value) in table {
            let values = self.list(&format!("{at}.{}", name.get_ref()), value)?;
            claims.push(Claim {
                name: name.get_ref().to_string(),
                values: values.into_iter().map(Glob::new).collect(),
            });
        }
        // Without any, whoever has a token of the issuer would come in: on some that is everybody.
        let says = |claim: &Claim| claim.values.iter().any(|glob| *glob != Glob::new("*"));
        if !claims.iter().any(says) {
            return Err(self.wrong(at, value.span().start, "names at least one claim and its value"));
        }
        Ok(claims)
    }

    fn minutes(&self, at: &str, value: Option<&Spanned<DeValue<'a>>>) -> Result<u64, ConfigError> {
        let Some(value) = value else { return Ok(MINUTES.0 as u64) };
        let number = match value.get_ref() {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|minutes| (1..=MINUTES.1).contains(minutes));
        let wanted = format!("is a number of minutes, from 1 to {}", MINUTES.1);
        number.map(|minutes| minutes as u64).ok_or_else(|| self.wrong(at, value.span().start, &wanted))
    }

    fn text(&self, at: &str, value: &Spanned<DeValue<'_>>) -> Result<String, ConfigError> {
        match value.get_ref() {
            DeValue::String(text) if !text.is_empty() => Ok(text.to_string()),
            _ => Err(self.wrong(at, value.span().start, "is a text")),
        }
    }

    /// A text, a number, or a list of texts.
    fn list(&self, at: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, ConfigError> {
        match value.get_ref() {
            DeValue::Integer(number) => Ok(vec![number.as_str().to_owned()]),
            DeValue::Array(items) if !items.is_empty() => {
                items.iter().map(|item| self.text(at, item)).collect()
            }
            DeValue::Array(_) => Err(self.wrong(at, value.span().start, "has something in it")),
            _ => Ok(vec![self.text(at, value)?]),
        }
    }

    fn wrong(&self, at: &str, offset: usize, must: &str) -> ConfigError {
        ConfigError::new(format!("{at} ({}:{}): it {must}", self.path.display(), line_of(self.text, offset)))
    }
}

fn scope(at: &str, text: &str) -> Result<TokenScope, ConfigError> {
    let scope: TokenScope = text
        .parse()
        .map_err(|error| ConfigError::new(format!("{at}.grant cannot be used")).because(error))?;
    if scope.action == Action::Admin || scope.over == railhead_access::Over::All {
        return Err(ConfigError::new(format!("{at}.grant: '{text}' is more than a workload can get"))
            .hint("name the action and the repositories, as in push:team/app or pull:team"));
    }
    Ok(scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Result<bool, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("railhead.toml");
        std::fs::write(&path, text).unwrap();
        read(&path).map(|found| found.is_some()).map_err(|error| {
            let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            let said = format!("{error} {source} {}", error.hint.as_deref().unwrap_or_default());
            said.split_whitespace().collect::<Vec<_>>().join(" ")
        })
    }

    const GOOD: &str =
        "[workloads.ci]\nissuer = 'https://i'\ngrant = ['push:team/app']\nclaims = { id = 42 }\n";

    #[test]
    fn rules_are_read_and_rules_of_one_issuer_share_its_keys() {
        assert_eq!(told("listen = '127.0.0.1:1'\n"), Ok(false));
        assert_eq!(told(GOOD), Ok(true));
        let second = "[workloads.two]\nissuer = 'https://i'\ngrant = 'pull:team'\nclaims = { ref = ['a', 'b*'] }\nkeys = 'k.json'\n";
        assert_eq!(told(&format!("{GOOD}{second}")), Ok(true));
        let third = second.replace("two", "three").replace("k.json", "https://k");
        assert!(told(&format!("{GOOD}{second}{third}")).unwrap_err().contains("other `keys`"));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (from, to, message) in [
            ("grant", "grants", ":3: the key 'workloads.ci.grants' is unknown did you mean 'grant'?"),
            ("issuer = 'https://i'\n", "", "`issuer` is missing"),
            ("https://i", "i", "not the URL of an issuer"),
            ("push:team/app", "push", "more than a workload can get"),
            ("push:team/app", "admin:team/app", "more than a workload can get"),
            ("push:team/app", "write:team/app", "not a scope"),
            ("{ id = 42 }", "{}", "names at least one claim"),
            ("{ id = 42 }", "{ id = '*' }", "names at least one claim"),
            ("{ id = 42 }", "{ id = [] }", "has something in it"),
            ("grant =", "minutes = 0\ngrant =", "from 1 to 1440"),
            ("grant =", "ca = '/none'\ngrant =", "workloads.ci.ca cannot be used"),
        ] {
            let error = told(&GOOD.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(message), "{message}: {error}");
        }
    }
}
