//! Who may pull, at both ends. It is asked as everybody asks it: without a login.
//!
//! Railhead keeps a visibility for each repository, which a move sets. On Gitea and Forgejo it is the owner's, so it cannot be
//! set; a private repository does not go to an owner whom everybody sees, unless the plan says so.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{Request, StatusCode};
use railhead_api::{Manifests, Route, Visibility, VisibilityChange};
use railhead_client::{Admin, Error, PackageLink, Registry, empty};
use railhead_oci::{Digest, RepositoryName};

use super::graph::Graph;
use super::{Outcome, RepositoryMoved, Run, Seen, VisibilityMoved, chain};

/// The largest answer of the forge that is read, in bytes.
const ANSWER_MAX: usize = 1 << 20;

/// What answers as a registry, as far as it matters here.
pub(super) enum Face {
    /// Gitea or Forgejo.
    Forge,
    /// Railhead, with its admin API for the account that logs in.
    Railhead(Admin),
    /// Any other.
    Other,
}

impl Face {
    pub(super) async fn of(client: &Registry) -> Result<Self, Error> {
        let challenge = client.challenge().await?;
        if challenge.is_some_and(|challenge| challenge.parameter("service") == Some("railhead")) {
            let token = client.credentials().map(|credentials| credentials.secret.clone());
            return Ok(Self::Railhead(Admin::new(client.http().clone(), token)));
        }
        Ok(if client.is_forge().await? { Self::Forge } else { Self::Other })
    }

    /// All manifests of a repository, where Railhead lists them.
    pub(super) async fn manifests(
        &self,
        name: &RepositoryName,
        notes: &mut Vec<String>,
    ) -> Result<BTreeSet<Digest>, Error> {
        let mut known = BTreeSet::new();
        let Self::Railhead(admin) = self else { return Ok(known) };
        let mut after: Option<String> = None;
        loop {
            let mut path = Route::RepositoryManifests { name: name.as_str().into() }.path();
            if let Some(after) = &after {
                path = format!("{path}?after={}", railhead_api::segment(after));
            }
            match admin.ask("GET", &path, None).await {
                Ok(body) => match serde_json::from_slice::<Manifests>(&body) {
                    Ok(page) => {
                        known.extend(
                            page.manifests.iter().filter_map(|one| one.digest.parse::<Digest>().ok()),
                        );
                        match page.next {
                            Some(next) if after.as_ref() != Some(&next) => after = Some(next),
                            _ => return Ok(known),
                        }
                    }
                    Err(error) => {
                        notes.push(unlisted(name, &error));
                        return Ok(known);
                    }
                },
                Err(error) if error.is_passing() => return Err(error),
                Err(error) => {
                    notes.push(unlisted(name, &error));
                    return Ok(known);
                }
            }
        }
    }
}

fn unlisted(name: &RepositoryName, error: &dyn std::error::Error) -> String {
    format!(
        "{name}: only what tags lead to is moved, as the admin API does not list its manifests: {}",
        chain(error)
    )
}

