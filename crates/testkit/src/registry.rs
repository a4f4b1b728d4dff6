//! A registry in a test: a server on a port of its own, a data directory of its own, in the test's own runtime.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Method;
use railhead_access::Access;
use railhead_blobs::{FileStore, Store};
use railhead_catalog::{Catalog, Limit, Location, Role, Visibility};
use railhead_oci::Digest;
use railhead_registry::Registry;
use railhead_server::{AccessLog, Hosts, Listeners, LogFormat, LogWriter, Server};
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::content::Image;
use crate::wire::{Ask, Reply, ask};

/// How a test's registry differs from the one that comes without configuration.
#[derive(Default)]
pub struct Builder {
    registry: railhead_registry::Settings,
    access: railhead_access::Settings,
    hosts: Hosts,
    rules: railhead_retention::Rules,
    retain_every: Option<Duration>,
}

impl Builder {
    /// Bytes that an owner may have.
    #[must_use]
    pub fn quota(mut self, bytes: u64) -> Self {
        self.registry.quota = Limit::Bytes(bytes);
        self.access.limits.quota = self.registry.quota;
        self
    }

    /// Largest layer in bytes.
    #[must_use]
    pub fn layer_limit(mut self, bytes: u64) -> Self {
        self.registry.layer_limit = Limit::Bytes(bytes);
        self
    }

    /// Changes the registry's settings.
    #[must_use]
    pub fn registry(mut self, change: impl FnOnce(&mut railhead_registry::Settings)) -> Self {
        change(&mut self.registry);
        self
    }

    /// The names that the server answers to.
    #[must_use]
    pub fn hosts(mut self, hosts: Hosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// Applies these rules every so often, by this clock. Whether they are due is looked at all the time.
    #[must_use]
    pub fn retention(
        mut self,
        rules: railhead_retention::Rules,
        every: Duration,
        clock: railhead_access::Clock,
    ) -> Self {
        (self.rules, self.retain_every, self.access.clock) = (rules, Some(every), clock);
        self
    }

    /// Starts it.
    pub async fn start(self) -> TestRegistry {
        let directory = tempfile::tempdir().expect("a directory for the test");
        self.start_in(directory).await
    }

    async fn start_in(self, directory: tempfile::TempDir) -> TestRegistry {
        let catalog = Catalog::open(Location::Sqlite(directory.path().join("catalog.sqlite")))
            .await
            .expect("the catalog opens");
        let store = Store::Files(FileStore::open(directory.path()).expect("the store opens"));
        let access = Access::open(catalog.clone(), self.access).await.expect("access opens");
        let registry = Registry::new(catalog, store, self.registry);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let log_file = directory.path().join("access.log");
        let out = std::fs::File::create(&log_file).expect("a log");
        let (log, writer) = AccessLog::start(LogFormat::Json, out).expect("a thread for the log");
        let settings = railhead_server::Settings {
            hosts: self.hosts,
            shutdown: Duration::from_secs(5),
            upload_life: Duration::from_hours(1),
            collect_every: None,
            rules: self.rules,
            retain_every: self.retain_every,
            retain_look: Duration::from_millis(10),
            scrub: railhead_upkeep::scrub::Settings { round: Duration::ZERO, ..Default::default() },
            sweep: true,
        };
        let server = Server::new(access.clone(), registry.clone(), settings, log);
        let (stop, stopped) = watch::channel(false);
        let listeners = Listeners { tcp: vec![listener], certificates: None, control: None };
        let running = tokio::spawn(async move {
            server.run(listeners, stopped).await.expect("the server runs");
        });
        TestRegistry {
            address,
            access,
            registry,
            directory,
            log_file,
            stop,
            running: Some(running),
            writer: Some(writer),
        }
    }
}

/// A running registry.
pub struct TestRegistry {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its accounts.
    pub access: Access,
    /// The registry itself.
    pub registry: Registry,
    directory: tempfile::TempDir,
    log_file: PathBuf,
    stop: watch::Sender<bool>,
    running: Option<JoinHandle<()>>,
    writer: Option<LogWriter>,
}

impl TestRegistry {
    /// One without any configuration.
    pub async fn start() -> Self {
        Builder::default().start().await
    }

