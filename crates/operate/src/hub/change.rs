//! What evidence shows at a moment, and the messages about the difference between two moments. Functions, without I/O.

use std::collections::BTreeMap;

use jiff::Timestamp;
use railhead_oci::Digest;
use serde_json::{Value, json};

use super::HubError;
use crate::evidence::{EvidenceError, SCHEMA};
use crate::report::{Document, History, judge};
use crate::site::Site;

/// The kinds of documents that have findings.
const JUDGED: [&str; 2] = ["doctor", "inspection"];

/// What a message is about. The order is the one in which a hub is told: causes first, what follows from them last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A finding of a kind of document: code, where, and the how many-th of that.
    Finding(&'static str, String, String, usize),
    /// What somebody else has to do, by its title.
    FollowUp(String),
    /// A task of the report.
    Task(&'static str),
}

/// A thing as the evidence shows it.
#[derive(Clone, Debug)]
pub struct Thing {
    /// It, as JSON.
    value: Value,
    /// The document that shows it; none for a task, which names its own.
    source: Option<String>,
}

/// What evidence shows of one host at a moment.
pub type Picture = BTreeMap<Subject, Thing>;

/// What `history` shows.
pub fn picture(history: &History, site: &Site) -> Result<Picture, HubError> {
    let mut picture = Picture::new();
    for document in JUDGED.into_iter().filter_map(|kind| history.newest(kind)) {
        for finding in document.list("/findings") {
            let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
            let subject = |nth| {
                Subject::Finding(
                    document.evidence.kind.word(),
                    text("code"),
                    finding["routes"].to_string(),
                    nth,
                )
            };
            let mut nth = 0;
            while picture.contains_key(&subject(nth)) {
                nth += 1;
            }
            picture.insert(subject(nth), shown(finding.clone(), document));
        }
    }
    if let Some(document) = history.newest("enable") {
        for follow_up in document.list("/follow_ups") {
            let title = follow_up["title"].as_str().unwrap_or_default().to_owned();
            let mut value = follow_up.clone();
            // The issue that was filed for it, if one was.
            let filed = document.list("/filed").iter().find(|filed| filed["title"] == title.as_str());
            if let (Some(url), Some(fields)) = (filed.map(|filed| &filed["url"]), value.as_object_mut()) {
                fields.insert("url".to_owned(), url.clone());
            }
            picture.insert(Subject::FollowUp(title), shown(value, document));
        }
    }
    for task in judge(history, site) {
        let value = serde_json::to_value(&task).map_err(EvidenceError::Shape)?;
        picture.insert(Subject::Task(task.id), Thing { value, source: None });
    }
    Ok(picture)
}

fn shown(value: Value, document: &Document) -> Thing {
    Thing { value, source: Some(document.file.clone()) }
}

impl Thing {
    /// Whether it says the same. A finding's evidence has times and counts in it, which differ with every look.
    fn says_as(&self, other: &Self) -> bool {
        let core = |thing: &Self| {
            let mut value = thing.value.clone();
            if let (Some(fields), true) = (value.as_object_mut(), thing.source.is_some()) {
                fields.remove("evidence");
            }
            value
        };
        core(self) == core(other)
    }
}

/// A message to the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// By its content, so that the same message has the same one however often it is made.
    pub id: String,
    /// The exact body.
    pub body: String,
}

/// Whom the messages are about.
pub struct About<'a> {
    /// What the site is called.
    pub site: Option<&'a str>,
    /// `HOST[:PORT]`.
    pub host: &'a str,
    /// When the newest document was written.
    pub time: Timestamp,
}

/// The messages that tell of the difference between two moments.
pub fn changes(before: &Picture, after: &Picture, about: &About<'_>) -> Vec<Message> {
    let gone = before.iter().filter(|(subject, _)| !after.contains_key(*subject));
    let mut told: Vec<(&Subject, &'static str, &Thing)> =
        gone.map(|(subject, thing)| (subject, "gone", thing)).collect();
    let is_new = |(subject, thing): &(&Subject, &Thing)| {
        before.get(*subject).is_none_or(|before| !before.says_as(thing))
    };
    told.extend(after.iter().filter(is_new).map(|(subject, thing)| (subject, "open", thing)));
    told.sort_by_key(|(subject, ..)| *subject);
    told.into_iter().map(|(subject, state, thing)| message(subject, state, thing, about)).collect()
}

fn message(subject: &Subject, state: &str, thing: &Thing, about: &About<'_>) -> Message {
    let (name, kind) = match subject {
        Subject::Finding(..) => ("finding", format!("railhead.finding.{state}")),
        Subject::FollowUp(_) => ("follow_up", format!("railhead.follow_up.{state}")),
        Subject::Task(_) => ("task", "railhead.task.changed".to_owned()),
    };
    let mut data = json!({"schema": SCHEMA, "site": about.site, "host": about.host});
    data[name] = thing.value.clone();
    if let Some(source) = &thing.source {
        data["source"] = source.as_str().into();
    }
    let body = json!({"type": kind, "timestamp": about.time, "data": data}).to_string();
    let hash: String = Digest::sha256(body.as_bytes()).hex().chars().take(32).collect();
    Message { id: format!("msg_{hash}"), body }
}
