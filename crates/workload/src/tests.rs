//! Tokens of an issuer of the test's own, good and bad.

use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::*;
use crate::keys::{Checked, Keys};

const NOW: i64 = 1_800_000_000;

/// An issuer that serves its keys, and counts how often it is asked.
struct TestIssuer {
    url: String,
    p256: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
    asked: Arc<AtomicUsize>,
    document: Arc<Mutex<String>>,
}

impl TestIssuer {
    async fn start() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let p256 =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let ed25519 = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, document) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(String::new())));
        let (count, said, issuer) = (Arc::clone(&asked), Arc::clone(&document), url.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (count, said, issuer) = (Arc::clone(&count), Arc::clone(&said), issuer.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                        count.fetch_add(1, Ordering::SeqCst);
                        let (media, body) = if request.uri().path().starts_with("/.well-known") {
                            let found = json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") });
                            ("application/json", found.to_string())
                        } else {
                            ("application/jwk-set+json", said.lock().unwrap().clone())
                        };
                        let accepted = request.headers()[http::header::ACCEPT].to_str().unwrap().to_owned();
                        let mut answer = http::Response::new(body);
                        // As strict as the API server of Kubernetes.
                        if !accepted.split(", ").any(|one| one == media) {
                            *answer.status_mut() = http::StatusCode::NOT_ACCEPTABLE;
                        }
                        async { Ok::<_, Infallible>(answer) }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        let issuer = Self { url, p256, ed25519, asked, document };
        issuer.serve(&["p", "e"]);
        issuer
    }

    /// Serves these keys: `p` and `e`.
    fn serve(&self, ids: &[&str]) {
        let point = self.p256.public_key().as_ref();
        let (x, y) = (BASE64.encode(&point[1..33]), BASE64.encode(&point[33..]));
        let all = [
            json!({ "kid": "p", "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig" }),
            json!({ "kid": "e", "kty": "OKP", "crv": "Ed25519", "x": BASE64.encode(self.ed25519.public_key()) }),
        ];
        let mut keys: Vec<_> =
            all.into_iter().filter(|key| ids.contains(&key["kid"].as_str().unwrap())).collect();
        keys.push(json!({ "kid": "later", "kty": "AKP" }));
        *self.document.lock().unwrap() = json!({ "keys": keys }).to_string();
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.url, "aud": ["other", "railhead"], "sub": "repo:team/app:ref:main", "exp": NOW + 300,
            "iat": NOW, "repository_id": 42, "ref": "refs/heads/main",
            "kubernetes.io": { "serviceaccount": { "uid": "u-1" } },
        })
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let signature = match header["alg"].as_str() {
            Some("EdDSA") => self.ed25519.sign(signed.as_bytes()).as_ref().to_vec(),
            _ => self.p256.sign(&SystemRandom::new(), signed.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{signed}.{}", BASE64.encode(signature))
    }

    /// A good token, with some claims changed; `null` takes one away.
    fn token(&self, changes: &Value) -> String {
        let mut claims = self.claims();
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        self.sign(&json!({ "alg": "ES256", "kid": "p" }), &claims)
    }

    fn workloads(&self) -> Workloads<&'static str> {
        let claim = |name: &str, value: &str| Claim { name: name.to_owned(), values: vec![Glob::new(value)] };
        let rule = |name: &str, claims, grant, minutes| Rule {
            name: name.to_owned(),
            issuer: self.url.clone(),
            audience: "railhead".to_owned(),
            claims,
            grants: vec![grant],
            life: Duration::from_mins(minutes),
        };
        let rules = vec![
            rule("ci", vec![claim("repository_id", "42"), claim("ref", "refs/heads/*")], "push:team/app", 10),
            rule("node", vec![claim("/kubernetes.io/serviceaccount/uid", "u-1")], "pull:team", 1),
        ];
        let issuer =
            Issuer { url: self.url.clone(), keys: KeySource::Discovery, trust: None, token_file: None };
        Workloads::new(rules, vec![issuer])
    }
}

