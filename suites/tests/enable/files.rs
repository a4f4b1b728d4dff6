//! What is shown, checked and written.

use std::fs;

use railhead_suites::Program;
use serde_json::Value;

use crate::place::{PASSWORD, Place};

#[test]
fn the_plan_is_shown_then_written_and_then_there_is_nothing_to_do() {
    let place = Place::new(&["helm", "sops"], "");
    let shown = place.enable(&[]).ok();
    for part in [
        "+      ENABLED: true",
        "+      LIMIT_SIZE_CONTAINER: -1",
        "+      ROOT_URL: \"https://forge.test/\"",
        "[server] ROOT_URL                    (encrypted) -> \"https://forge.test/\"",
        "path: \"/v2\"",
        "(application, railiance-apps)",
        "(routing, railiance-cluster), not done here",
        "sops set helm/gitea-values.sops.yaml '[\"gitea\"][\"config\"][\"packages\"][\"ENABLED\"]' true",
        "ok         helm template",
        "[packages] ENABLED = true",
        "railiance-cluster (routing): Let uploads of images",
    ] {
        assert!(shown.stdout.contains(part), "{part} is not in {shown}");
    }
    assert_eq!(place.changed(), [""; 0], "nothing is written without --write");

    place.enable(&["--write"]).ok();
    let files = ["Makefile", "helm/gitea-registry-values.yaml", "manifests/gitea-ingress.yaml"];
    assert_eq!(place.changed(), files);
    place.git(&["add", "."]);
    place.git(&["commit", "--quiet", "-m", "Turn the registry on"]);
    let again = place.enable(&["--write"]).ok();
    assert!(again.stdout.contains("gitea-registry-values.yaml says so already"), "{again}");
    assert_eq!(place.changed(), [""; 0]);
    let evidence = place.operator.evidence("enable");
    assert_eq!((evidence.len(), &evidence[0]["ok"]), (2, &Value::Bool(true)));
    assert!(place.operator.evidence_files().iter().all(|text| !text.contains(PASSWORD)));
}

#[test]
fn programs_get_all_of_it_as_json() {
    let place = Place::new(&["helm", "sops"], "");
    let told: Value = serde_json::from_str(&place.enable(&["--output", "json"]).ok().stdout).unwrap();
    assert_eq!(told["settings"]["changes"][0]["section"], "packages");
    assert_eq!(told["changes"][0]["owner"], "railiance-apps");
    let outcomes: Vec<&str> =
        told["checks"].as_array().unwrap().iter().map(|step| step["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["ok", "ok", "ok", "ok"]);
}

/// The targets are run by make, with a helm that writes down what it gets.
#[test]
fn make_deploys_with_the_decrypted_values_and_not_without() {
    let place = Place::new(&["helm", "sops", "make", "sh", "cat"], "");
    place.enable(&["--write"]).ok();
    let log = place.path("../helm.log");
    let real = fs::read_link(place.tools().join("helm")).unwrap();
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> {0}\nwhile [ $# -gt 0 ]; do [ \"$1\" = --values ] && cat \"$2\" >> {0}; shift; done\n",
        log.display()
    );
    place.shim("helm", &script);
    let make = Program::find("make")
        .within(&place.path(""))
        .with("PATH", place.tools().to_str().unwrap())
        .with("SOPS_AGE_KEY_FILE", place.path("../key.txt").to_str().unwrap());
    make.run(["gitea-deploy"]).ok();
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.starts_with("upgrade --install gitea ") && said.contains("--namespace default"), "{said}");
    let (password, overlay) = (said.find(PASSWORD).unwrap(), said.find("LIMIT_SIZE_CONTAINER: -1").unwrap());
    assert!(password < overlay, "the overlay is last: {said}");

    // Several encrypted files, each in the order of helm.
    let first = "helm/gitea-values.sops.yaml";
    for (name, text) in [("second.yaml", "a: second123"), ("third.yaml", "a: third456")] {
        place.encrypt(name, text);
    }
    let shim = fs::read_to_string(place.tools().join("helm")).unwrap();
    place.shim("helm", &format!("#!/bin/sh\nexec {} \"$@\"\n", real.display()));
    place.enable(&["--write", "--values", first, "--values", "second.yaml", "--values", "third.yaml"]).ok();
    place.shim("helm", &shim);
    fs::remove_file(&log).unwrap();
    make.run(["gitea-deploy"]).ok();
    let said = fs::read_to_string(&log).unwrap();
    let at = |text: &str| said.find(text).unwrap_or_else(|| panic!("{text} is not in {said}"));
    assert!(at(PASSWORD) < at("second123") && at("second123") < at("third456"), "{said}");
    assert!(at("third456") < at("LIMIT_SIZE_CONTAINER: -1"), "{said}");

    fs::remove_file(&log).unwrap();
    place.forget_the_key();
    make.run(["gitea-deploy"]).refused(&["failed to get the data key"]);
    assert!(!log.exists(), "helm is not started without the values");
}
