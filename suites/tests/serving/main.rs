//! What the server does while it serves, seen from outside: a disk that fills up or rots, a certificate that changes, a kill with the
//! bytes in S3, both versions of HTTP over TLS, an end in the middle of an upload.

#![expect(clippy::unwrap_used, reason = "this is a test")]

mod certificates;
mod curl;
mod damage;
mod ending;
mod full_disk;
mod killed;
mod protocols;

use railhead_suites::http::{Answer, Http};
use railhead_suites::registry::{OWNER, TEAM};
use railhead_suites::{Railhead, Random};

/// The repository that the tests push to.
const REPOSITORY: &str = "team/app";

/// Makes the team with one person who may do everything in it. Gives that person's token.
fn make_owner(railhead: &Railhead) -> String {
    railhead.user(OWNER, "correct horse battery staple");
    railhead.organisation(TEAM, &[(OWNER, "owner")]);
    railhead.token(OWNER, &["pull", "push", "delete"])
}

/// A client that may do everything in [`REPOSITORY`], over plain HTTP.
fn login(railhead: &Railhead) -> Http {
    let token = make_owner(railhead);
    let scope = format!("repository:{REPOSITORY}:pull,push,delete");
    Http::login(railhead.address(), OWNER, &token, &[scope]).unwrap()
}

/// Begins an upload. Gives its location.
fn begin(http: &Http) -> String {
    let answer = http.send("POST", &format!("/v2/{REPOSITORY}/blobs/uploads/"), &[], b"").unwrap();
    expect(&answer, 202);
    answer.header("location").unwrap().to_owned()
}

/// A layer of `mebibytes` that no other seed gives.
fn layer(seed: u64, mebibytes: usize) -> Vec<u8> {
    Random::new(seed).bytes(mebibytes << 20)
}

#[track_caller]
fn expect(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
}
