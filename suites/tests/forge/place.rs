//! A Gitea, a Railhead that asks it, and what a client sees of the two.

use std::net::SocketAddr;

use railhead_suites::forge::Options as ForgeOptions;
use railhead_suites::http::{Answer, Http, base64};
use railhead_suites::image::MANIFEST;
use railhead_suites::railhead::Options;
use railhead_suites::{Forge, Image, Railhead, Random};
use tempfile::TempDir;

pub struct Place {
    pub forge: Forge,
    pub railhead: Railhead,
    _scratch: TempDir,
}

impl Place {
    /// Railhead keeps what the forge says for `cache` seconds, and without it for `stale`.
    pub fn new(cache: u64, stale: u64) -> Self {
        Self::with(cache, stale, "", |_| Vec::new())
    }

    /// The same, with more of the forge's app.ini, and more variables.
    pub fn with(
        cache: u64,
        stale: u64,
        more: &str,
        variables: impl FnOnce(&Forge) -> Vec<(&'static str, String)>,
    ) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let forge = forge(scratch.path(), more);
        let more = variables(&forge);
        let railhead = railhead(scratch.path(), forge.address(), cache, stale, more);
        Self { forge, railhead, _scratch: scratch }
    }

    pub fn login(&self, user: &str, secret: &str) -> Client {
        Client::new(self.railhead.address(), user, secret)
    }

    /// With the account's password.
    pub fn user(&self, name: &str) -> Client {
        self.login(name, self.forge.password())
    }

    pub fn nobody(&self) -> Client {
        self.login("", "")
    }
}

/// A Gitea of the test's own inside `scratch`, with these lines more in its settings.
pub fn forge(scratch: &std::path::Path, more: &str) -> Forge {
    let root = scratch.join("forge");
    std::fs::create_dir_all(&root).unwrap();
    Forge::start(&root, &ForgeOptions { root_url: "http://forge.test/", more, tls: None })
}

/// A Railhead that asks what listens at `forge`.
pub fn railhead(
    scratch: &std::path::Path,
    forge: SocketAddr,
    cache: u64,
    stale: u64,
    more: Vec<(&'static str, String)>,
) -> Railhead {
    let mut variables = vec![
        ("RAILHEAD_FORGE_KIND", "gitea".to_owned()),
        ("RAILHEAD_FORGE_URL", format!("http://{forge}")),
        ("RAILHEAD_FORGE_CACHE_SECONDS", cache.to_string()),
        ("RAILHEAD_FORGE_STALE_SECONDS", stale.to_string()),
    ];
    variables.extend(more);
    Railhead::start(scratch, Options { variables, ..Options::default() })
}

/// A client that does what docker does: it shows its login where the challenge says, and goes on with the token it gets.
pub struct Client {
    address: SocketAddr,
    user: String,
    secret: String,
}

impl Client {
    pub fn new(address: SocketAddr, user: &str, secret: &str) -> Self {
        Self { address, user: user.to_owned(), secret: secret.to_owned() }
    }

    fn basic(&self) -> String {
        if self.user.is_empty() && self.secret.is_empty() {
            String::new()
        } else {
            format!("Basic {}", base64(&format!("{}:{}", self.user, self.secret)))
        }
    }

    /// `docker login`: the status, and what was said.
    pub fn login(&self) -> (u16, String) {
        said(&self.token("").1)
    }

    fn token(&self, scope: &str) -> (Option<String>, Answer) {
        let http = Http { address: self.address, authorization: self.basic() };
        let answer = http.send("GET", &format!("/token?service=railhead&scope={scope}"), &[], b"").unwrap();
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        (body["token"].as_str().map(str::to_owned), answer)
    }

    /// The header of a bearer token for this.
    pub fn bearer(&self, repository: &str, actions: &str) -> Result<Http, (u16, String)> {
        let (token, answer) = self.token(&format!("repository:{repository}:{actions}"));
        let token = token.ok_or_else(|| said(&answer))?;
        Ok(Http { address: self.address, authorization: format!("Bearer {token}") })
    }

    /// Pushes a small image as `v1`: the status of what ended it, and what was said.
    pub fn push(&self, repository: &str) -> (u16, String) {
        let http = match self.bearer(repository, "pull,push") {
            Ok(http) => http,
            Err(refused) => return refused,
        };
        let image = Image::random(&mut Random::new(7), 1, 2000);
        for blob in std::iter::once(&image.config).chain(&image.layers) {
            let digest = railhead_oci::Digest::sha256(blob);
            let target = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
            let fields = [("Content-Type", "application/octet-stream")];
            let answer = http.send("POST", &target, &fields, blob).unwrap();
            if answer.status != 201 {
                return said(&answer);
            }
        }
        let target = format!("/v2/{repository}/manifests/v1");
        said(&http.send("PUT", &target, &[("Content-Type", MANIFEST)], &image.manifest()).unwrap())
    }

    /// Pulls the manifest of `v1`.
    pub fn pull(&self, repository: &str) -> (u16, String) {
        match self.bearer(repository, "pull") {
            Ok(http) => pull(&http, repository),
            Err(refused) => refused,
        }
    }

    pub fn delete(&self, repository: &str) -> (u16, String) {
        match self.bearer(repository, "delete") {
            Ok(http) => {
                said(&http.send("DELETE", &format!("/v2/{repository}/manifests/v1"), &[], b"").unwrap())
            }
            Err(refused) => refused,
        }
    }
}

/// Pulls `v1` with what `http` has.
pub fn pull(http: &Http, repository: &str) -> (u16, String) {
    said(&http.send("GET", &format!("/v2/{repository}/manifests/v1"), &[("Accept", "*/*")], b"").unwrap())
}

fn said(answer: &Answer) -> (u16, String) {
    (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
}

/// Makes sure of a status, and that all `parts` were said.
#[track_caller]
pub fn expect((found, said): (u16, String), status: u16, parts: &[&str]) {
    assert_eq!(found, status, "{said}");
    for part in parts {
        assert!(said.contains(part), "no '{part}' in: {said}");
    }
}

/// Asks again until it has this status: what the forge changed counts within a second or two.
#[track_caller]
pub fn becomes(status: u16, mut ask: impl FnMut() -> (u16, String)) -> String {
    let from = std::time::Instant::now();
    loop {
        let (found, text) = ask();
        if found == status {
            return text;
        }
        assert!(from.elapsed().as_secs() < 10, "still {found}, not {status}: {text}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
