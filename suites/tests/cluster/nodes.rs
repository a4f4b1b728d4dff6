//! `railhead prove --cluster`: a real kubelet pulls, and says why it cannot, from a real registry and through what a team may have in between.

use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use railhead_cluster::kinds;
use railhead_suites::breaker::Script;
use railhead_suites::cluster::NODE_ADDRESS;
use railhead_suites::railhead::Options;
use railhead_suites::{Breaker, Cluster, Operator, Railhead, Server};
use serde_json::{Value, json};

use super::{SHARED, alone};

/// The registry as images name it; each test has its own port, since a server takes its time to go.
const HOST: &str = "registry.test:5443";
/// Another one, without the image.
const OTHER: &str = "registry.test:5444";
/// Nothing listens there.
const CLOSED: &str = "registry.test:5445";
/// What all that a proof makes in the cluster is selected by.
const MADE: &str = "labelSelector=app.kubernetes.io%2Fname%3Drailhead-proof";

/// A cluster with a registry on its node, and somebody who proves it.
pub struct Place {
    pub cluster: &'static Cluster,
    pub railhead: Railhead,
    operator: Operator,
    /// The registry as images name it.
    host: &'static str,
    /// Where the pods are made; each place has its own, since one takes its time to go.
    namespace: String,
    _home: tempfile::TempDir,
}

/// A registry on the node, with lines of its configuration.
fn registry(cluster: &'static Cluster, home: &Path, host: &str, lines: &str) -> Railhead {
    let port = host.rsplit_once(':').unwrap().1;
    let file = |name: &str| cluster.path(name).display().to_string();
    let words = ["--host", host, "--tls-cert", &file("pki/hosts.crt"), "--tls-key", &file("pki/hosts.key")];
    let mut arguments = words.map(str::to_owned).to_vec();
    if !lines.is_empty() {
        let config = home.join("server.toml");
        fs::write(&config, lines).unwrap();
        arguments.extend(["--config".to_owned(), config.display().to_string()]);
    }
    let listen = Some(format!("{NODE_ADDRESS}:{port}"));
    Railhead::start(home, Options { listen, arguments, inside: Some(cluster), ..Options::default() })
}

impl Place {
    fn start(host: &'static str) -> Self {
        Self::with(host, |_, _| String::new())
    }

    /// The same with lines of the registry's configuration, made for a namespace.
    pub fn with(host: &'static str, lines: impl FnOnce(&Cluster, &str) -> String) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let namespace = format!("pulls-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let cluster = SHARED.cluster();
        let home = tempfile::tempdir().unwrap();
        let railhead = registry(cluster, home.path(), host, &lines(cluster, &namespace));
        railhead.user("alice", "alice's own password");
        let token = railhead.token("alice", &["push", "pull", "delete"]);
        let site = format!(
            "[site]\nhost = '{host}'\nvisibility = 'private'\n[routes.main]\nurl = 'https://{host}'\nca = '{}'\n\
             [owners]\nidentity = 'accounts-team'\nrouting = 'cluster-team'\nclient = 'node-team'\nnetwork = 'infra-team'\n\
             [cluster]\nnamespace = '{namespace}'\n",
            cluster.authority().display()
        );
        let operator =
            Operator::at(&home.path().join("operator"), &site).with("RAILHEAD_TOKEN", token).inside(cluster);
        cluster.apply(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}"));
        let place = Self { cluster, railhead, operator, host, namespace, _home: home };
        place.reach(host);
        // A pod cannot be made before its namespace has an account.
        let account =
            railhead_cluster::Kind { plural: "serviceaccounts", name: "ServiceAccount", ..kinds::SECRET };
        let there = |object: Option<&Value>| object.map(|_| ());
        let made = place.cluster.api(async |api| {
            api.wait_for(&account, Some(&place.namespace), "default", Duration::from_secs(30), there)
                .await
                .unwrap()
        });
        assert!(made.is_some(), "the namespace has no account");
        place
    }

    /// The node asks this in place of the registry.
    fn reach(&self, host: &str) {
        self.node(&format!("https://{host}"), &format!("ca = '{}'", self.cluster.authority().display()));
    }

    fn node(&self, url: &str, how: &str) {
        self.cluster.mirror(self.host, &format!("server = \"{url}\"\n{how}\n[host.\"{url}\"]\n{how}\n"));
    }

    fn words(&self, more: &[&str]) -> Vec<String> {
        let image = format!("{}/alice/app", self.host);
        let words = ["prove", &image, "--user", "alice", "--cluster"];
        words.iter().chain(more).map(|&word| word.to_owned()).collect()
    }

