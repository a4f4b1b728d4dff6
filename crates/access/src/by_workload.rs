//! Workloads: jobs and service accounts that show a token of their issuer, with or without a forge.
//!
//! What a workload may do is its grant and what everybody may. It has no account: nothing of it is in the catalog but the
//! name in the audit.

use std::net::IpAddr;
use std::sync::Arc;

use railhead_catalog::Timestamp;
use railhead_oci::RepositoryName;
use railhead_workload::{Refusal, Workloads};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::audit::{Act, Outcome};
use crate::{Access, Action, Decision, Denial, Identity, Principal, Reason, Result, TokenScope};

impl Access {
    pub(crate) async fn by_workload(
        &self,
        workloads: &Workloads<TokenScope>,
        header: &str,
        token: &SecretString,
        from: IpAddr,
    ) -> Result<Arc<Identity>> {
        let (shared, now) = (&self.0, self.now());
        let generation = shared.generation.current(&shared.catalog, now).await?;
        match workloads.verify(token.expose_secret(), now.0.div_euclid(1000)).await {
            Ok(workload) => {
                let ends = Timestamp(workload.ends.saturating_mul(1000));
                let principal = Principal::Workload(workload.name.into());
                let identity = Arc::new(Identity {
                    expires: Some(ends),
                    grants: Some(workload.grants.into()),
                    ..Identity::of(shared.next_serial(), principal, generation)
                });
                self.keep(header, &identity, ends);
                Ok(identity)
            }
            Err(Refusal::Unavailable(message)) => Err(Denial::later(message).into()),
            Err(Refusal::Wrong(message)) => {
                let detail = json!({ "workload": message });
                let who = &shared.anonymous;
                let (action, target, outcome) = ("login", "", Outcome::Denied);
                let act = Act { who, from: Some(from), action, target, outcome, detail: Some(detail) };
                shared.audit.note(&act, now);
                Err(Denial::new(Reason::Credentials, format!("the workload's token is not taken: {message}"))
                    .into())
            }
        }
    }

    /// What a workload with `grants` may do, and until when that counts.
    pub(crate) async fn judge_workload(
        &self,
        who: &Identity,
        grants: &[TokenScope],
        action: Action,
        repository: &RepositoryName,
        generation: u64,
    ) -> Result<(Decision, Timestamp)> {
        if action == Action::Pull {
            let nobody = self.anonymous();
            let (decision, until) = Box::pin(self.find(&nobody, action, repository, generation)).await?;
            if decision.is_allowed() {
                return Ok((decision, until));
            }
        }
        // A rule may name the former or the present name of an owner that the forge has renamed.
        let current = if action == Action::Pull { self.current_name(repository).await? } else { None };
        let called = current.as_ref().map_or(repository, |current| &current.name);
        let covers = |grant: &TokenScope| grant.covers(action, repository) || grant.covers(action, called);
        let denial = if action == Action::Admin || !grants.iter().any(covers) {
            let all: Vec<_> = grants.iter().map(ToString::to_string).collect();
            let message = format!(
                "the workload's grant does not cover {action}:{repository}; it is {}",
                all.join(", ")
            );
            Denial::new(Reason::TokenScope, message)
        } else if !who.bearer_grants(action, repository) {
            let message = format!(
                "the bearer token was not asked for {action} on {repository}; ask for one with that scope"
            );
            Denial::new(Reason::NeedsScope, message)
        } else if let Some(denial) = self.missing_owner(action, called).await? {
            denial
        } else {
            return Ok((Decision::Allowed, self.now().plus_millis(60_000)));
        };
        let denial = denial.with("action", action.word()).with("repository", repository.as_str());
        Ok((Decision::Denied(Box::new(denial)), self.now()))
    }

    /// Why nothing can be done below this owner, when it is not there or not the one that it was.
    async fn missing_owner(&self, action: Action, repository: &RepositoryName) -> Result<Option<Denial>> {
        let owner = repository.owner();
        let known = self.0.catalog.forge_facts(repository).await?;
        if known.owner.is_none() && action == Action::Push {
            return Ok(Some(Denial::new(
                Reason::Owner,
                format!(
                    "there is no user or organisation '{owner}' here yet; let a member of it push once, or an administrator make it"
                ),
            )));
        }
        let (Some(forge), Some(number)) = (&self.0.settings.forge, known.forge_id) else { return Ok(None) };
        // A forge that is down does not stop workloads: their tokens are not its business.
        match forge.owner(None, owner).await {
            Ok(facts) if facts.value.as_ref().is_some_and(|facts| facts.id != number) => {
                Ok(Some(Denial::new(
                    Reason::Owner,
                    format!(
                        "the name '{owner}' belongs to another user or organisation of the forge than it did"
                    ),
                )))
            }
            Ok(_) | Err(_) => Ok(None),
        }
    }
}
