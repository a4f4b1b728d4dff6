//! `railhead enable --apply`: a registry is turned on through the gates, refused by them, and rolled back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use railhead_cluster::kinds;
use railhead_suites::cluster::{FORGE_HOST, FORGE_PORT, KEEPER, NODE, VALUES, chart};
use railhead_suites::team::{Api, SCOPES, Setup, VALUES_FILE, certificate};
use railhead_suites::{Cluster, Outcome, Program, Team};
use serde_json::{Value, json};

use super::{SHARED, alone};

/// The site file of the team.
fn site() -> String {
    format!(
        "[site]\nhost = '{FORGE_HOST}'\nforge = 'gitea'\nowner = 'coulomb'\n\
         [routes.public]\nurl = 'https://{FORGE_HOST}'\n[routes.nodeport]\nurl = 'http://{FORGE_HOST}'\nconnect = '{NODE}:{FORGE_PORT}'\n\
         [owners]\napplication = 'railiance-apps'\nrouting = 'railiance-cluster'\nstorage = 'railiance-platform'\n\
         [release]\nname = 'gitea'\nnamespace = 'default'\nchart = '{}'\nversion = '12.5.0'\nvalues = ['{VALUES_FILE}']\n\
         tls_secret = 'gitea-tls'\ngit = 'http://{FORGE_HOST}:{FORGE_PORT}'\nmakefile = 'Makefile'\n",
        chart().display()
    )
}

fn forge(cluster: &Cluster) -> Api<'_> {
    Api { cluster, host: FORGE_HOST }
}

/// A team, where the programs of `first` are found before others.
fn team(cluster: &Cluster, first: &str) -> Team {
    let token = forge(cluster).token(KEEPER, &SCOPES);
    let site = site();
    Team::new(
        cluster,
        &Setup { site: &site, values: VALUES, token: &token, programs: first, variables: &[], secrets: &[] },
    )
}

/// `railhead enable --apply` with these words more.
const APPLY: [&str; 4] = ["enable", "--apply", "--user", KEEPER];

fn apply(team: &Team, words: &[&str]) -> Outcome {
    team.run(&[&APPLY, words].concat())
}

/// The values of the release and the settings in its volume are as they were when this ends, whatever the test did.
struct AsItWas<'a> {
    cluster: &'a Cluster,
    revision: u64,
    ini: String,
}

impl<'a> AsItWas<'a> {
    fn remember(cluster: &'a Cluster) -> Self {
        let ini = fs::read_to_string(ini(cluster)).unwrap();
        Self { cluster, revision: state(cluster).0, ini }
    }
}

impl Drop for AsItWas<'_> {
    fn drop(&mut self) {
        let remove = |kind, name| self.cluster.api(async |api| api.delete(kind, Some("default"), name).await);
        let _ = remove(&kinds::INGRESS, "gitea-registry");
        let _ = remove(&kinds::SECRET, "gitea-tls");
        // The chart never takes a key out of the file.
        let _ = fs::write(ini(self.cluster), &self.ini);
        let revision = self.revision.to_string();
        let back = self.cluster.tool("helm").run(["rollback", "gitea", &revision, "-n", "default", "--wait"]);
        assert!(back.success || std::thread::panicking(), "{back}");
    }
}

fn ini(cluster: &Cluster) -> std::path::PathBuf {
    cluster.path("volumes/gitea/gitea/conf/app.ini")
}

/// The release's revision and status.
fn state(cluster: &Cluster) -> (u64, String) {
    let said = cluster.tool("helm").run(["list", "--all", "-n", "default", "-o", "json"]).ok().stdout;
    let list: Value = serde_json::from_str(&said).unwrap();
    let release = &list[0];
    let text = |key: &str| release[key].as_str().unwrap().to_owned();
    (text("revision").parse().unwrap(), text("status"))
}

fn ingress(cluster: &Cluster) -> Option<Value> {
    cluster
        .api(async |api| api.get(&kinds::INGRESS, Some("default"), "gitea-registry").await)
        .unwrap()
        .found()
}

/// What `https://forge.test/v2/` answers.
fn public(cluster: &Cluster) -> String {
    // Before there is a route, the proxy shows a certificate that nobody trusts.
    let words = ["-sik", "https://forge.test/v2/"];
    cluster.tool("curl").run(words).stdout
}

/// No repository of a health check is left.
fn assert_clean(cluster: &Cluster) {
    let repositories = forge(cluster).ask("GET", "/repos/search?q=railhead-health&private=true", &json!({}));
    assert_eq!(repositories["data"], json!([]));
}

