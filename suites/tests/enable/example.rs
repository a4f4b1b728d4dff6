//! The files in `examples/railiance` are what the command makes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use railhead_suites::{Operator, Program};

/// What `railhead enable` writes there.
const MADE: [&str; 3] = ["Makefile", "helm/gitea-registry-values.yaml", "manifests/gitea-ingress.yaml"];

/// With `RAILHEAD_WRITE_EXAMPLES` set, they are written instead of compared.
#[test]
fn the_example_is_what_the_command_makes() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/railiance");
    let scratch = tempfile::tempdir().unwrap();
    let (home, tools) = (scratch.path().join("team"), scratch.path().join("bin"));
    fs::create_dir_all(home.join("helm")).unwrap();
    fs::create_dir(&tools).unwrap();
    for name in ["git", "sops"] {
        symlink(Program::find(name).path(), tools.join(name)).unwrap();
    }
    let values = "helm/gitea-values.sops.yaml";
    fs::copy(example.join(values), home.join(values)).unwrap();
    let site = fs::read_to_string(example.join("railhead.toml")).unwrap();
    let operator = Operator::at(&home, &site)
        .with("PATH", tools.display().to_string())
        .with("HOME", scratch.path().display().to_string());
    operator.run(["enable", "--write"]).ok();
    for name in MADE {
        let made = fs::read_to_string(home.join(name)).unwrap();
        if std::env::var_os("RAILHEAD_WRITE_EXAMPLES").is_some() {
            fs::create_dir_all(example.join(name).parent().unwrap()).unwrap();
            fs::write(example.join(name), made).unwrap();
            continue;
        }
        let kept = fs::read_to_string(example.join(name)).unwrap_or_default();
        assert_eq!(
            kept, made,
            "examples/railiance/{name} has drifted: write it again with RAILHEAD_WRITE_EXAMPLES=1"
        );
    }
}
