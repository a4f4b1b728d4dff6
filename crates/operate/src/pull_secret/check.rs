//! Does with a pull secret, or with a login that is to go into one, what a kubelet does: takes the entries that match the
//! image, and pulls with each in turn until one pulls.
//!
//! | step | what it shows |
//! | --- | --- |
//! | `entry` | an entry of the Secret is for the image |
//! | `route` | the registry can be reached, with a certificate that is trusted |
//! | `login` | the registry knows account and token |
//! | `pull manifest`, `pull blob` | the account may read the image |
//! | `without it` | what would happen without the Secret |
//! | `expiry` | when the token ends |
//!
//! Invariant: the token goes nowhere before the route was looked at without it.

use std::time::Instant;

use railhead_client::hops::Route;
use railhead_client::{Answer, Credentials, Http, Registry};
use railhead_oci::{Digest, RepositoryName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::expiry::{self, Expiry};
use super::image::ImageName;
use super::keyring;
use super::manifest::Manifest;
use crate::prove::access::may_read;
use crate::prove::bench::{Checked, Record, Seen, Trouble, is_refusal, said, ways};
use crate::prove::walk::{Hindrance, Walked, walk};
use crate::prove::{Outcome, Step, Verdict};
use crate::secrets::Secrets;
use crate::site::{Forge, Site, Visibility};

/// What is asked about when no image was named; nothing has to be there.
const NOBODYS: &str = "railhead/pull-secret";
/// Bytes of a blob that a check waits for longer than a minute.
const LARGE: u64 = 1 << 30;
const UNREACHED: &str = "the registry cannot be reached";
const NO_IMAGE: &str = "no image was named; name one with --image";

/// A login and where it is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// The server of the entry, as it is written.
    pub server: String,
    /// The account; none where the entry has no login.
    pub user: Option<String>,
    /// Whether the image was pulled with it, or without an image, whether it was taken.
    pub works: bool,
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// `HOST[:PORT]`.
    pub host: String,
    /// The image; none where only the login was tried.
    pub image: Option<String>,
    /// The Secret; none where a login was tried that is not in one.
    pub secret: Option<String>,
    /// Its namespace, if it says so.
    pub namespace: Option<String>,
    /// What was tried, in a kubelet's order.
    pub tried: Vec<Tried>,
    /// What answers there, as far as it says.
    pub server: Option<String>,
    /// Whether everybody may pull the image.
    pub visibility: Option<Visibility>,
    /// When the token ends.
    pub expires: Expiry,
    /// Whether the token can do more than pull; none where that cannot be seen.
    pub may_more: Option<bool>,
    /// Every step, in order.
    pub steps: Vec<Step>,
    /// What it came to.
    pub verdict: Verdict,
}

impl CheckResult {
    /// The first step that failed.
    pub fn failed(&self) -> Option<&Step> {
        self.steps.iter().find(|step| step.outcome == Outcome::Failed)
    }
}

/// What is tried.
#[derive(Debug)]
pub struct Check<'a> {
    /// `HOST[:PORT]`.
    pub host: &'a str,
    /// The image, if one is to be pulled.
    pub image: Option<&'a ImageName>,
    /// The Secret whose entries are tried; without one, [`Self::login`] is.
    pub secret: Option<&'a Manifest>,
    /// A login that is not in a Secret.
    pub login: Option<&'a Credentials>,
    /// The way to the registry.
    pub route: &'a Route,
    /// The site, which knows what answers there.
    pub site: &'a Site,
}

/// A login in a kubelet's order.
struct Candidate {
    server: String,
    login: Option<Credentials>,
}

/// What was pulled.
struct Pulled {
    seen: Seen,
    manifest: Answer,
}

/// How one login went.
struct Went {
    login: Checked,
    manifest: Option<Result<Pulled, Trouble>>,
    millis: [u64; 2],
}

