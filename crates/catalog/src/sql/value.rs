//! Values that go into statements and come out of rows.

use railhead_oci::{Algorithm, Digest, RepositoryName, Tag};

use crate::{Error, OwnerId, RepositoryId, Result, Timestamp, TokenId, UploadId};

/// A value of a column or a parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Value {
    #[default]
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

/// One row; its values are taken from left to right.
#[derive(Debug)]
pub(crate) struct Row {
    values: std::vec::IntoIter<Value>,
}

impl Row {
    pub(crate) fn new(values: Vec<Value>) -> Self {
        Self { values: values.into_iter() }
    }

    /// The next column.
    pub(crate) fn take<T: FromValue>(&mut self) -> Result<T> {
        let value = self.values.next().ok_or_else(|| Error::Corrupt("a row is too short".to_owned()))?;
        T::from_value(value)
    }
}

/// A type that a column can be read as.
pub(crate) trait FromValue: Sized {
    fn from_value(value: Value) -> Result<Self>;
}

fn unexpected<T>(wanted: &str, value: &Value) -> Result<T> {
    // Only the kind of value: the value itself could be a secret.
    let kind = match value {
        Value::Null => "nothing",
        Value::Int(_) => "a number",
        Value::Text(_) => "a text",
        Value::Blob(_) => "bytes",
    };
    Err(Error::Corrupt(format!("a column holds {kind} where {wanted} belongs")))
}

impl FromValue for i64 {
    fn from_value(value: Value) -> Result<Self> {
        match value {
            Value::Int(number) => Ok(number),
            other => unexpected("a number", &other),
        }
    }
}

impl FromValue for u64 {
    fn from_value(value: Value) -> Result<Self> {
        match value {
            Value::Int(number) if number >= 0 => Ok(number as Self),
            other => unexpected("a size", &other),
        }
    }
}

impl FromValue for bool {
    fn from_value(value: Value) -> Result<Self> {
        match value {
            Value::Int(0) => Ok(false),
            Value::Int(1) => Ok(true),
            other => unexpected("a flag", &other),
        }
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Result<Self> {
        match value {
            Value::Text(text) => Ok(text),
            other => unexpected("a text", &other),
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value) -> Result<Self> {
        match value {
            Value::Blob(bytes) => Ok(bytes),
            other => unexpected("bytes", &other),
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Self> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}

macro_rules! from_text {
    ($($what:literal $name:ty),*) => {$(
        impl FromValue for $name {
            fn from_value(value: Value) -> Result<Self> {
                match value {
                    Value::Text(text) => text.parse().or_else(|_| unexpected($what, &Value::Text(text))),
                    other => unexpected($what, &other),
                }
            }
        }

        impl From<&$name> for Value {
            fn from(value: &$name) -> Self {
                Self::Text(value.to_string())
            }
        }
    )*};
}
from_text!("a digest" Digest, "a tag" Tag, "a repository's name" RepositoryName, "an upload's id" UploadId);

impl FromValue for Algorithm {
    fn from_value(value: Value) -> Result<Self> {
        String::from_value(value)?
            .parse()
            .map_err(|_| Error::Corrupt("an upload has an unknown hash algorithm".to_owned()))
    }
}

impl From<Algorithm> for Value {
    fn from(algorithm: Algorithm) -> Self {
        algorithm.name().into()
    }
}

macro_rules! from_number {
    ($($name:ident),*) => {$(
        impl FromValue for $name {
            fn from_value(value: Value) -> Result<Self> {
                i64::from_value(value).map($name)
            }
        }

        impl From<$name> for Value {
            fn from($name(number): $name) -> Self {
                Self::Int(number)
            }
        }
    )*};
}
from_number!(Timestamp, OwnerId, TokenId, RepositoryId);

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u64> for Value {
    /// Sizes beyond 8 EiB do not exist; they stop at the largest number.
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Int(flag.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Blob(bytes.to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Texts as one parameter: a JSON array that the statement unfolds.
pub(crate) fn text_list(texts: &[String]) -> Value {
    Value::Text(serde_json::Value::from(texts).to_string())
}

/// Digests as one parameter: a JSON array that the statement unfolds.
pub(crate) fn digest_list<'a>(digests: impl IntoIterator<Item = &'a Digest>) -> Value {
    let mut json = String::from("[");
    for (position, digest) in digests.into_iter().enumerate() {
        let separator = if position == 0 { "" } else { "," };
        json.extend([separator, "\"", &digest.to_string(), "\""]);
    }
    json.push(']');
    Value::Text(json)
}
