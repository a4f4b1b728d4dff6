//! Tokens, and what they are good for.

use railhead_suites::breaker::Head;
use railhead_suites::proxies::Nginx;

use super::single;
use crate::bench::{Account, Bench};
use crate::case::{Case, Setup, error, warning};

pub fn cases() -> Vec<Case> {
    let mut cases = tokens();
    cases.extend(rights());
    cases
}

/// A good nginx before Gitea, asked with this account.
fn gitea(bench: &Bench, account: &Account) -> Setup {
    bench.behind_nginx(account, &Nginx::location("/", bench.gitea().0.address(), ""))
}

/// A good nginx before Railhead, asked with this account.
fn railhead(bench: &Bench, account: &Account) -> Setup {
    bench.behind_nginx(account, &Nginx::location("/", bench.railhead().0.address(), ""))
}

fn tokens() -> Vec<Case> {
    let refused = || error("RH-AUTH-REFUSED", "identity");
    vec![
        single(
            "the token endpoint gives no token",
            "Railhead, breaker",
            error("RH-TOKEN-INVALID", "application"),
            |bench| {
                let fields = ["Content-Type: application/json"];
                bench.broken(move |script| {
                    script.answer("GET", "/v2/token", "200 OK", &fields, r#"{"expires_in":300}"#)
                })
            },
        ),
        single(
            "the token has its newer name only",
            "Railhead, breaker",
            warning("RH-TOKEN-ONE-NAME", "application"),
            |bench| bench.broken(|script| script.body("GET", "/v2/token", "\"token\"", "\"t_ken\"")),
        ),
        single(
            "the token is revoked, and everybody may pull",
            "Gitea, nginx",
            error("RH-AUTH-STALE", "identity"),
            |bench| {
                let (forge, account) = bench.gitea_public();
                let secret = forge.token("revoked", "write:package");
                forge.revoke("revoked");
                gitea(bench, &account.with_secret(secret))
            },
        ),
        single("the token of the account is wrong", "Gitea, nginx", refused(), |bench| {
            let wrong = "0123456789abcdef0123456789abcdef01234567";
            gitea(bench, &bench.gitea().1.clone().with_secret(wrong))
        }),
        single("the token of the account is wrong", "Railhead, nginx", refused(), |bench| {
            railhead(bench, &bench.railhead().1.clone().with_secret("rh_0123456789abcdefghijklmnopqrstuv"))
        }),
        single("the password is wrong", "distribution, nginx", refused(), |bench| {
            let account = Bench::distribution_account().with_secret("wrong horse");
            bench.behind_nginx(&account, &Nginx::location("/", bench.distribution().address(), ""))
        }),
        single(
            "the registry refuses the token that it gave",
            "Railhead, breaker",
            error("RH-AUTH-TOKEN-REFUSED", "identity"),
            |bench| {
                bench.broken(|script| {
                    script.request(|request: &mut Head| {
                        if request.get("authorization").is_some_and(|value| value.starts_with("Bearer ")) {
                            request.set("Authorization", "Bearer e30.e30.e30");
                        }
                    })
                })
            },
        ),
    ]
}

fn rights() -> Vec<Case> {
    vec![
        single("the token may not read", "Railhead, nginx", error("RH-AUTH-READ", "identity"), |bench| {
            let (server, account) = bench.railhead();
            let secret = server.token("alice", &["pull:alice/other"]);
            railhead(bench, &account.clone().with_secret(secret))
        }),
        single("the token may only read", "Railhead, nginx", error("RH-AUTH-WRITE", "identity"), |bench| {
            let (server, account) = bench.railhead();
            let secret = server.token("alice", &["pull"]);
            railhead(bench, &account.clone().with_secret(secret))
        }),
        single(
            "the token has the scope read:package",
            "Gitea, nginx",
            error("RH-AUTH-WRITE", "identity"),
            |bench| {
                let (forge, account) = bench.gitea();
                let secret = forge.token("reader", "read:package");
                gitea(bench, &account.clone().with_secret(secret))
            },
        ),
        single("the owner does not exist", "Gitea, nginx", error("RH-AUTH-OWNER", "identity"), |bench| {
            gitea(bench, &bench.gitea().1.clone().about("nobody/app"))
        }),
        single("the owner does not exist", "Railhead, nginx", error("RH-AUTH-OWNER", "identity"), |bench| {
            railhead(bench, &bench.railhead().1.clone().about("nobody/app"))
        }),
        single(
            "the owner's quota is used up",
            "Railhead, breaker",
            error("RH-AUTH-QUOTA", "identity"),
            |bench| {
                let body = r#"{"errors":[{"code":"DENIED","message":"the quota of alice is used up: 1.0 GiB of 1.0 GiB"}]}"#;
                let fields = ["Content-Type: application/json"];
                bench.broken(move |script| {
                    script.answer("POST", "/v2/*/blobs/uploads/", "403 Forbidden", &fields, body)
                })
            },
        ),
    ]
}
