//! Names of rows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! row_ids {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )*};
}
row_ids!(
    /// An owner: a user or an organisation. Never given to another one, even after the owner was deleted.
    OwnerId,
    /// A token. Never given to another one.
    TokenId,
    /// A repository. Never given to another one, even after the repository was deleted.
    RepositoryId
);

/// An upload: 128 random bits, 32 lower-case hexadecimal digits in text. Whoever knows it may go on with the upload
/// when also allowed to push.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UploadId(u128);

/// A text is not the id of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of an upload is 32 lower-case hexadecimal digits")]
pub struct UploadIdError;

/// The system has no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct RandomError(#[source] getrandom::Error);

impl UploadId {
    /// A new id from the system's random numbers.
    pub fn random() -> Result<Self, RandomError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(RandomError)?;
        Ok(Self(u128::from_be_bytes(bytes)))
    }
}

impl FromStr for UploadId {
    type Err = UploadIdError;

    fn from_str(text: &str) -> Result<Self, UploadIdError> {
        // `from_str_radix` alone would take a sign, capitals and fewer digits.
        let hex = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !hex {
            return Err(UploadIdError);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| UploadIdError)
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for UploadId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UploadId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_id_reads_back_as_it_was_written() {
        let id = UploadId::random().unwrap();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("0".repeat(32).parse(), Ok(UploadId(0)));
        assert_ne!(UploadId::random().unwrap(), id);
    }

    #[test]
    fn other_texts_are_no_upload_ids() {
        for wrong in [
            "",
            "0",
            &"0".repeat(33),
            &format!("+{}", "0".repeat(31)),
            &"A".repeat(32),
            "../../../../../../../../etc/pass",
        ] {
            assert_eq!(wrong.parse::<UploadId>(), Err(UploadIdError), "{wrong}");
        }
    }
}
