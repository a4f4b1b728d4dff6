//! Names in a store: [`StageId`] of what is being written, [`ObjectKey`] of what is there to stay.
//!
//! Invariant: both are parsed from a closed alphabet, so neither can name anything outside of the store.

use std::fmt;
use std::str::FromStr;

use railhead_oci::Digest;

/// Why a text is not a name in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A stage id has another length or other characters.
    #[error("the id of a staged object is not 32 lower-case hexadecimal digits")]
    Stage,
    /// A key is in neither of its two forms.
    #[error("the key of an object is not <algorithm>/<2 hex>/<hex>.<stage id> or <2 hex>/<stage id>")]
    Object,
}

/// Names a staged object. The caller makes it, once and at random, and never uses it again.
///
/// As text it is 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StageId([u8; 16]);

impl StageId {
    /// The id made of 16 random bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    const fn shard(self) -> u8 {
        self.0[0]
    }
}

impl FromStr for StageId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(lower_hex) {
            return Err(KeyError::Stage);
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| KeyError::Stage)?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for StageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for StageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An object's own key: made by a store at commit, kept by the catalog, never taken from a client.
///
/// As text it is `<algorithm>/<2 hex>/<hex>.<stage id>` in a store that names an object at commit (files, memory),
/// and `<2 hex>/<stage id>` in one that has to name it before the digest is known (S3). Keys sort as their texts do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    digest: Option<Digest>,
    id: StageId,
}

impl ObjectKey {
    pub(crate) const fn named(digest: Digest, id: StageId) -> Self {
        Self { digest: Some(digest), id }
    }

    pub(crate) const fn unnamed(id: StageId) -> Self {
        Self { digest: None, id }
    }

    /// The digest the object was committed under, where the key tells it.
    pub const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The id it was staged under.
    pub const fn stage_id(&self) -> StageId {
        self.id
    }
}

impl FromStr for ObjectKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let parse = |text: &str| -> Option<Self> {
            let (first, rest) = text.split_once('/')?;
            let Some((shard, name)) = rest.split_once('/') else {
                let id: StageId = rest.parse().ok()?;
                return (first == format!("{:02x}", id.shard())).then_some(Self { digest: None, id });
            };
            let (hex, id) = name.split_once('.')?;
            let digest: Digest = format!("{first}:{hex}").parse().ok()?;
            hex.starts_with(shard).then_some(())?;
            (shard.len() == 2).then_some(())?;
            Some(Self { digest: Some(digest), id: id.parse().ok()? })
        };
        parse(text).ok_or(KeyError::Object)
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(digest) = &self.digest else {
            return write!(f, "{:02x}/{}", self.id.shard(), self.id);
        };
        let hex = digest.hex();
        write!(f, "{}/{}/{hex}.{}", digest.algorithm().name(), &hex[..2], self.id)
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use railhead_oci::Algorithm;

    #[test]
    fn what_could_leave_the_store_is_no_key() {
        let id = "0123456789abcdef0123456789abcdef";
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for wrong in [
            String::new(),
            "../../etc/passwd".into(),
            format!("sha256/e3/{hex}"),
            format!("sha256/ff/{hex}.{id}"),
            format!("sha256/e3b/{hex}.{id}"),
            format!("sha256//{hex}.{id}"),
            format!("sha256/e3/{hex}.{id}/x"),
            format!("sha256/e3/{hex}.+{}", &id[1..]),
            format!("md5/e3/{hex}.{id}"),
            format!("ff/{id}"),
        ] {
            assert_eq!(wrong.parse::<ObjectKey>(), Err(KeyError::Object), "{wrong}");
        }
        assert!(format!("sha256/e3/{hex}.{id}").parse::<ObjectKey>().is_ok());
        assert!(format!("01/{id}").parse::<ObjectKey>().is_ok());
    }

    proptest! {
        #[test]
        fn a_key_reads_back_as_written_and_sorts_as_text(one: (Vec<u8>, [u8; 16], bool), two: (Vec<u8>, [u8; 16], bool)) {
            let key = |(content, id, long): (Vec<u8>, [u8; 16], bool)| {
                let algorithm = if long { Algorithm::Sha512 } else { Algorithm::Sha256 };
                ObjectKey::named(Digest::of(algorithm, &content), StageId::from_bytes(id))
            };
            let (one, two) = (key(one), key(two));
            prop_assert_eq!(one.to_string().parse::<ObjectKey>(), Ok(one));
            prop_assert_eq!(one.cmp(&two), one.to_string().cmp(&two.to_string()));
        }
    }
}
