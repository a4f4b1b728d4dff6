//! What a registry has to know of a manifest: its type, and what it refers to.
//!
//! The bytes themselves are stored and served as they came; they are read here once, to find the references. Any
//! type of configuration or layer is accepted, and so is any JSON document as a manifest. Docker's types are read
//! like the OCI's. What cannot be read without doubt is refused: a document that is an image and an index at once,
//! a field twice, a header that says another type than the document.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::Value;

use crate::media::{self, ManifestKind};
use crate::object::Object;
use crate::{Digest, DigestError, ErrorCode};

/// Types that say nothing; what HTTP clients write when nobody told them better.
const UNSPECIFIC: [&str; 3] =
    ["application/json", "application/octet-stream", "application/x-www-form-urlencoded"];

/// Why bytes are not a manifest. Every one of them is [`ErrorCode::ManifestInvalid`] on the wire.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or a field of the wrong type.
    #[error("the manifest cannot be read: {reason}")]
    Json {
        /// What the parser says, with line and column.
        reason: String,
    },
    /// Neither header, nor document, nor shape say what it is.
    #[error("the manifest says nowhere what it is; send its type as Content-Type")]
    Untyped,
    /// The header and the document disagree.
    #[error("Content-Type is {header}, but the manifest's mediaType is {field}")]
    TypeMismatch {
        /// The type in the header.
        header: String,
        /// The type in the document.
        field: String,
    },
    /// A type that no manifest can have.
    #[error("'{0}' is not the media type of a manifest")]
    MediaType(String),
    /// A schema version other than that of the type.
    #[error("schemaVersion is {found}; a {media_type} has {expected}")]
    SchemaVersion {
        /// What the document says.
        found: u64,
        /// What its type has.
        expected: u64,
        /// The type.
        media_type: String,
    },
    /// The document could be read as two kinds of manifest.
    #[error("the manifest is of type {media_type} and must not have the field '{field}'")]
    Ambiguous {
        /// The type.
        media_type: String,
        /// The field of another kind.
        field: &'static str,
    },
    /// A field that the type must have.
    #[error("the manifest is of type {media_type} and needs the field '{field}'")]
    Missing {
        /// The type.
        media_type: String,
        /// The field.
        field: &'static str,
    },
    /// A reference is not a digest.
    #[error("{field} refers to '{digest}': {reason}")]
    Digest {
        /// Where, such as `layers[3]`.
        field: String,
        /// What stands there, shortened.
        digest: String,
        /// What is wrong with it.
        reason: DigestError,
    },
}

impl ManifestError {
    /// The code to answer with.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::ManifestInvalid
    }
}

impl From<serde_json::Error> for ManifestError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json { reason: error.to_string() }
    }
}