    /// A proof; its exit code, and what the nodes came to.
    pub fn prove(&self, more: &[&str]) -> (Option<i32>, Value) {
        let words = self.words(&[more, &["--output", "json"]].concat());
        let outcome = self.operator.run(words);
        let proof: Value =
            serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome}"));
        assert_eq!(self.made(), [""; 0], "{outcome}");
        assert!(proof["left"].is_null(), "{outcome}");
        (outcome.code, proof)
    }

    /// What proofs made and did not remove.
    fn made(&self) -> Vec<String> {
        self.cluster.api(async |api| {
            let mut all = Vec::new();
            for kind in [&kinds::POD, &kinds::SECRET] {
                let made = api.list_where(kind, None, MADE).await.unwrap().found().unwrap();
                all.extend(made.iter().map(|one| one["metadata"]["name"].as_str().unwrap().to_owned()));
            }
            all
        })
    }

    /// Code, layer and owner of the pull without a secret, which failed.
    fn cause(&self, more: &[&str]) -> (String, Value) {
        let (code, proof) = self.prove(more);
        assert_eq!(code, Some(1), "{proof}");
        let pull = &proof["nodes"][0];
        assert_eq!(
            (pull["pulled"].as_bool(), pull["node"].as_str()),
            (Some(false), Some("node1")),
            "{proof}"
        );
        let cause = |name: &str| pull["cause"][name].as_str().unwrap_or_else(|| panic!("{pull}"));
        (format!("{} {} {}", cause("code"), cause("layer"), cause("owner")), pull.clone())
    }

    /// Makes a pull secret with this password.
    fn secret(&self, name: &str, password: &str) {
        let logins = json!({"auths": {self.host: {"username": "alice", "password": password}}});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": name, "namespace": self.namespace}, "stringData": {".dockerconfigjson": logins.to_string()}});
        self.cluster.api(async |api| api.apply(&secret, false).await.map(drop)).unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !thread::panicking() {
            let gone =
                self.cluster.api(async |api| api.delete(&kinds::NAMESPACE, None, &self.namespace).await);
            assert!(gone.unwrap());
        }
    }
}

/// A name service that knows no name.
struct NoNames {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NoNames {
    fn start(cluster: &Cluster) -> Self {
        let socket = cluster.within(|| UdpSocket::bind("127.0.0.1:53").unwrap());
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&ends);
        let thread = thread::spawn(move || {
            let mut query = [0; 512];
            while !is_over.load(Ordering::Relaxed) {
                if let Ok((length, from)) = socket.recv_from(&mut query) {
                    // RFC 1035, 4.1.1: an answer, recursion available, NXDOMAIN.
                    (query[2], query[3]) = (query[2] | 0x80, 0x83);
                    socket.send_to(&query[..length], from).unwrap();
                }
            }
        });
        Self { ends, thread: Some(thread) }
    }
}

impl Drop for NoNames {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn nodes_pull_with_a_login_and_are_refused_without_one() {
    let _alone = alone();
    let place = Place::start("registry.test:5441");
    place.secret("good", &place.railhead.token("alice", &["pull"]));
    let (code, proof) = place.prove(&["--pull-secret", "good"]);
    assert_eq!(code, Some(0), "{proof}");
    let [without, with] = proof["nodes"].as_array().unwrap().as_slice() else { panic!("{proof}") };
    assert_eq!((&without["pulled"], &without["outcome"]), (&json!(false), &json!("ok")), "{without}");
    assert_eq!(without["cause"]["code"], "RH-AUTH-READ", "{without}");
    assert_eq!((&with["pulled"], &with["secrets"]), (&json!(true), &json!(["good"])), "{with}");
    assert!(with["pull_millis"].is_u64() && with["began"].is_string(), "{with}");
    assert!(with["bytes"].as_u64().unwrap() > 60_000, "{with}");
    let evidence = place.operator.evidence("cluster-pull").remove(0);
    assert_eq!((&evidence["ok"], &evidence["result"]["nodes"]), (&json!(true), &proof["nodes"]));
    let report = place.operator.run(["report"]);
    assert!(report.stdout.contains(" ms, with good"), "{report}");

    // A token that counts no more: a wrong password would be throttled by what the proofs try.
    let words = ["token", "create", "--user", "alice", "--scope", "pull", "--output", "json"];
    let made: Value = serde_json::from_str(&place.railhead.cli(words).ok().stdout).unwrap();
    place.railhead.cli(["token", "revoke", "--yes", made["token"]["id"].as_str().unwrap()]).ok();
    place.secret("wrong", made["secret"].as_str().unwrap());
    let (code, proof) = place.prove(&["--pull-secret", "wrong"]);
    assert_eq!(
        (code, proof["nodes"][1]["cause"]["code"].as_str()),
        (Some(1), Some("RH-AUTH-REFUSED")),
        "{proof}"
    );
    let (code, proof) = place.prove(&["--pull-secret", "nowhere"]);
    let cause = &proof["nodes"][1]["cause"];
    assert_eq!(
        (code, &cause["code"], &cause["owner"]),
        (Some(1), &json!("RH-AUTH-READ"), &json!("accounts-team"))
    );
    assert!(
        cause["fix"]
            .as_str()
            .unwrap()
            .contains(&format!("does not get the Secret {}/nowhere", place.namespace)),
        "{cause}"
    );

