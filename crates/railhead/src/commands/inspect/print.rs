//! What a person sees of an inspection: what there is, by subject; then the findings and the verdict.

use std::fmt::Write as _;
use std::path::Path;

use railhead_doctor::{Finding, Severity, Verdict};
use railhead_operate::inspect::{Inventory, Storage};

use super::super::doctor::findings;
use crate::config::size;
use crate::printer::{fields, table, time};

/// The whole of it.
pub fn text(inventory: &Inventory, found: &[Finding], verdict: &Verdict, evidence: Option<&Path>) -> String {
    let mut text = fields(&overview(inventory));
    section(&mut text, "Settings", &settings(inventory));
    section(&mut text, "Services", &services(inventory));
    section(&mut text, "Routes", &routes(inventory));
    section(&mut text, "Open without a route", &exposed(inventory));
    section(&mut text, "Certificates", &certificates(inventory));
    section(&mut text, "Backups", &backups(inventory));
    text.push_str(&findings(found, "at"));
    let _ = write!(text, "\n{}: {}\n", inventory.context, verdict.text);
    if found.iter().any(|finding| finding.severity == Severity::Error) {
        text.push_str("`railhead explain CODE` tells the whole story of a code.\n");
    }
    if let Some(path) = evidence {
        let _ = writeln!(text, "evidence: {}", path.display());
    }
    text
}

fn section(text: &mut String, head: &str, body: &str) {
    if !body.is_empty() {
        let _ = write!(text, "\n{head}\n{body}");
    }
}

fn overview(inventory: &Inventory) -> Vec<(&'static str, String)> {
    let mut rows =
        vec![("cluster", format!("{} ({}), {}", inventory.context, inventory.server, inventory.kubernetes))];
    if let Some(forge) = &inventory.forge {
        let version = forge.version.as_deref().unwrap_or("of an unknown version");
        rows.push(("forge", format!("{} {version}, {}", forge.software, forge.workload)));
        let (wanted, updated, ready) = forge.rollout;
        let pods: Vec<&str> = forge.pods.iter().map(|pod| pod.name.as_str()).collect();
        rows.push(("pods", format!("{ready} of {wanted} ready, {updated} updated: {}", pods.join(", "))));
        rows.push(("image", forge.image.clone()));
    }
    for release in &inventory.releases {
        rows.push((
            "release",
            format!(
                "{}/{} revision {}, {}, chart {}, app {}",
                release.namespace,
                release.name,
                release.revision,
                release.status,
                release.chart,
                release.app_version
            ),
        ));
    }
    if let Some(storage) = &inventory.storage {
        rows.push(("packages", stored(storage)));
    }
    if let Some(database) = &inventory.database {
        let mut words = format!("{} {}", database.kind, database.place);
        if let Some(object) = &database.object {
            let _ = write!(words, ", {object}");
        }
        if let Some((ready, wanted)) = database.ready {
            let _ = write!(words, ", {ready} of {wanted} ready");
        }
        if let Some(primary) = &database.primary {
            let _ = write!(words, ", primary {primary}");
        }
        if let Some(last) = &database.last_backup {
            let _ = write!(words, ", backed up {last}");
        }
        rows.push(("database", words));
    }
    if !inventory.unseen.is_empty() {
        rows.push(("not seen", inventory.unseen.join("; ")));
    }
    rows
}

fn stored(storage: &Storage) -> String {
    let mut words = storage.place.clone();
    if let Some(claim) = &storage.claim {
        let _ = write!(words, " on {claim}");
    }
    let mut more: Vec<String> = storage.size_bytes.map(size::show).into_iter().collect();
    more.extend(storage.class.clone());
    more.extend(storage.access_modes.iter().cloned());
    more.extend(storage.volume.clone());
    if !more.is_empty() {
        let _ = write!(words, " ({})", more.join(", "));
    }
    if let Some(bytes) = storage.packages_bytes {
        let _ = write!(words, ", {} used by packages", size::show(bytes));
    }
    if let Some(days) = storage.full_in_days {
        let _ = write!(words, ", full in {days} days");
    }
    words
}

