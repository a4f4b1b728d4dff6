//! The rules: what an operator says, and what of it cannot be meant.
//!
//! A rule for a repository is put over that of its owner, and that over the default, key by key: what a table does not
//! say it takes from the next wider one.

use std::collections::BTreeMap;

use railhead_oci::{Pattern, RepositoryName};
use serde::{Deserialize, Serialize};

/// Days that the trash keeps what was lost, unless the rules say otherwise.
pub const DEFAULT_TRASH_DAYS: u32 = 14;

/// All rules of a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Days that the trash keeps what was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trash_days: Option<u32>,
    /// For every repository.
    #[serde(default)]
    pub default: Rule,
    /// By owner, in lower case.
    #[serde(default)]
    pub owners: BTreeMap<String, Rule>,
    /// By the name of a repository, or a pattern over names.
    #[serde(default)]
    pub repositories: BTreeMap<Pattern, Rule>,
}

/// Which of two rules counts when both speak of the same image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefer {
    /// `keep` and `keep_days`.
    Keep,
    /// `expire` and `expire_annotations`.
    Expire,
}

/// One table of rules. What is not given is taken from a wider table; what nobody gives does not apply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Keep so many of the tags that were pushed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_newest: Option<u32>,
    /// Keep what was pushed or pulled within so many days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<u32>,
    /// Keep the newest so many patch releases of each `MAJOR.MINOR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_patches: Option<u32>,
    /// Keep tags by pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<Vec<Pattern>>,
    /// Let tags go by pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire: Option<Vec<Pattern>>,
    /// Let images go by annotation: `KEY`, or `KEY=VALUE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire_annotations: Option<Vec<String>>,
    /// So many days after they were pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire_days: Option<u32>,
    /// Let images that no tag names go so many days after they were last used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untagged_days: Option<u32>,
    /// Which counts when `keep` or `keep_days` and `expire` speak of the same image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefer: Option<Prefer>,
    /// Whether a repository may lose all that it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_empty: Option<bool>,
}

/// Why rules cannot be meant. `place` is the table, as in `retention.owners.team`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Nothing would be kept by it, or nothing would ever be safe.
    #[error("{place}.{key} must be at least 1")]
    Zero {
        /// The table.
        place: String,
        /// The key.
        key: &'static str,
    },
    /// One key needs another.
    #[error("{place}.{key} is given without {place}.{other}")]
    Without {
        /// The table.
        place: String,
        /// The key.
        key: &'static str,
        /// The one that is missing.
        other: &'static str,
    },
    /// The pattern stands for every tag.
    #[error("{place}.expire has '{pattern}', which lets every image go")]
    Everything {
        /// The table.
        place: String,
        /// The pattern.
        pattern: String,
    },
    /// A pattern is in both lists.
    #[error("{place} both keeps and expires '{pattern}'")]
    Contradiction {
        /// The table.
        place: String,
        /// The pattern.
        pattern: String,
    },
    /// The windows overlap.
    #[error(
        "{place}: images expire after {expire_days} days, and keep_days keeps what was used in the last {keep_days}"
    )]
    Overlap {
        /// The table.
        place: String,
        /// After how many days images expire.
        expire_days: u32,
        /// For how many days they are kept.
        keep_days: u32,
    },
    /// An annotation without a key.
    #[error("{place}.expire_annotations has '{text}', which is neither KEY nor KEY=VALUE")]
    Annotation {
        /// The table.
        place: String,
        /// What it has.
        text: String,
    },
}

impl RuleError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Zero { .. } => "leave the key out to do without this rule".to_owned(),
            Self::Without { other, .. } => format!("say {other} too, in this table or a wider one"),
            Self::Everything { .. } => "say may_empty = true if that is meant".to_owned(),
            Self::Contradiction { .. } | Self::Overlap { .. } => {
                "say prefer = \"keep\" or prefer = \"expire\"".to_owned()
            }
            Self::Annotation { .. } => {
                "write it as dev.example.ephemeral, or dev.example.stage=test".to_owned()
            }
        }
    }
}

impl Rules {
    /// Days that the trash keeps what was lost.
    pub fn trash_days(&self) -> u32 {
        self.trash_days.unwrap_or(DEFAULT_TRASH_DAYS)
    }

