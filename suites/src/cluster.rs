//! A real Kubernetes of one node, in namespaces of its own: `tools/cluster` runs it, this keeps it and talks to it.
//!
//! It ends with the test program however that ends, since it lives as long as somebody holds its standard input.

mod definitions;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use railhead_cluster::Access;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::{Value, json};

pub use self::definitions::Definitions;
use crate::program::{Outcome, Program};
use crate::server::Server;

/// The host of the forge.
pub const FORGE_HOST: &str = "forge.test";
/// The host of a registry beside it.
pub const REGISTRY_HOST: &str = "registry.test";
/// The host of the true story, whose files are in `examples/railiance`.
pub const EXAMPLE_HOST: &str = "gitea.coulomb.example";
/// The node's port of the forge.
pub const FORGE_PORT: u16 = 32166;
/// The registry for which the kubelet has a credential provider.
pub const PROVIDER_HOST: &str = "registry.test:5448";
/// The node's address.
pub const NODE_ADDRESS: &str = "10.99.0.1";
/// The password of the forge's administrator; it must show up nowhere.
/// The address of the node.
pub const NODE: &str = "10.99.0.1";
/// An administrator of the forge.
pub const KEEPER: &str = "keeper";
/// The password of the forge's administrators; it must show up nowhere.
pub const FORGE_PASSWORD: &str = "Passw0rd!";

/// A running cluster.
pub struct Cluster {
    directory: PathBuf,
    _input: ChildStdin,
    /// Held, so that the process is known as long as the cluster is used.
    _child: Mutex<Child>,
}

impl Cluster {
    /// Brings one up; its directory goes with it.
    pub fn start() -> Self {
        let from = Instant::now();
        let directory = std::env::temp_dir().join(format!("railhead-cluster-{}", std::process::id()));
        provider(&directory.join("provider"));
        let mut child = script()
            .args(["run".as_ref(), directory.as_os_str()])
            .args([FORGE_HOST, REGISTRY_HOST, EXAMPLE_HOST])
            .env("RAILHEAD_CLUSTER_WIPE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        if said != "ready\n" {
            let mut why = String::new();
            child.stderr.as_mut().unwrap().read_to_string(&mut why).unwrap();
            panic!("CANNOT RUN: {}", why.trim());
        }
        println!("the cluster is up after {} ms", from.elapsed().as_millis());
        let input = child.stdin.take().unwrap();
        Self { directory, _input: input, _child: Mutex::new(child) }
    }

