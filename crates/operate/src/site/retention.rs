//! The table `[retention]`: rules for what may go, read by the server and by the operator's commands alike.

use std::fs;
use std::path::Path;
use std::time::Duration;

use railhead_oci::Pattern;
use railhead_retention::{Prefer, Rule, Rules};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::SiteError;
use super::keys::{self, OF_ALL_RETENTION};
use super::read::{At, Entry};

/// Tables inside of the table.
const TABLES: [&str; 2] = ["owners", "repositories"];

/// What a site says of retention.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// The rules.
    pub rules: Rules,
    /// How often the server applies them by itself; never without it.
    pub every: Option<Duration>,
}

impl Retention {
    /// Reads only this of the site file at `path`.
    pub fn read(path: &Path) -> Result<Self, SiteError> {
        let text =
            fs::read_to_string(path).map_err(|source| SiteError::Read { path: path.to_owned(), source })?;
        let whole = DeTable::parse(&text).map_err(|error| super::read::not_toml(path, &text, &error))?;
        for (name, value) in whole.get_ref() {
            if name.get_ref() == "retention" {
                return At { path, text: &text, table: "retention".to_owned() }.retention(value);
            }
        }
        Ok(Self::default())
    }
}

impl<'a> At<'a> {
    pub(super) fn retention(&self, value: &'a Spanned<DeValue<'a>>) -> Result<Retention, SiteError> {
        let known: Vec<_> = keys::names("retention").into_iter().chain(TABLES).collect();
        let mut retention = Retention::default();
        for entry in self.entries(value, Some(&known))? {
            let rules = &mut retention.rules;
            match entry.key {
                "trash_days" => rules.trash_days = Some(entry.days()?),
                "every_hours" => {
                    let hours = entry.days()?;
                    retention.every = (hours > 0).then(|| Duration::from_hours(hours.into()));
                }
                "owners" => {
                    for (owner, rule) in self.tables(&entry)? {
                        rules.owners.insert(owner.to_ascii_lowercase(), rule);
                    }
                }
                "repositories" => {
                    for (name, rule) in self.tables(&entry)? {
                        let wanted = || {
                            entry.wanted("tables named by repositories or patterns, as in [retention.repositories.\"team/app\"]")
                        };
                        let pattern: Pattern = name.to_ascii_lowercase().parse().map_err(|_| wanted())?;
                        rules.repositories.insert(pattern, rule);
                    }
                }
                _ => entry.rule(&mut rules.default)?,
            }
        }
        retention.rules.check().map_err(|wrong| SiteError::Rule { path: self.path.to_owned(), wrong })?;
        Ok(retention)
    }

    /// The rules of each table of a table.
    fn tables(&self, entry: &Entry<'a>) -> Result<Vec<(String, Rule)>, SiteError> {
        let DeValue::Table(tables) = entry.value else { return Err(entry.wanted("a table")) };
        let mut known = keys::names("retention");
        known.retain(|key| !OF_ALL_RETENTION.contains(key));
        let mut all = Vec::new();
        for (name, value) in tables {
            let at = At { table: format!("{}.{}", entry.full, name.get_ref()), ..*self };
            let mut rule = Rule::default();
            for entry in at.entries(value, Some(&known))? {
                entry.rule(&mut rule)?;
            }
            all.push((name.get_ref().to_string(), rule));
        }
        Ok(all)
    }
}

impl Entry<'_> {
    /// Reads a key of a rule.
    fn rule(&self, rule: &mut Rule) -> Result<(), SiteError> {
        match self.key {
            "keep_newest" => rule.keep_newest = Some(self.days()?),
            "keep_days" => rule.keep_days = Some(self.days()?),
            "keep_patches" => rule.keep_patches = Some(self.days()?),
            "keep" => rule.keep = Some(self.patterns()?),
            "expire" => rule.expire = Some(self.patterns()?),
            "expire_annotations" => rule.expire_annotations = Some(self.list()?),
            "expire_days" => rule.expire_days = Some(self.days()?),
            "untagged_days" => rule.untagged_days = Some(self.days()?),
            "prefer" => {
                let word = |prefer| if prefer == Prefer::Keep { "keep" } else { "expire" };
                rule.prefer = Some(self.choice(&[Prefer::Keep, Prefer::Expire], word)?);
            }
            _ => rule.may_empty = Some(self.flag()?),
        }
        Ok(())
    }

    /// A number of days, or of what else is counted.
    pub(super) fn days(&self) -> Result<u32, SiteError> {
        let number = match self.value {
            DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        number.ok_or_else(|| self.wanted("a whole number"))
    }

    fn patterns(&self) -> Result<Vec<Pattern>, SiteError> {
        let read = |text: String| {
            text.parse().map_err(|_| self.wanted(format!("patterns of tags, and '{text}' is none")))
        };
        self.list()?.into_iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Site;

    fn parse(text: &str) -> Result<Retention, SiteError> {
        Site::parse(Path::new("railhead.toml"), text).map(|site| site.retention)
    }

    #[test]
    fn rules_are_read_from_wide_to_narrow() {
        let retention = parse(
            r#"
[retention]
trash_days = 7
every_hours = 24
keep_newest = 10
keep = ["main", "v*"]
[retention.owners.Team]
untagged_days = 14
[retention.repositories."team/cache/**"]
expire = ["*"]
expire_days = 3
may_empty = true
prefer = "expire"
"#,
        )
        .unwrap();
        let rules = &retention.rules;
        assert_eq!((retention.every, rules.trash_days), (Some(Duration::from_hours(24)), Some(7)));
        assert_eq!(
            (rules.default.keep_newest, rules.default.keep.as_ref().map(Vec::len)),
            (Some(10), Some(2))
        );
        assert_eq!(rules.owners["team"].untagged_days, Some(14));
        let (pattern, rule) = rules.repositories.first_key_value().unwrap();
        assert_eq!(
            (pattern.as_str(), rule.expire_days, rule.may_empty),
            ("team/cache/**", Some(3), Some(true))
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_what_was_meant() {
        for (text, message, hint) in [
            ("keep_newst = 3", ":2: the key 'retention.keep_newst' is unknown", "'retention.keep_newest'"),
            (
                "[retention.owners.team]\nkeep_day = 3",
                "'retention.owners.team.keep_day' is unknown",
                "keep_days'",
            ),
            ("keep_newest = '3'", "must be a whole number", ""),
            ("keep_newest = -3", "must be a whole number", ""),
            (
                "keep_newest = 0",
                "railhead.toml: retention.keep_newest must be at least 1",
                "leave the key out",
            ),
            ("keep = ['a b']", "'a b' is none", ""),
            ("prefer = 'both'", "one of keep, expire", ""),
            ("expire = ['**']\nexpire_days = 1", "lets every image go", "may_empty = true"),
            ("repositories = 3", "must be a table", ""),
        ] {
            let error = parse(&format!("[retention]\n{text}")).unwrap_err();
            assert!(error.to_string().contains(message), "{text}: {error}");
            assert!(error.hint().unwrap_or_default().contains(hint), "{text}: {:?}", error.hint());
        }
    }
}
