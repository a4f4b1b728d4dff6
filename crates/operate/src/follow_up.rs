//! What others have to do: a text for them, and an issue in their repository on the forge.
//!
//! Invariants: one that is open already is not filed again, whatever its title was made; what came from a server stands in code blocks,
//! so that it calls nobody and closes nothing.

use std::fmt::Write as _;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use railhead_client::{Answer, Credentials, Http, chain, full};
use railhead_doctor::{Finding, Layer, Severity};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::{Value, json};

/// The largest answer that is read.
const LARGEST: usize = 16 << 20;
/// Issues a page.
const PAGE: usize = 50;
/// How many pages of open issues are looked through.
const PAGES: usize = 40;

/// A change that somebody else has to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FollowUp {
    /// What it is, for finding it again: a code.
    pub key: String,
    /// Whose matter it is.
    pub layer: Layer,
    /// Who owns that layer, if the site says so.
    pub owner: Option<String>,
    /// One line.
    pub title: String,
    /// Markdown: why, what, and how to check it.
    pub text: String,
}

/// Where a follow-up is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Filed {
    /// Whose matter it is: the repository that it is in.
    pub repository: String,
    /// What it is called.
    pub title: String,
    /// The issue.
    pub url: String,
    /// Whether it was there before.
    pub was_there: bool,
}

impl FollowUp {
    /// What the owners of other layers have to mend of the findings of `command`; `own` is the caller's own repository.
    pub fn of_findings(findings: &[Finding], command: &str, host: &str, own: Option<&str>) -> Vec<Self> {
        let is_theirs = |finding: &&Finding| {
            matches!(finding.severity, Severity::Error | Severity::Warning)
                && finding.owner.as_deref().is_some_and(|owner| Some(owner) != own)
        };
        findings.iter().filter(is_theirs).map(|finding| Self::of(finding, command, host)).collect()
    }

    fn of(finding: &Finding, command: &str, host: &str) -> Self {
        let Finding { code, title, severity, layer, owner, evidence, fix, .. } = finding;
        let mut text = format!(
            "`{command}` found this about the container registry of {host}: {severity} `{code}`, layer {layer}.\n"
        );
        for (head, lines) in [("What shows it", evidence.join("\n")), ("What to change", fix.clone())] {
            if !lines.trim().is_empty() {
                let fence = fence(&lines);
                // Writing to a string cannot fail.
                let _ = write!(text, "\n{head}:\n\n{fence}text\n{}\n{fence}\n", lines.trim_end());
            }
        }
        let _ =
            write!(text, "\nTo check it: `{command}`. `railhead explain {code}` tells the whole story.\n");
        Self {
            key: code.to_string(),
            layer: *layer,
            owner: owner.clone(),
            title: format!("{host}: {title}"),
            text,
        }
    }

    /// The repository on the forge: `OWNER/REPOSITORY`, or a repository of `organisation`.
    fn repository(&self, organisation: Option<&str>) -> Result<String, String> {
        let owner = self.owner.as_deref().ok_or_else(|| {
            format!("nobody owns the layer {}: name its repository in [owners]", self.layer)
        })?;
        match (owner.split('/').count(), organisation) {
            (2, _) => Ok(owner.to_owned()),
            (1, Some(organisation)) => Ok(format!("{organisation}/{owner}")),
            _ => Err(format!("'{owner}' is no repository: write it as OWNER/REPOSITORY in [owners]")),
        }
    }

    /// A line of the issue that nobody sees, by which it is found again.
    fn mark(&self, host: &str) -> String {
        format!("<!-- railhead: {} of {host} -->", self.key)
    }
}

/// More backticks than stand together in `text`.
fn fence(text: &str) -> String {
    let mut longest = 2;
    let mut run = 0;
    for letter in text.chars() {
        run = if letter == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    "`".repeat(longest + 1)
}

/// Files follow-ups about one registry.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// The forge.
    pub http: &'a Http,
    /// Who files them: the token needs the scope `write:issue`.
    pub account: &'a Credentials,
    /// Where a repository is that is named without its owner.
    pub organisation: Option<&'a str>,
    /// `HOST[:PORT]` of the registry.
    pub host: &'a str,
}