    /// A path in the cluster's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The kubeconfig of its administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.path("pki/admin.kubeconfig")
    }

    /// The token of its administrator.
    pub fn admin_token(&self) -> String {
        let text = fs::read_to_string(self.path("pki/tokens.csv")).unwrap();
        text.lines().find_map(|line| line.split_once(",admin,")).unwrap().0.to_owned()
    }

    /// The authority of the certificates for its hosts.
    pub fn authority(&self) -> PathBuf {
        self.path("pki/ca.crt")
    }

    /// A program that is run where the cluster's names and addresses are reached.
    pub fn inside(&self, program: Program) -> Program {
        program.run_by(&script_path(), ["in".as_ref(), self.directory.as_os_str()])
    }

    /// The tool `name`, run inside.
    pub fn tool(&self, name: &str) -> Program {
        self.inside(Program::find(name))
    }

    /// Talks to the API server by the product's own room.
    pub fn api<T: Send>(&self, work: impl AsyncFnOnce(&railhead_cluster::Cluster) -> T + Send) -> T {
        self.api_as(&self.kubeconfig(), work)
    }

    /// The same with another login.
    pub fn api_as<T: Send>(
        &self,
        kubeconfig: &Path,
        work: impl AsyncFnOnce(&railhead_cluster::Cluster) -> T + Send,
    ) -> T {
        let access = Access { kubeconfig: Some(kubeconfig.to_owned()), context: None };
        self.within(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime
                .block_on(async { work(&railhead_cluster::Cluster::connect(&access).await.unwrap()).await })
        })
    }

    /// Does something in the cluster's network: what is bound or connected there is on the node.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let process = fs::read_to_string(self.path("pid")).unwrap();
        let network = fs::File::open(format!("/proc/{}/ns/net", process.trim())).unwrap();
        let talk = || {
            // Only this thread moves, and all of its sockets are made in it.
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&network), Some(LinkNameSpaceType::Network))
                .unwrap();
            work()
        };
        std::thread::scope(|scope| scope.spawn(talk).join().unwrap())
    }

    /// Tells the node's containerd how to reach the registry that images name as `host`: the lines of its `hosts.toml`.
    pub fn mirror(&self, host: &str, lines: &str) {
        let directory = self.path("conf/certs.d").join(host);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("hosts.toml"), lines).unwrap();
    }

    /// Applies every document of a YAML text.
    pub fn apply(&self, yaml: &str) {
        let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
        self.api(async |api| {
            for document in &documents {
                api.apply(document, false).await.unwrap_or_else(|error| panic!("{error}: {document}"));
            }
        });
    }

    /// A kubeconfig of a new service account that has these rules in the whole cluster, and no other rights.
    pub fn account(&self, name: &str, rules: &Value) -> PathBuf {
        let role = "rbac.authorization.k8s.io";
        let documents = [
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "default"}}),
            json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
                "metadata": {"name": name, "namespace": "default", "annotations": {"kubernetes.io/service-account.name": name}}}),
            json!({"apiVersion": format!("{role}/v1"), "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}),
            json!({"apiVersion": format!("{role}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name},
                "roleRef": {"apiGroup": role, "kind": "ClusterRole", "name": name},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}]}),
        ];
        let token = self.api(async |api| {
            for document in &documents {
                api.apply(document, false).await.unwrap();
            }
            let kind = &railhead_cluster::kinds::SECRET;
            let patience = std::time::Duration::from_secs(30);
            let token = |secret: Option<&Value>| secret?.pointer("/data/token")?.as_str().map(str::to_owned);
            api.wait_for(kind, Some("default"), name, patience, token)
                .await
                .unwrap()
                .expect("no token was made")
        });
        let decoded = Program::find("base64").run_with_input(["-d"], &token).ok().stdout;
        let admin = fs::read_to_string(self.kubeconfig()).unwrap();
        let text: Vec<String> = admin
            .lines()
            .map(|line| {
                if line.starts_with("users:") {
                    format!("users: [{{name: admin, user: {{token: {decoded}}}}}]")
                } else {
                    line.to_owned()
                }
            })
            .collect();
        let path = self.path(&format!("{name}.kubeconfig"));
        fs::write(&path, text.join("\n") + "\n").unwrap();
        path
    }

    /// Gives an archive with images to the node.
    pub fn import(&self, archive: &Path) {
        run(script().arg("image").arg(&self.directory).arg(archive));
    }

    /// Installs Gitea by its chart as the release `gitea` in `default`, as a team has it that never thought of a registry: a port of
    /// the node, an address without TLS, no settings of packages, a volume of a node's disk, no backup.
    pub fn install_forge(&self) {
        self.import_forge();
        self.install_release(VALUES);
    }

    /// Gives the node the image of Gitea.
    pub fn import_forge(&self) {
        let archive = self.path("forge.tar");
        run(script().arg("forge").arg(&archive));
        self.import(&archive);
        fs::remove_file(archive).unwrap();
    }

    /// Installs the release with these values.
    pub fn install_release(&self, values: &str) {
        let from = Instant::now();
        let volume = self.path("volumes/gitea");
        fs::create_dir_all(&volume).unwrap();
        std::os::unix::fs::chown(&volume, Some(1000), Some(1000)).unwrap();
        self.apply(&VOLUME.replace("DIRECTORY", volume.to_str().unwrap()));
        let file = self.path("gitea-values.yaml");
        fs::write(&file, values).unwrap();
        self.helm(&["-f", file.to_str().unwrap()]).ok();
        self.make_keeper();
        println!("the forge is up after {} ms", from.elapsed().as_millis());
    }

    /// Makes the administrator [`KEEPER`]: the one of the chart may have to change its password after each start.
    fn make_keeper(&self) {
        let users = format!("http://{NODE}:{FORGE_PORT}/api/v1/admin/users");
        let account = format!("alice:{FORGE_PASSWORD}");
        let ask = |method: &str, url: &str, body: &Value| {
            let words =
                ["-sSf", "-X", method, "-u", &account, "-H", "Content-Type: application/json", url, "-d"];
            self.tool("curl").run(words.into_iter().chain([body.to_string().as_str()])).ok();
        };
        let email = format!("{KEEPER}@example.com");
        let made = json!({"username": KEEPER, "email": email, "password": FORGE_PASSWORD, "must_change_password": false});
        ask("POST", &users, &made);
        let raised = json!({"source_id": 0, "login_name": KEEPER, "admin": true});
        ask("PATCH", &format!("{users}/{KEEPER}"), &raised);
    }

    /// Starts Traefik as the ingress controller of the class `traefik`, on the node's ports 80 and 443.
    pub fn traefik(&self) -> Server {
        self.apply(CLASS);
        self.start_traefik("--providers.kubernetesingress=true", "ingress", &[])
    }

    /// The same, with the certificate of the cluster's hosts for every name, as where all of a domain has one.
    pub fn traefik_with_certificate(&self) -> Server {
        self.apply(CLASS);
        let (chain, key) = (self.path("pki/hosts.crt"), self.path("pki/hosts.key"));
        let pair = format!("{{certFile: '{}', keyFile: '{}'}}", chain.display(), key.display());
        let file = self.path("traefik.yaml");
        fs::write(&file, format!("tls: {{stores: {{default: {{defaultCertificate: {pair}}}}}}}\n")).unwrap();
        let more = format!("--providers.file.filename={}", file.display());
        self.start_traefik("--providers.kubernetesingress=true", "ingress", &[&more])
    }

    /// The same for routes of its own kind. All of its kinds have to be defined: it takes up none before it can list each.
    pub fn traefik_of_own_kinds(&self) -> Server {
        self.start_traefik("--providers.kubernetescrd=true", "crd", &[])
    }

    /// With one provider, which is in Traefik's package of that name.
    fn start_traefik(&self, provider: &str, package: &str, more: &[&str]) -> Server {
        let words = [
            "--entrypoints.web.address=:80",
            "--entrypoints.websecure.address=:443",
            "--entrypoints.websecure.http.tls=true",
            provider,
            "--log.level=INFO",
        ];
        // It takes the API server of the kubeconfig, as it does nowhere but in tests.
        let words = words.iter().chain(more);
        let mut server = Server::start("traefik", self.tool("traefik").command(words));
        let started = format!("Starting provider *{package}.Provider");
        server.wait_for("its provider", |log| log.contains(&started).then_some(()));
        server
    }

    /// `helm upgrade --install` of the forge with more words.
    pub fn helm(&self, words: &[&str]) -> Outcome {
        let chart = chart();
        let first = [
            "upgrade",
            "--install",
            "gitea",
            chart.to_str().unwrap(),
            "-n",
            "default",
            "--wait",
            "--timeout",
            "2m",
        ];
        self.tool("helm").run(first.iter().chain(words))
    }
}

