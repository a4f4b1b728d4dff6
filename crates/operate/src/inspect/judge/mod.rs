//! What is to be said about an inventory: findings with layer, owner and fix.

mod text;

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use railhead_doctor::{Code, Finding, Owners};

use self::text::{drift, ingress, names, namespaces, size, words};
use super::collect::{Collected, Wanted};
use super::inventory::{Certificate, Covers, Forge, Inventory, Release, Route};
use super::route::winner;
use super::storage::room;

/// A certificate that ends within this is worth a word.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);
/// A volume that is full within so many days is.
const NEAR: u64 = 30;

/// Says what is wrong, errors first, in the order of mending. `host` is the registry as images name it.
pub fn judge(
    inventory: &Inventory,
    collected: &Collected,
    wanted: &Wanted,
    host: Option<&str>,
    owners: &Owners,
) -> Vec<Finding> {
    let mut judge = Judge { inventory, owners, host, findings: Vec::new() };
    match &inventory.forge {
        None => judge.no_forge(wanted),
        Some(forge) => {
            judge.releases(forge, wanted);
            judge.settings(collected);
            judge.routes(forge);
            judge.storage();
            judge.backups();
            judge.database();
        }
    }
    judge.certificates();
    judge.rights(collected);
    judge.findings.sort_by_key(|finding| (finding.severity, finding.code));
    judge.findings
}

struct Judge<'a> {
    inventory: &'a Inventory,
    owners: &'a Owners,
    host: Option<&'a str>,
    findings: Vec<Finding>,
}

