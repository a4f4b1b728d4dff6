//! Proves again that every fact of a page is true, and says which is not.

use std::collections::BTreeSet;
use std::io::Write as _;

use jiff::{Timestamp, ToSpan as _};
use railhead_client::hops::Route;
use railhead_client::{Credentials, Registry};
use railhead_doctor::Owners;
use railhead_oci::Digest;
use railhead_oci::media::is_foreign_layer;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::facts::{Facts, PullSecret, naming, pull_secret};
use super::page::page;
use crate::image::platform_of;
use crate::prove::access::{Reading, reading};
use crate::prove::bench::{Checked, Record, Seen, Trouble, count, is_refusal, said, ways};
use crate::prove::walk::{Hindrance, Walked, walk};
use crate::prove::{Outcome, Step, TrustNeeded, Verdict};
use crate::secrets::Secrets;
use crate::site::{Site, Visibility};

/// A certificate that ends sooner is worth a word.
const SOON_DAYS: i64 = 14;
/// Bytes of a blob that a check waits for longer than a minute.
const LARGE: u64 = 1 << 30;
/// Manifests below one image.
const MANIFESTS_MAX: usize = 1000;

/// What a check is made with.
#[derive(Debug)]
pub struct Check<'a> {
    /// The facts.
    pub facts: &'a Facts,
    /// The page that they stand in.
    pub text: &'a str,
    /// The site as it is now.
    pub site: &'a Site,
    /// The way to the registry, if not the page's.
    pub route: Option<Route>,
    /// Who logs in; needed where not everybody may pull.
    pub account: Option<Credentials>,
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The image of the page.
    pub image: String,
    /// Every fact: `ok` is true, `failed` is not.
    pub facts: Vec<Step>,
}

impl CheckResult {
    /// The facts that ended so; those that `Failed` are not true.
    pub fn of(&self, outcome: Outcome) -> impl Iterator<Item = &Step> {
        self.facts.iter().filter(move |fact| fact.outcome == outcome)
    }
}

