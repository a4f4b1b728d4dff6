//! Patterns over the names of repositories and tags, as in grants (`push:team/app*`) and in retention rules.
//!
//! - `*` stands for any run of characters, also none, within a segment: it never crosses a slash;
//! - `**` stands for any run of characters, slashes too;
//! - `*` or `**` alone stands for everything;
//! - anything else stands for itself.
//!
//! So `team/*` grants `team/app` and not `team/app/debug`, which `team/**` does: a pattern never says more than it
//! shows. Matching takes at most time proportional to pattern times text, both of which have limits.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest pattern, in bytes.
const PATTERN_MAX: usize = 255;

/// Why a text is not a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing at all.
    #[error("a pattern is not empty; * stands for everything")]
    Empty,
    /// Longer than 255 bytes.
    #[error("the pattern is longer than 255 characters")]
    Length,
    /// A character that neither names nor tags have.
    #[error("a pattern has letters, digits, '.', '_', '-', '/' and '*', and not '{0}'")]
    Character(char),
    /// Three stars or more.
    #[error("a pattern has '*' or '**', not more stars in a row")]
    Stars,
}

/// A pattern over names or tags.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(Arc<str>);

impl Pattern {
    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for everything.
    pub fn is_everything(&self) -> bool {
        matches!(&*self.0, "*" | "**")
    }

    /// Whether `text` is what the pattern stands for.
    pub fn matches(&self, text: &str) -> bool {
        self.is_everything() || matches(self.0.as_bytes(), text.as_bytes())
    }
}

/// Follows every reading of the pattern at once: bit `i` of the set says that `pattern[..i]` stands for the text so
/// far. No reading is tried twice, so there is nothing to blow up.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    // What stands before the first star decides nearly always, and is cheap.
    let literal = pattern.iter().position(|byte| *byte == b'*').unwrap_or(pattern.len());
    let (head, pattern) = pattern.split_at(literal);
    let Some(text) = text.strip_prefix(head) else { return false };
    if pattern.is_empty() || pattern == b"**" {
        return text.is_empty() || !pattern.is_empty();
    }

    let mut now = [false; PATTERN_MAX + 1];
    now[0] = true;
    step_over_stars(pattern, &mut now);
    for byte in text {
        let mut next = [false; PATTERN_MAX + 1];
        let mut alive = false;
        for (index, wanted) in pattern.iter().enumerate().filter(|(index, _)| now[*index]) {
            let to = if *wanted == b'*' {
                (*byte != b'/' || is_double(pattern, index)).then_some(index)
            } else {
                (wanted == byte).then_some(index + 1)
            };
            if let Some(to) = to {
                next[to] = true;
                alive = true;
            }
        }
        if !alive {
            return false;
        }
        step_over_stars(pattern, &mut next);
        now = next;
    }
    now[pattern.len()]
}

/// A star may stand for nothing, so what is before it is also behind it.
fn step_over_stars(pattern: &[u8], set: &mut [bool; PATTERN_MAX + 1]) {
    for (index, wanted) in pattern.iter().enumerate() {
        if set[index] && *wanted == b'*' {
            set[index + 1] = true;
        }
    }
}

/// Whether the star at `index` is one of two.
fn is_double(pattern: &[u8], index: usize) -> bool {
    pattern.get(index + 1) == Some(&b'*') || (index > 0 && pattern[index - 1] == b'*')
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > PATTERN_MAX {
            return Err(PatternError::Length);
        }
        let known = |character: char| character.is_ascii_alphanumeric() || "._-/*".contains(character);
        if let Some(other) = text.chars().find(|character| !known(*character)) {
            return Err(PatternError::Character(other));
        }
        if text.contains("***") {
            return Err(PatternError::Stars);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn stars_stand_for_what_they_say() {
        for (text, yes, no) in [
            ("team/app", &["team/app"][..], &["team/app2", "team/ap", "xteam/app"][..]),
            ("team/app*", &["team/app", "team/app-x"], &["team/app/x", "team/ap", "other/app"]),
            ("team/*", &["team/a", "team/"], &["team/a/b", "team", "teams/a"]),
            ("team/**", &["team/a", "team/a/b/c"], &["team", "teams/a"]),
            ("*/app", &["team/app"], &["a/b/app", "app"]),
            ("**/app", &["team/app", "a/b/app"], &["app", "a/b/apps"]),
            ("a/**/z*", &["a/b/z", "a/b/c/zz", "a/z/z"], &["a/z", "a/b/zz/y"]),
            ("*", &["a", "a/b", "latest", ""], &[]),
            ("**", &["a", "a/b/c", ""], &[]),
            ("v*", &["v", "v1.0"], &["1.0", "V1"]),
            ("v*.*-rc*", &["v1.2-rc1", "v1.2.3-rc"], &["v1-rc1", "v1.2"]),
        ] {
            for name in yes {
                assert!(pattern(text).matches(name), "{text} {name}");
            }
            for name in no {
                assert!(!pattern(text).matches(name), "{text} {name}");
            }
        }
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        assert_eq!("".parse::<Pattern>(), Err(PatternError::Empty));
        assert_eq!("a".repeat(256).parse::<Pattern>(), Err(PatternError::Length));
        assert_eq!("a b".parse::<Pattern>(), Err(PatternError::Character(' ')));
        assert_eq!("a?é".parse::<Pattern>(), Err(PatternError::Character('?')));
        assert_eq!("a***".parse::<Pattern>(), Err(PatternError::Stars));
    }

    #[test]
    fn the_longest_pattern_has_room() {
        let text = "a*".repeat(127) + "b";
        assert!(pattern(&text).matches(&("a".repeat(254) + "b")));
        assert!(!pattern(&text).matches(&"a".repeat(255)));
    }

    /// The definition, word by word; takes exponential time.
    fn by_definition(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], text) => text.is_empty(),
            ([b'*', b'*', rest @ ..], _) => (0..=text.len()).any(|skip| by_definition(rest, &text[skip..])),
            ([b'*', rest @ ..], _) => (0..=text.len())
                .take_while(|skip| !text[..*skip].contains(&b'/'))
                .any(|skip| by_definition(rest, &text[skip..])),
            ([first, rest @ ..], [byte, text @ ..]) => first == byte && by_definition(rest, text),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_is_the_definition(text in "(a|b|/|\\*|\\*\\*a){1,6}", name in "[ab/]{0,7}") {
            if let Ok(pattern) = text.parse::<Pattern>() {
                let expected = pattern.is_everything() || by_definition(text.as_bytes(), name.as_bytes());
                prop_assert_eq!(pattern.matches(&name), expected);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}|[a*/]{0,300}", name: String) {
            if let Ok(pattern) = text.parse::<Pattern>() {
                pattern.matches(&name);
                prop_assert_eq!(pattern.to_string(), text);
            }
        }
    }
}