/// What a manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its type: the header's, else the document's, else a guess by its shape. Fit for a header.
    pub media_type: String,
    /// What kind of manifest that is.
    pub kind: ManifestKind,
    /// Configuration and layers that must exist, each once, in order.
    pub blobs: Vec<Digest>,
    /// Layers that need not exist: non-distributable, docker's foreign ones, and those with URLs of their own.
    pub foreign: Vec<Digest>,
    /// What an index lists, each once, in order. Mostly manifests; a `BuildKit` cache lists blobs.
    pub children: Vec<Digest>,
    /// The manifest that this one is about. It need not exist.
    pub subject: Option<Digest>,
    /// What a list of referrers says of it: `artifactType`, else the type of an image's configuration.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads a manifest, given the `Content-Type` that it came with.
    ///
    /// Time and memory are linear in `bytes`, which the caller has limited.
    pub fn read(content_type: Option<&str>, bytes: &[u8]) -> Result<Self, ManifestError> {
        let Object(shape) = serde_json::from_slice::<Object<Shape>>(bytes)?;
        let media_type = media_type(content_type, &shape)?;
        let kind = ManifestKind::of(&media_type);
        check_shape(kind, &media_type, &shape)?;
        let mut manifest = Self {
            media_type,
            kind,
            blobs: Vec::new(),
            foreign: Vec::new(),
            children: Vec::new(),
            subject: None,
            artifact_type: None,
            annotations: BTreeMap::new(),
        };
        match kind {
            ManifestKind::Image | ManifestKind::Index => manifest.read_oci(bytes)?,
            ManifestKind::Schema1 => manifest.read_schema1(bytes)?,
            ManifestKind::Other => manifest.read_other(bytes)?,
        }
        manifest.deduplicate();
        Ok(manifest)
    }

    /// The annotations as the text of a JSON object.
    pub fn annotations_json(&self) -> String {
        let map = self.annotations.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
        Value::Object(map.collect()).to_string()
    }

    fn read_oci(&mut self, bytes: &[u8]) -> Result<(), ManifestError> {
        let Object(document) = serde_json::from_slice::<Object<Document<'_>>>(bytes)?;
        let mut artifact_type = document.artifact_type.unwrap_or_default();
        if let Some(Object(config)) = document.config {
            self.blobs.push(config.digest(|| "config".into())?);
            if artifact_type.is_empty() {
                artifact_type = config.media_type.unwrap_or_default();
            }
        }
        for (index, Object(layer)) in document.layers.into_iter().flatten().enumerate() {
            let digest = layer.digest(|| format!("layers[{index}]"))?;
            if layer.is_foreign() { self.foreign.push(digest) } else { self.blobs.push(digest) }
        }
        for (index, Object(child)) in document.manifests.into_iter().flatten().enumerate() {
            self.children.push(child.digest(|| format!("manifests[{index}]"))?);
        }
        if let Some(Object(subject)) = document.subject {
            self.subject = Some(subject.digest(|| "subject".into())?);
        }
        self.artifact_type = (!artifact_type.is_empty()).then(|| artifact_type.into_owned());
        self.annotations = document.annotations.unwrap_or_default();
        Ok(())
    }

    fn read_schema1(&mut self, bytes: &[u8]) -> Result<(), ManifestError> {
        let Object(document) = serde_json::from_slice::<Object<Schema1<'_>>>(bytes)?;
        for (index, Object(layer)) in document.fs_layers.into_iter().enumerate() {
            self.blobs.push(digest(&layer.blob_sum, || format!("fsLayers[{index}]"))?);
        }
        Ok(())
    }

    /// Of a document of unknown type, a field is a reference if it looks like one; else it is the client's own.
    /// Only `subject` has a fixed meaning everywhere, for a referrer that is not listed would be lost without a word.
    fn read_other(&mut self, bytes: &[u8]) -> Result<(), ManifestError> {
        let mut document: serde_json::Map<String, Value> = serde_json::from_slice(bytes)?;
        let mut references = |field: &str| match document.remove(field) {
            Some(Value::Array(items)) => items.iter().filter_map(reference).collect(),
            Some(item) => reference(&item).into_iter().collect(),
            None => Vec::new(),
        };
        for (digest, foreign) in ["config", "layers", "blobs"].into_iter().flat_map(&mut references) {
            if foreign { self.foreign.push(digest) } else { self.blobs.push(digest) }
        }
        self.children = references("manifests").into_iter().map(|(digest, _)| digest).collect();
        if let Some(subject) = document.remove("subject").filter(|subject| !subject.is_null()) {
            let Object(subject) = Object::<Descriptor<'_>>::deserialize(&subject)?;
            self.subject = Some(subject.digest(|| "subject".into())?);
        }
        self.artifact_type = document
            .get("artifactType")
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .map(str::to_owned);
        if let Some(Value::Object(annotations)) = document.remove("annotations") {
            let texts =
                annotations.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned())));
            self.annotations = texts.collect();
        }
        Ok(())
    }

    fn deduplicate(&mut self) {
        let mut seen = HashSet::new();
        self.blobs.retain(|digest| seen.insert(*digest));
        // Required once is required.
        self.foreign.retain(|digest| seen.insert(*digest));
        seen.clear();
        self.children.retain(|digest| seen.insert(*digest));
    }
}

/// The fields that say what a document is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    media_type: Option<String>,
    schema_version: Option<u64>,
    config: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    manifests: Option<serde::de::IgnoredAny>,
    fs_layers: Option<serde::de::IgnoredAny>,
    signatures: Option<serde::de::IgnoredAny>,
}

/// An image manifest or an index.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(borrow)]
    artifact_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    config: Option<Object<Descriptor<'a>>>,
    #[serde(borrow)]
    layers: Option<Vec<Object<Descriptor<'a>>>>,
    #[serde(borrow)]
    manifests: Option<Vec<Object<Descriptor<'a>>>>,
    #[serde(borrow)]
    subject: Option<Object<Descriptor<'a>>>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    #[serde(borrow)]
    media_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    digest: Cow<'a, str>,
    /// Only its being a number of bytes counts here.
    #[serde(rename = "size")]
    _size: u64,
    urls: Option<Vec<serde::de::IgnoredAny>>,
}