/// The chart of Gitea, as its project gives it out, without the databases that it could bring along.
pub fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster/gitea-12.5.0.tgz")
}

/// The kubelet asks the product for the logins of one registry.
fn provider(directory: &Path) {
    fs::create_dir_all(directory.join("bin")).unwrap();
    std::os::unix::fs::symlink(crate::railhead::binary(), directory.join("bin/railhead")).unwrap();
    fs::write(directory.join("config.yaml"), PROVIDER.replace("HOST", PROVIDER_HOST)).unwrap();
}

fn script_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/cluster")
}

fn script() -> Command {
    Command::new(script_path())
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

const PROVIDER: &str = r#"
apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
  - name: railhead
    apiVersion: credentialprovider.kubelet.k8s.io/v1
    matchImages: ["HOST"]
    defaultCacheDuration: 1m
    args: ["credential-provider"]
    tokenAttributes: {serviceAccountTokenAudience: railhead, requireServiceAccount: true}
"#;

const VOLUME: &str = r#"
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: local-path, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: rancher.io/local-path
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: gitea-shared-storage}
spec: {capacity: {storage: 10Gi}, accessModes: [ReadWriteOnce], storageClassName: local-path, hostPath: {path: DIRECTORY}}
"#;

const CLASS: &str = r"
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: traefik}
spec: {controller: traefik.io/ingress-controller}
";

/// The values that the team installed it with.
pub const VALUES: &str = r#"
postgresql: {enabled: false}
postgresql-ha: {enabled: false}
valkey: {enabled: false}
valkey-cluster: {enabled: false}
persistence: {enabled: true, size: 10Gi, storageClass: local-path}
service: {http: {type: NodePort, nodePort: 32166, clusterIP: ""}}
test: {enabled: false}
gitea:
  admin: {username: alice, password: Passw0rd!, email: alice@forge.test}
  config:
    server: {ROOT_URL: "http://forge.test", DOMAIN: forge.test, SSH_DOMAIN: forge.test, STATIC_ROOT_PATH: /usr/share/gitea, OFFLINE_MODE: true}
    database: {DB_TYPE: sqlite3}
    session: {PROVIDER: memory}
    cache: {ADAPTER: memory}
    queue: {TYPE: channel}
"#;

/// The one cluster of a test program, which its tests share.
pub struct Shared {
    cluster: Mutex<Option<&'static Cluster>>,
    forge: Mutex<bool>,
}

impl Shared {
    /// None yet.
    pub const fn empty() -> Self {
        Self { cluster: Mutex::new(None), forge: Mutex::new(false) }
    }

    /// The cluster, brought up for the first that asks.
    pub fn cluster(&self) -> &'static Cluster {
        let mut cluster = self.cluster.lock().unwrap_or_else(PoisonError::into_inner);
        cluster.get_or_insert_with(|| Box::leak(Box::new(Cluster::start())))
    }

    /// The same with the forge.
    pub fn with_forge(&self) -> &'static Cluster {
        let cluster = self.cluster();
        let mut forge = self.forge.lock().unwrap_or_else(PoisonError::into_inner);
        if !*forge {
            cluster.install_forge();
            *forge = true;
        }
        cluster
    }
}
