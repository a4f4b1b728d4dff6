//! Retention: plan, apply, undo, the trash, looking ahead. All of it is the administrator's.

use std::time::Duration;

use railhead_access::{Act, Outcome};
use railhead_api::{
    RetentionApplied, RetentionApply, RetentionEmptied, RetentionMoved, RetentionOutlook, RetentionRun,
    RetentionTrash, RetentionUndo, RetentionUndone, RetentionWish,
};
use railhead_catalog::TrashEntry;
use railhead_oci::{Reference, RepositoryName};
use railhead_retention::Rules;
use railhead_upkeep::{Applied, Recovered, RetentionError, Wish};
use serde_json::json;

use super::{Answer, Api, Call, Result, fault::Fault, ok, time};

impl Api {
    pub(super) async fn plan_retention(&self, call: &Call<'_>) -> Result<Answer> {
        self.access.require_admin(&call.who).await?;
        let wish = self.wish(call.read()?)?;
        self.write_pulls().await?;
        ok(&self.retention.plan(&wish, self.access.now()).await?)
    }

    pub(super) async fn apply_retention(&self, call: &Call<'_>) -> Result<Answer> {
        self.access.require_admin(&call.who).await?;
        let RetentionApply { plan, wish } = call.read()?;
        let wish = self.wish(wish)?;
        self.write_pulls().await?;
        let now = self.access.now();
        let applied = self.retention.apply(&wish, &plan, call.who.account_id(), now).await?;
        self.wrote(call, "retention.apply", &plan, Some(detail(&applied))).await?;
        let moved = applied.moved.into_iter();
        ok(&RetentionApplied {
            plan: applied.plan,
            tags: applied.tags,
            manifests: applied.manifests,
            until: time(applied.until)?,
            moved: moved.map(|(name, what)| RetentionMoved { repository: name.to_string(), what }).collect(),
        })
    }

    pub(super) async fn undo_retention(&self, call: &Call<'_>) -> Result<Answer> {
        self.access.require_admin(&call.who).await?;
        let (target, recovered) = match call.read()? {
            RetentionUndo { plan: Some(plan), reference: None } => {
                let recovered = self.retention.undo_plan(&plan, self.access.now()).await?;
                (plan, recovered)
            }
            RetentionUndo { plan: None, reference: Some(text) } => {
                let (name, reference) = parse(&text)?;
                let recovered = self.retention.undo_reference(&name, &reference, self.access.now()).await?;
                (text, recovered)
            }
            _ => return Err(Fault::invalid("either 'plan' or 'reference' says what to undo".to_owned())),
        };
        let undone = undone(&recovered);
        let detail = json!({ "tags": undone.tags.len(), "manifests": undone.manifests.len() });
        self.wrote(call, "retention.undo", &target, Some(detail)).await?;
        ok(&undone)
    }

    pub(super) async fn retention_trash(&self, call: &Call<'_>) -> Result<Answer> {
        self.access.require_admin(&call.who).await?;
        let now = self.access.now();
        let catalog = self.registry.catalog();
        let entries = catalog.trash_entries(None, now).await?;
        let mut runs = Vec::new();
        for run in catalog.trash_runs(now).await? {
            let references = entries.iter().filter(|entry| entry.run == run.id).map(reference).collect();
            let (tags, manifests) = (run.tags, run.manifests);
            let (applied, until) = (time(run.applied_at)?, time(run.expires_at)?);
            runs.push(RetentionRun { plan: run.plan, applied, until, tags, manifests, references });
        }
        ok(&RetentionTrash { runs })
    }

    pub(super) async fn empty_retention(&self, call: &Call<'_>) -> Result<Answer> {
        self.access.require_admin(&call.who).await?;
        let manifests = self.registry.empty_trash(self.access.now()).await?;
        self.wrote(call, "retention.empty", "trash", Some(json!({ "manifests": manifests }))).await?;
        ok(&RetentionEmptied { manifests })
    }

    pub(super) async fn forecast_retention(&self, call: &Call<'_>) -> Result<Answer> {
        self.access.require_admin(&call.who).await?;
        let RetentionOutlook { days, past_days, free_bytes, wish } = call.read()?;
        if days == 0 || past_days == 0 {
            return Err(Fault::invalid("a forecast is at least of one day, from one day".to_owned()));
        }
        let wish = self.wish(wish)?;
        ok(&self.retention.forecast(&wish, days, past_days, free_bytes, self.access.now()).await?)
    }