impl Desk<'_> {
    /// Files it in the repository of its owner. What went wrong is for a person, with what to do.
    pub async fn file(&self, follow_up: &FollowUp) -> Result<Filed, String> {
        let repository = follow_up.repository(self.organisation)?;
        let mark = follow_up.mark(self.host);
        let filed = |issue: &Value, was_there| Filed {
            repository: repository.clone(),
            title: follow_up.title.clone(),
            url: issue["html_url"].as_str().unwrap_or_default().to_owned(),
            was_there,
        };
        let path = format!("/api/v1/repos/{}/issues", segments(&repository));
        if let Some(issue) = self.open(&path, &repository, &mark).await? {
            return Ok(filed(&issue, true));
        }
        let body = json!({"title": follow_up.title, "body": format!("{}\n{mark}\n", follow_up.text)});
        let made = self.ask(Method::POST, &path, Some(&body)).await?;
        match (made.status, serde_json::from_slice::<Value>(&made.body)) {
            (StatusCode::CREATED, Ok(issue)) => Ok(filed(&issue, false)),
            (StatusCode::FORBIDDEN, _) => Err("the token needs the scope write:issue".to_owned()),
            (status, _) => Err(format!("{repository} takes no issue: {status}")),
        }
    }

    /// The open issue with this mark.
    async fn open(&self, path: &str, repository: &str, mark: &str) -> Result<Option<Value>, String> {
        for page in 1..=PAGES {
            let query = format!("{path}?state=open&type=issues&limit={PAGE}&page={page}");
            let answer = self.ask(Method::GET, &query, None).await?;
            match answer.status {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND => {
                    let user = &self.account.user;
                    return Err(format!("the forge has no repository {repository} that {user} can see"));
                }
                StatusCode::FORBIDDEN => return Err("the token needs the scope write:issue".to_owned()),
                status => return Err(format!("the issues of {repository} cannot be read: {status}")),
            }
            let issues: Vec<Value> = serde_json::from_slice(&answer.body)
                .map_err(|_| format!("the issues of {repository} are no JSON"))?;
            let is_same = |issue: &&Value| issue["body"].as_str().is_some_and(|body| body.contains(mark));
            if let Some(issue) = issues.iter().find(is_same) {
                return Ok(Some(issue.clone()));
            }
            if issues.is_empty() {
                return Ok(None);
            }
        }
        Err(format!("{repository} has too many open issues to look through"))
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, String> {
        let mut token = HeaderValue::try_from(format!("token {}", self.account.secret.expose_secret()))
            .map_err(|_| "the token cannot be sent".to_owned())?;
        token.set_sensitive(true);
        let bytes = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, token)
            .header(CONTENT_TYPE, "application/json")
            .body(full(bytes))
            .map_err(|error| error.to_string())?;
        self.http.ask(request, LARGEST).await.map_err(|error| chain(&error))
    }
}

/// A path's segments, percent-encoded.
fn segments(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity, owner: Option<&str>) -> Finding {
        Finding {
            code: railhead_doctor::Code::ALL[0],
            title: "nothing is backed up",
            severity,
            layer: Layer::Storage,
            owner: owner.map(str::to_owned),
            routes: Vec::new(),
            evidence: vec!["@all ``` no CronJob".to_owned()],
            fix: "make one".to_owned(),
        }
    }

    #[test]
    fn only_what_others_have_to_mend_is_a_follow_up() {
        let all = [
            finding(Severity::Error, Some("platform")),
            finding(Severity::Warning, Some("platform")),
            finding(Severity::Error, Some("apps")),
            finding(Severity::Error, None),
            finding(Severity::Info, Some("platform")),
        ];
        let found = FollowUp::of_findings(&all, "railhead inspect", "git.example.com", Some("apps"));
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].title, "git.example.com: nothing is backed up");
        assert_eq!(found[0].repository(Some("coulomb")).unwrap(), "coulomb/platform");
        assert!(found[0].repository(None).unwrap_err().contains("write it as OWNER/REPOSITORY"));
    }

    #[test]
    fn what_a_server_said_stands_in_a_block_that_it_cannot_end() {
        let found =
            FollowUp::of(&finding(Severity::Error, Some("a/b")), "railhead inspect", "git.example.com");
        assert!(found.text.contains("````text\n@all ``` no CronJob\n````"), "{}", found.text);
        assert!(found.text.contains("```text\nmake one\n```"), "{}", found.text);
        assert_eq!(found.repository(None).unwrap(), "a/b");
        assert_eq!(segments("a b/c"), "a%20b/c");
    }
}