impl Judge<'_> {
    fn find(&mut self, code: Code, on: Vec<String>, evidence: Vec<String>, block: Option<String>) {
        let story = code.story();
        let host = self.host_name().unwrap_or("HOST");
        let mut fix = story.mend.replace("HOST", host);
        if let Some(block) = block {
            let _ = write!(fix, "\n\n{}", block.trim_end());
        }
        self.findings.push(Finding {
            code,
            title: story.title,
            severity: story.severity,
            layer: story.layer,
            owner: self.owners.of(story.layer).map(str::to_owned),
            routes: on,
            evidence,
            fix,
        });
    }

    /// The registry's host without a port, as routes name it.
    fn host_name(&self) -> Option<&str> {
        self.host.map(|host| host.split(':').next().unwrap_or(host))
    }

    /// Only releases that are meant are said to be empty: another one has its workload, which is named instead.
    fn no_forge(&mut self, wanted: &Wanted) {
        let inventory = self.inventory;
        let is_meant = |release: &&Release| {
            wanted.namespace.as_ref().is_none_or(|meant| *meant == release.namespace)
                && wanted.release.as_ref().is_none_or(|meant| *meant == release.name)
        };
        let empty = inventory.releases.iter().filter(is_meant).map(|release| {
            format!("the release {}/{} of {} has no workload", release.namespace, release.name, release.chart)
        });
        let elsewhere = inventory
            .others
            .iter()
            .map(|other| format!("{other} runs a forge, and is not the one that is meant"));
        let mut evidence: Vec<String> = empty.chain(elsewhere).collect();
        if evidence.is_empty() {
            evidence
                .push(format!("the context {} shows no image of Gitea or Forgejo", self.inventory.context));
        }
        self.find(Code::ReleaseNone, Vec::new(), evidence, None);
    }

    fn releases(&mut self, forge: &Forge, wanted: &Wanted) {
        let inventory = self.inventory;
        let own = inventory.releases.first().filter(|release| {
            Some(&release.name) == forge.release.as_ref() && release.namespace == forge.namespace
        });
        let mut second: Vec<String> = inventory
            .releases
            .iter()
            .filter(|release| {
                own.is_none_or(|own| (&own.namespace, &own.name) != (&release.namespace, &release.name))
            })
            .map(|release| {
                format!(
                    "the release {}/{} of {}, revision {}, {}",
                    release.namespace, release.name, release.chart, release.revision, release.status
                )
            })
            .collect();
        second.extend(inventory.others.iter().cloned());
        if !second.is_empty() {
            second.insert(0, format!("{} is taken for the one that is meant", forge.workload));
            self.find(Code::ReleaseTwice, vec![forge.workload.clone()], second, None);
        }
        if let Some(release) = own {
            let on = vec![format!("release {}/{}", release.namespace, release.name)];
            if release.status != "deployed" {
                let evidence = vec![
                    format!("revision {} is {}: {}", release.revision, release.status, release.description),
                    release.deployed.map_or_else(
                        || "no revision was ever deployed".to_owned(),
                        |good| format!("the last good revision is {good}"),
                    ),
                ];
                let block = release.deployed.map(|good| {
                    format!("helm rollback {} {good} -n {} --wait", release.name, release.namespace)
                });
                self.find(Code::ReleaseUnfinished, on.clone(), evidence, block);
            }
            let drift = drift(release, wanted);
            if !drift.is_empty() {
                self.find(Code::ReleaseDrift, on, drift, None);
            }
        }
        if let Some((name, text)) = &wanted.makefile {
            let named = namespaces(text, &forge.namespace);
            if !named.is_empty() {
                let evidence = named.iter().map(|line| format!("{name}: {line}")).collect();
                let block = format!("the live release is in the namespace {}", forge.namespace);
                self.find(Code::ReleaseNamespace, vec![name.clone()], evidence, Some(block));
            }
        }
        let (wanted_pods, updated, ready) = forge.rollout;
        if updated < wanted_pods || ready < wanted_pods || wanted_pods == 0 {
            let mut evidence =
                vec![format!("{wanted_pods} asked for, {updated} updated and ready, {ready} ready in all")];
            let waiting = forge.pods.iter().filter(|pod| !pod.ready);
            evidence.extend(waiting.map(|pod| {
                let why = pod.why.as_deref().unwrap_or("not ready");
                format!("pod {} is {}: {why}", pod.name, pod.phase)
            }));
            let (kind, name) = forge.workload.split_once(' ').unwrap_or(("deployment", &forge.workload));
            let name = name.rsplit('/').next().unwrap_or(name);
            let kind = kind.to_lowercase();
            let block = format!(
                "kubectl -n {ns} rollout status {kind}/{name}\nkubectl -n {ns} get events --field-selector type=Warning",
                ns = forge.namespace
            );
            self.find(Code::ReleaseRollout, vec![forge.workload.clone()], evidence, Some(block));
        }
    }

    fn settings(&mut self, collected: &Collected) {
        let Some((from, ini)) = &collected.ini else { return };
        let on = || vec![from.clone()];
        if ini.effective("packages", "ENABLED").is_some_and(|value| value.eq_ignore_ascii_case("false")) {
            self.find(Code::AppDisabled, on(), vec!["[packages] ENABLED is false".to_owned()], None);
        }
        let mut implicit = Vec::new();
        if !ini.has_section("packages") {
            implicit.push("there is no section [packages]; the default is ENABLED = true".to_owned());
        } else if ini.get("packages", "ENABLED").is_none() {
            implicit.push("[packages] has no ENABLED; the default is true".to_owned());
        }
        if ini.get("packages", "LIMIT_SIZE_CONTAINER").is_none() {
            implicit
                .push("there is no LIMIT_SIZE_CONTAINER; the default is -1, which is no limit".to_owned());
        }
        if !implicit.is_empty() {
            let block =
                "gitea:\n  config:\n    packages:\n      ENABLED: true\n      LIMIT_SIZE_CONTAINER: -1"
                    .to_owned();
            self.find(Code::AppImplicit, on(), implicit, Some(block));
        }
        let units = ini.get("repository", "DISABLED_REPO_UNITS").unwrap_or_default();
        if units.split(',').any(|unit| unit.trim() == "repo.packages") {
            self.find(Code::AppUnits, on(), vec![format!("DISABLED_REPO_UNITS = {units}")], None);
        }
        self.root_url(ini.get("server", "ROOT_URL"), on());
    }

    fn root_url(&mut self, url: Option<&str>, on: Vec<String>) {
        let said = url.unwrap_or_default();
        let is_https = said.starts_with("https://");
        let named = said.split_once("://").map_or("", |(_, rest)| rest).split('/').next().unwrap_or_default();
        let same = self.host.is_none_or(|host| host == named);
        if is_https && same {
            return;
        }
        let evidence = match url {
            Some(url) => format!("ROOT_URL = {url}"),
            None => "there is no ROOT_URL".to_owned(),
        };
        let block =
            self.host.map(|host| format!("gitea:\n  config:\n    server:\n      ROOT_URL: https://{host}/"));
        self.find(Code::AppRootUrl, on, vec![evidence], block);
    }

    fn routes(&mut self, forge: &Forge) {
        let inventory = self.inventory;
        let services: Vec<&str> = inventory.services.iter().map(|service| service.name.as_str()).collect();
        let is_own =
            |route: &Route| services.contains(&format!("{}/{}", route.namespace, route.service).as_str());
        if let Some(host) = self.host_name().map(str::to_owned) {
            let taken = winner(&inventory.routes, &host, "/v2/");
            match taken {
                Some(route) if is_own(route) || inventory.beside => self.own_route(route),
                // It was meant to lead to the forge, and is found below.
                Some(route) if route.ready.is_none() => {}
                taken => {
                    let mut evidence = vec![match taken {
                        Some(route) => {
                            format!(
                                "{host}/v2/ goes to the service {}/{} by {}",
                                route.namespace, route.service, route.object
                            )
                        }
                        None => format!("nothing takes {host}/v2/"),
                    }];
                    let near = inventory.routes.iter().filter(|route| is_own(route));
                    evidence.extend(
                        near.map(|route| format!("{} leads {} to the forge", route.object, route.words())),
                    );
                    self.find(
                        Code::RouteAbsent,
                        vec![host.clone()],
                        evidence,
                        (!inventory.beside).then(|| ingress(&host, forge, inventory)),
                    );
                }
            }
            for route in inventory
                .routes
                .iter()
                .filter(|route| route.host == host && route.ready.is_none_or(|ready| ready == 0))
            {
                let what =
                    if route.ready.is_none() { "does not exist" } else { "has no ready pod behind it" };
                let evidence = vec![format!(
                    "{} leads {} to {}/{}, which {what}",
                    route.object,
                    route.words(),
                    route.namespace,
                    route.service
                )];
                self.find(Code::RouteBackend, vec![route.object.clone()], evidence, None);
            }
        }
        let open: Vec<String> = inventory
            .exposed
            .iter()
            .filter(|one| one.forge)
            .filter(|one| {
                inventory.services.iter().any(|service| {
                    one.object == format!("Service {}", service.name)
                        && service.ports.iter().any(|port| {
                            port.starts_with("http") || port.contains(" 3000") || port.starts_with("3000")
                        })
                })
            })
            .map(|one| format!("{} opens port {} by {}", one.object, one.port, one.how))
            .collect();
        if !open.is_empty() {
            self.find(Code::RouteNodePort, vec![forge.workload.clone()], open, None);
        }
    }

    fn own_route(&mut self, route: &Route) {
        if !route.tls {
            let to = if self.inventory.beside { "registry" } else { "forge" };
            let evidence = vec![format!(
                "{} leads {} to the {to}, and has no TLS for the host",
                route.object,
                route.words()
            )];
            self.find(Code::TlsRoute, vec![route.object.clone()], evidence, None);
        }
    }

    fn certificates(&mut self) {
        let inventory = self.inventory;
        let now = inventory.time;
        for certificate in &inventory.certificates {
            let users: Vec<String> = inventory
                .routes
                .iter()
                .filter(|route| route.secret.as_deref() == Some(&certificate.secret))
                .map(|route| route.object.clone())
                .collect();
            let on = || if users.is_empty() { vec![certificate.secret.clone()] } else { users.clone() };
            if let Some(trouble) = &certificate.trouble {
                let manager = certificate.manager.as_deref().unwrap_or_default();
                let block = manager
                    .split_once('/')
                    .map(|(namespace, name)| format!("kubectl -n {namespace} describe certificate {name}"));
                self.find(Code::TlsIssue, on(), vec![format!("Certificate {manager}: {trouble}")], block);
            } else if !certificate.there && !users.is_empty() {
                self.find(
                    Code::TlsSecret,
                    on(),
                    vec![format!("the Secret {} has no certificate", certificate.secret)],
                    None,
                );
            }
            self.ending(certificate, now, on());
            let missing: Vec<String> = inventory
                .routes
                .iter()
                .filter(|route| {
                    route.secret.as_deref() == Some(&certificate.secret)
                        && certificate.there
                        && route.host != "*"
                })
                .filter(|route| !certificate.names.iter().any(|name| names(name, &route.host)))
                .map(|route| {
                    format!(
                        "{} is for {}, and its certificate names {}",
                        route.object,
                        route.host,
                        certificate.names.join(", ")
                    )
                })
                .collect();
            if !missing.is_empty() {
                self.find(Code::TlsName, on(), missing, None);
            }
        }
    }

    fn ending(&mut self, certificate: &Certificate, now: Timestamp, on: Vec<String>) {
        let Some(until) = certificate.until else { return };
        let left = until.duration_since(now);
        let words = format!("the certificate in {} is valid until {until}", certificate.secret);
        if left.is_negative() {
            self.find(Code::TlsExpired, on, vec![words], None);
        } else if left < SOON {
            self.find(Code::TlsExpiresSoon, on, vec![words], None);
        }
    }

    fn storage(&mut self) {
        let Some(storage) = &self.inventory.storage else { return };
        let on = || vec![storage.claim.clone().unwrap_or_else(|| storage.place.clone())];
        if storage.ephemeral {
            self.find(
                Code::StorageEphemeral,
                on(),
                vec![format!("{} is on no volume that stays", storage.place)],
                None,
            );
            return;
        }
        let words = words(storage);
        if storage.one_node {
            self.find(Code::StorageNode, on(), vec![words.clone()], None);
        }
        if storage.shared_with_git {
            self.find(Code::StorageShared, on(), vec![words.clone()], None);
        }
        let used =
            storage.size_bytes.zip(storage.packages_bytes).is_some_and(|(size, used)| used > size / 5 * 4)
                || storage
                    .used_bytes
                    .zip(storage.available_bytes)
                    .is_some_and(|(used, free)| used > (used + free) / 5 * 4);
        let soon = storage.full_in_days.filter(|days| *days <= NEAR);
        if used || soon.is_some() {
            let mut evidence = vec![words];
            evidence.extend(room(storage).map(|room| format!("{} are left", size(room))));
            evidence.extend(
                soon.map(|days| format!("full in {days} days at the growth since the inspection before")),
            );
            self.find(Code::StorageFills, on(), evidence, None);
        }
    }

    fn backups(&mut self) {
        let inventory = self.inventory;
        let on: Vec<String> = inventory
            .storage
            .iter()
            .map(|storage| storage.claim.clone().unwrap_or_else(|| storage.place.clone()))
            .collect();
        // What may not be seen is not said to be absent.
        let unseen = inventory.unseen.iter().any(|right| right.starts_with("list cronjobs"));
        if inventory.backups.is_empty() && !unseen {
            let absent = |kind: &str| inventory.absent.iter().any(|absent| absent.starts_with(kind));
            let mut evidence = vec!["no CronJob backs anything up".to_owned()];
            evidence.push(
                if absent("schedules.velero") {
                    "Velero is not installed"
                } else {
                    "there is no Velero schedule"
                }
                .to_owned(),
            );
            evidence.push(
                if absent("scheduledbackups.") {
                    "CloudNativePG is not installed"
                } else {
                    "there is no ScheduledBackup"
                }
                .to_owned(),
            );
            self.find(Code::BackupNone, on.clone(), evidence, None);
        } else if !inventory.backups.iter().any(|backup| backup.covers == Covers::Packages)
            && !inventory.backups.is_empty()
        {
            let evidence =
                inventory.backups.iter().map(|backup| format!("{}: {}", backup.object, backup.why)).collect();
            self.find(Code::BackupPartly, on.clone(), evidence, None);
        }
        let troubled: Vec<String> = inventory
            .backups
            .iter()
            .filter_map(|backup| Some(format!("{}: {}", backup.object, backup.trouble.as_deref()?)))
            .collect();
        if !troubled.is_empty() {
            self.find(Code::BackupFailed, on, troubled, None);
        }
    }

    fn database(&mut self) {
        let Some(database) = &self.inventory.database else { return };
        let on = || vec![database.object.clone().unwrap_or_else(|| database.place.clone())];
        if !database.trouble.is_empty() {
            self.find(Code::DatabaseDown, on(), database.trouble.clone(), None);
        }
        if database.kind != "sqlite3" && database.object.is_some() && database.last_backup.is_none() {
            self.find(
                Code::DatabaseBackup,
                on(),
                vec![format!("{} has no backup that ended well", database.place)],
                None,
            );
        }
    }

    fn rights(&mut self, collected: &Collected) {
        if collected.denied.is_empty() {
            return;
        }
        let evidence = collected.denied.iter().map(|right| format!("missing: {right}")).collect();
        let rules: Vec<String> = collected.denied.iter().map(|right| format!("- {}", right.rule())).collect();
        let block = format!("# rules of a ClusterRole\n{}", rules.join("\n"));
        self.find(Code::ClusterRight, vec![collected.context.clone()], evidence, Some(block));
    }
}
