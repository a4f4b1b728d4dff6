//! What runs: the references in files (`--in-use`), and those of a cluster (`--kubeconfig`, `--context`).

use std::io::Read as _;
use std::path::Path;

use railhead_cluster::{Access, Cluster, Kind, Seen, kinds};
use railhead_retention::{InUse, workloads};
use serde_json::{Value, json};

use super::Wish;
use crate::failure::{Exit, Failure, Result};
use crate::printer::Printer;

/// What a rollback needs and what else runs pods; each should be in what a cluster was asked for.
const KINDS: [&str; 7] = ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "Pod"];

/// The same where the API server keeps them, and the revisions that `kubectl rollout undo` goes back to.
const ASKED: [&Kind; 8] = [
    &kinds::DEPLOYMENT,
    &kinds::STATEFUL_SET,
    &kinds::DAEMON_SET,
    &kinds::JOB,
    &kinds::CRON_JOB,
    &kinds::REPLICA_SET,
    &kinds::POD,
    &kinds::CONTROLLER_REVISION,
];

/// Reads all files, and the cluster if one is named; says what they have, and what they seem to be missing.
pub async fn read(printer: Printer, wish: &Wish) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for file in &wish.in_use {
        let text = text(file)?;
        if text.trim_start().starts_with('{') {
            all.extend(written(printer, file, &text)?);
        } else {
            let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
            all.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
        }
    }
    if wish.kubeconfig.is_some() || wish.context.is_some() {
        let access = Access { kubeconfig: wish.kubeconfig.clone(), context: wish.context.clone() };
        all.extend(asked(printer, &access).await?);
    }
    let (_, foreign) = InUse::of(all.iter().map(String::as_str));
    if let Some(first) = foreign.first() {
        let count = foreign.len();
        printer.note(&format!(
            "{count} references in use name no repository that could be here, first '{first}'"
        ));
    }
    Ok(all)
}

fn text(file: &Path) -> Result<String> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(file).map(|read| text = read)
    };
    read.map_err(|error| {
        Failure::new(Exit::Failed, format!("cannot read {}", file.display())).because(&error)
    })?;
    // An empty list would let everything go that runs.
    if text.trim().is_empty() {
        return Err(Failure::new(Exit::Usage, format!("{} is empty", file.display()))
            .hint("leave --in-use out if nothing runs; a command that failed writes nothing, too"));
    }
    Ok(text)
}

/// Asks the cluster. What cannot be seen might run anything, so a missing right is an error.
async fn asked(printer: Printer, access: &Access) -> Result<Vec<String>> {
    let cluster = Cluster::connect(access).await?;
    let (mut items, mut missing) = (Vec::new(), Vec::new());
    for kind in ASKED {
        match cluster.list(kind, None).await? {
            Seen::Found(found) => items.extend(found),
            Seen::Absent => {}
            Seen::Denied(right) => missing.push(right),
        }
    }
    if !missing.is_empty() {
        let rights: Vec<String> = missing.iter().map(ToString::to_string).collect();
        let rules: Vec<String> = missing.iter().map(railhead_cluster::MissingRight::rule).collect();
        let message = format!("cannot tell what runs: the right to {} is missing", rights.join(", and to "));
        return Err(Failure::new(Exit::Denied, message)
            .hint(format!("a ClusterRole needs the rules {}", rules.join(", "))));
    }
    let (images, found) = workloads(&json!({ "items": Value::Array(items) }));
    let found: Vec<_> = found.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let words = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
    printer.note(&format!("{} images in use in {} by {words}", images.len(), cluster.context()));
    Ok(images.into_iter().collect())
}

fn written(printer: Printer, file: &Path, text: &str) -> Result<Vec<String>> {
    let wrong = |error: serde_json::Error| {
        Failure::new(Exit::Usage, format!("{} is not JSON as kubectl writes it", file.display()))
            .because(&error)
            .hint("kubectl get deploy,sts,ds,job,cronjob,rs,controllerrevision,pod -A -o json")
    };
    let (images, kinds) = workloads(&serde_json::from_str(text).map_err(wrong)?);
    let found: Vec<_> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    printer.note(&format!("{} images in use by {}", images.len(), found.join(", ")));
    let missing: Vec<_> = KINDS.into_iter().filter(|kind| !kinds.contains_key(*kind)).collect();
    if !missing.is_empty() {
        printer.note(&format!("there is no {}: was the cluster asked for them?", missing.join(", ")));
    }
    Ok(images.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::Output;

    fn parse(text: &str) -> Result<Vec<String>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let wish = Wish { in_use: vec![file.path().to_owned()], ..Wish::default() };
        super::super::super::operator::block_on(read(Printer::new(Output::Text), &wish))?
    }

    #[test]
    fn lists_and_clusters_are_read() {
        assert_eq!(
            parse("# running\nteam/app:v1 # live\n\nteam/web\n").unwrap(),
            ["team/app:v1", "team/web"]
        );
        let cluster =
            r#"{"items":[{"kind":"Pod","spec":{"containers":[{"image":"h.example/team/app:v2"}]}}]}"#;
        assert_eq!(parse(cluster).unwrap(), ["h.example/team/app:v2"]);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let empty = parse(" \n").unwrap_err();
        assert!(empty.message.ends_with("is empty"), "{}", empty.message);
        let broken = parse("{\"items\": [").unwrap_err();
        assert!(broken.hint.unwrap().starts_with("kubectl get"));
    }
}