    /// One with some.
    pub fn with() -> Builder {
        Builder::default()
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        self.directory.path()
    }

    /// Stops it in good order, and gives its access log, one JSON object a line.
    pub async fn stop(mut self) -> Vec<serde_json::Value> {
        self.shut_down().await;
        let text = std::fs::read_to_string(&self.log_file).expect("the log is there");
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }

    /// Stops it, and starts another one on the same data.
    pub async fn restart(mut self) -> Self {
        self.shut_down().await;
        let Self { directory, .. } = self;
        Builder::default().start_in(directory).await
    }

    async fn shut_down(&mut self) {
        let _ = self.stop.send(true);
        if let Some(running) = self.running.take() {
            running.await.expect("the server ends");
        }
        self.registry.catalog().close().await.expect("the catalog closes");
        self.writer = None;
    }

    /// Makes a user and gives a token of it that may do everything the user may.
    pub async fn user(&self, name: &str) -> String {
        let by = self.access.operator_actor();
        self.access.create_user(&by, name, None, false).await.expect("a new user");
        self.token(name, &["pull", "push", "delete"]).await
    }

    /// Makes an organisation with these members.
    pub async fn organisation(&self, name: &str, members: &[(&str, Role)]) {
        let by = self.access.operator_actor();
        self.access.create_organisation(&by, name).await.expect("a new organisation");
        for (user, role) in members {
            self.access.set_member(&by, name, user, Some(*role)).await.expect("a member");
        }
    }

    /// Makes a token.
    pub async fn token(&self, user: &str, scopes: &[&str]) -> String {
        let by = self.access.operator_actor();
        let scopes: Vec<_> = scopes.iter().map(|scope| scope.parse().expect("a scope")).collect();
        let (_, secret) =
            self.access.create_token(&by, user, "test", &scopes, None).await.expect("a new token");
        secret.expose_secret().to_owned()
    }

    /// Lets everybody pull from a repository.
    pub async fn publish(&self, repository: &str) {
        let by = self.access.operator_actor();
        let name = repository.parse().expect("a name");
        self.access.set_visibility(&by, &name, Visibility::Public).await.expect("it is there");
    }

    /// A request.
    pub fn ask(&self, method: Method, path: impl Into<String>) -> Ask {
        ask(self.address, method, path)
    }

    /// A `GET` with a token.
    pub async fn get(&self, token: &str, path: impl Into<String>) -> Reply {
        self.ask(Method::GET, path).bearer(token).send().await
    }

    /// A `HEAD` with a token.
    pub async fn head(&self, token: &str, path: impl Into<String>) -> Reply {
        self.ask(Method::HEAD, path).bearer(token).send().await
    }

    /// Pushes a blob the way that takes least: one `POST`.
    pub async fn push_blob(&self, token: &str, repository: &str, bytes: &bytes::Bytes) -> Digest {
        let digest = Digest::sha256(bytes);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        let _ = self.ask(Method::POST, path).bearer(token).body(bytes.clone()).send().await.is(201);
        digest
    }

    /// Begins an upload and gives its location.
    pub async fn begin(&self, token: &str, repository: &str) -> String {
        let path = format!("/v2/{repository}/blobs/uploads/");
        let reply = self.ask(Method::POST, path).bearer(token).send().await.is(202);
        reply.header("location").to_owned()
    }

    /// Puts a manifest.
    pub async fn put_manifest(
        &self,
        token: &str,
        repository: &str,
        reference: &str,
        media_type: &str,
        bytes: &bytes::Bytes,
    ) -> Reply {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let ask = self.ask(Method::PUT, path).bearer(token).header("content-type", media_type);
        ask.body(bytes.clone()).send().await
    }

    /// Pushes a whole image under a tag.
    pub async fn push_image(&self, token: &str, repository: &str, tag: &str, image: &Image) -> Digest {
        for blob in image.blobs() {
            self.push_blob(token, repository, blob).await;
        }
        let reply =
            self.put_manifest(token, repository, tag, image.media_type, &image.manifest).await.is(201);
        reply.digest()
    }
}