impl Run<'_> {
    /// Whether a repository may be copied as far as its visibility goes. Notes what it is at the source.
    pub(super) async fn may_open(&self, record: &mut RepositoryMoved, graph: &Graph) -> Result<bool, Error> {
        let Some(from) = seen(&self.plan.from.client, &record.name, references(graph)).await? else {
            return Ok(true);
        };
        record.visibility = Some(VisibilityMoved { from, to: None });
        if from == Seen::Private && !self.plan.widen && self.owner_is_public(record.name.owner()).await? {
            let why = format!(
                "it is private, and everybody sees the packages of {} at the target: make the owner private or limited there, or give --widen",
                record.name.owner()
            );
            record.differs("visibility", why);
            return Ok(false);
        }
        Ok(true)
    }

    /// Gives a repository of the target the visibility that it has at the source, and looks what it is.
    pub(super) async fn open(&self, record: &mut RepositoryMoved, graph: &Graph) -> Result<(), Error> {
        let Some(moved) = record.visibility else { return Ok(()) };
        let there: BTreeSet<Digest> = record
            .manifests
            .iter()
            .filter(|one| one.outcome != Outcome::Left)
            .map(|one| one.digest)
            .collect();
        let references = || there.iter().map(ToString::to_string).chain(references(graph));
        let mut to = seen(&self.plan.to.client, &record.name, references()).await?;
        let is_right = to.is_none_or(|to| to == moved.from) || self.plan.widen && to == Some(Seen::Public);
        if let (Face::Railhead(admin), false) = (&self.face, is_right) {
            let visibility = match moved.from {
                Seen::Public => Visibility::Public,
                Seen::Private => Visibility::Private,
            };
            if let Err(error) = set(admin, &record.name, visibility).await {
                if error.is_passing() {
                    return Err(error);
                }
                let name = &record.name;
                record.notes.push(format!(
                    "its visibility could not be set: {}; `railhead repo visibility {name} {}` sets it",
                    chain(&error),
                    visibility.name()
                ));
            }
            to = seen(&self.plan.to.client, &record.name, references()).await?;
        }
        record.visibility = Some(VisibilityMoved { from: moved.from, to });
        match (moved.from, to) {
            (Seen::Private, Some(Seen::Public)) if !self.plan.widen => {
                record.differs("visibility", "it is private at the source, and everybody sees it at the target");
            }
            (Seen::Public, Some(Seen::Private)) => record.notes.push(
                "everybody sees it at the source, and not at the target, where that is the owner's matter or an administrator's"
                    .to_owned(),
            ),
            _ => {}
        }
        Ok(())
    }

    /// Links a package of the target with the Git repository of the same name, where the plan says so. That belongs here because a
    /// forge may look at the linked repository when it decides who sees a package.
    pub(super) async fn link(&self, record: &mut RepositoryMoved) -> Result<(), Error> {
        if !self.plan.link || record.tags.is_empty() && record.manifests.is_empty() {
            return Ok(());
        }
        if !matches!(self.face, Face::Forge) {
            record.notes.push("not linked: only a forge has Git repositories".to_owned());
            return Ok(());
        }
        let image = record.name.image();
        let git = image.split('/').next().unwrap_or(image);
        match self.plan.to.client.link_package(&record.name, git).await {
            Ok(PackageLink::Made) => record.linked = Some(format!("{}/{git}", record.name.owner())),
            Ok(PackageLink::There) => {
                record.notes.push("it is linked with a Git repository already".to_owned());
            }
            Ok(PackageLink::Nothing) => record.notes.push(format!(
                "not linked: the target has no Git repository {}/{git}, or makes no links",
                record.name.owner()
            )),
            Err(error) if error.is_passing() => return Err(error),
            Err(error) => record.notes.push(format!("not linked: {}", chain(&error))),
        }
        Ok(())
    }

    /// Whether everybody sees what belongs to an owner of a forge.
    async fn owner_is_public(&self, owner: &str) -> Result<bool, Error> {
        if !matches!(self.face, Face::Forge) {
            return Ok(false);
        }
        let owner = railhead_api::segment(owner);
        for path in [format!("/api/v1/users/{owner}"), format!("/api/v1/orgs/{owner}")] {
            let api = self.plan.to.client.api();
            let answer = api.ask(Request::get(path).body(empty())?, ANSWER_MAX).await?;
            if answer.status == StatusCode::OK {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

async fn set(admin: &Admin, name: &RepositoryName, visibility: Visibility) -> Result<(), Error> {
    let path = Route::RepositoryVisibility { name: name.as_str().into() }.path();
    let body = serde_json::to_vec(&VisibilityChange { visibility }).unwrap_or_default();
    admin.ask("PUT", &path, Some(Bytes::from(body))).await.map(|_| ())
}

/// A few references of a repository: who sees one sees all.
fn references(graph: &Graph) -> impl Iterator<Item = String> {
    graph.nodes.keys().map(ToString::to_string)
}

/// Who sees a repository; nothing where none of the references is there to be asked for.
async fn seen(
    client: &Registry,
    name: &RepositoryName,
    mut references: impl Iterator<Item = String>,
) -> Result<Option<Seen>, Error> {
    let Some(first) = references.next() else { return Ok(None) };
    match client.anonymous().head_manifest(name, &first).await {
        Ok(Some(_)) => Ok(Some(Seen::Public)),
        // Whoever may not see it is told that it is not there.
        Ok(None) | Err(Error::Unexpected { .. }) => Ok(Some(Seen::Private)),
        Err(error) => Err(error),
    }
}
