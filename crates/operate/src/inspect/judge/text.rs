//! What findings quote: lines of evidence, and blocks to paste.

use std::fmt::Write as _;

use super::super::collect::Wanted;
use super::super::helm::leaves;
use super::super::inventory::{Forge, Inventory, Release, Storage};

/// What files and release say differently, a line each.
pub(super) fn drift(release: &Release, wanted: &Wanted) -> Vec<String> {
    if wanted.values.is_empty() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for (path, value) in &release.values {
        match (&value.file, &value.file_says) {
            (Some(file), Some(says)) => {
                lines.push(format!("{path} is {} in the release, and {says} in {file}", value.value));
            }
            (None, _) => lines.push(format!("{path} is {} in the release, and no file sets it", value.value)),
            _ => {}
        }
    }
    for file in &wanted.values {
        let missing = leaves(&file.values).into_keys().filter(|path| !release.values.contains_key(path));
        lines.extend(
            missing.map(|path| format!("{} sets {path}, and the release has no such value", file.name)),
        );
    }
    lines
}

/// Lines of a Makefile that name another namespace than the live one.
pub(super) fn namespaces(makefile: &str, live: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, line) in makefile.lines().enumerate() {
        let code = line.split('#').next().unwrap_or_default();
        let variable = code.split_once('=').filter(|(name, _)| {
            let name = name.trim_end_matches([':', '?', '+', ' ']).trim();
            let upper = name.to_uppercase();
            !name.contains(' ') && (upper.ends_with("NAMESPACE") || upper.ends_with("_NS"))
        });
        let of_variable = variable.map(|(_, value)| value.trim());
        let words: Vec<&str> = code.split_whitespace().collect();
        let deploys = words.contains(&"helm");
        let of_flag = words
            .iter()
            .enumerate()
            .find_map(|(at, word)| match *word {
                "-n" | "--namespace" => words.get(at + 1).copied(),
                word => word.strip_prefix("--namespace="),
            })
            .filter(|_| deploys);
        // What make or the shell fills in is not known here.
        let named = of_variable.or(of_flag).filter(|named| !named.is_empty() && !named.contains('$'));
        if named.is_some_and(|named| named.trim_matches(['"', '\'']) != live) {
            lines.push(format!("line {}: {}", number + 1, line.trim()));
        }
    }
    lines
}

pub(super) fn names(pattern: &str, host: &str) -> bool {
    pattern == host
        || pattern
            .strip_prefix("*.")
            .is_some_and(|above| host.split_once('.').is_some_and(|(_, of)| of == above))
}

/// The storage on one line.
pub(super) fn words(storage: &Storage) -> String {
    let mut line = storage.place.clone();
    if let Some(claim) = &storage.claim {
        let _ = write!(line, " on the claim {claim}");
    }
    let mut more = Vec::new();
    more.extend(storage.size_bytes.map(size));
    more.extend(storage.class.clone());
    more.extend(storage.access_modes.iter().cloned());
    more.extend(storage.volume.clone());
    if !more.is_empty() {
        let _ = write!(line, " ({})", more.join(", "));
    }
    if let Some(bytes) = storage.packages_bytes {
        let _ = write!(line, ", {} of packages", size(bytes));
    }
    line
}

/// `10.0 GiB`.
pub(super) fn size(bytes: u64) -> String {
    let mut number = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if number < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{number:.1} {unit}") };
        }
        number /= 1024.0;
    }
    format!("{number:.1} TiB")
}

/// The Ingress that would do it.
pub(super) fn ingress(host: &str, forge: &Forge, inventory: &Inventory) -> String {
    let http =
        inventory.services.iter().find(|service| service.ports.iter().any(|port| port.starts_with("http")));
    let service = http.or(inventory.services.first());
    let name = service.and_then(|service| service.name.split('/').next_back()).unwrap_or("<service>");
    let port = service
        .and_then(|service| {
            service.ports.iter().find(|port| port.starts_with("http")).or(service.ports.first())
        })
        .and_then(|port| port.split_whitespace().find(|word| word.parse::<u16>().is_ok()))
        .unwrap_or("3000");
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}-registry, namespace: {namespace}}}\nspec:\n  \
         rules:\n    - host: {host}\n      http:\n        paths:\n          - path: /v2\n            pathType: Prefix\n            \
         backend: {{service: {{name: {name}, port: {{number: {port}}}}}}}\n  tls: [{{hosts: [{host}], secretName: {name}-tls}}]",
        namespace = forge.namespace
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_makefile_that_names_another_namespace_is_found_by_its_line() {
        let text = "GITEA_NAMESPACE ?= gitea\nNS := $(NAMESPACE)\n# NAMESPACE = old\ndeploy:\n\thelm upgrade gitea chart -n gitea -f x\n\tkubectl -n other get pods\nOTHER_NAMESPACE=default\n";
        assert_eq!(
            namespaces(text, "default"),
            ["line 1: GITEA_NAMESPACE ?= gitea", "line 5: helm upgrade gitea chart -n gitea -f x"]
        );
        assert!(namespaces(text, "gitea").iter().all(|line| line.contains("OTHER")));
    }
}
