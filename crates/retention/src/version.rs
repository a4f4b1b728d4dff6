//! Tags that are releases by semantic versioning: `1.2.3` or `v1.2.3`. What has more behind it is no release.

use railhead_oci::Tag;

/// A release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Major.
    pub major: u64,
    /// Minor.
    pub minor: u64,
    /// Patch.
    pub patch: u64,
}

impl Version {
    /// The release that a tag is.
    pub fn of(tag: &Tag) -> Option<Self> {
        let text = tag.as_str();
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut parts = text.split('.').map(number);
        let version = Self { major: parts.next()??, minor: parts.next()??, patch: parts.next()?? };
        parts.next().is_none().then_some(version)
    }

    /// The line that it belongs to.
    pub const fn line(&self) -> (u64, u64) {
        (self.major, self.minor)
    }
}

/// A number without a sign and without leading zeros.
fn number(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (plain && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_releases_are_versions() {
        let of =
            |text: &str| Version::of(&text.parse().unwrap()).map(|one| (one.major, one.minor, one.patch));
        assert_eq!(of("1.2.3"), Some((1, 2, 3)));
        assert_eq!(of("v10.0.20"), Some((10, 0, 20)));
        for other in [
            "1.2",
            "1.2.3.4",
            "1.2.3-rc.1",
            "1.2.3-alpine",
            "01.2.3",
            "1.2.",
            "latest",
            "vv1.2.3",
            "1.2.99999999999999999999",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
