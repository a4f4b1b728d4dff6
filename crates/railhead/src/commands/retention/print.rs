//! What a person sees of retention.

use std::fmt::Write as _;

use railhead_api::{Forecast, Plan, RetentionApplied, RetentionTrash, RetentionUndone};
use serde::Serialize;

use crate::config::size::show;
use crate::printer::{fields, table, time};

/// Characters of a digest that a table shows.
const DIGEST: usize = 19;

fn short(digest: &str) -> &str {
    digest.get(..DIGEST).unwrap_or(digest)
}

pub(super) fn plan(plan: &Plan) -> String {
    let mut rows = Vec::new();
    for repository in &plan.repositories {
        for tag in &repository.tags {
            let image = format!("{}:{}", repository.name, tag.tag);
            rows.push(row(image, tag.lost, &tag.rule, &tag.why));
        }
        for one in repository.manifests.iter().filter(|one| !names(repository, &one.digest)) {
            let image = format!("{}@{}", repository.name, short(&one.digest.to_string()));
            rows.push(row(image, one.lost, &one.rule, &one.why));
        }
    }
    let mut text = String::new();
    if !rows.is_empty() {
        text = table(&["IMAGE", "FATE", "RULE", "WHY"], &rows);
        text.push('\n');
    }
    text.push_str(&fields(&[
        ("lost", format!("{}, {}", count(plan.lost_tags, "tag"), count(plan.lost_manifests, "manifest"))),
        ("frees", format!("{} of the store ({})", show(plan.freed_bytes), count(plan.freed_blobs, "blob"))),
        ("kept", count(plan.kept_tags, "tag")),
        ("plan", plan.hash.clone()),
    ]));
    text
}

/// Whether a tag in the table stands for the manifest already.
fn names(repository: &railhead_retention::RepositoryPlan, digest: &railhead_oci::Digest) -> bool {
    repository.tags.iter().any(|tag| tag.digest == *digest)
}

fn row(image: String, lost: bool, rule: &str, why: &str) -> Vec<String> {
    vec![image, fate(lost).to_owned(), rule.to_owned(), why.to_owned()]
}

const fn fate(lost: bool) -> &'static str {
    if lost { "lost" } else { "kept" }
}

fn count(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Why an image is kept or lost.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    image: &'a str,
    lost: bool,
    rule: &'a str,
    why: &'a str,
}

impl<'a> Told<'a> {
    pub(super) const fn new(image: &'a str, lost: bool, rule: &'a str, why: &'a str) -> Self {
        Self { image, lost, rule, why }
    }

    pub(super) fn text(&self) -> String {
        fields(&[
            ("image", self.image.to_owned()),
            ("fate", fate(self.lost).to_owned()),
            ("rule", self.rule.to_owned()),
            ("why", self.why.to_owned()),
        ])
    }
}

pub(super) fn applied(applied: &RetentionApplied) -> String {
    fields(&[
        ("in the trash", format!("{}, {}", count(applied.tags, "tag"), count(applied.manifests, "manifest"))),
        ("until", time(applied.until)),
        ("plan", applied.plan.clone()),
    ])
}

pub(super) fn undone(undone: &RetentionUndone) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for image in &undone.tags {
        let _ = writeln!(text, "{image} is back");
    }
    text + &format!("{} brought back\n", count(undone.manifests.len() as u64, "manifest"))
}

pub(super) fn trash(trash: &RetentionTrash) -> String {
    let row =
        |plan: &str, until: &str, image: &str| vec![plan.to_owned(), until.to_owned(), image.to_owned()];
    let mut rows = Vec::new();
    for run in &trash.runs {
        rows.extend(run.references.iter().map(|image| row(&run.plan, &time(run.until), image)));
    }
    table(&["PLAN", "UNTIL", "IMAGE"], &rows)
}

pub(super) fn forecast(forecast: &Forecast) -> String {
    let row = |name: &str, one: &railhead_retention::OwnerForecast| {
        vec![
            name.to_owned(),
            show(one.now_bytes),
            show(one.daily_bytes),
            show(one.then_bytes),
            show(one.then_with_rules_bytes),
        ]
    };
    let mut rows: Vec<_> = forecast.owners.iter().map(|one| row(&one.owner, one)).collect();
    rows.push(row("(all)", &forecast.total));
    let then = format!("IN {} DAYS", forecast.days);
    let mut text = table(&["OWNER", "NOW", "A DAY", &then, "WITH RULES"], &rows);
    let full = |days: Option<u32>| match days {
        Some(0) => "now".to_owned(),
        Some(1) => "in 1 day".to_owned(),
        Some(days) => format!("in {days} days"),
        None => "not within ten years, or not known".to_owned(),
    };
    text.push('\n');
    text.push_str(&fields(&[
        ("full without rules", full(forecast.total.full_in_days)),
        ("full with rules", full(forecast.total.full_with_rules_in_days)),
    ]));
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use railhead_oci::Digest;
    use railhead_retention::{Holding, ManifestVerdict, Outlook, RepositoryPlan, TagVerdict};

    use super::*;

    #[test]
    fn a_plan_tells_what_goes_why_and_what_it_frees() {
        let [named, alone] = ["a", "b"].map(|text| Digest::sha256(text.as_bytes()));
        let tag = TagVerdict {
            tag: "pr-1".to_owned(),
            digest: named,
            lost: true,
            rule: "expire".to_owned(),
            why: "'pr-*' lets it go after 7 days; it was pushed 9 days ago".to_owned(),
        };
        let manifest = |digest, why: &str| ManifestVerdict {
            digest,
            lost: true,
            rule: "untagged_days".to_owned(),
            why: why.to_owned(),
        };
        let one = RepositoryPlan {
            name: "team/app".parse().unwrap(),
            tags: vec![tag],
            manifests: vec![manifest(named, "the tag says it"), manifest(alone, "no tag names it")],
            freed_bytes: 2048,
        };
        let shown = plan(&Plan {
            hash: "0123456789abcdef".to_owned(),
            lost_tags: 1,
            lost_manifests: 2,
            freed_blobs: 3,
            freed_bytes: 2048,
            kept_tags: 4,
            repositories: vec![one],
            refused: Vec::new(),
        });
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn a_forecast_tells_bytes_and_the_day() {
        let holding = |bytes, rules_free, new_bytes| Holding { bytes, rules_free, new_bytes };
        let team = holding(5 << 30, 1 << 30, 3 << 30);
        let owners = BTreeMap::from([("team".to_owned(), team), ("idle".to_owned(), holding(1 << 20, 0, 0))]);
        let all = Holding { bytes: (5 << 30) + (1 << 20), ..team };
        let day = railhead_retention::DAY;
        let outlook =
            Outlook { now: 100 * day, first: Some(71 * day), days: 90, past_days: 30, free: Some(4 << 30) };
        let seen = railhead_retention::forecast(&owners, all, &outlook);
        insta::assert_snapshot!(forecast(&seen));
    }
}
