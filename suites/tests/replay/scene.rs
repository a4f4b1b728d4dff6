//! What there is when the story begins.

use std::fs;

use railhead_suites::cluster::{Definitions, EXAMPLE_HOST, FORGE_HOST, VALUES, chart};
use railhead_suites::team::{Api, SCOPES, Setup, certificate};
use railhead_suites::{Cluster, Image, Outcome, Program, Random, Server, Team, layout};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kept::project;

/// Who gives the commands.
pub const PERSON: &str = "tegwick";
/// The address of the node that the story knows.
const NODE: &str = "203.0.113.254/32";
/// The address of the database's service, which the values give a name: the cluster has no name server.
const DATABASE: &str = "10.96.0.50";
/// What the forge logs in to it with.
const DATABASE_PASSWORD: &str = "db-geheim-4711";
/// Kinds of cert-manager and CloudNativePG, as their projects publish them.
const DEFINITIONS: [&str; 4] = [
    "cert-manager.io_certificates",
    "postgresql.cnpg.io_clusters",
    "postgresql.cnpg.io_backups",
    "postgresql.cnpg.io_scheduledbackups",
];
/// The database as CloudNativePG has it; the pod is what its operator would make.
const POSTGRES: &str = r#"
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: gitea-db, namespace: default}
spec: {instances: 1, storage: {size: 1Gi}}
---
apiVersion: v1
kind: Service
metadata: {name: gitea-db-rw, namespace: default}
spec:
  clusterIP: ADDRESS
  selector: {cnpg.io/cluster: gitea-db, cnpg.io/instanceRole: primary}
  ports: [{port: 5432}]
---
apiVersion: v1
kind: Pod
metadata:
  name: gitea-db-1
  namespace: default
  labels: {cnpg.io/cluster: gitea-db, cnpg.io/instanceRole: primary}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: postgres
      image: docker.gitea.com/gitea:1.25.4-rootless
      env: [{name: PATH, value: "BIN:/usr/bin"}]
      command:
        - bash
        - -ec
        - |
          echo PASSWORD > /tmp/password
          initdb --pgdata=/tmp/db --username=gitea --pwfile=/tmp/password --auth=scram-sha-256 --encoding=UTF8 --no-locale --no-sync
          rm /tmp/password
          echo 'host all all all scram-sha-256' >> /tmp/db/pg_hba.conf
          echo 'CREATE DATABASE gitea' | postgres --single -D /tmp/db postgres
          exec postgres -D /tmp/db -c listen_addresses='*' -c unix_socket_directories=/tmp -c fsync=off
      volumeMounts: [{name: usr, mountPath: /usr, readOnly: true}]
  volumes: [{name: usr, hostPath: {path: /usr}}]
"#;
/// What cert-manager makes of the Ingress, which names an issuer.
const CERTIFICATE: &str = r"
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: gitea-tls, namespace: default}
spec:
  secretName: gitea-tls
  dnsNames: [gitea.coulomb.example]
  issuerRef: {name: letsencrypt-prod, kind: ClusterIssuer}
";
/// The Makefile before: its namespace is not the release's.
const MAKEFILE: &str = "GITEA_NAMESPACE ?= gitea\n\ngitea-deploy:\n\tsops exec-file helm/gitea-values.sops.yaml 'helm upgrade --install gitea gitea-charts/gitea -n $(GITEA_NAMESPACE) -f {}'\n\ngitea-status:\n\tkubectl -n $(GITEA_NAMESPACE) get pods\n";

/// See the module.
pub struct Scene {
    pub cluster: &'static Cluster,
    pub team: Team,
    /// The token of [`PERSON`].
    pub token: String,
    socket: String,
    _traefik: Server,
    _engine: Server,
    _home: TempDir,
}

impl Scene {
    pub fn set() -> Self {
        let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start()));
        cluster.import_forge();
        database(cluster);
        let values = values();
        cluster.install_release(&values);
        cluster.tool("ip").run(["addr", "add", NODE, "dev", "node0"]).ok();
        let traefik = cluster.traefik_with_certificate();
        let forge = Api { cluster, host: EXAMPLE_HOST };
        forge.user(PERSON);
        forge.organisation("coulomb");
        for repository in ["state-hub", "railiance-apps", "railiance-cluster", "railiance-platform"] {
            forge.repository("coulomb", repository);
        }
        owner(&forge);
        let home = tempfile::tempdir().unwrap();
        let (engine, socket) = engine(cluster, &home);
        let programs = helm(&home);
        let context = context(cluster, &home);
        let scopes: Vec<&str> = SCOPES
            .into_iter()
            .filter(|one| *one != "read:package")
            .chain(["write:package", "read:organization"])
            .collect();
        let token = forge.token(PERSON, &scopes);
        let site = fs::read_to_string(project("examples/railiance/railhead.toml")).unwrap();
        let variables = [("KUBECONFIG", context.as_str()), ("DOCKER_HOST", socket.as_str())];
        let setup = Setup {
            site: &site,
            values: &values,
            token: &token,
            programs: &programs,
            variables: &variables,
            secrets: &[DATABASE_PASSWORD],
        };
        let team = Team::new(cluster, &setup);
        fs::write(team.path("Makefile"), MAKEFILE).unwrap();
        fs::copy(project("examples/railiance/workplan.md"), team.path("workplan.md")).unwrap();
        Self { cluster, team, token, socket, _traefik: traefik, _engine: engine, _home: home }
    }

    /// The forge's API.
    pub fn forge(&self) -> Api<'_> {
        Api { cluster: self.cluster, host: EXAMPLE_HOST }
    }

    /// docker, with the engine on the node.
    pub fn docker(&self, words: &[&str]) -> Outcome {
        self.cluster.tool("docker").with("DOCKER_HOST", &self.socket).run(words)
    }

    /// What cert-manager would do: the certificate that the Ingress asks for is in its Secret, and it says so.
    pub fn sign(&self) {
        let secret = certificate(self.cluster, "gitea-tls");
        self.cluster.api(async |api| api.apply(&secret, false).await.map(drop)).unwrap();
        self.cluster.apply(CERTIFICATE);
        let ready = json!({"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": "2026-05-19T10:00:00Z",
            "message": "Certificate is up to date and has not expired"});
        self.cluster.set_status(
            "apis/cert-manager.io/v1/namespaces/default/certificates/gitea-tls",
            &json!({"conditions": [ready]}),
        );
    }

    /// A page of the registry's host.
    pub fn public(&self, path: &str) -> Outcome {
        let url = format!("https://{EXAMPLE_HOST}{path}");
        self.cluster.tool("curl").run(["-sik", &url])
    }
}