impl Check<'_> {
    /// Tries it, and tells `watch` of every step as it ends. An error is what is wrong here, as a file of certificates that
    /// cannot be read.
    pub async fn run(&self, watch: &mut dyn FnMut(&Step)) -> Result<CheckResult, railhead_client::Error> {
        let mut record = Record { steps: Vec::new(), class: None, secrets: self.secrets(), watch };
        let mut result = self.nothing_yet();
        let candidates = match self.candidates() {
            Ok(candidates) => {
                if self.secret.is_some() {
                    record.note("entry", None, 0, Ok(Seen::ok(words(&candidates))));
                }
                candidates
            }
            Err(trouble) => {
                record.note("entry", None, 0, Err(trouble));
                Vec::new()
            }
        };
        self.reach(&candidates, &mut record, &mut result).await?;
        result.verdict = record.class.unwrap_or(Verdict::Proven);
        result.steps = record.steps;
        Ok(result)
    }

    fn nothing_yet(&self) -> CheckResult {
        CheckResult {
            host: self.host.to_owned(),
            image: self.image.map(ToString::to_string),
            secret: self.secret.map(|secret| secret.name().to_owned()),
            namespace: self.secret.and_then(|secret| secret.namespace()).map(str::to_owned),
            tried: Vec::new(),
            server: None,
            visibility: None,
            expires: Expiry::Unknown { why: "the token could not be tried".to_owned() },
            may_more: None,
            steps: Vec::new(),
            verdict: Verdict::Failed,
        }
    }

    /// Every secret that is known here.
    fn secrets(&self) -> Secrets {
        let kept = self.secret.and_then(|secret| secret.entries().ok()).unwrap_or_default();
        let logins = kept.iter().filter_map(|entry| entry.login.as_ref()).chain(self.login);
        Secrets::new(logins.map(|login| (login.user.as_str(), &login.secret)))
    }

    /// The logins that a kubelet tries, in its order; none at all is a failure.
    fn candidates(&self) -> Result<Vec<Candidate>, Trouble> {
        let (Some(secret), Some(image)) = (self.secret, self.image) else {
            let login = self.login.cloned();
            return Ok(vec![Candidate { server: self.host.to_owned(), login }]);
        };
        let entries = secret.entries().map_err(|error| Trouble::new(error.to_string()))?;
        let place = image.place();
        let found = keyring::lookup(&entries, |entry| &entry.server, &place);
        if found.is_empty() {
            let why = entries.iter().map(|entry| {
                let why = keyring::takes(&keyring::key(&entry.server), &place).err();
                format!("'{}': {}", entry.server, why.map_or_else(String::new, |why| why.to_string()))
            });
            let why: Vec<String> = why.collect();
            let why = if why.is_empty() { "it has none".to_owned() } else { why.join("; ") };
            return Err(Trouble::new(format!(
                "no entry is for {place}, so a kubelet pulls without a login: {why}"
            )));
        }
        let copy =
            |entry: &super::Entry| Candidate { server: entry.server.clone(), login: entry.login.clone() };
        Ok(found.into_iter().map(copy).collect())
    }

    async fn reach(
        &self,
        candidates: &[Candidate],
        record: &mut Record<'_>,
        result: &mut CheckResult,
    ) -> Result<(), railhead_client::Error> {
        const STEPS: &[&str] = &["login", "pull manifest", "pull blob", "without it", "expiry"];
        let repository = match self.image {
            Some(image) => image.repository.clone(),
            None => match NOBODYS.parse() {
                Ok(name) => name,
                Err(_) => return Ok(()),
            },
        };
        let walked = walk(self.host, &repository, std::slice::from_ref(self.route)).await?;
        let Some(walked) = walked.first() else { return Ok(()) };
        result.server.clone_from(&walked.server);
        if !record.note("route", None, walked.millis, reached(walked)) {
            record.skip(STEPS, UNREACHED);
            return Ok(());
        }
        let http = ways(&[self.route], LARGE)?.remove(0);
        if candidates.is_empty() {
            record.skip(&STEPS[..3], "no entry is for the image");
            self.without(&http, false, record, result).await;
            record.skip(&STEPS[4..], "no entry is for the image");
            return Ok(());
        }
        let works = self.try_all(candidates, &http, record, result).await;
        self.without(&http, works, record, result).await;
        match candidates.iter().zip(&result.tried).find(|(_, tried)| tried.works) {
            Some((Candidate { login: Some(login), .. }, _)) => {
                self.expiry(&http, login, record, result).await;
            }
            _ => record.skip(&STEPS[4..], "the token is not taken"),
        }
        Ok(())
    }

    /// Tries one login after the other until one works; whether one did.
    async fn try_all(
        &self,
        candidates: &[Candidate],
        http: &Http,
        record: &mut Record<'_>,
        result: &mut CheckResult,
    ) -> bool {
        for (at, candidate) in candidates.iter().enumerate() {
            let registry = Registry::new(http.clone(), candidate.login.clone());
            let went = self.try_one(candidate, &registry).await;
            let trouble =
                went.login.as_ref().err().or(went.manifest.as_ref().and_then(|it| it.as_ref().err()));
            result.tried.push(Tried {
                server: candidate.server.clone(),
                user: candidate.login.as_ref().map(|login| login.user.clone()),
                works: trouble.is_none(),
            });
            if let (Some(trouble), true) = (trouble, at + 1 < candidates.len()) {
                let words = format!("'{}': {}; a kubelet tries the next", candidate.server, trouble.detail);
                record.note("entry", None, went.millis[0], Ok(Seen::fact(words)));
                continue;
            }
            return self.note(went, &registry, record).await;
        }
        false
    }

    /// Writes down how the login that counts went, and pulls a blob with it.
    async fn note(&self, went: Went, registry: &Registry, record: &mut Record<'_>) -> bool {
        if !record.note("login", None, went.millis[0], went.login) {
            record.skip(&["pull manifest", "pull blob"], "the login failed");
            return false;
        }
        let (Some(image), Some(pulled)) = (self.image, went.manifest) else {
            record.skip(&["pull manifest", "pull blob"], NO_IMAGE);
            return true;
        };
        match pulled {
            Ok(Pulled { seen, manifest }) => {
                record.note("pull manifest", None, went.millis[1], Ok(seen));
                record.step("pull blob", None, blob(registry, &image.repository, &manifest)).await
            }
            Err(trouble) => {
                record.note("pull manifest", None, went.millis[1], Err(trouble));
                record.skip(&["pull blob"], "the manifest could not be pulled");
                false
            }
        }
    }

    async fn try_one(&self, candidate: &Candidate, registry: &Registry) -> Went {
        let since = Instant::now();
        let Some(login) = &candidate.login else {
            let what = format!(
                "the entry '{}' has neither user nor password, and that is all that a kubelet reads",
                candidate.server
            );
            return Went { login: Err(Trouble::new(what)), manifest: None, millis: [0; 2] };
        };
        let login = may_log_in(registry, login).await;
        let logged_in = since.elapsed().as_millis() as u64;
        let manifest = match (self.image, login.is_ok()) {
            (Some(image), true) => Some(manifest(registry, image).await),
            _ => None,
        };
        let all = since.elapsed().as_millis() as u64;
        Went { login, manifest, millis: [logged_in, all - logged_in] }
    }

    /// What happens without the Secret.
    async fn without(&self, http: &Http, works: bool, record: &mut Record<'_>, result: &mut CheckResult) {
        let Some(image) = self.image else {
            record.skip(&["without it"], NO_IMAGE);
            return;
        };
        let since = Instant::now();
        let nobody = Registry::new(http.clone(), None);
        let path = format!("/v2/{}/manifests/{}", image.repository, image.reference);
        let checked = may_read(&nobody, &image.repository, &path).await.map(|is_public| {
            result.visibility = Some(if is_public { Visibility::Public } else { Visibility::Private });
            Seen::fact(match (is_public, works) {
                (false, true) => "nobody may pull without a login, so pods need the Secret",
                (false, false) => "nobody may pull without a login either",
                (true, true) => {
                    "everybody may pull, so no Secret is needed; when the token ends, pods that name it cannot pull any more"
                }
                (true, false) => {
                    "everybody may pull; with the Secret nobody can, for a kubelet sends what it has, and a login that is \
                     refused is worse than none"
                }
            })
        });
        // What would be without the Secret says nothing about the Secret.
        let seen = checked.unwrap_or_else(|trouble| Seen::not_tried(trouble.detail));
        record.note("without it", None, since.elapsed().as_millis() as u64, Ok(seen));
    }

    async fn expiry(
        &self,
        http: &Http,
        login: &Credentials,
        record: &mut Record<'_>,
        result: &mut CheckResult,
    ) {
        let since = Instant::now();
        let known = expiry::find(http, self.forge(result.server.as_deref()), login).await;
        record.note("expiry", None, since.elapsed().as_millis() as u64, Ok(known.seen()));
        result.may_more = known.may_more;
        result.expires = known.expires;
    }

    /// What answers: what it says counts more than what the site file does.
    fn forge(&self, server: Option<&str>) -> Option<Forge> {
        let said = server.unwrap_or_default().to_ascii_lowercase();
        Forge::ALL.into_iter().find(|forge| said.starts_with(forge.word())).or(self.site.forge)
    }
}

