//! Manifests as people and clusters write them.

use super::*;

fn kim() -> Credentials {
    Credentials { user: "kim".to_owned(), secret: "geheim123".to_owned().into() }
}

fn made() -> Manifest {
    Manifest::new("registry-pull", Some("team"), "git.example.com", &kim()).unwrap()
}

fn decoded(manifest: &Manifest) -> Value {
    let ([table, _], data) = manifest.data();
    let json = if table == "data" { STANDARD.decode(data).unwrap() } else { data.into_bytes() };
    serde_json::from_slice(&json).unwrap()
}

#[test]
fn a_new_one_is_what_kubectl_makes() {
    let manifest = made();
    insta::assert_snapshot!(manifest.text().0, @r#"
    apiVersion: v1
    kind: Secret
    metadata:
      name: registry-pull
      namespace: team
    type: kubernetes.io/dockerconfigjson
    data:
      .dockerconfigjson: eyJhdXRocyI6eyJnaXQuZXhhbXBsZS5jb20iOnsiYXV0aCI6ImEybHRPbWRsYUdWcGJURXlNdz09IiwicGFzc3dvcmQiOiJnZWhlaW0xMjMiLCJ1c2VybmFtZSI6ImtpbSJ9fX0=
    "#);
    insta::assert_snapshot!(decoded(&manifest), @r#"{"auths":{"git.example.com":{"auth":"a2ltOmdlaGVpbTEyMw==","password":"geheim123","username":"kim"}}}"#);
    assert!(!format!("{manifest:?}").contains("Secret"), "{manifest:?}");
}

#[test]
fn what_was_made_is_read() {
    let read = Manifest::read(&made().text().0, Some("registry-pull")).unwrap();
    assert_eq!((read.name(), read.namespace(), read.kind()), ("registry-pull", Some("team"), KIND));
    let entries = read.entries().unwrap();
    let login = entries[0].login.as_ref().unwrap();
    assert_eq!((entries.len(), entries[0].server.as_str()), (1, "git.example.com"));
    assert_eq!((login.user.as_str(), login.secret.expose_secret()), ("kim", "geheim123"));
}

#[test]
fn names_are_those_that_kubernetes_takes() {
    for (name, namespace, is_fine) in [
        ("a", None, true),
        ("registry.pull-1", Some("team-1"), true),
        ("9", Some("9"), true),
        ("", None, false),
        ("A", None, false),
        ("a_b", None, false),
        ("-a", None, false),
        ("a.-b", None, false),
        ("a..b", None, false),
        ("a", Some("a.b"), false),
        ("a", Some(""), false),
        (&"a".repeat(254), None, false),
    ] {
        let made = Manifest::new(name, namespace, "h", &kim());
        assert_eq!(made.is_ok(), is_fine, "{name} {namespace:?}");
    }
}

#[test]
fn a_login_is_read_as_a_kubelet_reads_it() {
    for (entry, read) in [
        (json!({"username": "a", "password": "b"}), Ok(Some("a:b"))),
        (json!({"username": "a", "password": "b", "auth": "YzpkOmU="}), Ok(Some("c:d:e"))),
        (json!({"auth": "YzpkOmU"}), Ok(Some("c:d:e"))),
        (json!({"auth": "  "}), Ok(None)),
        (json!({"identitytoken": "x"}), Ok(None)),
        (json!({}), Ok(None)),
        (json!({"auth": "!"}), Err(())),
        (json!({"auth": "YWI="}), Err(())),
    ] {
        let found = login(&entry)
            .map(|login| login.map(|login| format!("{}:{}", login.user, login.secret.expose_secret())));
        assert_eq!(found.as_ref().map(Option::as_deref).map_err(|_| ()), read, "{entry}");
    }
}

#[test]
fn what_is_no_pull_secret_says_why() {
    let secret = |data: &str| format!("kind: Secret\nmetadata: {{name: a}}\ntype: {KIND}\n{data}");
    let encoded = |json: &str| secret(&format!("data: {{{KEY}: {}}}", STANDARD.encode(json)));
    for (text, wanted, why) in [
        ("a: [".to_owned(), None, "cannot be read"),
        ("kind: Secret\ntype: Opaque".to_owned(), None, "no Secret of the type"),
        (String::new(), None, "no Secret of the type"),
        (secret(""), None, "has no .dockerconfigjson"),
        (secret(""), Some("b"), "no pull secret named 'b' in it; there is a"),
        (format!("{0}\n---\n{0}", secret("")), None, "several pull secrets in it: a, a"),
        (secret("data: {.dockerconfigjson: '!'}"), None, "it is not base64"),
        (encoded("geheim"), None, "it is not JSON"),
        (encoded("{\"geheim\": 1}"), None, "it has no auths"),
        (encoded("{\"auths\": {\"h\": {\"auth\": \"geheim\"}}}"), None, "the entry of 'h' has an auth"),
        (secret("sops: {mac: x}"), None, "encrypted by sops"),
    ] {
        let read = Manifest::read(&text, wanted).and_then(|manifest| manifest.entries());
        let error = read.unwrap_err();
        assert!(error.to_string().contains(why), "{text}: {error}");
        assert!(!format!("{error} {error:?}").contains("geheim"), "{error:?}");
    }
}

#[test]
fn a_rotation_changes_one_login_and_nothing_else() {
    let auths = json!({
        "auths": {
            "git.example.com": {"username": "kim", "password": "old", "email": "kim@example.com"},
            "https://git.example.com/team": {"auth": STANDARD.encode("kim:old"), "identitytoken": "x"},
            "git.example.com/other": {"auth": STANDARD.encode("lee:own")},
            "ghcr.io": {"auth": STANDARD.encode("kim:theirs")},
        },
        "credHelpers": {"a": "b"},
    });
    let text = format!(
        "# Made by hand.\napiVersion: v1\nkind: Namespace\nmetadata: {{name: team}}\n---\nkind: Secret\ntype: {KIND}\n\
         metadata:\n  name: pull # the one\n  labels: {{team: a}}\ndata:\n  {KEY}: {}\n  more: eA==\n",
        STANDARD.encode(auths.to_string())
    );
    let mut manifest = Manifest::read(&text, None).unwrap();
    let new = "new".to_owned().into();
    let error = manifest.rotate("git.example.com", None, &new).unwrap_err();
    assert!(error.to_string().contains("several accounts for git.example.com: kim, lee"), "{error}");
    let error = manifest.rotate("git.example.com:8443", None, &new).unwrap_err();
    assert!(error.to_string().contains("no login for git.example.com:8443; it has ghcr.io"), "{error}");
    let (rotated, login) = manifest.rotate("git.example.com", Some("kim"), &new).unwrap();
    assert_eq!(rotated.servers, ["git.example.com", "https://git.example.com/team"]);
    assert_eq!(rotated.before.unwrap().secret.expose_secret(), "old");
    assert_eq!(login.user, "kim");
    insta::assert_json_snapshot!(decoded(&manifest));
    let (written, as_it_was) = manifest.text();
    assert!(as_it_was);
    let (_, data) = manifest.data();
    let old = STANDARD.encode(auths.to_string());
    assert_eq!(written, text.replace(&old, &data));
}

#[test]
fn another_account_may_take_over_the_only_login() {
    let mut manifest = made();
    let (rotated, login) =
        manifest.rotate("git.example.com", Some("robot"), &"new".to_owned().into()).unwrap();
    assert_eq!((rotated.before.unwrap().user.as_str(), login.user.as_str()), ("kim", "robot"));
    let entries = manifest.entries().unwrap();
    assert_eq!(entries[0].login.as_ref().unwrap().user, "robot");
}

#[test]
fn what_a_cluster_added_goes_and_its_copy_of_the_old_token_too() {
    let mut secret = made().secret().clone();
    let old = secret["data"][KEY].as_str().unwrap().to_owned();
    secret["metadata"]["uid"] = "1".into();
    secret["metadata"]["resourceVersion"] = "7".into();
    secret["metadata"]["annotations"] = json!({ LAST_APPLIED: format!("{{\"data\": \"{old}\"}}") });
    secret["metadata"]["labels"] = json!({ "team": "a" });
    let list = json!({ "kind": "List", "apiVersion": "v1", "items": [secret] }).to_string();
    let mut manifest = Manifest::read(&list, None).unwrap();
    manifest.rotate("git.example.com", None, &"new".to_owned().into()).unwrap();
    let (written, as_it_was) = manifest.text();
    assert!(!as_it_was && !written.contains(&old), "{written}");
    for (part, is_there) in [("uid", false), ("annotations", false), ("team: a", true), ("pull", true)] {
        assert_eq!(written.contains(part), is_there, "{part}: {written}");
    }
}

#[test]
fn string_data_and_the_old_form_are_kept_in_their_form() {
    let old = format!(
        "kind: Secret\ntype: {OLD_KIND}\ndata:\n  {OLD_KEY}: {}\n",
        STANDARD.encode(r#"{"h": {"auth": "YTpi"}}"#)
    );
    let plain = format!(
        "kind: Secret\ntype: {KIND}\nstringData:\n  {KEY}: |\n    {{\"auths\": {{\"h\": {{\"auth\": \"YTpi\"}}}}}}\n"
    );
    for text in [old, plain] {
        let mut manifest = Manifest::read(&text, None).unwrap();
        manifest.rotate("h", None, &"new".to_owned().into()).unwrap();
        let again = Manifest::read(&manifest.text().0, None).unwrap();
        assert_eq!(again.entries().unwrap()[0].login.as_ref().unwrap().secret.expose_secret(), "new");
        assert_eq!(again.data().0, manifest.data().0);
    }
}
