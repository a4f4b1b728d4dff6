//! Proves again that every fact of a page is true, and says which is not.

use std::collections::BTreeSet;
use std::io::Write as _;

use jiff::{Timestamp, ToSpan as _};
use railhead_client::hops::Route;
use railhead_client::{Credentials, Registry};
use railhead_oci::Digest;
use railhead_oci::media::is_foreign_layer;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::facts::Facts;
use crate::image::platform_of;
use crate::prove::access::may_read;
use crate::prove::bench::{Checked, Record, Seen, Trouble, ways};
use crate::prove::walk::{Walked, walk};
use crate::prove::{Outcome, Step, TrustNeeded};
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
    /// The facts that are not true.
    pub fn untrue(&self) -> impl Iterator<Item = &Step> {
        self.facts.iter().filter(|fact| fact.outcome == Outcome::Failed)
    }
}

impl Check<'_> {
    /// Checks every fact, and tells `watch` of each.
    pub async fn run(&self, watch: &mut dyn FnMut(&Step)) -> Result<CheckResult, railhead_client::Error> {
        let secrets = Secrets::new(self.account.iter().map(|one| (one.user.as_str(), &one.secret)));
        let mut record = Record { steps: Vec::new(), class: None, secrets, watch };
        let authority = self.authority()?;
        let route = self.route(authority.as_ref())?;
        let walked = walk(&self.facts.host, &self.facts.repository, std::slice::from_ref(&route)).await?;
        if let Some(walked) = walked.first() {
            self.world(&mut record, walked, &route).await?;
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
        let reached = match &walked.obstacle {
            None => Ok(Seen::ok(format!("{} answers as a registry", walked.facts.url))),
            Some(obstacle) => Err(Trouble::new(obstacle.what.clone())),
        };
        let is_reached = record.note("registry host", None, walked.millis, reached);
        record.note("certificate", None, 0, self.certificate(walked));
        if !is_reached {
            record.skip(
                &["server", "login", "tag and digest", "image", "who may pull", "referrers"],
                "the registry cannot be reached",
            );
            return Ok(());
        }
        record.note("server", None, 0, self.server(walked));
        let way = ways(&[route], LARGE)?.remove(0);
        let nobody = Registry::new(way.clone(), None);
        let registry = Registry::new(way, self.account.clone());
        record.step("login", None, self.login(&registry)).await;
        record.step("tag and digest", None, self.digest(&registry)).await;
        record.step("image", None, self.content(&registry)).await;
        record.step("who may pull", None, self.visibility(&nobody)).await;
        record.step("referrers", None, self.referrers(&registry)).await;
        Ok(())
    }

    fn certificate(&self, walked: &Walked) -> Checked {
        let said = self.facts.way.trust;
        let found = walked.facts.tls.as_ref().map(|tls| tls.trust);
        if said != found && !(found.is_none() && walked.obstacle.is_some()) {
            return Err(Trouble::new(format!("the page says {}, and it is {}", words(said), words(found))));
        }
        let Some(tls) = &walked.facts.tls else {
            return match said {
                None => Ok(Seen::ok("plain http, as said")),
                Some(_) => Ok(Seen::not_tried("no certificate was shown")),
            };
        };
        let until = tls.not_after.to_string();
        let soon =
            Timestamp::now().checked_add((24 * SOON_DAYS).hours()).is_ok_and(|soon| soon > tls.not_after);
        if soon {
            return Ok(Seen::fact(format!("{}, as said, but it ends at {until}", words(found))));
        }
        Ok(Seen::ok(format!("{}, as said, valid until {until}", words(found))))
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
        match answer.status.is_success() {
            true => Ok(Seen::ok(format!("as {}", account.user))),
            false => Err(Trouble::answer("GET /v2/ with the account", &answer)),
        }
    }

    async fn digest(&self, registry: &Registry) -> Checked {
        let (name, tag) = (&self.facts.repository, self.facts.tag.as_str());
        let answer = registry.manifest(name, tag).await?;
        let answer = answer.ok_or_else(|| Trouble::new(format!("the tag {tag} is not there")))?;
        let found = Digest::of(self.facts.digest.algorithm(), &answer.body);
        match found == self.facts.digest {
            true => Ok(Seen::ok(format!("{tag} names {found}")).about(found, answer.body.len() as u64)),
            false => {
                Err(Trouble::new(format!("{tag} names {found}, and the page says {}", self.facts.digest)))
            }
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
            "{} manifests and {} blobs, {bytes} bytes, all as their digests say; {platforms}",
            seen.len(),
            blobs.len()
        )))
    }

    async fn visibility(&self, nobody: &Registry) -> Checked {
        let name = &self.facts.repository;
        let path = format!("/v2/{name}/manifests/{}", self.facts.digest);
        let found = match may_read(nobody, name, &path).await? {
            true => Visibility::Public,
            false => Visibility::Private,
        };
        match self.facts.visibility {
            Some(said) if said == found => Ok(Seen::ok(format!("{}, as said", found.word()))),
            Some(said) => {
                Err(Trouble::new(format!("the page says {}, and it is {}", said.word(), found.word())))
            }
            None => Ok(Seen::fact(format!("{}; the page does not say", found.word()))),
        }
    }

    async fn referrers(&self, registry: &Registry) -> Checked {
        let Some(said) = self.facts.features.referrers else {
            return Ok(Seen::not_tried("the page does not say"));
        };
        let path = format!("/v2/{}/referrers/{}", self.facts.repository, self.facts.digest);
        let scope = format!("repository:{}:pull", self.facts.repository);
        let make = || Ok((http::Request::get(&path), railhead_client::empty()));
        let answer = registry.ask(&scope, make).await?;
        let list: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let found = answer.status.is_success() && list["manifests"].is_array();
        let words = |has: bool| if has { "a list of referrers" } else { "no list of referrers" };
        match said == found {
            true => Ok(Seen::ok(format!("{}, as said", words(found)))),
            false => {
                Err(Trouble::new(format!("the page says {}, and there is {}", words(said), words(found))))
            }
        }
    }

    /// What the page has from the site file is still in it.
    fn site(&self, record: &mut Record<'_>) {
        if self.site.file.is_none() {
            record
                .skip(&["naming", "limits", "provenance", "owners", "pull secret"], "there is no site file");
            return;
        }
        let (facts, site) = (self.facts, self.site);
        let secret = facts.pull_secret.as_ref();
        let same = [
            ("naming", site.naming.is_none() || site.naming.as_ref() == Some(&facts.naming)),
            ("limits", site.limits == facts.limits),
            ("provenance", site.provenance == facts.provenance),
            ("owners", site.owners == facts.owners),
            (
                "pull secret",
                secret.is_none_or(|secret| {
                    site.cluster.pull_secret.as_ref().is_none_or(|name| *name == secret.name)
                        && site.cluster.namespace == secret.namespace
                }),
            ),
        ];
        for (name, is_same) in same {
            let checked = match is_same {
                true => Ok(Seen::ok("as in the site file")),
                false => Err(Trouble::new("the site file says something else now; write the page again")),
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
