//! Input that is wrong: nothing is written, and it says why.

use crate::place::Place;

#[test]
fn what_is_wrong_is_named_and_nothing_is_written() {
    let place = Place::new(&["helm", "sops"], "");
    // The user's own file.
    place.write("Makefile", "all:\n\techo ours\n");
    let told = place.enable(&["--write"]).refused(&["makefile is there, and was not made by this command"]);
    assert_eq!(told.code, Some(5));
    assert_eq!(place.changed(), ["Makefile"]);
    std::fs::remove_file(place.path("Makefile")).unwrap();

    place.write("broken.yaml", "gitea: [\n");
    place.enable(&["--write", "--values", "broken.yaml"]).refused(&["broken.yaml cannot be used"]);
    place
        .enable(&["--write", "--values", "nowhere.yaml"])
        .refused(&["cannot read the values file nowhere.yaml"]);
    place.write("list.yaml", "- a\n");
    place.enable(&["--write", "--values", "list.yaml"]).refused(&["is not one table of values"]);

    // What helm refuses, in the names of the real files.
    place.write("type.yaml", "gitea: {config: 3}\nservice: none\n");
    place.enable(&["--write", "--values", "type.yaml"]).refused(&["helm template failed"]);
    place.enable(&["--write", "--chart", "./nowhere.tgz"]).refused(&["helm template failed"]);

    // A variable of the pod counts more than values.
    place.write(
        "variable.yaml",
        "postgresql-ha: {enabled: false}\nvalkey-cluster: {enabled: false}\ngitea:\n  config: {database: {DB_TYPE: sqlite3}, session: {PROVIDER: memory}, cache: {ADAPTER: memory}, queue: {TYPE: level}}\n  additionalConfigFromEnvs:\n    - {name: GITEA__packages__ENABLED, value: 'false'}\n",
    );
    place
        .enable(&["--write", "--values", "variable.yaml"])
        .refused(&["[packages] enabled is not what it has to be"]);
    for name in ["broken.yaml", "list.yaml", "type.yaml", "variable.yaml"] {
        std::fs::remove_file(place.path(name)).unwrap();
    }
    assert_eq!(place.changed(), [""; 0], "nothing was written");
}

#[test]
fn a_namespace_is_never_guessed() {
    let place = Place::new(&["helm", "sops"], "");
    place.operator.site("[site]\nhost = \"forge.test\"\n");
    place.enable(&[]).refused(&["nobody says in which namespace the release is"]);
    place.operator.site("[site]\nhost = \"forge.test\"\n[release]\nnamespace = \"De fault\"\n");
    place.enable(&[]).refused(&["release.namespace must be a name of kubernetes"]);
}
