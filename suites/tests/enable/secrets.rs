//! Decrypted values where they do not belong, and files that cannot be decrypted.

use crate::place::{KEY, PASSWORD, Place};

#[test]
fn a_decrypted_value_in_the_work_tree_or_the_index_is_found_and_not_repeated() {
    let place = Place::new(&["helm", "sops"], "");
    // Not as YAML, and not under its key.
    place.write("notes.txt", &format!("one\nthe password is {PASSWORD}\n"));
    let found = place.enable(&["--write"]).refused(&["notes.txt:2 has the value of gitea.admin.password"]);
    assert!(found.stderr.contains("change the secret if it was ever committed"), "{found}");
    assert_eq!(place.changed(), ["notes.txt"], "nothing is written");

    // Staged, and then taken out of the work tree alone.
    place.git(&["add", "notes.txt"]);
    place.write("notes.txt", "one\n");
    place.enable(&[]).refused(&["notes.txt in the index:2 has the value of gitea.admin.password"]);
    place.git(&["add", "notes.txt"]);
    place.enable(&[]).ok();

    // A text that nobody writes by hand is a secret whatever its key is called.
    place.write("other.yaml", &format!("a: {KEY}\n"));
    place.enable(&[]).refused(&["other.yaml:1 has the value of gitea.config.security.internal_token"]);
}

#[test]
fn without_the_key_it_is_found_by_its_key_and_by_its_shape() {
    let place = Place::new(&["helm", "sops"], "");
    place.forget_the_key();
    place.write("plain.yaml", &format!("gitea:\n  admin:\n    password: {PASSWORD}\n"));
    place.enable(&[]).refused(&["plain.yaml has a plain value for gitea.admin.password"]);
    place.write("plain.yaml", &format!("a: AGE-SECRET-KEY-1{}\n", "Q".repeat(58)));
    place.enable(&[]).refused(&["plain.yaml:1 has a private key of age"]);
    // What is committed is not new; a fixture of a test may look like one.
    place.git(&["add", "."]);
    place.git(&["commit", "--quiet", "-m", "A fixture"]);
    place.enable(&[]).ok();
}

#[test]
fn without_the_key_or_the_programs_it_goes_as_far_as_it_can() {
    let place = Place::new(&["helm", "sops"], "");
    place.forget_the_key();
    let shown = place.enable(&["--write"]).ok();
    for part in [
        "not tried  values",
        "not tried  helm template",
        "ok         secrets",
        "by keys and shapes alone",
        "where its age identity is, give the same command again",
    ] {
        assert!(shown.stdout.contains(part), "{part} is not in {shown}");
    }
    assert!(place.read("helm/gitea-registry-values.yaml").contains("ROOT_URL: \"https://forge.test/\""));

    let bare = Place::new(&[], "");
    let shown = bare.enable(&[]).ok();
    for part in ["the program sops is not in the PATH", "install helm (https://helm.sh)"] {
        assert!(shown.stdout.contains(part), "{part} is not in {shown}");
    }
}

#[test]
fn a_file_that_was_changed_without_sops_is_a_clear_error() {
    let place = Place::new(&["helm", "sops"], "");
    let name = "helm/gitea-values.sops.yaml";
    let whole = place.read(name);
    let plain = whole.replacen("gitea:\n", &format!("gitea:\n    added: {PASSWORD}\n"), 1);
    let swapped = whole.replacen("mac: ENC[AES256_GCM,data:", "mac: ENC[AES256_GCM,data:AA", 1);
    for damaged in [plain, swapped] {
        assert_ne!(damaged, whole);
        place.write(name, &damaged);
        let told = place.enable(&["--write"]).refused(&["its mac does not fit what is in it"]);
        assert!(told.stderr.contains("change it with `sops edit` or `sops set` alone"), "{told}");
    }
    assert_eq!(place.changed(), [name]);
}
