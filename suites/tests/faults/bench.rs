//! What the cases share: one of each registry, started when first needed, an authority, and the usual set-ups.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use railhead_suites::breaker::Script;
use railhead_suites::certificates::{Authority, Certificate, Identity};
use railhead_suites::forge::{FORGE_USER, Options};
use railhead_suites::http::Http;
use railhead_suites::image::MANIFEST;
use railhead_suites::proxies::{Nginx, Proxy};
use railhead_suites::{Breaker, Distribution, Forge, Image, Railhead, Random, loopback, railhead};

use crate::case::Setup;

/// The name that every registry of the bench goes by. No resolver knows it.
pub const HOST: &str = "forge.test";

/// Who asks.
#[derive(Clone)]
pub struct Account {
    pub user: String,
    pub secret: String,
    pub repository: String,
}

impl Account {
    fn of(user: &str, secret: impl Into<String>) -> Self {
        Self { user: user.to_owned(), secret: secret.into(), repository: format!("{user}/app") }
    }

    /// The same account about another repository.
    pub fn about(mut self, repository: &str) -> Self {
        repository.clone_into(&mut self.repository);
        self
    }

    /// The same account with another secret.
    pub fn with_secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = secret.into();
        self
    }
}

/// See the module.
pub struct Bench {
    scratch: tempfile::TempDir,
    count: AtomicU32,
    pub authority: Authority,
    pub identity: Identity,
    gitea: OnceLock<(Forge, Account)>,
    published: OnceLock<()>,
    gitea_http: OnceLock<(Forge, Account)>,
    gitea_closed: OnceLock<(Forge, Account)>,
    gitea_tls: OnceLock<(Forge, Account)>,
    railhead: OnceLock<(Railhead, Account)>,
    railhead_tls: OnceLock<(Railhead, Account)>,
    distribution: OnceLock<Distribution>,
    distribution_tls: OnceLock<Distribution>,
}

const DISTRIBUTION_PASSWORD: &str = "correct horse battery";

