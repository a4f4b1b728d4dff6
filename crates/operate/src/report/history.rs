//! The evidence of one host, by kind.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::Source;
use crate::evidence::{Archive, Evidence, EvidenceError, Kind};

/// A document and the file that it is in.
#[derive(Debug)]
pub struct Document {
    /// The file's name.
    pub file: String,
    /// What is in it.
    pub evidence: Evidence,
}

impl Document {
    /// What came of the act.
    pub fn result(&self) -> &Value {
        &self.evidence.result
    }

    /// A text of the result; empty where there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.result().pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// A list of the result; empty where there is none.
    pub fn list(&self, pointer: &str) -> &[Value] {
        self.result().pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// When the act ended.
    pub const fn time(&self) -> Timestamp {
        self.evidence.time
    }

    /// The day and the minute of it, in UTC.
    pub fn day(&self) -> String {
        let text = format!("{:.0}", self.time());
        text.get(..16).unwrap_or(&text).replace('T', " ")
    }

    pub(super) fn source(&self) -> Source {
        Source { time: self.time(), file: self.file.clone(), ok: self.evidence.ok }
    }
}

/// Every document of a host.
#[derive(Debug)]
pub struct History {
    /// `HOST[:PORT]`.
    pub host: String,
    /// By the kind's word, the newest first.
    documents: BTreeMap<&'static str, Vec<Document>>,
}

impl History {
    /// Reads all of it; a damaged document is not passed over.
    pub fn read(archive: &Archive, host: &str) -> Result<Self, EvidenceError> {
        Self::read_those(archive, host, |_| true)
    }

    /// Reads only the documents whose file's name `counts`.
    pub fn read_those(
        archive: &Archive,
        host: &str,
        counts: impl Fn(&str) -> bool,
    ) -> Result<Self, EvidenceError> {
        let mut documents = BTreeMap::new();
        for kind in Kind::ALL {
            let mut all = Vec::new();
            for read in archive.history(kind, Some(host)) {
                let (path, evidence) = read?;
                let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if counts(&file) {
                    all.push(Document { file, evidence });
                }
            }
            documents.insert(kind.word(), all);
        }
        Ok(Self { host: host.to_owned(), documents })
    }

    /// Whether there is no document.
    pub fn is_empty(&self) -> bool {
        self.documents.values().all(Vec::is_empty)
    }

    /// The documents of the kind with this word, the newest first; none where this release has no such kind.
    pub fn all(&self, kind: &str) -> &[Document] {
        self.documents.get(kind).map_or(&[], Vec::as_slice)
    }

    /// The newest document of a kind.
    pub fn newest(&self, kind: &str) -> Option<&Document> {
        self.all(kind).first()
    }
}