impl Descriptor<'_> {
    fn digest(&self, field: impl FnOnce() -> String) -> Result<Digest, ManifestError> {
        digest(&self.digest, field)
    }

    fn is_foreign(&self) -> bool {
        self.urls.as_ref().is_some_and(|urls| !urls.is_empty())
            || self.media_type.as_deref().is_some_and(media::is_foreign_layer)
    }
}

#[derive(Deserialize)]
struct Schema1<'a> {
    #[serde(borrow, rename = "fsLayers")]
    fs_layers: Vec<Object<FsLayer<'a>>>,
}

#[derive(Deserialize)]
struct FsLayer<'a> {
    #[serde(borrow, rename = "blobSum")]
    blob_sum: Cow<'a, str>,
}

fn digest(text: &str, field: impl FnOnce() -> String) -> Result<Digest, ManifestError> {
    text.parse().map_err(|reason| ManifestError::Digest { field: field(), digest: shortened(text), reason })
}

/// Enough of a text from outside to know it by.
fn shortened(text: &str) -> String {
    text.chars().take(140).collect()
}

fn reference(value: &Value) -> Option<(Digest, bool)> {
    let Object(descriptor) = Object::<Descriptor<'_>>::deserialize(value).ok()?;
    Some((descriptor.digest.parse().ok()?, descriptor.is_foreign()))
}

fn media_type(content_type: Option<&str>, shape: &Shape) -> Result<String, ManifestError> {
    let header = content_type.map(media::essence).filter(|header| {
        !header.is_empty() && !UNSPECIFIC.iter().any(|other| header.eq_ignore_ascii_case(other))
    });
    let field = shape.media_type.as_deref().filter(|field| !field.is_empty());
    let media_type = match (header, field) {
        (Some(header), Some(field)) if !header.eq_ignore_ascii_case(field) => {
            return Err(ManifestError::TypeMismatch { header: shortened(header), field: shortened(field) });
        }
        (Some(told), _) | (None, Some(told)) => told,
        (None, None) if shape.manifests.is_some() => media::OCI_INDEX,
        (None, None) if shape.config.is_some() || shape.layers.is_some() => media::OCI_IMAGE,
        (None, None) if shape.fs_layers.is_some() && shape.signatures.is_some() => {
            media::DOCKER_SCHEMA1_SIGNED
        }
        (None, None) if shape.fs_layers.is_some() => media::DOCKER_SCHEMA1,
        (None, None) => return Err(ManifestError::Untyped),
    };
    if media::is_manifest_type(media_type) {
        Ok(media_type.to_owned())
    } else {
        Err(ManifestError::MediaType(shortened(media_type)))
    }
}

/// Refuses what one client could read as an image and another as an index, and what lacks the heart of its kind.
/// A missing `schemaVersion` is forgiven, for there are clients that leave it out.
fn check_shape(kind: ManifestKind, media_type: &str, shape: &Shape) -> Result<(), ManifestError> {
    let (expected, fields) = match kind {
        ManifestKind::Image => {
            (2, [("manifests", shape.manifests.is_some()), ("fsLayers", shape.fs_layers.is_some())])
        }
        ManifestKind::Index => (2, [("config", shape.config.is_some()), ("layers", shape.layers.is_some())]),
        ManifestKind::Schema1 => {
            (1, [("manifests", shape.manifests.is_some()), ("layers", shape.layers.is_some())])
        }
        ManifestKind::Other => return Ok(()),
    };
    if let Some(found) = shape.schema_version.filter(|found| *found != expected) {
        return Err(ManifestError::SchemaVersion { found, expected, media_type: media_type.to_owned() });
    }
    if let Some((field, _)) = fields.into_iter().find(|(_, present)| *present) {
        return Err(ManifestError::Ambiguous { media_type: media_type.to_owned(), field });
    }
    let (field, present) = match kind {
        ManifestKind::Image => ("config", shape.config.is_some()),
        ManifestKind::Schema1 => ("fsLayers", shape.fs_layers.is_some()),
        ManifestKind::Index | ManifestKind::Other => return Ok(()),
    };
    if present { Ok(()) } else { Err(ManifestError::Missing { media_type: media_type.to_owned(), field }) }
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