fn settings(inventory: &Inventory) -> String {
    // Sections that say something, and those of the registry whatever they say.
    let worth = |section: &str| ["packages", "repository", "server", "storage"].contains(&section);
    let shown =
        inventory.settings.iter().filter(|setting| setting.value.is_some() || worth(&setting.section));
    let rows: Vec<Vec<String>> = shown
        .map(|setting| {
            let key = if setting.section.is_empty() {
                setting.key.clone()
            } else {
                format!("[{}] {}", setting.section, setting.key)
            };
            let (value, from) = match (&setting.value, &setting.default) {
                (Some(value), _) => (value.clone(), "app.ini".to_owned()),
                (None, default) => (default.clone().unwrap_or_default(), "default".to_owned()),
            };
            vec![key, value, from, setting.meaning.clone()]
        })
        .collect();
    if rows.is_empty() { String::new() } else { table(&["SETTING", "VALUE", "FROM", "MEANS"], &rows) }
}

fn services(inventory: &Inventory) -> String {
    let row = |service: &railhead_operate::inspect::Service| {
        vec![
            service.name.clone(),
            service.kind.clone(),
            service.ports.join(", "),
            format!("{} of {}", service.ready, service.ready + service.not_ready),
        ]
    };
    let rows: Vec<Vec<String>> = inventory.services.iter().map(row).collect();
    if rows.is_empty() { String::new() } else { table(&["SERVICE", "TYPE", "PORTS", "READY"], &rows) }
}

