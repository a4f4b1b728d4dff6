//! Tags that may not be overwritten once they exist.
//!
//! The tags that signing tools make for an image (`sha256-<hex>.sig`, `.att`, `.sbom`, and the referrers fallback
//! `sha256-<hex>`) are exempt: they are lists that grow, and a rule such as `*` would break signing.

use railhead_oci::{Pattern, Tag};

/// Patterns of protected tags.
#[derive(Clone, Debug, Default)]
pub struct TagRules(Vec<Pattern>);

impl TagRules {
    /// Rules from patterns such as `v*`.
    pub const fn new(patterns: Vec<Pattern>) -> Self {
        Self(patterns)
    }

    /// Whether `tag` must keep naming what it names.
    pub fn protects(&self, tag: &Tag) -> bool {
        !is_derived(tag.as_str()) && self.0.iter().any(|pattern| pattern.matches(tag.as_str()))
    }
}

/// Whether a tool made the tag from a digest.
fn is_derived(tag: &str) -> bool {
    let Some((algorithm, rest)) = tag.split_once('-') else { return false };
    // A tag has 128 characters at most, so tools cut the hash of a SHA-512; 64 digits are there in any case.
    matches!(algorithm, "sha256" | "sha512")
        && rest.len() >= 64
        && rest.bytes().take(64).all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_protect_what_fits_and_spare_signatures() {
        let rules = TagRules::new(vec!["v*".parse().unwrap(), "release".parse().unwrap()]);
        for (tag, expected) in [("v1.2", true), ("release", true), ("release-1", false), ("latest", false)] {
            assert_eq!(rules.protects(&tag.parse().unwrap()), expected, "{tag}");
        }
        let all = TagRules::new(vec!["*".parse().unwrap()]);
        let hash = "a".repeat(64);
        assert!(all.protects(&"latest".parse().unwrap()));
        assert!(all.protects(&"sha256-short".parse().unwrap()));
        for spared in [format!("sha256-{hash}"), format!("sha256-{hash}.sig"), format!("sha512-{hash}.att")] {
            assert!(!all.protects(&spared.parse().unwrap()), "{spared}");
        }
    }
}