    /// Whether nothing is said at all, so that nothing can be lost.
    pub fn is_empty(&self) -> bool {
        self.default == Rule::default() && self.owners.is_empty() && self.repositories.is_empty()
    }

    /// Looks for what cannot be meant, in every table as it applies.
    pub fn check(&self) -> Result<(), RuleError> {
        self.default.check("retention")?;
        for (owner, rule) in &self.owners {
            rule.over(&self.default).check(&format!("retention.owners.{owner}"))?;
        }
        for (pattern, rule) in &self.repositories {
            let owner = pattern.as_str().split('/').next().and_then(|owner| self.owners.get(owner));
            let wider = owner.map_or_else(|| self.default.clone(), |owner| owner.over(&self.default));
            rule.over(&wider).check(&format!("retention.repositories.\"{}\"", pattern.as_str()))?;
        }
        Ok(())
    }

    /// The rule of a repository, and the tables that it is made of. `Err` names two patterns that both speak of it.
    pub(crate) fn of(&self, name: &RepositoryName) -> Result<Rule, [String; 2]> {
        let owner = self.owners.get(name.owner());
        let wider = owner.map_or_else(|| self.default.clone(), |owner| owner.over(&self.default));
        if let Some((_, rule)) =
            self.repositories.iter().find(|(pattern, _)| pattern.as_str() == name.as_str())
        {
            return Ok(rule.over(&wider));
        }
        let mut speaking = self.repositories.iter().filter(|(pattern, _)| pattern.matches(name.as_str()));
        match (speaking.next(), speaking.next()) {
            (None, _) => Ok(wider),
            (Some((_, rule)), None) => Ok(rule.over(&wider)),
            (Some((first, _)), Some((second, _))) => {
                Err([first.as_str().to_owned(), second.as_str().to_owned()])
            }
        }
    }
}

impl Rule {
    /// This rule, and for what it does not say a wider one.
    pub(crate) fn over(&self, wider: &Self) -> Self {
        let (own, wider) = (self.clone(), wider.clone());
        Self {
            keep_newest: own.keep_newest.or(wider.keep_newest),
            keep_days: own.keep_days.or(wider.keep_days),
            keep_patches: own.keep_patches.or(wider.keep_patches),
            keep: own.keep.or(wider.keep),
            expire: own.expire.or(wider.expire),
            expire_annotations: own.expire_annotations.or(wider.expire_annotations),
            expire_days: own.expire_days.or(wider.expire_days),
            untagged_days: own.untagged_days.or(wider.untagged_days),
            prefer: own.prefer.or(wider.prefer),
            may_empty: own.may_empty.or(wider.may_empty),
        }
    }

    /// Whether nothing of it lets anything go.
    pub(crate) fn keeps_all(&self) -> bool {
        let limits = [self.keep_newest, self.keep_days, self.keep_patches, self.untagged_days];
        let expires = |list: Option<usize>| list.is_some_and(|length| length > 0);
        limits.iter().all(Option::is_none)
            && !expires(self.expire.as_ref().map(Vec::len))
            && !expires(self.expire_annotations.as_ref().map(Vec::len))
    }

