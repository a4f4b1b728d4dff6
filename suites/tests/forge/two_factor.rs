//! Accounts with two-factor login: what a person does in the forge's pages to switch it on, and what counts then.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use railhead_suites::Forge;
use railhead_suites::http::{Answer, Http};
use ring::hmac;

use crate::place::{Place, becomes, expect, pull};

/// A person with a browser: it keeps cookies, and fills in forms.
struct Browser {
    http: Http,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    fn new(address: SocketAddr) -> Self {
        Self { http: Http { address, authorization: String::new() }, cookies: BTreeMap::new() }
    }

    fn send(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let fields = [("Cookie", cookies.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
        let answer = self.http.send(method, path, &fields, body.as_bytes()).unwrap();
        for (_, value) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let pair = value.split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// Opens a page with a form, fills it in from what the page says, and sends it.
    fn fill_in(&mut self, path: &str, fields: impl Fn(&str) -> Vec<(&'static str, String)>) {
        let page = self.send("GET", path, "").text();
        let (_, rest) = page.rsplit_once(r#"name="_csrf" value=""#).unwrap();
        let token = rest.split('"').next().unwrap();
        let mut all = fields(&page);
        all.push(("_csrf", token.to_owned()));
        let body: Vec<_> = all.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let answer = self.send("POST", path, &body.join("&"));
        assert_eq!(answer.status, 303, "{path}: {}", answer.text());
    }
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |all, byte| all + &format!("%{byte:02X}"))
}

/// The six digits of this moment (RFC 6238) for a secret in base 32.
fn passcode(secret: &str) -> String {
    let digit = |byte: u8| b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|one| *one == byte).unwrap();
    let bits: Vec<bool> =
        secret.bytes().flat_map(|byte| (0..5).rev().map(move |at| digit(byte) >> at & 1 == 1)).collect();
    let key: Vec<u8> =
        bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |all, bit| all << 1 | u8::from(*bit))).collect();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let tag = hmac::sign(&key, &(now / 30).to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let number = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// Switches it on for an account, as its person does.
pub fn switch_on(forge: &Forge, user: &str) {
    let mut browser = Browser::new(forge.address());
    let password = forge.password();
    browser
        .fill_in("/user/login", |_| vec![("user_name", user.to_owned()), ("password", password.to_owned())]);
    browser.fill_in("/user/settings/security/two_factor/enroll", |page| {
        let (_, rest) = page.split_once("enter the secret: ").unwrap();
        vec![("passcode", passcode(rest.split('<').next().unwrap().trim()))]
    });
}

#[test]
fn a_password_with_two_factor_login_is_refused_as_on_the_forge_and_tokens_go_on() {
    let place = Place::new(1, 60);
    place.forge.user("bob");
    let token = place.forge.token_of("bob", "ci", &["write:package"]);
    let (password, ci) = (place.user("bob"), place.login("bob", &token));
    expect(password.push("bob/app"), 201, &[]);
    let bearer = password.bearer("bob/app", "pull,push").unwrap();
    switch_on(&place.forge, "bob");

    let there = Http::basic(place.forge.address(), "bob", place.forge.password());
    let there: serde_json::Value =
        serde_json::from_slice(&there.send("GET", "/api/v1/user", &[], b"").unwrap().body).unwrap();
    let words = there["message"].as_str().unwrap();
    let said = becomes(401, || password.login());
    assert!(said.contains(&format!("the forge does not take this login: {words}")), "{said}");
    expect(password.pull("bob/app"), 401, &[words]);
    // What was asked for with the password before ends with it.
    expect(pull(&bearer, "bob/app"), 401, &[words]);
    expect(ci.login(), 200, &[]);
    expect(ci.push("bob/app"), 201, &[]);
}