fn words(candidates: &[Candidate]) -> String {
    let one = |candidate: &Candidate| match &candidate.login {
        Some(login) => format!("'{}' as {}", candidate.server, login.user),
        None => format!("'{}' without a login", candidate.server),
    };
    let all: Vec<String> = candidates.iter().map(one).collect();
    all.join(", then ")
}

fn reached(walked: &Walked) -> Checked {
    match &walked.obstacle {
        None => Ok(Seen::ok(format!("{} answers as a registry", walked.facts.url))),
        Some(obstacle) => {
            let class =
                if obstacle.kind == Hindrance::Unreachable { Verdict::Unreachable } else { Verdict::Failed };
            Err(Trouble::of(obstacle.what.clone(), class))
        }
    }
}

/// Whether the registry knows account and token: `GET /v2/` with them.
async fn may_log_in(registry: &Registry, login: &Credentials) -> Checked {
    let answer = registry.ping().await?;
    match answer.status {
        status if status.is_success() => Ok(Seen::ok(format!("as {}", login.user))),
        status if is_refusal(status) => Err(Trouble::of(
            format!(
                "the registry does not take the token of '{}': it is wrong, revoked or has ended ({})",
                login.user,
                said(&answer)
            ),
            Verdict::Denied,
        )),
        _ => Err(Trouble::answer("GET /v2/ with the login", &answer)),
    }
}