impl Check<'_> {
    /// Checks every fact, and tells `watch` of each.
    pub async fn run(&self, watch: &mut dyn FnMut(&Step)) -> Result<CheckResult, railhead_client::Error> {
        let secrets = Secrets::new(self.account.iter().map(|one| (one.user.as_str(), &one.secret)));
        let mut record = Record { steps: Vec::new(), class: None, secrets, watch };
        record.note("text", None, 0, self.written());
        let authority = self.authority()?;
        let route = self.route(authority.as_ref())?;
        let walked = walk(&self.facts.host, &self.facts.repository, std::slice::from_ref(&route)).await?;
        if let Some(walked) = walked.first() {
            Box::pin(self.world(&mut record, walked, &route)).await?;
        }
        self.site(&mut record);
        Ok(CheckResult { image: self.facts.image(), facts: record.steps })
    }

    /// The page's authority as a file.
    fn authority(&self) -> Result<Option<tempfile::NamedTempFile>, railhead_client::Error> {
        let Some(pem) = &self.facts.way.authority else { return Ok(None) };
        let written = tempfile::NamedTempFile::new().and_then(|mut file| {
            file.write_all(pem.as_bytes())?;
            Ok(file)
        });
        let failed = |source| railhead_client::Error::Certificates { path: std::env::temp_dir(), source };
        written.map(Some).map_err(failed)
    }

    fn route(&self, authority: Option<&tempfile::NamedTempFile>) -> Result<Route, railhead_client::Error> {
        let mut route = match &self.route {
            Some(route) => route.clone(),
            None => self.facts.route()?,
        };
        if let Some(file) = authority {
            route.ca = Some(file.path().to_owned());
        }
        Ok(route)
    }

    async fn world(
        &self,
        record: &mut Record<'_>,
        walked: &Walked,
        route: &Route,
    ) -> Result<(), railhead_client::Error> {
        let host = match &walked.obstacle {
            Some(obstacle) if obstacle.kind != Hindrance::Certificate => {
                Err(Trouble::new(obstacle.what.clone()))
            }
            _ => Ok(Seen::ok(format!("{} answers", walked.facts.url))),
        };
        record.note("registry host", None, walked.millis, host);
        record.note("certificate", None, 0, self.certificate(walked));
        record.note("server", None, 0, self.server(walked));
        let rest = ["login", "tag and digest", "image", "who may pull"];
        if let Some(obstacle) = &walked.obstacle {
            record.skip(&rest, &format!("nothing is sent there: {}", obstacle.what));
            return Ok(());
        }
        let way = ways(&[route], LARGE)?.remove(0);
        let nobody = Registry::new(way.clone(), None);
        let registry = Registry::new(way, self.account.clone());
        record.step("login", None, self.login(&registry)).await;
        record.step("tag and digest", None, self.with_a_login(Box::pin(self.digest(&registry)))).await;
        record.step("image", None, self.with_a_login(Box::pin(self.content(&registry)))).await;
        record.step("who may pull", None, self.visibility(&nobody, &registry)).await;
        if let Some(said) = self.facts.features.referrers {
            record
                .step("referrers", None, self.with_a_login(Box::pin(self.referrers(&registry, said))))
                .await;
        }
        if self.facts.features.delete == Some(false) {
            record.step("deleting", None, self.deleting(&registry)).await;
        }
        Ok(())
    }

    /// What is not shown without a login is not untrue.
    async fn with_a_login(&self, check: impl Future<Output = Checked>) -> Checked {
        match check.await {
            Err(trouble) if trouble.class == Verdict::Denied && self.account.is_none() => {
                Ok(Seen::not_tried(
                    "the registry asks for a login; name the account with --user, and its token in RAILHEAD_TOKEN",
                ))
            }
            checked => checked,
        }
    }

    /// What people read is what the facts say. Lines may be added to a page; none may be changed.
    fn written(&self) -> Checked {
        let page = page(self.facts).map_err(|error| Trouble::new(error.to_string()))?;
        let mut there = self.text.lines().map(str::trim_end);
        let changed = page.lines().map(str::trim_end).find(|line| !there.any(|one| one == *line));
        let own = env!("CARGO_PKG_VERSION");
        match changed {
            None => Ok(Seen::ok("the page reads as it was written")),
            Some(_) if self.facts.by != own => Ok(Seen::not_tried(format!(
                "Railhead {} wrote the page; {own} writes it in other words",
                self.facts.by
            ))),
            Some(line) => Err(Trouble::new(format!("somebody changed the line '{line}'"))),
        }
    }

    fn certificate(&self, walked: &Walked) -> Checked {
        let said = self.facts.way.trust;
        if let Some(obstacle) = walked.obstacle.as_ref().filter(|one| one.kind == Hindrance::Certificate) {
            return Err(Trouble::new(format!("the page says {}, but {}", words(said), obstacle.what)));
        }
        let Some(tls) = &walked.facts.tls else {
            return match said {
                None => Ok(Seen::ok("plain http, as said")),
                Some(_) => Ok(Seen::not_tried("no certificate was shown")),
            };
        };
        let (found, until) = (Some(tls.trust), tls.not_after);
        if said != found {
            return Err(Trouble::new(format!("the page says {}, and it is {}", words(said), words(found))));
        }
        if let Some(said) = self.facts.way.not_after.filter(|said| until < *said) {
            return Err(Trouble::new(format!("the page says valid until {said}, and it ends at {until}")));
        }
        let detail = format!("{}, as said, valid until {until}", words(found));
        let soon = Timestamp::now().checked_add((24 * SOON_DAYS).hours());
        if soon.is_ok_and(|soon| soon > until) {
            Ok(Seen::fact(format!("{detail}, which is soon")))
        } else {
            Ok(Seen::ok(detail))
        }
    }

    fn server(&self, walked: &Walked) -> Checked {
        match (&self.facts.server, &walked.server) {
            (Some(said), Some(found)) if said == found => Ok(Seen::ok(found.clone())),
            (Some(said), Some(found)) => {
                Err(Trouble::new(format!("the page says {said}, and it is {found}")))
            }
            (said, found) => {
                let shown = |of: &Option<String>| of.clone().unwrap_or_else(|| "nothing".to_owned());
                Ok(Seen::fact(format!("the page says {}; the server says {}", shown(said), shown(found))))
            }
        }
    }

    async fn login(&self, registry: &Registry) -> Checked {
        let Some(account) = &self.account else { return Ok(Seen::not_tried("no account was given")) };
        let answer = registry.ping().await?;
        if answer.status.is_success() {
            Ok(Seen::ok(format!("as {}", account.user)))
        } else {
            Err(Trouble::answer("GET /v2/ with the account", &answer))
        }
    }

    async fn digest(&self, registry: &Registry) -> Checked {
        let (name, tag) = (&self.facts.repository, self.facts.tag.as_str());
        let answer = registry.manifest(name, tag).await?;
        let answer = answer.ok_or_else(|| Trouble::new(format!("the tag {tag} is not there")))?;
        let found = Digest::of(self.facts.digest.algorithm(), &answer.body);
        if found == self.facts.digest {
            Ok(Seen::ok(format!("{tag} names {found}")).about(found, answer.body.len() as u64))
        } else {
            Err(Trouble::new(format!("{tag} names {found}, and the page says {}", self.facts.digest)))
        }
    }

    /// Every manifest and blob below the digest, and the platforms.
    async fn content(&self, registry: &Registry) -> Checked {
        let name = &self.facts.repository;
        let mut waiting = vec![self.facts.digest];
        let (mut seen, mut bytes, mut blobs, mut platforms) = (Vec::new(), 0, Vec::new(), BTreeSet::new());
        while let Some(digest) = waiting.pop() {
            if seen.contains(&digest) {
                continue;
            }
            if seen.len() == MANIFESTS_MAX {
                return Err(Trouble::new(format!("the image has more than {MANIFESTS_MAX} manifests")));
            }
            let answer = registry.manifest(name, &digest.to_string()).await?;
            let answer = answer.ok_or_else(|| Trouble::new(format!("manifest {digest} is not there")))?;
            let manifest: Value = serde_json::from_slice(&answer.body)
                .map_err(|error| Trouble::new(format!("manifest {digest} is not JSON: {error}")))?;
            bytes += answer.body.len() as u64;
            seen.push(digest);
            let config = digests(&Value::Array(vec![manifest["config"].clone()]));
            if let ([config], [_]) = (config.as_slice(), seen.as_slice()) {
                let config: Value =
                    serde_json::from_slice(&registry.blob(name, config).await?).unwrap_or_default();
                platforms.extend(platform_of(&config));
            }
            let children = manifest["manifests"].as_array().into_iter().flatten();
            platforms.extend(children.filter_map(|child| platform_of(&child["platform"])));
            waiting.extend(digests(&manifest["manifests"]));
            blobs.extend(digests(&manifest["layers"]));
            blobs.extend(config);
        }
        let said: BTreeSet<String> = self.facts.platforms.iter().cloned().collect();
        if said != platforms {
            let [said, found] = [said, platforms].map(|of| of.into_iter().collect::<Vec<_>>().join(", "));
            return Err(Trouble::new(format!("the page says it runs on {said}, and it runs on {found}")));
        }
        blobs.sort_unstable();
        blobs.dedup();
        for blob in &blobs {
            let read = registry.read_blob(name, blob, |_| ()).await;
            bytes += read.map_err(|error| {
                let trouble = Trouble::from(error);
                Trouble::of(format!("blob {blob}: {}", trouble.detail), trouble.class)
            })?;
        }
        let platforms = self.facts.platforms.join(", ");
        Ok(Seen::ok(format!(
            "{} and {}, {bytes} bytes, all as their digests say; {platforms}",
            count(seen.len(), "manifest"),
            count(blobs.len(), "blob")
        )))
    }

    async fn visibility(&self, nobody: &Registry, registry: &Registry) -> Checked {
        let Some(found) = self.who_may_pull(nobody, registry).await? else {
            return Ok(Seen::not_tried("neither the digest nor the tag is there"));
        };
        match self.facts.visibility {
            Some(said) if said == found => Ok(Seen::ok(format!("{}, as said", found.word()))),
            Some(said) => {
                Err(Trouble::new(format!("the page says {}, and it is {}", said.word(), found.word())))
            }
            None => Ok(Seen::fact(format!("{}; the page does not say", found.word()))),
        }
    }

    /// None where nothing is left that somebody could be kept from.
    async fn who_may_pull(
        &self,
        nobody: &Registry,
        registry: &Registry,
    ) -> Result<Option<Visibility>, Trouble> {
        let name = &self.facts.repository;
        for reference in [self.facts.digest.to_string(), self.facts.tag.to_string()] {
            let path = format!("/v2/{name}/manifests/{reference}");
            match reading(nobody, name, &path).await? {
                Reading::May => return Ok(Some(Visibility::Public)),
                Reading::Refused => return Ok(Some(Visibility::Private)),
                Reading::Nothing if reading(registry, name, &path).await? == Reading::May => {
                    return Ok(Some(Visibility::Private));
                }
                Reading::Nothing => {}
            }
        }
        Ok(None)
    }

    async fn referrers(&self, registry: &Registry, said: bool) -> Checked {
        let path = format!("/v2/{}/referrers/{}", self.facts.repository, self.facts.digest);
        let scope = format!("repository:{}:pull", self.facts.repository);
        let make = || Ok((http::Request::get(&path), railhead_client::empty()));
        let answer = registry.ask(&scope, make).await?;
        if is_refusal(answer.status) {
            return Err(Trouble::answer(&format!("GET {path}"), &answer));
        }
        let list: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let found = answer.status.is_success() && list["manifests"].is_array();
        let words = |has: bool| if has { "a list of referrers" } else { "no list of referrers" };
        if said == found {
            Ok(Seen::ok(format!("{}, as said", words(found))))
        } else {
            Err(Trouble::new(format!("the page says {}, and there is {}", words(said), words(found))))
        }
    }

    /// The page says it only of a registry that does not delete. What is deleted is a manifest that nobody has.
    async fn deleting(&self, registry: &Registry) -> Checked {
        if self.account.is_none() {
            return Ok(Seen::not_tried("no account was given"));
        }
        let name = &self.facts.repository;
        let path =
            format!("/v2/{name}/manifests/{}", Digest::sha256(self.facts.written.to_string().as_bytes()));
        let make = || Ok((http::Request::delete(&path), railhead_client::empty()));
        let answer = registry.ask(&format!("repository:{name}:delete"), make).await?;
        match answer.status {
            http::StatusCode::METHOD_NOT_ALLOWED | http::StatusCode::NOT_IMPLEMENTED => {
                Ok(Seen::ok("the registry does not delete, as said"))
            }
            http::StatusCode::NOT_FOUND | http::StatusCode::ACCEPTED => {
                Err(Trouble::new("the page says that images cannot be deleted, and they can"))
            }
            _ => Ok(Seen::not_tried(format!("the answer was {}", said(&answer)))),
        }
    }

    /// What the page has from the site file is still in it.
    fn site(&self, record: &mut Record<'_>) {
        let (facts, site) = (self.facts, self.site);
        let owners =
            |of: &Owners| of.iter().map(|(layer, owner)| format!("{layer}: {owner}")).collect::<Vec<_>>();
        let secret = |of: &Option<PullSecret>| match of {
            None => "none".to_owned(),
            Some(PullSecret { name, namespace: None }) => name.clone(),
            Some(PullSecret { name, namespace: Some(namespace) }) => format!("{name} in {namespace}"),
        };
        let both = [
            ("naming", facts.naming.clone(), naming(site, &facts.host, &facts.repository)),
            ("pull secret", secret(&facts.pull_secret), secret(&pull_secret(site, facts.visibility))),
            ("limits", facts.limits.join("; "), site.limits.join("; ")),
            ("provenance", facts.provenance.join("; "), site.provenance.join("; ")),
            ("owners", owners(&facts.owners).join("; "), owners(&site.owners).join("; ")),
        ];
        for (name, said, found) in both {
            let checked = match (said == found, &site.file) {
                (_, None) => Ok(Seen::not_tried("there is no site file")),
                (true, Some(_)) => Ok(Seen::ok("as in the site file")),
                (false, Some(file)) => Err(Trouble::new(format!(
                    "the page says '{said}', and {} says '{found}'",
                    file.display()
                ))),
            };
            record.note(name, None, 0, checked);
        }
    }
}

const fn words(trust: Option<TrustNeeded>) -> &'static str {
    match trust {
        None => "plain http",
        Some(TrustNeeded::System) => "trusted by systems as they are",
        Some(TrustNeeded::File) => "of a private authority",
        Some(TrustNeeded::Broken) => "not trusted",
    }
}

/// The digests of a list of descriptors; what is kept elsewhere is left out.
fn digests(list: &Value) -> Vec<Digest> {
    let entries = list.as_array().into_iter().flatten();
    let own = entries.filter(|entry| !entry["mediaType"].as_str().is_some_and(is_foreign_layer));
    own.filter_map(|entry| entry["digest"].as_str()?.parse().ok()).collect()
}
