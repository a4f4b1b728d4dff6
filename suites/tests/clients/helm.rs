//! helm: charts in the registry.

use std::fs;

use railhead_suites::program::Outcome;
use railhead_suites::registry::{STRANGER, TEAM, WRITER};
use railhead_suites::{Program, Registry, layout};

use crate::home::Home;
use crate::scenario::REFUSALS;

struct Helm {
    home: Home,
    program: Program,
    host: String,
    ca: String,
}

impl Helm {
    fn new(registry: &Registry) -> Self {
        let home = Home::for_client_of(registry);
        let ca = registry.ca().ca_file().display().to_string();
        Self { program: home.program("helm"), host: registry.host().to_owned(), ca, home }
    }

    fn login(&self, user: &str, secret: &str) -> Outcome {
        let line = ["registry", "login", "-u", user, "--password-stdin", "--ca-file", &self.ca, &self.host];
        self.program.run_with_input(line, secret)
    }

    /// Packs a chart named `name` and gives the archive's path.
    fn package(&self, name: &str) -> String {
        let chart = self.home.directory().join(name);
        fs::create_dir_all(chart.join("templates")).unwrap();
        fs::write(chart.join("Chart.yaml"), format!("apiVersion: v2\nname: {name}\nversion: 1.2.3\n"))
            .unwrap();
        fs::write(chart.join("templates/none.yaml"), "# nothing to deploy\n").unwrap();
        let [chart, here] = [chart.as_path(), self.home.directory()].map(|path| path.display().to_string());
        self.program.run(["package", &chart, "--destination", &here]).ok();
        self.home.path(&format!("{name}-1.2.3.tgz"))
    }

    fn push(&self, archive: &str) -> Outcome {
        self.program.run(["push", archive, &format!("oci://{}/{TEAM}", self.host), "--ca-file", &self.ca])
    }

    fn pull(&self, name: &str) -> Outcome {
        let to = self.home.path("pulled");
        let _ = fs::remove_dir_all(&to);
        fs::create_dir(&to).unwrap();
        let from = format!("oci://{}/{TEAM}/{name}", self.host);
        self.program.run(["pull", &from, "--version", "1.2.3", "--destination", &to, "--ca-file", &self.ca])
    }
}

#[test]
fn helm_pushes_and_pulls_a_chart() {
    let registry = Registry::start();
    let helm = Helm::new(&registry);
    let archive = helm.package("helm-chart");
    let pulled = helm.home.path("pulled/helm-chart-1.2.3.tgz");

    helm.login(WRITER, "wrong").refused(REFUSALS);
    helm.login(WRITER, registry.secret()).ok();
    let push = helm.push(&archive).ok();
    let pull = helm.pull("helm-chart").ok();
    assert_eq!(layout::digest_of_file(pulled.as_ref()), layout::digest_of_file(archive.as_ref()));

    if let Some(secret) = registry.stranger() {
        helm.login(STRANGER, secret).ok();
        helm.pull("helm-chart").refused(REFUSALS);
        helm.push(&archive).refused(REFUSALS);
    }
    helm.program.run(["registry", "logout", &helm.host]).ok();
    helm.pull("helm-chart").refused(REFUSALS);
    if registry.publish("helm-chart") {
        helm.pull("helm-chart").ok();
        assert_eq!(layout::digest_of_file(pulled.as_ref()), layout::digest_of_file(archive.as_ref()));
    }
    println!("helm: push {} ms, pull {} ms", push.took.as_millis(), pull.took.as_millis());
}