#[tokio::test]
async fn a_token_gives_what_the_rules_that_fit_give_for_as_long_as_the_shortest() {
    let issuer = TestIssuer::start().await;
    let workloads = issuer.workloads();
    let both = workloads.verify(&issuer.token(&json!({})), NOW).await.unwrap();
    assert_eq!(both.name, "ci+node:repo:team/app:ref:main");
    assert_eq!((both.grants, both.ends), (vec!["push:team/app", "pull:team"], NOW + 60));
    let ci = workloads.verify(&issuer.token(&json!({ "kubernetes.io": null })), NOW).await.unwrap();
    assert_eq!((ci.grants, ci.ends), (vec!["push:team/app"], NOW + 300), "not longer than the token");
    let ed25519 = issuer.sign(&json!({ "alg": "EdDSA", "kid": "e" }), &issuer.claims());
    assert!(workloads.verify(&ed25519, NOW).await.is_ok());
    let without_id = issuer.sign(&json!({ "alg": "EdDSA" }), &issuer.claims());
    assert!(workloads.verify(&without_id, NOW).await.is_ok());
    assert_eq!(issuer.asked(), 2, "the configuration and the keys, once");
}

#[tokio::test]
async fn each_refusal_says_which_claim_did_not_fit() {
    let issuer = TestIssuer::start().await;
    let workloads = issuer.workloads();
    for (changes, message) in [
        (
            json!({ "iss": "https://elsewhere" }),
            "the claim iss is 'https://elsewhere', and no rule is for that issuer",
        ),
        (json!({ "iss": null }), "the claim iss is ''"),
        (json!({ "exp": NOW - 61 }), "the token has expired: its claim exp was 61 s ago"),
        (json!({ "exp": null }), "the claim exp is missing"),
        (json!({ "exp": "soon" }), "the claim exp is not a time"),
        (json!({ "nbf": NOW + 100 }), "not good yet: its claim nbf is in 100 s"),
        (json!({ "iat": NOW + 100 }), "its claim iat is in 100 s"),
        (
            json!({ "aud": "other", "kubernetes.io": null }),
            "the rule 'ci' does not fit: the claim aud is 'other'",
        ),
        (json!({ "aud": null, "kubernetes.io": null }), "the claim aud is missing"),
        (json!({ "repository_id": 43, "kubernetes.io": null }), "the claim repository_id is 43"),
        (json!({ "ref": "refs/tags/v1", "kubernetes.io": null }), "the claim ref is 'refs/tags/v1'"),
    ] {
        let refusal = workloads.verify(&issuer.token(&changes), NOW).await.unwrap_err();
        assert!(refusal.to_string().contains(message), "{changes}: {refusal}");
        assert!(
            matches!(refusal, Refusal::Wrong(_)) && !refusal.to_string().contains("refs/heads"),
            "{refusal}"
        );
    }
}