#[test]
fn a_registry_is_turned_on_through_the_gates() {
    let (cluster, _alone) = (SHARED.with_forge(), alone());
    let was = AsItWas::remember(cluster);
    let team = team(cluster, "");
    let _traefik = cluster.traefik();
    let tls = certificate(cluster, "gitea-tls");
    cluster.api(async |api| api.apply(&tls, false).await.map(drop)).unwrap();
    forge(cluster).organisation("coulomb");
    forge(cluster).repository("coulomb", "railiance-cluster");

    // Nobody has backed it up.
    let refused = apply(&team, &[]);
    assert_eq!(refused.code, Some(5), "{refused}");
    assert!(
        refused.stderr.contains("no backup of Git, accounts and issues is younger than 24 h"),
        "{refused}"
    );
    assert!(refused.stderr.contains("--backup DIR"), "{refused}");
    assert_eq!((state(cluster).0, ingress(cluster)), (was.revision, None), "{refused}");
    assert_clean(cluster);
    assert!(!team.path("Makefile").exists(), "files are written once the change has stayed");
    assert!(public(cluster).starts_with("HTTP/2 404"), "{}", public(cluster));

    let applied = apply(&team, &["--backup", "backups", "--file"]).ok();
    assert!(applied.stdout.contains("applied, and everything works"), "{applied}");
    assert_eq!(state(cluster), (was.revision + 1, "deployed".to_owned()));
    assert!(public(cluster).starts_with("HTTP/2 401"), "{}", public(cluster));
    let settings = fs::read_to_string(ini(cluster)).unwrap();
    assert!(settings.contains("[packages]") && settings.contains("https://forge.test/"), "{settings}");
    assert_clean(cluster);
    for name in ["Makefile", "helm/gitea-registry-values.yaml", "manifests/gitea-ingress.yaml"] {
        assert!(team.path(name).exists(), "{name} was not written");
    }

    // The dump is one, and for nobody else's eyes.
    let backups = team.operator.evidence("backup");
    let dump = backups.iter().map(|one| &one["result"]).find(|result| result["of"] == "forge").unwrap();
    let file = dump["file"].as_str().unwrap();
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let listed = Program::find("tar").run(["-tzf", file]).ok().stdout;
    for name in ["app.ini", "gitea-db.sql", "repos/coulomb/railiance-cluster.git/HEAD"] {
        assert!(listed.lines().any(|line| line == name), "{name} is not in {listed}");
    }
    assert!(dump["repositories"].as_u64().unwrap() >= 1 && dump["database_bytes"].as_u64().unwrap() > 1000);
    // No route shows a registry yet, so that images can be in the dump alone.
    assert!(applied.to_string().contains("images: in the dump alone"), "{applied}");

    // What others have to do is in their repository, once.
    let issues = || forge(cluster).issues("coulomb/railiance-cluster");
    let filed = issues();
    assert_eq!(filed.len(), 1, "{filed:?}");
    assert!(filed[0]["title"].as_str().unwrap().contains("take longer than a minute"), "{filed:?}");
    assert!(applied.stdout.contains(filed[0]["html_url"].as_str().unwrap()), "{applied}");

    // Again: by the evidence of the backup, and nothing is left to change.
    let again = apply(&team, &["--file"]).ok();
    assert!(again.stdout.contains("the release has these values already"), "{again}");
    assert!(again.stdout.contains("it was open already"), "{again}");
    assert_eq!((state(cluster).0, issues().len()), (was.revision + 1, 1));
}

#[test]
fn what_cannot_be_applied_safely_changes_nothing() {
    let (cluster, _alone) = (SHARED.with_forge(), alone());
    let was = state(cluster).0;
    let team = team(cluster, "");
    let refused = |words: &[&str], said: &str| {
        let outcome = apply(&team, &[&["--backup", "backups"], words].concat());
        assert_eq!(outcome.code, Some(5), "{outcome}");
        assert!(outcome.stderr.contains(said), "'{said}' is not in {outcome}");
        assert_eq!((state(cluster).0, ingress(cluster)), (was, None), "{outcome}");
    };
    refused(&["--namespace", "gitea"], "there is no release gitea in the namespace gitea");

    // Values that were never deployed, or that somebody set by hand.
    let other = VALUES.replace("size: 10Gi", "size: 20Gi");
    team.encrypt("helm/other.sops.yaml", &other);
    refused(&["--values", "helm/other.sops.yaml"], "other values than the files for persistence.size, which");

    team.operator.site(&site().replace("12.5.0'\nvalues", "12.4.0'\nvalues"));
    refused(&[], "the release is of gitea-12.5.0, and the site says version 12.4.0");

    // A route of that name that somebody else made.
    team.operator.site(&site());
    let foreign = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "gitea-registry", "namespace": "default"},
        "spec": {"defaultBackend": {"service": {"name": "gitea-http", "port": {"number": 3000}}}}});
    cluster.api(async |api| api.create(&foreign).await.map(drop)).unwrap();
    let outcome = apply(&team, &["--backup", "backups"]);
    assert!(outcome.stderr.contains("Ingress default/gitea-registry is there, and was made by"), "{outcome}");
    assert!(ingress(cluster).unwrap()["spec"]["defaultBackend"].is_object(), "it was left alone");
    cluster.api(async |api| api.delete(&kinds::INGRESS, Some("default"), "gitea-registry").await).unwrap();

    // Rights that are missing are named.
    let rules = json!([{"apiGroups": [""], "resources": ["secrets", "pods"], "verbs": ["get", "list"]}]);
    let few = cluster.account("enable-few", &rules);
    let few = few.to_str().unwrap().to_owned();
    refused(&["--kubeconfig", &few], "the right to get ingresses.networking.k8s.io");

    // A token that may not make repositories, and one that is wrong.
    let narrow = forge(cluster).token(KEEPER, &["read:user"]);
    let words = [&APPLY[..], &["--backup", "backups"]].concat();
    let outcome = team.run_as(&narrow, &words);
    assert!(outcome.stderr.contains("a repository cannot be made: 403"), "{outcome}");
    let outcome = team.run_as("0000000000", &words);
    assert!(outcome.stderr.contains("its version answers 401 Unauthorized"), "{outcome}");
    assert_eq!((state(cluster).0, ingress(cluster)), (was, None));
    assert_clean(cluster);
}

