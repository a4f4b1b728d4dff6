//! The same story with Railhead as the registry: at the same host, before the same Gitea, with the same accounts.
//!
//! What Gitea's registry has is moved while it still serves; then one Ingress brings `/v2` to Railhead. People go on with the forge
//! as before, docker and the node pull what they pulled, and the next team gets a page.

use std::fs;
use std::time::{Duration, Instant};

use railhead_suites::cluster::{EXAMPLE_HOST, FORGE_PASSWORD};
use railhead_suites::team::VALUES_FILE;
use railhead_suites::{Outcome, Program, one_host};

use crate::kept::project;
use crate::scene::{PERSON, Scene};
use crate::story::{Told, codes, json};

/// Gitea where it is reached without the host's route.
const GITEA: &str = "nodeport=http://gitea.coulomb.example,connect=203.0.113.254:32166";
/// Railhead, the same.
const RAILHEAD: &str = "node=http://gitea.coulomb.example,connect=10.99.0.1:5449";
/// The image that is pushed now.
const NEXT: &str = "gitea.coulomb.example/coulomb/state-hub:6186a99-next";
const PAGE: &str = "docs/railhead-registry.md";
/// What the site file says otherwise than before.
const CHANGES: [(&str, &str); 4] = [
    ("forge = \"gitea\"", "forge = \"railhead\""),
    (
        "\"Packages and Git share one volume of 10 GiB.\"",
        "\"Images are on the node's disk, and backed up every night.\"",
    ),
    ("[routes.nodeport]", "[routes.node]"),
    ("connect = \"203.0.113.254:32166\"", "connect = \"10.99.0.1:5449\""),
];

impl Told {
    pub fn is_told_with_railhead(&mut self) {
        let home = tempfile::tempdir().unwrap();
        let cluster = self.scene.cluster;
        let nodeport = "http://203.0.113.254:32166";
        let before = uses_the_forge(&self.scene, nodeport, "before");
        let railhead = one_host::start(cluster, home.path(), EXAMPLE_HOST);

        let token = self.scene.token.clone();
        let with_tokens = |story: &Self, words: &[&str]| {
            let operator = story.scene.team.operator.clone();
            operator.with("RAILHEAD_FROM_TOKEN", &token).with("RAILHEAD_TO_TOKEN", &token).run(words)
        };
        let words = [
            "migrate",
            "--from",
            EXAMPLE_HOST,
            "--from-route",
            GITEA,
            "--from-user",
            PERSON,
            "--to",
            EXAMPLE_HOST,
            "--to-route",
            RAILHEAD,
            "--to-user",
            PERSON,
            "coulomb",
        ];
        let told =
            "what Gitea's registry has is in Railhead, equal digest by digest, while Gitea still serves";
        let outcome = with_tokens(self, &words);
        self.note("move", &words, 0, told, outcome);

        one_host::route(cluster, EXAMPLE_HOST);
        self.gitea_gives_up_v2();
        let site = fs::read_to_string(project("examples/railiance/railhead.toml")).unwrap();
        self.scene.team.operator.site(&CHANGES.into_iter().fold(site, |site, (from, to)| {
            assert!(site.contains(from), "{from}");
            site.replace(from, to)
        }));
        let after = uses_the_forge(&self.scene, nodeport, "after");
        let public = uses_the_forge(&self.scene, &format!("https://{EXAMPLE_HOST}"), "through the host");
        assert_eq!((&after, &public), (&before, &before), "the forge is as it was");

        self.is_inspected();
        let words = ["doctor", "--user", PERSON, "--output", "json"];
        let told = "healthy on every route; pages, login, clone and push of the forge are as before, now also at the host";
        let diagnosis = json(&self.act("T01, T03", &words, 0, told));
        assert_eq!(codes(&diagnosis), [""; 0], "{diagnosis}");
        self.is_proven_and_handed_over();
        self.is_backed_up(railhead.data().to_str().unwrap());
    }

    /// The inventory says which service has the path, and that is no finding.
    fn is_inspected(&mut self) {
        let words = [
            "inspect",
            "--values",
            VALUES_FILE,
            "--values",
            "helm/gitea-registry-values.yaml",
            "--output",
            "json",
        ];
        let outcome = self.scene.team.run(&words);
        let code = outcome.code.unwrap();
        let told = "`/v2` goes to Railhead, all else to Gitea; what is left is the platform's";
        let found = json(&self.note("T01", &words, code, told, outcome));
        let routes = found["inventory"]["routes"].as_array().unwrap().iter();
        let served: Vec<_> = routes.map(|route| (&route["path"], &route["service"])).collect();
        assert_eq!(
            served,
            [(&"/".into(), &"gitea-http".into()), (&"/v2".into(), &"railhead".into())],
            "{found}"
        );
        let codes = codes(&found);
        assert_eq!(
            codes,
            [
                "RH-BACKUP-NONE",
                "RH-DATABASE-BACKUP",
                "RH-STORAGE-NODE",
                "RH-ROUTE-NODEPORT",
                "RH-STORAGE-SHARED"
            ],
            "{found}"
        );
    }