    fn check(&self, place: &str) -> Result<(), RuleError> {
        let place = place.to_owned();
        for (key, value) in [
            ("keep_newest", self.keep_newest),
            ("keep_days", self.keep_days),
            ("keep_patches", self.keep_patches),
            ("expire_days", self.expire_days),
            ("untagged_days", self.untagged_days),
        ] {
            if value == Some(0) {
                return Err(RuleError::Zero { place, key });
            }
        }
        let expire = self.expire.as_deref().unwrap_or_default();
        let annotations = self.expire_annotations.as_deref().unwrap_or_default();
        if let Some(text) = annotations.iter().find(|text| text.split('=').next().is_none_or(str::is_empty)) {
            return Err(RuleError::Annotation { place, text: text.clone() });
        }
        match (!expire.is_empty() || !annotations.is_empty(), self.expire_days) {
            (true, None) => {
                let key = if expire.is_empty() { "expire_annotations" } else { "expire" };
                return Err(RuleError::Without { place, key, other: "expire_days" });
            }
            // An empty list says on purpose that nothing expires here.
            (false, Some(_)) if self.expire.is_none() && self.expire_annotations.is_none() => {
                return Err(RuleError::Without { place, key: "expire_days", other: "expire" });
            }
            _ => {}
        }
        if let Some(all) = expire.iter().find(|pattern| pattern.is_everything())
            && self.may_empty != Some(true)
        {
            return Err(RuleError::Everything { place, pattern: all.as_str().to_owned() });
        }
        if self.prefer.is_some() {
            return Ok(());
        }
        if let Some(both) = self.keep.iter().flatten().find(|pattern| expire.contains(pattern)) {
            return Err(RuleError::Contradiction { place, pattern: both.as_str().to_owned() });
        }
        match (self.expire_days, self.keep_days) {
            (Some(expire_days), Some(keep_days)) if expire_days < keep_days => {
                Err(RuleError::Overlap { place, expire_days, keep_days })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    fn expiring(patterns: &[&str], days: u32) -> Rule {
        let expire = Some(patterns.iter().map(|text| pattern(text)).collect());
        Rule { expire, expire_days: Some(days), ..Rule::default() }
    }

    fn check(rule: Rule) -> Result<(), (String, String)> {
        let rules = Rules { owners: BTreeMap::from([("team".to_owned(), rule)]), ..Rules::default() };
        rules.check().map_err(|error| (error.to_string(), error.hint()))
    }

    #[test]
    fn what_cannot_be_meant_is_said_with_its_place() {
        let keep = Some(vec![pattern("pr-*")]);
        for (rule, message, hint) in [
            (
                Rule { keep_newest: Some(0), ..Rule::default() },
                "retention.owners.team.keep_newest must be",
                "leave",
            ),
            (Rule { untagged_days: Some(0), ..Rule::default() }, "untagged_days must be at least 1", "leave"),
            (expiring(&["*"], 3), "'*', which lets every image go", "may_empty"),
            (Rule { keep, ..expiring(&["pr-*"], 3) }, "both keeps and expires 'pr-*'", "prefer"),
            (Rule { keep_days: Some(30), ..expiring(&["pr-*"], 3) }, "expire after 3 days", "prefer"),
            (Rule { expire_days: None, ..expiring(&["pr-*"], 3) }, "expire is given without", "expire_days"),
            (Rule { expire_days: Some(3), ..Rule::default() }, "expire_days is given without", "expire"),
            (
                Rule { expire_annotations: Some(vec!["=x".to_owned()]), ..expiring(&[], 3) },
                "'=x', which is neither",
                "write it as",
            ),
        ] {
            let (found, advice) = check(rule).unwrap_err();
            assert!(found.contains(message) && advice.contains(hint), "{found}; {advice}");
        }
        check(Rule { may_empty: Some(true), ..expiring(&["**"], 3) }).unwrap();
        check(Rule { prefer: Some(Prefer::Expire), keep_days: Some(30), ..expiring(&["pr-*"], 3) }).unwrap();
    }

    #[test]
    fn a_narrower_table_says_what_it_says_and_takes_the_rest() {
        let newest = |count| Rule { keep_newest: Some(count), ..Rule::default() };
        let rules = Rules {
            default: Rule { keep_days: Some(30), ..newest(10) },
            owners: BTreeMap::from([("team".to_owned(), newest(5))]),
            repositories: BTreeMap::from([
                (pattern("team/app"), newest(2)),
                (pattern("team/a*"), newest(3)),
                (pattern("team/*p"), newest(4)),
            ]),
            ..Rules::default()
        };
        let of = |name: &str| rules.of(&name.parse().unwrap()).map(|rule| (rule.keep_newest, rule.keep_days));
        assert_eq!(of("other/app"), Ok((Some(10), Some(30))));
        assert_eq!(of("team/web"), Ok((Some(5), Some(30))));
        assert_eq!(of("team/app"), Ok((Some(2), Some(30))), "the name itself counts more than a pattern");
        assert_eq!(of("team/api"), Ok((Some(3), Some(30))));
        assert_eq!(of("team/amp"), Err(["team/*p".to_owned(), "team/a*".to_owned()]));
    }
}