/// The team's values: the host of the story, and a database of its own.
fn values() -> String {
    let database = format!(
        "database: {{DB_TYPE: postgres, HOST: \"gitea-db-rw:5432\", NAME: gitea, USER: gitea, PASSWD: {DATABASE_PASSWORD}, SSL_MODE: disable}}"
    );
    let values = VALUES.replace(FORGE_HOST, EXAMPLE_HOST).replace("database: {DB_TYPE: sqlite3}", &database);
    assert!(values.contains("gitea-db-rw"));
    values + &format!("global: {{hostAliases: [{{ip: {DATABASE}, hostnames: [gitea-db-rw]}}]}}\n")
}

/// A Postgres of this machine's programs, as the pod of the database that CloudNativePG has.
fn database(cluster: &'static Cluster) {
    // As long as the cluster, which ends with the test.
    let _: &Definitions<'static> = Box::leak(Box::new(cluster.define(&DEFINITIONS)));
    let bin = fs::read_dir("/usr/lib/postgresql").ok().and_then(|mut all| all.next());
    let bin = bin
        .unwrap_or_else(|| panic!("CANNOT RUN: PostgreSQL is not installed; run tools/install suites"))
        .unwrap()
        .path()
        .join("bin");
    cluster.apply(
        &POSTGRES
            .replace("BIN", bin.to_str().unwrap())
            .replace("ADDRESS", DATABASE)
            .replace("PASSWORD", DATABASE_PASSWORD),
    );
    let ready = json!({"type": "Ready", "status": "True", "reason": "ClusterIsReady", "message": "", "lastTransitionTime": "2026-05-01T10:00:00Z"});
    cluster.set_status(
        "apis/postgresql.cnpg.io/v1/namespaces/default/clusters/gitea-db",
        &json!({"phase": "Cluster in healthy state", "instances": 1, "readyInstances": 1, "currentPrimary": "gitea-db-1", "conditions": [ready]}),
    );
}

/// The person is an owner of the organisation.
fn owner(forge: &Api<'_>) {
    let teams = forge.ask("GET", "/orgs/coulomb/teams", &Value::Null);
    let owners = teams.as_array().unwrap().iter().find(|team| team["name"] == "Owners").unwrap();
    forge.ask("PUT", &format!("/teams/{}/members/{PERSON}", owners["id"]), &Value::Null);
}

/// docker's engine on the node, with the image that the story wants to publish.
fn engine(cluster: &Cluster, home: &TempDir) -> (Server, String) {
    let path = |name: &str| home.path().join(name).display().to_string();
    let socket = format!("unix://{}", path("docker.sock"));
    fs::write(path("daemon.json"), "{}").unwrap();
    let dockerd = Program::find("dockerd").with("SSL_CERT_FILE", cluster.authority());
    let words = [
        "--config-file",
        &path("daemon.json"),
        "--host",
        &socket,
        "--data-root",
        &path("engine"),
        "--exec-root",
        &path("exec"),
        "--pidfile",
        &path("engine.pid"),
        "--storage-driver=vfs",
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
    ]
    .map(str::to_owned);
    let mut server = Server::start("dockerd", cluster.inside(dockerd).command(words));
    let docker = cluster.tool("docker").with("DOCKER_HOST", &socket);
    server.wait_for("an answering engine", |_| docker.run(["version"]).success.then_some(()));
    let image = Image::random(&mut Random::new(7), 3, 400_000);
    let archive = home.path().join("state-hub.tar");
    layout::docker_archive(&image, "state-hub:local", &archive);
    docker.run(["load", "--input", archive.to_str().unwrap()]).ok();
    (server, socket)
}

/// helm, which finds the chart here and not at its project's registry; the directory that it is in.
fn helm(home: &TempDir) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = home.path().join("bin");
    fs::create_dir(&directory).unwrap();
    let script = format!(
        "#!/bin/sh\nfor word; do shift; [ \"$word\" = oci://docker.gitea.com/charts/gitea ] && word={}; set -- \"$@\" \"$word\"; done\nexec {} \"$@\"\n",
        chart().display(),
        Program::find("helm").path().display()
    );
    let file = directory.join("helm");
    fs::write(&file, script).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    directory.display().to_string()
}

/// A kubeconfig whose context is called as in the story.
fn context(cluster: &Cluster, home: &TempDir) -> String {
    let admin = fs::read_to_string(cluster.kubeconfig()).unwrap();
    let text = admin.replace("contexts: [{name: railhead,", "contexts: [{name: default,");
    let text = text.replace("current-context: railhead", "current-context: default");
    assert_ne!(text, admin);
    let file = home.path().join("kubeconfig");
    fs::write(&file, text).unwrap();
    file.display().to_string()
}