    fn wish(&self, wish: RetentionWish) -> Result<Wish> {
        let rules = match wish.rules {
            Some(rules) => {
                rules.check().map_err(|error| Fault::invalid(error.to_string()).hint(error.hint()))?;
                rules
            }
            None => Rules::clone(&self.rules),
        };
        let RetentionWish { in_use, only, all, clock_is_right, .. } = wish;
        Ok(Wish { rules, in_use, only, all, clock_is_right })
    }

    /// Retention as the timer does it, with the registry's own rules, when nobody has done it for `every`.
    pub(crate) async fn retain(&self, every: Duration) -> Result<Option<Applied>, RetentionError> {
        let now = self.access.now();
        if !self.retention.is_due(every, now).await? {
            return Ok(None);
        }
        self.registry.note_pulls(self.pulls.take()).await?;
        let wish = Wish { rules: Rules::clone(&self.rules), ..Wish::default() };
        let (applied, plan) = self.retention.run(&wish, now).await?;
        for refused in plan.refused {
            tracing::warn!(
                repository = %refused.repository, why = refused.why,
                "the rules of retention cannot be meant here, and nothing of the repository goes"
            );
        }
        let Some(applied) = applied else { return Ok(None) };
        let who = self.access.operator();
        let act = Act {
            who: &who,
            from: None,
            action: "retention.apply",
            target: &applied.plan,
            outcome: Outcome::Done,
            detail: Some(detail(&applied)),
        };
        self.access.audit().note(&act, now);
        Ok(Some(applied))
    }

    /// A plan goes by pulls as well; those that are only in memory yet have to be seen.
    async fn write_pulls(&self) -> Result<()> {
        Ok(self.registry.note_pulls(self.pulls.take()).await?)
    }
}

fn detail(applied: &Applied) -> serde_json::Value {
    json!({ "tags": applied.tags, "manifests": applied.manifests, "until": applied.until })
}

/// A reference with its repository: `team/app:v1`, or `team/app@sha256:…`.
fn parse(text: &str) -> Result<(RepositoryName, Reference)> {
    let wrong = || {
        Fault::invalid(format!("'{text}' is not a reference"))
            .hint("write it as team/app:v1 or team/app@sha256:…".to_owned())
    };
    let (name, reference) = if let Some((name, digest)) = text.split_once('@') {
        (name, Reference::Digest(digest.parse().map_err(|_| wrong())?))
    } else {
        let (name, tag) = text.rsplit_once(':').ok_or_else(wrong)?;
        (name, Reference::Tag(tag.parse().map_err(|_| wrong())?))
    };
    Ok((name.parse().map_err(|_| wrong())?, reference))
}

fn reference(entry: &TrashEntry) -> String {
    match &entry.tag {
        Some(tag) => format!("{}:{tag}", entry.name),
        None => format!("{}@{}", entry.name, entry.digest),
    }
}

fn undone(recovered: &Recovered) -> RetentionUndone {
    let mut all = RetentionUndone { tags: Vec::new(), manifests: Vec::new(), taken: Vec::new() };
    for (name, undone) in recovered {
        all.tags.extend(undone.tags.iter().map(|tag| format!("{name}:{tag}")));
        all.manifests.extend(undone.manifests.iter().map(|digest| format!("{name}@{digest}")));
        all.taken.extend(undone.taken.iter().map(|tag| format!("{name}:{tag}")));
    }
    all
}

impl From<RetentionError> for Fault {
    fn from(error: RetentionError) -> Self {
        match error {
            RetentionError::Clock { .. } => Self::conflict(error.to_string()).hint(
                "set the clock right; if it is right, say --clock-is-right: what is old is then taken for old".to_owned(),
            ),
            RetentionError::Moved { .. } => {
                Self::conflict(error.to_string()).hint("look at a new plan, and apply that".to_owned())
            }
            RetentionError::NotInTrash(_) => {
                Self::not_found(error.to_string()).hint("`railhead retention trash` lists what is".to_owned())
            }
            RetentionError::Registry(error) => error.into(),
            RetentionError::Catalog(error) => error.into(),
        }
    }
}
