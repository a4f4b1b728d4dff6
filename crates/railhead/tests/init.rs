//! A first site file, and what the other commands make of it.

mod common;

use common::Place;

#[test]
fn a_first_site_file_is_read_by_every_command() {
    let place = Place::new();
    let said = place.run(
        "init Git.example.com:8443 --forge gitea --visibility private --owner team --namespace team --sops --layer routing=cluster",
    );
    assert!(said.err.contains("next: `railhead doctor Git.example.com:8443`"), "{said:?}");
    assert_eq!(said.ok(), "railhead.toml\n");
    let file = std::fs::read_to_string(place.path().join("railhead.toml")).unwrap();
    assert!(
        file.contains("[routes.public]\n") && file.contains("url = \"https://git.example.com:8443\""),
        "{file}"
    );
    // The server's reader and the operator's take it.
    place.run("config show").ok();
    let report: serde_json::Value = serde_json::from_str(&place.run("report --output json").ok()).unwrap();
    assert_eq!(report["host"], "git.example.com:8443");
    let err = place.run("init git.example.com").failed(5);
    assert!(err.contains("railhead.toml is there already") && err.contains("--force"), "{err}");
    assert_eq!(std::fs::read_to_string(place.path().join("railhead.toml")).unwrap(), file);
    place.run("init git.example.com --force").ok();
    assert_ne!(std::fs::read_to_string(place.path().join("railhead.toml")).unwrap(), file);
}

#[test]
fn answers_are_taken_from_standard_input() {
    let place = Place::new();
    let answers = "git.example.com\nOur forge\ngithub\ngitea\n\nteam\n";
    let ran = place.run_with("init --ask", &[], answers);
    assert!(ran.err.contains("it must be one of gitea"), "{ran:?}");
    ran.ok();
    let file = std::fs::read_to_string(place.path().join("railhead.toml")).unwrap();
    for line in
        ["host = \"git.example.com\"", "name = \"Our forge\"", "forge = \"gitea\"", "owner = \"team\""]
    {
        assert!(file.lines().any(|found| found == line), "{line}: {file}");
    }
}

#[test]
fn what_cannot_be_written_says_why() {
    let place = Place::new();
    insta::assert_snapshot!(place.run("init").failed(2), @r"
    error: nobody says which registry the site has
    hint: name its host, as in `railhead init git.example.com`
    ");
    let err = place.run("init https://git.example.com").failed(2);
    assert_eq!(err, "error: HOST: it must be a host alone, as in git.example.com or git.example.com:8443\n");
    insta::assert_snapshot!(place.run("init git.example.com --owner rh_aaaaaaaaaaaaaaaaaaaaaaaaa").failed(2), @r"
    error: --owner: it is a secret, and secrets do not belong in this file
    hint: put the token into the variable RAILHEAD_TOKEN when a command needs it
    ");
    assert!(!place.path().join("railhead.toml").exists());
}

#[test]
fn a_secret_of_a_site_that_encrypts_is_not_redirected_into_a_file() {
    let place = Place::new();
    place.run("init git.example.com --sops --namespace team").ok();
    let create = "pull-secret create --user kim --unchecked";
    let token = [("RAILHEAD_TOKEN", "geheim123")];
    let file = std::fs::File::create(place.path().join("plain.yaml")).unwrap();
    let mut command = place.command();
    let output = command.args(create.split(' ')).envs(token).stdout(file).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("this site keeps secrets encrypted"), "{said}");
    assert_eq!(std::fs::metadata(place.path().join("plain.yaml")).unwrap().len(), 0);
    // A pipe goes to a program.
    let yaml = place.run_with(create, &token, "").ok();
    assert!(yaml.starts_with("apiVersion: v1\nkind: Secret\n") && yaml.contains("namespace: team"), "{yaml}");
    let json = place.run_with(&format!("{create} --output json"), &token, "").ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["type"], "kubernetes.io/dockerconfigjson");
}

#[test]
fn a_report_can_be_a_check() {
    let place = Place::new();
    let ran = place.run("report git.example.com --check --out report.md");
    assert!(ran.err.contains("not everything is shown: T01, T02, T03, T04, T05, T06"), "{ran:?}");
    assert_eq!(ran.code, 1);
    let page = std::fs::read_to_string(place.path().join("report.md")).unwrap();
    assert!(page.contains("`railhead doctor git.example.com`"), "{page}");
    let json = std::fs::read_to_string(place.path().join("report.json")).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["host"], "git.example.com");
    place.run("report").failed(2);
}

/// What `railhead inspect` keeps of a forge that never thought of a registry.
const INSPECTION: &str = r#"{"schema": 1, "kind": "inspection", "time": "2026-05-15T09:00:00Z", "host": "default", "versions": {}, "ok": false,
    "result": {"host": null, "findings": [], "inventory": {"context": "default", "forge": {"software": "gitea"},
        "releases": [{"name": "gitea", "namespace": "default", "chart": "gitea-12.5.0", "files": ["helm/gitea-values.sops.yaml"]}],
        "settings": [{"section": "server", "key": "ROOT_URL", "value": "http://gitea.coulomb.example"}],
        "services": [{"name": "default/gitea-http", "ports": ["http 3000 → 32166"]}], "routes": [],
        "exposed": [{"object": "Service default/gitea-http", "how": "NodePort", "port": 32166, "forge": true}]}}}"#;

#[test]
fn an_inspection_that_is_at_hand_fills_the_file() {
    let place = Place::new();
    let evidence = place.path().join("railhead-evidence");
    std::fs::create_dir(&evidence).unwrap();
    std::fs::write(evidence.join("inspection-20260515T090000.000Z.json"), INSPECTION).unwrap();
    let read = || std::fs::read_to_string(place.path().join("railhead.toml")).unwrap();
    let has = |file: &str, line: &str| file.lines().any(|found| found == line);
    let ran = place.run("init --namespace team");
    assert!(ran.err.contains("taken from railhead-evidence/inspection-20260515T090000.000Z.json"), "{ran:?}");
    assert!(
        ran.err.contains("--route nodeport=http://gitea.coulomb.example,connect=ADDRESS:32166"),
        "{ran:?}"
    );
    ran.ok();
    for line in [
        "host = \"gitea.coulomb.example\"",
        "url = \"https://gitea.coulomb.example\"",
        "values = [\"helm/gitea-values.sops.yaml\"]",
        "version = \"12.5.0\"",
        "sops = true",
        "namespace = \"team\"",
    ] {
        assert!(has(&read(), line), "{line}: {}", read());
    }
    // What a flag says counts more, and an inspection can come by a pipe.
    let piped = place.run_with("init git.example.com --inspection - --force", &[], INSPECTION);
    piped.ok();
    assert!(has(&read(), "host = \"git.example.com\"") && has(&read(), "name = \"gitea\""), "{}", read());
    place.run("init --no-inspection --force").failed(2);
    let err = place.run_with("init git.example.com --inspection - --force", &[], "{}").failed(2);
    assert!(err.contains("- is no inspection") && err.contains("railhead inspect --output json"), "{err}");
    std::fs::write(place.path().join("text"), "x").unwrap();
    let err = place.run("init git.example.com --inspection text --force").failed(2);
    assert!(err.contains("text is not JSON"), "{err}");
    assert!(has(&read(), "host = \"git.example.com\""), "nothing was written in between");
}
