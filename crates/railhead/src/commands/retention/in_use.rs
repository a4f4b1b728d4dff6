//! `--in-use`: references that something runs with.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use railhead_retention::{InUse, workloads};

use crate::failure::{Exit, Failure, Result};
use crate::printer::Printer;

/// What a rollback needs and what else runs pods; each should be in what a cluster was asked for.
const KINDS: [&str; 7] = ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "Pod"];

/// Reads all files; says what they have, and what they seem to be missing.
pub fn read(printer: Printer, files: &[PathBuf]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for file in files {
        let text = text(file)?;
        if text.trim_start().starts_with('{') {
            all.extend(cluster(printer, file, &text)?);
        } else {
            let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
            all.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
        }
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

fn cluster(printer: Printer, file: &Path, text: &str) -> Result<Vec<String>> {
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
        read(Printer::new(Output::Text), &[file.path().to_owned()])
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
