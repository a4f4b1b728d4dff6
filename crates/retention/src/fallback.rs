//! Tags that stand for the referrers of a digest where a registry or a client has no referrers API: `sha256-HEX` of the
//! specification, and cosign's with `.sig`, `.att`, `.sbom` behind it.

use railhead_oci::{Digest, Tag};

/// The digest that a tag is about, by its name.
pub(crate) fn subject(tag: &Tag) -> Option<Digest> {
    let (algorithm, rest) = tag.as_str().split_once('-')?;
    let (hex, suffix) = rest.split_once('.').map_or((rest, None), |(hex, suffix)| (hex, Some(suffix)));
    if suffix.is_some_and(|suffix| !matches!(suffix, "sig" | "att" | "sbom")) {
        return None;
    }
    format!("{algorithm}:{hex}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_in_the_name() {
        let digest = Digest::sha256(b"a");
        for suffix in ["", ".sig", ".att", ".sbom"] {
            let tag = format!("sha256-{}{suffix}", digest.hex()).parse().unwrap();
            assert_eq!(subject(&tag), Some(digest));
        }
        for other in ["sha256-12", "latest", "sha256-x.sig", "release-2024.sig"] {
            assert_eq!(subject(&other.parse().unwrap()), None, "{other}");
        }
        assert_eq!(subject(&format!("sha256-{}.old", digest.hex()).parse().unwrap()), None);
    }
}