async fn manifest(registry: &Registry, image: &ImageName) -> Result<Pulled, Trouble> {
    let reference = image.reference.to_string();
    let answer = registry.manifest(&image.repository, &reference).await?;
    let manifest = answer.ok_or_else(|| {
        Trouble::new(format!("{image} is not there, or this account may not pull it: both answer the same"))
    })?;
    let digest = Digest::sha256(&manifest.body);
    Ok(Pulled { seen: Seen::ok(digest.to_string()).about(digest, manifest.body.len() as u64), manifest })
}

/// Pulls the config of the image, or its first layer, of an index those of its first image.
async fn blob(registry: &Registry, name: &RepositoryName, answer: &Answer) -> Checked {
    let wrong = |_| Trouble::new("the manifest is not JSON");
    let mut manifest: Value = serde_json::from_slice(&answer.body).map_err(wrong)?;
    if let Some(children) = manifest["manifests"].as_array() {
        let is_usual = |child: &&Value| child["platform"]["os"] == "linux";
        let child = children.iter().find(is_usual).or(children.first());
        let digest = child.and_then(digest_of).ok_or_else(|| Trouble::new("the index has no image"))?;
        let child = registry.manifest(name, &digest.to_string()).await?;
        let child =
            child.ok_or_else(|| Trouble::new(format!("the image {digest} of the index is not there")))?;
        manifest = serde_json::from_slice(&child.body).map_err(wrong)?;
    }
    let blob = digest_of(&manifest["config"]).or_else(|| digest_of(&manifest["layers"][0]));
    let blob = blob.ok_or_else(|| Trouble::new("the manifest has no blob"))?;
    let bytes = registry.read_blob(name, &blob, |_| ()).await?;
    Ok(Seen::ok(blob.to_string()).about(blob, bytes))
}

fn digest_of(descriptor: &Value) -> Option<Digest> {
    descriptor["digest"].as_str()?.parse().ok()
}