/// helm, with something that happens while it upgrades.
fn helm_that(place: &Path, happens: &str) -> String {
    let directory = place.join("bin");
    fs::create_dir_all(&directory).unwrap();
    let real = Program::find("helm");
    let script = format!(
        "#!/bin/sh\ncase \"$1 $2\" in 'upgrade --wait') {happens} ;; esac\nexec {} \"$@\"\n",
        real.path().display()
    );
    let file = directory.join("helm");
    fs::write(&file, script).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    directory.display().to_string()
}

/// What comes of an upgrade while which this happens.
fn rolled_back(happens: &str, words: &[&str]) -> (Outcome, Value) {
    let cluster = SHARED.with_forge();
    let was = AsItWas::remember(cluster);
    let place = tempfile::tempdir().unwrap();
    let team = team(cluster, &helm_that(place.path(), happens));
    let outcome = apply(&team, &[&["--backup", "backups"], words].concat());
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stdout.contains("rolled back") && !outcome.stdout.contains("NOT"), "{outcome}");
    assert_eq!(ingress(cluster), None, "{outcome}");
    let (revision, status) = state(cluster);
    assert_eq!(status, "deployed", "{outcome}");
    assert!(revision > was.revision, "{outcome}");
    let values = |revision: &str| {
        cluster
            .tool("helm")
            .run(["get", "values", "gitea", "-n", "default", "--revision", revision])
            .ok()
            .stdout
    };
    assert_eq!(values(&revision.to_string()), values(&was.revision.to_string()));
    assert_clean(cluster);
    assert!(!team.path("Makefile").exists(), "no file is written when the change has not stayed");
    (outcome, team.applied())
}

#[test]
fn a_route_that_does_not_come_is_rolled_back() {
    let _alone = alone();
    // Nothing listens for Ingresses.
    let (outcome, applied) = rolled_back("", &["--patience", "2s"]);
    assert!(outcome.stderr.contains("it was rolled back: doctor after: "), "{outcome}");
    let steps: Vec<&str> =
        applied["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    let after = &steps[steps.iter().position(|name| *name == "doctor after").unwrap() + 1..];
    assert_eq!(
        after,
        [
            "roll back the release",
            "roll back the route",
            "app.ini after the roll-back",
            "browse after the roll-back",
            "login after the roll-back",
            "clone and push after the roll-back"
        ]
    );
    assert_eq!(applied["verdict"], "rolled-back");
}

#[test]
fn who_interrupts_an_upgrade_finds_the_release_as_it_was() {
    let _alone = alone();
    let (outcome, _) = rolled_back("(sleep 1; kill -INT $PPID) &", &[]);
    assert!(outcome.stderr.contains("it was rolled back: interrupted"), "{outcome}");
}

#[test]
fn an_api_server_that_goes_away_in_the_middle_is_waited_for() {
    let _alone = alone();
    let closed = "-p tcp --dport 6443 -j REJECT --reject-with tcp-reset";
    let real = Program::find("helm").path().display().to_string();
    let happens = format!(
        "{real} \"$@\" || exit; iptables -I OUTPUT {closed}; (sleep 4; iptables -D OUTPUT {closed}) >/dev/null 2>&1 & exit 0"
    );
    let (outcome, _) = rolled_back(&happens, &[]);
    assert!(outcome.stderr.contains("it was rolled back: route: "), "{outcome}");
    assert!(outcome.stdout.contains("it answers again, after"), "{outcome}");
}

#[test]
fn a_release_that_is_half_rolled_out_is_left_alone() {
    let (cluster, _alone) = (SHARED.with_forge(), alone());
    let was = AsItWas::remember(cluster);
    let values = cluster.path("gitea-values.yaml");
    let chart = chart();
    let words =
        ["upgrade", "gitea", chart.to_str().unwrap(), "-n", "default", "-f", values.to_str().unwrap()];
    let more = ["--set", "image.tag=0.0.0", "--wait", "--timeout", "2s"];
    cluster.tool("helm").run(words.iter().chain(&more)).refused(&["upgrade failed"]);
    let team = team(cluster, "");
    let outcome = apply(&team, &["--backup", "backups"]);
    assert_eq!(outcome.code, Some(5), "{outcome}");
    assert!(
        outcome.stderr.contains("the release is failed, and only one that is deployed is changed"),
        "{outcome}"
    );
    assert!(outcome.stderr.contains("helm rollback gitea --namespace default"), "{outcome}");
    assert_eq!(state(cluster), (was.revision + 1, "failed".to_owned()));
}