fn routes(inventory: &Inventory) -> String {
    let row = |route: &railhead_operate::inspect::Route| {
        let tls = match (&route.secret, route.tls) {
            (Some(secret), _) => secret.clone(),
            (None, true) => "the default".to_owned(),
            (None, false) => "none".to_owned(),
        };
        let ready =
            route.ready.map_or_else(|| "no such service".to_owned(), |ready| format!("{ready} ready"));
        vec![
            route.words(),
            format!("{}/{}:{}", route.namespace, route.service, route.port),
            ready,
            tls,
            route.object.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = inventory.routes.iter().map(row).collect();
    if rows.is_empty() {
        return "none\n".to_owned();
    }
    table(&["HOST AND PATH", "SERVICE", "BEHIND", "CERTIFICATE", "BY"], &rows)
}

fn exposed(inventory: &Inventory) -> String {
    let row = |one: &railhead_operate::inspect::Exposed| {
        vec![
            one.object.clone(),
            one.how.clone(),
            one.port.to_string(),
            if one.forge { "the forge" } else { "" }.to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = inventory.exposed.iter().map(row).collect();
    if rows.is_empty() { String::new() } else { table(&["WHAT", "HOW", "PORT", "LEADS TO"], &rows) }
}

fn certificates(inventory: &Inventory) -> String {
    let row = |one: &railhead_operate::inspect::Certificate| {
        let state = match &one.trouble {
            Some(trouble) => trouble.clone(),
            None if one.there => {
                one.until.map_or_else(|| "there".to_owned(), |until| format!("until {}", time(until)))
            }
            None => "not there".to_owned(),
        };
        vec![one.secret.clone(), one.names.join(", "), state, one.manager.clone().unwrap_or_default()]
    };
    let rows: Vec<Vec<String>> = inventory.certificates.iter().map(row).collect();
    if rows.is_empty() { String::new() } else { table(&["SECRET", "NAMES", "STATE", "CERT-MANAGER"], &rows) }
}

fn backups(inventory: &Inventory) -> String {
    let row = |one: &railhead_operate::inspect::Backup| {
        vec![
            one.object.clone(),
            one.schedule.clone(),
            one.last.clone().unwrap_or_else(|| "never".to_owned()),
            one.trouble.clone().unwrap_or_else(|| one.why.clone()),
        ]
    };
    let rows: Vec<Vec<String>> = inventory.backups.iter().map(row).collect();
    if rows.is_empty() {
        return "none\n".to_owned();
    }
    table(&["BACKUP", "SCHEDULE", "LAST", "WHAT"], &rows)
}

#[cfg(test)]
mod tests {
    use railhead_doctor::{Code, Finding, Severity};
    use railhead_operate::inspect::{Backup, Certificate, Covers, Exposed, Forge, Route, Service, Setting};

    use super::*;

    fn inventory() -> Inventory {
        let text = str::to_owned;
        Inventory {
            beside: false,
            time: "2026-05-19T12:00:00Z".parse().unwrap(),
            context: text("default"),
            server: text("https://10.0.0.1:6443"),
            kubernetes: text("v1.33.13"),
            forge: Some(Forge {
                software: text("gitea"),
                version: Some(text("1.25.4")),
                workload: text("Deployment default/gitea"),
                namespace: text("default"),
                release: Some(text("gitea")),
                image: text("docker.gitea.com/gitea:1.25.4-rootless"),
                rollout: (1, 1, 1),
                pods: Vec::new(),
            }),
            releases: Vec::new(),
            others: Vec::new(),
            settings: vec![
                Setting {
                    section: text("packages"),
                    key: text("ENABLED"),
                    value: None,
                    default: Some(text("true")),
                    meaning: text("the registry is on by default"),
                },
                Setting {
                    section: text("server"),
                    key: text("ROOT_URL"),
                    value: Some(text("http://git.example.com")),
                    default: None,
                    meaning: String::new(),
                },
            ],
            settings_from: Some(text("/data/gitea/conf/app.ini in the pod default/gitea-0")),
            services: vec![Service {
                name: text("default/gitea-http"),
                kind: text("NodePort"),
                ports: vec![text("http 3000 → 32166")],
                ready: 1,
                not_ready: 0,
            }],
            routes: vec![Route {
                host: text("git.example.com"),
                path: text("/v2"),
                exact: false,
                object: text("Ingress default/registry"),
                class: text("traefik"),
                namespace: text("default"),
                service: text("gitea-http"),
                port: text("3000"),
                tls: true,
                secret: Some(text("default/gitea-tls")),
                ready: Some(1),
            }],
            exposed: vec![Exposed {
                object: text("Service default/gitea-http"),
                how: text("NodePort"),
                port: 32166,
                forge: true,
            }],
            certificates: vec![Certificate {
                secret: text("default/gitea-tls"),
                there: true,
                names: vec![text("git.example.com")],
                until: Some("2026-08-01T00:00:00Z".parse().unwrap()),
                issuer: Some(text("CN=authority")),
                manager: Some(text("default/gitea-tls")),
                trouble: None,
            }],
            storage: None,
            backups: vec![Backup {
                object: text("CronJob default/nightly"),
                schedule: text("0 3 * * *"),
                covers: Covers::Database,
                why: text("it dumps a database, and no package data"),
                last: None,
                trouble: None,
            }],
            database: None,
            unseen: vec![text("list nodes in the whole cluster")],
            absent: Vec::new(),
        }
    }

    #[test]
    fn a_person_sees_what_there_is_then_the_findings_then_the_verdict() {
        let story = Code::BackupPartly.story();
        let finding = Finding {
            code: Code::BackupPartly,
            title: story.title,
            severity: Severity::Warning,
            layer: story.layer,
            owner: Some("platform-team".to_owned()),
            routes: vec!["default/gitea-shared-storage".to_owned()],
            evidence: vec!["CronJob default/nightly: it dumps a database, and no package data".to_owned()],
            fix: "Let one of them take the volume in.".to_owned(),
        };
        let found = [finding];
        let verdict = Verdict::of(&found);
        let evidence = Path::new("railhead-evidence/inspection.json");
        insta::assert_snapshot!(text(&inventory(), &found, &verdict, Some(evidence)));
    }
}
