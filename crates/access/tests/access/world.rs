//! What the tests of this crate share: an access on a catalog of its own, a clock that stands, some accounts.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use railhead_access::{
    Access, Action, Actor, Clock, Decision, Denial, Error, Identity, PasswordCost, Settings, TokenInfo,
    TokenScope,
};
use railhead_catalog::{Catalog, Location, Role, Timestamp, Visibility};
use railhead_oci::{RepositoryName, Scope};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

pub const PASSWORD: &str = "correct horse";

pub struct World {
    pub access: Access,
    pub catalog: Catalog,
    pub operator: Actor,
    time: Arc<AtomicI64>,
    _directory: TempDir,
}

impl World {
    /// Users alice, bob, root (admin) and the members read, write, own of organisation Team, which has the
    /// repositories team/private and team/public; alice has alice/private.
    pub async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(directory.path().join("catalog.sqlite"));
        let catalog = Catalog::open(location).await.unwrap();
        let time = Arc::new(AtomicI64::new(1_800_000_000_000));
        let clock = Arc::clone(&time);
        let settings = Settings {
            clock: Clock::from_fn(move || Timestamp(clock.load(Ordering::SeqCst))),
            // The least that Argon2 can do: the tests are about what is made of the answer.
            password_cost: PasswordCost { memory_kib: 8, passes: 1 },
            ..Settings::default()
        };
        let access = Access::open(catalog.clone(), settings).await.unwrap();
        let operator = access.operator_actor();
        let world = Self { access, catalog, operator, time, _directory: directory };
        world.populate().await;
        world
    }

    async fn populate(&self) {
        let by = &self.operator;
        for (name, admin) in [
            ("Alice", false),
            ("bob", false),
            ("root", true),
            ("read", false),
            ("write", false),
            ("own", false),
        ] {
            self.access.create_user(by, name, Some(PASSWORD.into()), admin).await.unwrap();
        }
        self.access.create_organisation(by, "Team").await.unwrap();
        for (user, role) in [("read", Role::Reader), ("write", Role::Writer), ("own", Role::Owner)] {
            self.access.set_member(by, "team", user, Some(role)).await.unwrap();
        }
        for name in ["team/private", "team/public", "alice/private"] {
            self.catalog.ensure_repository(&repository(name), self.now()).await.unwrap();
        }
        self.access.set_visibility(by, &repository("team/public"), Visibility::Public).await.unwrap();
    }

    pub fn now(&self) -> Timestamp {
        Timestamp(self.time.load(Ordering::SeqCst))
    }

    pub fn pass(&self, seconds: i64) {
        self.time.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    pub async fn login(&self, header: &str) -> Result<Arc<Identity>, Error> {
        self.access.authenticate(Some(header), address(1)).await
    }

    /// Logs in with the password.
    pub async fn account(&self, name: &str) -> Arc<Identity> {
        self.login(&basic(name, PASSWORD)).await.unwrap()
    }

    pub async fn actor(&self, name: &str) -> Actor {
        Actor { who: self.account(name).await, from: Some(address(1)) }
    }

    /// A token of `user`, and its secret.
    pub async fn token(&self, user: &str, scopes: &[&str]) -> (TokenInfo, String) {
        let scopes: Vec<TokenScope> = scopes.iter().map(|scope| scope.parse().unwrap()).collect();
        let (info, secret) =
            self.access.create_token(&self.operator, user, "test", &scopes, None).await.unwrap();
        (info, secret.expose_secret().to_owned())
    }

    /// The header with a bearer token that `who` asked for.
    pub async fn bearer(&self, who: &Identity, scopes: &[&str]) -> String {
        let scopes = Scope::parse_all(scopes.iter().copied());
        format!("Bearer {}", self.access.issue(who, &scopes).await.unwrap().token)
    }

    /// `yes`, or the reason.
    pub async fn decide(&self, who: &Identity, action: Action, name: &str) -> String {
        match self.access.decide(who, action, &repository(name)).await.unwrap() {
            Decision::Allowed => "yes".to_owned(),
            Decision::Denied(denial) => denial.reason.word().to_owned(),
        }
    }
}

pub fn denial<T: std::fmt::Debug>(result: Result<T, Error>) -> Denial {
    match result {
        Err(Error::Denied(denial)) => *denial,
        other => panic!("not denied: {other:?}"),
    }
}

pub fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

pub fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

pub fn basic(name: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{secret}")))
}
