//! Jobs and service accounts: tokens of an issuer of the test's own as the password of a login, with local accounts and with
//! those of a forge, and the kubelet's credential provider.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use railhead_suites::Railhead;
use railhead_suites::railhead::Options;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::place::{Client, Place, expect};

/// An issuer with one key, as a server of its own.
struct Issuer {
    url: String,
    key: EcdsaKeyPair,
}

fn url_base64(bytes: &[u8]) -> String {
    // The helper takes text; bytes are written here, three at a time.
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        text.extend((0..=group.len()).map(|at| char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63])));
    }
    text
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

impl Issuer {
    fn start() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let point = key.public_key().as_ref();
        let keys = json!({ "keys": [{
            "kid": "k", "kty": "EC", "crv": "P-256", "x": url_base64(&point[1..33]), "y": url_base64(&point[33..]),
        }]});
        let found = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut head = [0; 4096];
                let read = stream.read(&mut head).unwrap_or_default();
                let discovery = head[..read].starts_with(b"GET /.well-known/openid-configuration");
                let body = if discovery { &found } else { &keys }.to_string();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self { url, key }
    }

    fn token(&self, claims: &Value) -> String {
        let mut all =
            json!({ "iss": self.url, "aud": "railhead", "exp": now() + 600, "sub": "repo:team/app" });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let header = url_base64(json!({ "alg": "ES256", "kid": "k" }).to_string().as_bytes());
        let signed = format!("{header}.{}", url_base64(all.to_string().as_bytes()));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", url_base64(signature.as_ref()))
    }

    /// A file with two rules: a job of one repository may push, a service account may pull.
    fn rules(&self, directory: &Path) -> Vec<String> {
        let url = &self.url;
        let text = format!(
            "[workloads.ci]\nissuer = '{url}'\nclaims = {{ repository_id = 42, ref = ['refs/heads/main', 'refs/tags/*'] }}\n\
             grant = 'push:team/app'\n\
             [workloads.nodes]\nissuer = '{url}'\nclaims = {{ '/kubernetes.io/serviceaccount/uid' = 'u-1' }}\n\
             grant = ['pull:team']\nminutes = 5\n"
        );
        let file = directory.join("railhead.toml");
        std::fs::write(&file, text).unwrap();
        vec!["--config".to_owned(), file.display().to_string()]
    }
}

fn job(issuer: &Issuer) -> String {
    issuer.token(&json!({ "repository_id": 42, "ref": "refs/heads/main" }))
}

fn node(issuer: &Issuer) -> String {
    issuer.token(&json!({ "kubernetes.io": { "serviceaccount": { "uid": "u-1", "name": "puller" } } }))
}

fn what_workloads_may(railhead: &Railhead, issuer: &Issuer) {
    let with = |token: &str| Client::new(railhead.address(), "workload", token);
    let (job, node) = (with(&job(issuer)), with(&node(issuer)));
    expect(job.login(), 200, &[]);
    expect(job.push("team/app"), 201, &[]);
    expect(job.pull("team/app"), 200, &[]);
    expect(job.push("team/other"), 403, &["does not cover push:team/other", "push:team/app"]);
    expect(job.delete("team/app"), 403, &["does not cover delete"]);
    expect(node.pull("team/app"), 200, &[]);
    expect(node.push("team/app"), 403, &["does not cover push"]);
    for (claims, said) in [
        (json!({ "repository_id": 43, "ref": "refs/heads/main" }), "the claim repository_id is 43"),
        (json!({ "repository_id": 42, "ref": "refs/heads/x" }), "the claim ref is 'refs/heads/x'"),
        (json!({ "repository_id": 42, "ref": "refs/tags/v1", "aud": "other" }), "the claim aud is 'other'"),
        (json!({ "repository_id": 42, "ref": "refs/tags/v1", "exp": now() - 300 }), "its claim exp was"),
        (json!({ "iss": "https://elsewhere.test" }), "the claim iss is 'https://elsewhere.test'"),
    ] {
        expect(with(&issuer.token(&claims)).login(), 401, &["the workload's token is not taken", said]);
    }
    let unsigned = issuer.token(&json!({ "repository_id": 42, "ref": "refs/heads/main" }));
    let unsigned_header = url_base64(br#"{"alg":"none","kid":"k"}"#);
    let payload = unsigned.split('.').nth(1).unwrap();
    expect(with(&format!("{unsigned_header}.{payload}.")).login(), 401, &["signed by 'none'"]);
    assert!(!railhead.server().log().contains(payload));
}

#[test]
fn jobs_and_service_accounts_log_in_with_tokens_of_their_issuer() {
    let scratch = tempfile::tempdir().unwrap();
    let issuer = Issuer::start();
    let arguments = issuer.rules(scratch.path());
    let railhead = Railhead::start(scratch.path(), Options { arguments, ..Options::default() });
    railhead.organisation("team", &[]);
    what_workloads_may(&railhead, &issuer);

    // The kubelet's exec API, end to end: its answer is a login that pulls.
    let image = format!("{}/team/app:v1", railhead.address());
    let request = json!({
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1", "kind": "CredentialProviderRequest", "image": image,
        "serviceAccountToken": node(&issuer), "serviceAccountAnnotations": {},
    });
    let program = railhead_suites::railhead::program(scratch.path());
    let answer = program.run_with_input(["credential-provider"], &request.to_string()).ok();
    let answer: Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(answer["kind"], "CredentialProviderResponse");
    let login = &answer["auth"][railhead.address().to_string()];
    let client = Client::new(
        railhead.address(),
        login["username"].as_str().unwrap(),
        login["password"].as_str().unwrap(),
    );
    expect(client.pull("team/app"), 200, &[]);
    assert!(answer["cacheDuration"].as_str().unwrap().ends_with('s'));
}

#[test]
fn with_a_forge_workloads_work_beside_its_accounts() {
    let scratch = tempfile::tempdir().unwrap();
    let issuer = Issuer::start();
    let file = issuer.rules(scratch.path()).remove(1);
    let place = Place::with(1, 60, "", |_| vec![("RAILHEAD_CONFIG", file)]);
    place.forge.organisation("Team", "private");
    expect(place.user("alice").push("team/first"), 201, &[]);
    what_workloads_may(&place.railhead, &issuer);
    expect(place.user("alice").pull("team/app"), 200, &[]);
    expect(place.nobody().pull("team/app"), 401, &[]);
}
