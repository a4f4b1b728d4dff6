//! `railhead usage`

use std::collections::BTreeMap;

use clap::Args;
use railhead_api::{
    Forecast, OwnerUsage, Plan, Recount, RecountStart, RepositoryUsage, RetentionOutlook, RetentionWish,
    Route, Usage as Owners, UsageOfOwner as Repositories,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::admin::Admin;
use crate::config::size::{show, show_limit};
use crate::failure::{Exit, Failure, Result};
use crate::printer::{Printer, table};

/// An owner that uses so many hundredths of its quota is warned of.
const NEARLY: u64 = 90;

/// Show where the bytes are: by owner, or by repository of one owner.
///
/// SHARED is what others have too and what stays when this is deleted; UNIQUE is what only this has; RULES FREE is what
/// retention would free now.
#[derive(Debug, Args)]
pub struct Usage {
    /// Only this user or organisation, by repository
    owner: Option<String>,
    /// Count everything afresh, and tell which sums are wrong
    #[arg(long)]
    recount: bool,
    /// Set wrong sums right
    #[arg(long, requires = "recount")]
    mend: bool,
}

impl Usage {
    /// Runs it.
    pub async fn run(self, admin: &Admin, printer: Printer) -> Result<()> {
        match self.owner {
            _ if self.recount => recount(admin, printer, self.owner, self.mend).await,
            None => owners(admin, printer).await,
            Some(owner) => repositories(admin, printer, owner).await,
        }
    }
}

async fn owners(admin: &Admin, printer: Printer) -> Result<()> {
    let all = every_owner(admin).await?;
    for one in &all.owners {
        if let Some(percent) = percent(one).filter(|percent| *percent >= NEARLY) {
            printer.warning(&format!("{} uses {percent} % of its quota", one.owner));
        }
    }
    let wish = RetentionWish::default();
    let outlook = RetentionOutlook { days: 1, past_days: 1, free_bytes: None, wish };
    let forecast: Forecast = admin.send(&Route::RetentionForecast, &outlook).await?;
    let freed = |owner: &str| {
        let found = forecast.owners.iter().find(|one| one.owner.eq_ignore_ascii_case(owner));
        found.map_or(0, |one| one.rules_free_bytes)
    };
    let owners: Vec<_> = all
        .owners
        .into_iter()
        .map(|usage| WithRules { rules_free_bytes: freed(&usage.owner), usage })
        .collect();
    printer.data(&serde_json::json!({ "owners": owners }), || {
        let rows: Vec<_> = owners.iter().map(owner_row).collect();
        table(
            &["OWNER", "REPOSITORIES", "USED", "UNIQUE", "SHARED", "RULES FREE", "RESERVED", "QUOTA"],
            &rows,
        )
    })
}

/// What an owner uses, and what the rules of retention would free of it now.
#[derive(Serialize)]
struct WithRules {
    #[serde(flatten)]
    usage: OwnerUsage,
    rules_free_bytes: u64,
}

fn owner_row(one: &WithRules) -> Vec<String> {
    let (freed, one) = (one.rules_free_bytes, &one.usage);
    let quota = match percent(one) {
        Some(percent) => format!("{} ({percent} %)", show_limit(one.quota_bytes)),
        None => show_limit(one.quota_bytes),
    };
    vec![
        one.owner.clone(),
        one.repositories.to_string(),
        show(one.used_bytes),
        show(one.unique_bytes),
        show(one.shared_bytes),
        show(freed),
        show(one.reserved_bytes),
        quota,
    ]
}

/// Hundredths of the quota that are used; none without a quota.
fn percent(one: &OwnerUsage) -> Option<u64> {
    let quota = u64::try_from(one.quota_bytes).ok()?;
    Some(u64::try_from(u128::from(one.used_bytes) * 100 / u128::from(quota.max(1))).unwrap_or(u64::MAX))
}

async fn every_owner(admin: &Admin) -> Result<Owners> {
    let mut all = Owners { owners: Vec::new(), next: None };
    loop {
        let page: Owners = page(admin, &Route::Usage, all.next.take()).await?;
        all.owners.extend(page.owners);
        all.next = page.next;
        if all.next.is_none() {
            return Ok(all);
        }
    }
}

async fn repositories(admin: &Admin, printer: Printer, owner: String) -> Result<()> {
    let route = Route::UsageOfOwner { owner: owner.as_str().into() };
    let (mut found, mut next) = (Vec::new(), None);
    loop {
        let page: Repositories = page(admin, &route, next.take()).await?;
        found.extend(page.repositories);
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    let freed = freed(admin, printer, &owner).await?;
    let of = |name: &str| freed.as_ref().map(|freed| freed.get(name).copied().unwrap_or_default());
    let repositories: Vec<_> = found
        .into_iter()
        .map(|usage| RepositoryWithRules { rules_free_bytes: of(&usage.name), usage })
        .collect();
    printer.data(&serde_json::json!({ "repositories": repositories }), || {
        let rows: Vec<_> = repositories.iter().map(repository_row).collect();
        table(&["REPOSITORY", "SIZE", "UNIQUE", "SHARED", "RULES FREE", "TO COLLECT"], &rows)
    })
}

/// What a repository uses, and what the rules of retention would free of what only it has; unknown to who may not plan.
#[derive(Serialize)]
struct RepositoryWithRules {
    #[serde(flatten)]
    usage: RepositoryUsage,
    #[serde(skip_serializing_if = "Option::is_none")]
    rules_free_bytes: Option<u64>,
}

fn repository_row(one: &RepositoryWithRules) -> Vec<String> {
    let (freed, one) = (one.rules_free_bytes.map_or_else(|| "-".to_owned(), show), &one.usage);
    let mut row = vec![one.name.clone()];
    row.extend([one.bytes, one.unique_bytes, one.shared_bytes].map(show));
    row.extend([freed, show(one.waiting_bytes)]);
    row
}

/// What the rules would free now of each repository of `owner`, by name; none when the caller may not plan.
async fn freed(admin: &Admin, printer: Printer, owner: &str) -> Result<Option<BTreeMap<String, u64>>> {
    let wish = RetentionWish { only: Some(owner.to_lowercase()), ..RetentionWish::default() };
    let plan: Plan = match admin.send(&Route::RetentionPlan, &wish).await {
        Ok(plan) => plan,
        Err(failure) if failure.exit == Exit::Denied => {
            printer.note("what the rules of retention would free is shown to administrators");
            return Ok(None);
        }
        Err(failure) => return Err(failure),
    };
    Ok(Some(plan.repositories.into_iter().map(|one| (one.name.to_string(), one.freed_bytes)).collect()))
}

async fn page<A: DeserializeOwned>(admin: &Admin, route: &Route<'_>, after: Option<String>) -> Result<A> {
    let query: Vec<_> = after.into_iter().map(|after| ("after", after)).collect();
    admin.get(route, &query).await
}

/// What a recount of all owners found.
#[derive(Serialize)]
struct Recounted {
    owners: usize,
    #[serde(flatten)]
    found: Recount,
}

async fn recount(admin: &Admin, printer: Printer, owner: Option<String>, mend: bool) -> Result<()> {
    let owners = match owner {
        Some(owner) => vec![owner],
        None => every_owner(admin).await?.owners.into_iter().map(|one| one.owner).collect(),
    };
    let found = Recount { differences: Vec::new(), mended: false };
    let mut all = Recounted { owners: owners.len(), found };
    for owner in owners {
        let one: Recount =
            admin.send(&Route::Recount { owner: owner.into() }, &RecountStart { mend }).await?;
        all.found.mended |= one.mended;
        all.found.differences.extend(one.differences);
    }
    let differences = &all.found.differences;
    printer.data(&all, || {
        if differences.is_empty() {
            return format!("{} recounted; every sum is right\n", count(all.owners));
        }
        let row = |one: &railhead_api::Difference| {
            vec![one.sum.clone(), one.of.clone(), one.stored.to_string(), one.counted.to_string()]
        };
        let rows: Vec<_> = differences.iter().map(row).collect();
        table(&["SUM", "OF", "WAS", "COUNTED"], &rows)
    })?;
    match differences.len() {
        0 => Ok(()),
        wrong if all.found.mended => {
            printer.note(&format!("{wrong} sums were wrong and are set right"));
            Ok(())
        }
        wrong => Err(Failure::new(Exit::Failed, format!("{wrong} sums are wrong")).hint(
            "`railhead usage --recount --mend` sets them right; please report it, too: they never should be",
        )),
    }
}

fn count(owners: usize) -> String {
    if owners == 1 { "one owner".to_owned() } else { format!("{owners} owners") }
}
