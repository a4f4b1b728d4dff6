//! Tags that stand for something else than a version: the referrers tag schema (spec) and cosign's signatures.

use crate::{Algorithm, Digest, Tag};

/// The tag under which clients list the referrers of `subject` in a registry without a list of its own
/// (spec, *Referrers Tag Schema*): the algorithm and at most 64 characters of the hash.
pub fn referrers_tag(subject: &Digest) -> Tag {
    let mut hex = subject.hex();
    hex.truncate(64);
    Tag::new_unchecked(&format!("{}-{hex}", subject.algorithm().name()))
}

/// The subject whose referrers are listed under `tag`; none if it is no such tag.
///
/// A tag of SHA-512 has lost half of the hash, so it cannot be answered here: compare [`referrers_tag`] instead.
pub fn referrers_subject(tag: &Tag) -> Option<Digest> {
    let hex = tag.as_str().strip_prefix(Algorithm::Sha256.name())?.strip_prefix('-')?;
    format!("{}:{hex}", Algorithm::Sha256.name()).parse().ok()
}

/// Whether `tag` carries signatures, attestations or referrers of a digest: `sha256-<64 hex>`, alone or with `.sig`,
/// `.att` or `.sbom`. Such tags move by nature and are exempt from immutability.
pub fn is_signature_tag(tag: &Tag) -> bool {
    let Some((algorithm, hash)) = tag.as_str().split_once('-') else { return false };
    let hash = [".sig", ".att", ".sbom"].iter().find_map(|suffix| hash.strip_suffix(suffix)).unwrap_or(hash);
    algorithm.parse::<Algorithm>().is_ok()
        && hash.len() == 64
        && hash.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_the_one_of_the_schema() {
        for (algorithm, name) in [(Algorithm::Sha256, "sha256"), (Algorithm::Sha512, "sha512")] {
            let digest = Digest::of(algorithm, b"x");
            let tag = referrers_tag(&digest);
            assert_eq!(tag.as_str(), format!("{name}-{}", &digest.hex()[..64]));
            assert_eq!(tag.as_str().parse::<Tag>().unwrap(), tag);
            assert!(is_signature_tag(&tag));
        }
        let digest = Digest::sha256(b"x");
        assert_eq!(referrers_subject(&referrers_tag(&digest)), Some(digest));
        assert_eq!(referrers_subject(&referrers_tag(&Digest::of(Algorithm::Sha512, b"x"))), None);
    }

    #[test]
    fn signatures_are_told_from_versions() {
        let hex = "a".repeat(64);
        for (text, expected) in [
            (format!("sha256-{hex}"), true),
            (format!("sha256-{hex}.sig"), true),
            (format!("sha256-{hex}.att"), true),
            (format!("sha256-{hex}.sbom"), true),
            (format!("sha256-{hex}.exe"), false),
            (format!("sha256-{hex}0"), false),
            (format!("sha256-{}", hex.to_uppercase()), false),
            (format!("md5-{hex}"), false),
            ("sha256-abc".into(), false),
            ("latest".into(), false),
        ] {
            assert_eq!(is_signature_tag(&text.parse().unwrap()), expected, "{text}");
        }
    }
}
