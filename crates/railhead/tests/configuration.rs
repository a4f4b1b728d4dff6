//! What people see of the configuration and the help.

mod common;

use common::Place;

#[test]
fn every_value_is_shown_with_its_origin() {
    let place = Place::new();
    std::fs::write(
        place.path().join("railhead.toml"),
        "listen = '127.0.0.1:7000'\n\n[quota]\ndefault_bytes = '10GiB'\n\n[tls]\ncert = 'cert.pem'\nkey = 'key.pem'\n",
    )
    .unwrap();
    let variables =
        [("RAILHEAD_DATABASE_URL", "postgres://u:hunter2@h/d"), ("RAILHEAD_HOSTS", "git.example.com,b")];
    let text = place.run_with("config show --log-format json --data here", &variables, "").ok();
    assert!(!text.contains("hunter2"));
    insta::assert_snapshot!("config_show", text);
    let json = place.run_with("config show --output json", &variables, "").ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[2]["value"], serde_json::json!(["git.example.com", "b"]));
}

#[test]
fn the_template_is_a_file_with_the_defaults() {
    let place = Place::new();
    let defaults = place.run("config show").ok();
    let template = place.run("config template").ok();
    std::fs::write(place.path().join("railhead.toml"), &template).unwrap();
    assert_eq!(place.run("config show").ok(), defaults);
    // Every key of it exists, under the section that it stands in.
    let keys: Vec<&str> = template
        .lines()
        .filter(|line| line.starts_with('[') || (line.starts_with("# ") && line.contains(" = ")))
        .filter(|line| !line.ends_with("\"\""))
        .map(|line| line.trim_start_matches("# "))
        .collect();
    std::fs::write(place.path().join("railhead.toml"), keys.join("\n")).unwrap();
    let shown = place.run("config show").ok();
    assert!(shown.contains("railhead.toml:"), "{shown}");
}

#[test]
fn mistakes_are_explained_and_end_with_code_2() {
    let place = Place::new();
    std::fs::write(place.path().join("railhead.toml"), "lisen = 'x'\n").unwrap();
    insta::assert_snapshot!(place.run("config show").failed(2), @r"
    error: railhead.toml:1: the key 'lisen' is unknown
    hint: did you mean 'listen'?
    ");
    insta::assert_snapshot!(place.run("user list --output json").failed(2), @r#"{"error":{"code":"usage","hint":"did you mean 'listen'?","message":"railhead.toml:1: the key 'lisen' is unknown"}}"#);
    std::fs::write(place.path().join("railhead.toml"), "[store.s3]\nsecret_key = 'hunter2'\n").unwrap();
    insta::assert_snapshot!(place.run("serve").failed(2), @r"
    error: store.s3.secret_key (railhead.toml:2) is a secret, and secrets do not belong in this file
    hint: put it into the variable RAILHEAD_S3_SECRET_KEY, or name a file with `store.s3.secret_key_file`
    ");
    insta::assert_snapshot!(place.run("config show --config missing.toml").failed(2), @r"
    error: cannot read the configuration file missing.toml
      because: No such file or directory (os error 2)
    ");
}

#[test]
fn help_and_reference_are_what_the_code_says() {
    let place = Place::new();
    insta::assert_snapshot!("help", place.run("--help").ok());
    let pages = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference");
    place.run(&format!("reference --check {pages}")).ok();
}

#[test]
fn completions_are_for_the_shell_that_is_named() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(place.run(&format!("completions {shell}")).ok().contains("railhead"), "{shell}");
    }
    place.run("completions cmd").failed(2);
}