    let unknown = place.operator.run(place.words(&["--node", "node7"]));
    assert_eq!(unknown.code, Some(1), "{unknown}");
    assert!(unknown.stdout.contains("the cluster has no node node7; it has node1"), "{unknown}");
    let rules = json!([{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]);
    let few = place.cluster.account("may-list-nodes", &rules);
    let outcome = place.operator.run(place.words(&["--kubeconfig", few.to_str().unwrap()]));
    assert_eq!(outcome.code, Some(3), "{outcome}");
    let right = format!("the right to create pods in the namespace {} is missing", place.namespace);
    assert!(outcome.stdout.contains(&right), "{outcome}");
}

#[test]
fn each_cause_is_named_with_who_has_to_act() {
    let _alone = alone();
    let place = Place::start(HOST);
    place.reach(CLOSED);
    let (found, pull) = place.cause(&[]);
    assert_eq!(found, "RH-CONNECT-REFUSED network infra-team", "{pull}");
    assert!(pull["cause"]["fix"].as_str().unwrap().contains("asks registry.test:5445 in place of"), "{pull}");
    place.node(&format!("https://{HOST}"), "");
    let (found, pull) = place.cause(&[]);
    assert_eq!(found, "RH-TLS-UNTRUSTED client node-team", "{pull}");
    place.reach("nowhere.test");
    let (found, pull) = place.cause(&[]);
    assert_eq!(found, "RH-DNS-SERVICE network infra-team", "{pull}");
    let names = NoNames::start(place.cluster);
    let (found, pull) = place.cause(&[]);
    assert_eq!(found, "RH-DNS-UNKNOWN network infra-team", "{pull}");
    drop(names);
    // A runtime says the same of both; only one of them asks for a login.
    let home = tempfile::tempdir().unwrap();
    let other = registry(place.cluster, home.path(), OTHER, "");
    place.reach(OTHER);
    other.user("alice", "alice's other password");
    place.secret("other", &other.token("alice", &["pull"]));
    let (code, proof) = place.prove(&["--pull-secret", "other"]);
    let cause = &proof["nodes"][1]["cause"];
    assert_eq!(
        (code, &cause["code"], &cause["owner"]),
        (Some(1), &json!("RH-ROUTE-OTHER"), &json!("cluster-team")),
        "{proof}"
    );
    drop(other);
    let traefik = place.cluster.traefik();
    place.node("https://registry.test", "skip_verify = true");
    let (found, pull) = place.cause(&[]);
    assert_eq!(found, "RH-ROUTE-404 routing cluster-team", "{pull}");
    drop(traefik);
    let nobody: SocketAddr = ([127, 0, 0, 1], 9).into();
    let busy = Script::http(nobody).answer("", "*", "429 Too Many Requests", &[], "");
    let busy = place.cluster.within(|| Breaker::start(busy));
    place.node(&format!("http://{}", busy.address()), "");
    let (found, pull) = place.cause(&[]);
    assert_eq!(found, "RH-ROUTE-RATE routing cluster-team", "{pull}");
}

#[test]
fn an_interrupted_proof_leaves_nothing_in_the_cluster() {
    let _alone = alone();
    let place = Place::start("registry.test:5442");
    // Connections are made, and nobody answers.
    let silent = place.cluster.within(|| TcpListener::bind("127.0.0.1:0").unwrap());
    place.node(&format!("http://{}", silent.local_addr().unwrap()), "");
    let mut proof = Server::start("railhead prove", place.operator.command(place.words(&[])));
    proof.wait_for("its pod", |_| (!place.made().is_empty()).then_some(()));
    interrupt_child(proof.id());
    let said = proof.wait_for("its last words", |log| {
        (log.contains("evidence: ") && log.contains("error: ")).then(|| log.to_owned())
    });
    assert!(said.contains("the proof was interrupted, and what it had made was removed"), "{said}");
    assert!(said.contains("1 pod: gone"), "{said}");
    assert_eq!(place.made(), [""; 0], "{said}");
}

/// Presses Ctrl-C where the program runs, which is a child of the process that entered the cluster.
fn interrupt_child(id: u32) {
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    let child: i32 = children.split_whitespace().next().unwrap().parse().unwrap();
    let child = rustix::process::Pid::from_raw(child).unwrap();
    rustix::process::kill_process(child, rustix::process::Signal::INT).unwrap();
}