    /// One path has one owner: the Ingress that `enable` made goes.
    fn gitea_gives_up_v2(&self) {
        let kind = &railhead_cluster::kinds::INGRESS;
        let gone =
            self.scene.cluster.api(async |api| api.delete(kind, Some("default"), "gitea-registry").await);
        assert!(gone.unwrap());
        let until = Instant::now() + Duration::from_secs(30);
        while !self.scene.public("/v2/").stdout.contains("service=\"railhead\"") {
            assert!(Instant::now() < until, "{}", self.scene.public("/v2/"));
        }
    }

    fn is_proven_and_handed_over(&mut self) {
        let told = "pushed and pulled by docker with the forge's account, and pulled by the node; everybody may pull, as the forge's organisation is public";
        self.proof(NEXT, told);
        // What was published at Gitea's registry is pulled under the name and digest of before.
        let pulled = self.scene.docker(&["pull", &self.published]).ok();
        let (_, digest) = self.published.split_once('@').unwrap();
        assert!(pulled.stdout.contains(digest), "{pulled}");
        self.act("T05", &["handoff", "--out", PAGE], 0, "the page of the registry as it is now");
        self.act("T05", &["handoff", "--check", PAGE, "--user", PERSON], 0, "every fact of the page is true");
    }

    fn is_backed_up(&mut self, data: &str) {
        let own = |story: &Self, words: &[&str]| {
            story.scene.team.operator.clone().with("RAILHEAD_DATA", data).run(words)
        };
        let words = ["backup", "backups/railhead"];
        let outcome = own(self, &words);
        self.note("T06", &words, 0, "names, rights and images, while the server runs", outcome);
        let words = ["restore", "backups/railhead", "--drill"];
        self.act("T06", &words, 0, "restored to scratch, served, and pulled by digest");
        self.act("all", &["report", "--out", "docs/railhead-report.md"], 0, "the evidence task by task");
    }
}

/// What a person does on a forge, at `base`: looks at a page, logs in, clones and pushes; what came of it.
fn uses_the_forge(scene: &Scene, base: &str, when: &str) -> Vec<String> {
    let ca = scene.cluster.authority().display().to_string();
    let curl = |words: &[&str]| -> Outcome {
        scene.cluster.tool("curl").run(["-sS", "--fail", "--cacert", &ca].iter().chain(words)).ok()
    };
    let title = |page: &str| {
        let page = curl(&[&format!("{base}{page}")]).stdout;
        let title = page.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
        title.map_or_else(String::new, |(title, _)| title.trim().to_owned())
    };
    let account = format!("{PERSON}:{FORGE_PASSWORD}");
    let login = curl(&["-u", &account, &format!("{base}/api/v1/user")]).stdout;
    let login: serde_json::Value = serde_json::from_str(&login).unwrap();
    let place = tempfile::tempdir().unwrap();
    let clone = place.path().join("clone").display().to_string();
    let (scheme, host) = base.split_once("://").unwrap();
    let url = format!("{scheme}://{}@{host}/coulomb/state-hub.git", account.replace('!', "%21"));
    let git =
        scene.cluster.inside(Program::find("git").with("HOME", place.path()).with("GIT_SSL_CAINFO", &ca));
    let git = |words: &[&str]| {
        let who = ["-c", "user.name=tegwick", "-c", "user.email=tegwick@example.com"];
        git.run(who.iter().chain(words)).ok().stdout.trim().to_owned()
    };
    git(&["clone", "-q", &url, &clone]);
    git(&["-C", &clone, "commit", "-q", "--allow-empty", "-m", when]);
    git(&["-C", &clone, "push", "-q", "origin", "HEAD"]);
    let theirs = git(&["ls-remote", &url, "HEAD"]);
    assert!(theirs.starts_with(&git(&["-C", &clone, "rev-parse", "HEAD"])), "{theirs}");
    vec![
        title("/coulomb/state-hub"),
        title("/explore/repos"),
        login["login"].to_string(),
        "cloned and pushed".to_owned(),
    ]
}