#[tokio::test]
async fn a_token_that_is_not_the_issuers_is_refused_whatever_it_says() {
    let (issuer, other) = (TestIssuer::start().await, TestIssuer::start().await);
    let workloads = issuer.workloads();
    let claims = issuer.claims();
    let payload = BASE64.encode(claims.to_string());
    let none = |header: Value| format!("{}.{payload}.", BASE64.encode(header.to_string()));
    let good = issuer.token(&json!({}));
    let (signed, _) = good.rsplit_once('.').unwrap();
    let changed =
        good.replacen(&payload, &BASE64.encode(claims.to_string().replace(r#"_id":42"#, r#"_id":43"#)), 1);
    for (token, message) in [
        (none(json!({ "alg": "none", "kid": "p" })), "signed by 'none'"),
        (none(json!({ "alg": "ES256", "kid": "p" })), "the token's signature is not its issuer's"),
        (issuer.sign(&json!({ "alg": "HS256", "kid": "p" }), &claims), "signed by 'HS256'"),
        (issuer.sign(&json!({ "alg": "RS256", "kid": "p" }), &claims), "signature is not its issuer's"),
        (issuer.sign(&json!({ "alg": "EdDSA", "kid": "p" }), &claims), "signature is not its issuer's"),
        (issuer.sign(&json!({ "alg": "ES256", "kid": "p", "crit": ["b64"] }), &claims), "'crit'"),
        (other.sign(&json!({ "alg": "ES256", "kid": "p" }), &claims), "signature is not its issuer's"),
        (changed, "signature is not its issuer's"),
        (signed.to_owned(), "not a JSON Web Token"),
        ("eyJ.eyJ.x".to_owned(), "not a JSON Web Token"),
        (format!("{good}{}", "A".repeat(20_000)), "longer than"),
    ] {
        let refusal = workloads.verify(&token, NOW).await.unwrap_err();
        assert!(refusal.to_string().contains(message), "{message}: {refusal}");
    }
    assert_eq!(other.asked(), 0);
}

#[tokio::test]
async fn unknown_keys_ask_the_issuer_once_a_minute_at_most_and_a_new_key_is_found() {
    let issuer = TestIssuer::start().await;
    issuer.serve(&["p"]);
    let workloads = issuer.workloads();
    assert!(workloads.verify(&issuer.token(&json!({})), NOW).await.is_ok());
    assert_eq!(issuer.asked(), 2);
    for n in 0..100 {
        let token = issuer.sign(&json!({ "alg": "ES256", "kid": format!("made-up-{n}") }), &issuer.claims());
        let refusal = workloads.verify(&token, NOW + 1).await.unwrap_err();
        assert!(refusal.to_string().contains(&format!("the key 'made-up-{n}'")), "{refusal}");
    }
    assert_eq!(issuer.asked(), 2, "no more often than once a minute");
    issuer.serve(&["e"]);
    let rotated = issuer.sign(&json!({ "alg": "EdDSA", "kid": "e" }), &issuer.claims());
    assert!(workloads.verify(&rotated, NOW + 2).await.is_err());
    assert!(workloads.verify(&rotated, NOW + 61).await.is_ok());
    assert_eq!(issuer.asked(), 4);
    let gone = workloads.verify(&issuer.token(&json!({})), NOW + 62).await.unwrap_err();
    assert!(gone.to_string().contains("the key 'p', which its issuer does not have"), "{gone}");
}

#[tokio::test]
async fn an_issuer_that_answers_badly_is_said_to_be_unavailable_and_old_keys_go_on() {
    let issuer = TestIssuer::start().await;
    *issuer.document.lock().unwrap() = "<html>".to_owned();
    let workloads = issuer.workloads();
    for _ in 0..3 {
        let refusal = workloads.verify(&issuer.token(&json!({})), NOW).await.unwrap_err();
        assert!(
            matches!(&refusal, Refusal::Unavailable(why) if why.contains("not a JSON Web Key Set")),
            "{refusal}"
        );
    }
    assert_eq!(issuer.asked(), 2);
    issuer.serve(&["p"]);
    assert!(workloads.verify(&issuer.token(&json!({})), NOW + 60).await.is_ok());
    *issuer.document.lock().unwrap() = String::new();
    assert!(
        workloads.verify(&issuer.token(&json!({ "exp": NOW + 8000 })), NOW + 4000).await.is_ok(),
        "after an hour"
    );
    let late = workloads.verify(&issuer.token(&json!({ "exp": NOW + 99_000 })), NOW + 90_000).await;
    assert!(matches!(late, Err(Refusal::Unavailable(_))), "after a day: {late:?}");
}

#[test]
fn rsa_is_verified_as_rfc_7515_shows_it() {
    // RFC 7515, A.2.
    let keys = Keys::read(br#"{"keys":[{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}]}"#).unwrap();
    let text = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let mut token = Token::parse(text).unwrap();
    assert!(matches!(keys.check(&token), Ok(Checked::Signed)));
    token.signature[0] ^= 1;
    assert!(keys.check(&token).is_err());
}

#[test]
fn globs_stand_for_whole_texts() {
    for (glob, text, fits) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a*", "a/b", true),
        ("*", "", true),
        ("refs/heads/*", "refs/heads/x/y", true),
        ("refs/heads/*", "refs/tags/x", false),
        ("*:main", "repo:x:main", true),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("", "a", false),
    ] {
        assert_eq!(Glob::new(glob).matches(text), fits, "{glob} {text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[ -~]{0,200}") {
        let _ = Token::parse(&text);
        let _ = Keys::read(text.as_bytes());
    }

    #[test]
    fn a_glob_fits_what_its_stars_stand_for(parts in prop::collection::vec("[a-c]{0,3}", 1..5), fill in "[a-c/]{0,5}") {
        prop_assert!(Glob::new(parts.join("*")).matches(&parts.join(&fill)));
    }
}