impl Bench {
    pub fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let authority = Authority::make(&scratch.path().join("authority"), "Fault bench authority");
        let identity = authority.certify(&Certificate::of(HOST));
        Self {
            scratch,
            count: AtomicU32::new(0),
            authority,
            identity,
            gitea: OnceLock::new(),
            published: OnceLock::new(),
            gitea_http: OnceLock::new(),
            gitea_closed: OnceLock::new(),
            gitea_tls: OnceLock::new(),
            railhead: OnceLock::new(),
            railhead_tls: OnceLock::new(),
            distribution: OnceLock::new(),
            distribution_tls: OnceLock::new(),
        }
    }

    /// A new directory.
    pub fn directory(&self) -> PathBuf {
        let path = self.scratch.path().join(self.count.fetch_add(1, Ordering::Relaxed).to_string());
        fs::create_dir(&path).unwrap();
        path
    }

    /// A Gitea whose `ROOT_URL` is right: https.
    pub fn gitea(&self) -> &(Forge, Account) {
        self.gitea.get_or_init(|| self.start_gitea("https://forge.test/", None, ""))
    }

    /// The same Gitea, whose account is about an image that everybody may pull.
    pub fn gitea_public(&self) -> (&Forge, Account) {
        let (forge, account) = self.gitea();
        let public = account.clone().about(&format!("{FORGE_USER}/public"));
        self.published.get_or_init(|| publish(forge.address(), &public));
        (forge, public)
    }

    /// A Gitea that believes to be reached over http.
    pub fn gitea_http(&self) -> &(Forge, Account) {
        self.gitea_http.get_or_init(|| self.start_gitea("http://forge.test/", None, ""))
    }

    /// A Gitea without packages.
    pub fn gitea_closed(&self) -> &(Forge, Account) {
        self.gitea_closed
            .get_or_init(|| self.start_gitea("https://forge.test/", None, "[packages]\nENABLED = false"))
    }

    /// A Gitea that speaks TLS itself.
    pub fn gitea_tls(&self) -> &(Forge, Account) {
        self.gitea_tls.get_or_init(|| self.start_gitea("https://forge.test/", Some(&self.identity), ""))
    }

    fn start_gitea(&self, root_url: &str, tls: Option<&Identity>, more: &str) -> (Forge, Account) {
        let forge = Forge::start(&self.directory(), &Options { root_url, tls, more });
        let token = forge.token("doctor", "write:package");
        (forge, Account::of(FORGE_USER, token))
    }

    /// A Railhead behind proxies.
    pub fn railhead(&self) -> &(Railhead, Account) {
        self.railhead.get_or_init(|| self.start_railhead(&[]))
    }

    /// A Railhead that speaks TLS itself.
    pub fn railhead_tls(&self) -> &(Railhead, Account) {
        let (chain, key) = (self.identity.chain.display(), self.identity.key.display());
        self.railhead_tls.get_or_init(|| {
            self.start_railhead(&[
                "--tls-cert".into(),
                chain.to_string(),
                "--tls-key".into(),
                key.to_string(),
            ])
        })
    }

    fn start_railhead(&self, more: &[String]) -> (Railhead, Account) {
        let listen = Some(format!("{}:5050", loopback::address()));
        let mut arguments = vec!["--host".to_owned(), HOST.to_owned()];
        arguments.extend_from_slice(more);
        let server = Railhead::start(
            &self.directory(),
            railhead::Options { listen, arguments, ..railhead::Options::default() },
        );
        server.user("alice", "a long enough password");
        let token = server.token("alice", &["push", "pull"]);
        (server, Account::of("alice", token))
    }

    /// A distribution with one account.
    pub fn distribution(&self) -> &Distribution {
        self.distribution.get_or_init(|| self.start_distribution(None))
    }

    /// A distribution that speaks TLS itself.
    pub fn distribution_tls(&self) -> &Distribution {
        self.distribution_tls.get_or_init(|| self.start_distribution(Some(&self.identity)))
    }

    fn start_distribution(&self, tls: Option<&Identity>) -> Distribution {
        Distribution::start(&self.directory(), Some(("alice", DISTRIBUTION_PASSWORD)), tls, "")
    }

    /// The account of every distribution.
    pub fn distribution_account() -> Account {
        Account::of("alice", DISTRIBUTION_PASSWORD)
    }

    /// Asks with this account.
    pub fn setup(&self, account: &Account) -> Setup {
        Setup::new(&self.authority.file(), Some(account.clone()))
    }

    /// Asks as nobody.
    pub fn anonymous(&self) -> Setup {
        Setup::new(&self.authority.file(), None)
    }

    /// A breaker with TLS in front of Railhead.
    pub fn broken(&self, change: impl FnOnce(Script) -> Script) -> Setup {
        let (server, account) = self.railhead();
        self.broken_before(server.address(), account, &self.identity, change)
    }

    /// A breaker with TLS in front of Gitea.
    pub fn broken_gitea(&self, change: impl FnOnce(Script) -> Script) -> Setup {
        let (forge, account) = self.gitea();
        self.broken_before(forge.address(), account, &self.identity, change)
    }

    /// A good proxy in front of Railhead with this certificate.
    pub fn certified(&self, identity: &Identity) -> Setup {
        let (server, account) = self.railhead();
        self.broken_before(server.address(), account, identity, |script| script)
    }

    /// A breaker with TLS in front of `upstream`.
    pub fn broken_before(
        &self,
        upstream: SocketAddr,
        account: &Account,
        identity: &Identity,
        change: impl FnOnce(Script) -> Script,
    ) -> Setup {
        let breaker = Breaker::start(change(Script::https(identity, upstream)));
        self.setup(account).https(breaker.address()).keep(breaker)
    }

    /// An nginx with these lines in its server with TLS.
    pub fn nginx(&self, lines: &str) -> Proxy {
        self.nginx_as(&self.identity, lines)
    }

    /// The same with another certificate.
    pub fn nginx_as(&self, identity: &Identity, lines: &str) -> Proxy {
        let nginx = Nginx { tls: lines.to_owned(), plain: lines.to_owned(), identity };
        nginx.start(&self.directory())
    }

    /// An nginx with these lines, asked with `account`.
    pub fn behind_nginx(&self, account: &Account, lines: &str) -> Setup {
        let nginx = self.nginx(lines);
        self.setup(account).https(nginx.https()).keep(nginx)
    }
}

/// Pushes a small image as `latest`.
fn publish(registry: SocketAddr, account: &Account) {
    let Account { user, secret, repository } = account;
    let scopes = [format!("repository:{repository}:pull,push")];
    let http = Http::login(registry, user, secret, &scopes).unwrap();
    let image = Image::random(&mut Random::new(4), 1, 1024);
    let put = |method: &str, target: &str, kind: &str, content: &[u8]| {
        let answer = http.send(method, target, &[("Content-Type", kind)], content).unwrap();
        assert_eq!(answer.status, 201, "{method} {target}: {answer:?}");
    };
    for (digest, blob) in image.content().iter().zip(std::iter::once(&image.config).chain(&image.layers)) {
        let target = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        put("POST", &target, "application/octet-stream", blob);
    }
    put("PUT", &format!("/v2/{repository}/manifests/latest"), MANIFEST, &image.manifest());
}
