//! Reading what the forge says.

use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Unavailable;

/// What the forge said to one question.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    /// Where it sends on to.
    pub location: Option<String>,
    body: Vec<u8>,
    asked: String,
}

/// How a forge says why not.
#[derive(Deserialize)]
struct Said {
    message: String,
}

/// How a registry says why not.
#[derive(Deserialize)]
struct Errors {
    #[serde(rename = "errors")]
    _errors: Vec<serde_json::Value>,
}

/// Longest text of the forge that is passed on, in characters.
const MESSAGE_MAX: usize = 300;

impl Answer {
    pub fn new(answer: &railhead_client::Answer, asked: String) -> Self {
        let location = answer.header(http::header::LOCATION.as_str()).map(str::to_owned);
        Self { status: answer.status, location, body: answer.body.to_vec(), asked }
    }

    /// The body, when the answer is a success.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Unavailable> {
        if self.status != StatusCode::OK {
            return Err(self.unexpected());
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            let what = if self.body.trim_ascii_start().starts_with(b"<") {
                "a page of HTML".to_owned()
            } else {
                error.to_string()
            };
            Unavailable(format!(
                "the forge's answer to {} cannot be read: {what}; is forge.url its address?",
                self.asked
            ))
        })
    }

    /// That this status is no answer to the question.
    pub fn unexpected(&self) -> Unavailable {
        Unavailable(format!("the forge answers {} to {}; is forge.url its address?", self.status, self.asked))
    }

    /// Why not, in the forge's own words, as one line.
    pub fn message(&self) -> Option<String> {
        let said: Said = serde_json::from_slice(&self.body).ok()?;
        let line: String = said.message.chars().filter(|one| !one.is_control()).take(MESSAGE_MAX).collect();
        (!line.is_empty()).then_some(line)
    }

    /// Whether the refusal is about the scopes of a token.
    pub fn is_about_scopes(&self) -> bool {
        self.status == StatusCode::FORBIDDEN
            && self.message().is_some_and(|message| message.contains("scope"))
    }

    /// Whether it is an error of a registry: the question got as far as the registry itself.
    pub fn is_of_registry(&self) -> bool {
        serde_json::from_slice::<Errors>(&self.body).is_ok()
    }
}
