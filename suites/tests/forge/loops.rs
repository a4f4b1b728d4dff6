//! A `forge.url` that leads back to Railhead.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::double::{pass_on, serve};
use crate::place::{Client, expect, forge, railhead};

#[test]
fn an_address_that_leads_back_here_is_told_at_once() {
    let scratch = tempfile::tempdir().unwrap();
    let forge = forge(scratch.path(), "");
    forge.user("bob");
    // The public host, as the guide for one host has it: `/v2` is Railhead's, all else the forge's.
    let registry: Arc<(Mutex<Option<SocketAddr>>, Condvar)> = Arc::default();
    let (real, there) = (forge.address(), Arc::clone(&registry));
    let host = serve(Arc::new(move |head: &str, stream| {
        let to = if head.split(' ').nth(1).is_some_and(|path| path.starts_with("/v2")) {
            // While Railhead starts, nobody knows where it will be.
            let address = there.0.lock().unwrap();
            *there.1.wait_while(address, |address| address.is_none()).unwrap()
        } else {
            Some(real)
        };
        pass_on(to.unwrap(), head, stream);
    }));
    let is_at = |address: Option<SocketAddr>| {
        *registry.0.lock().unwrap() = address;
        registry.1.notify_all();
    };
    let mut railhead = railhead(scratch.path(), host, 60, 60, Vec::new());
    is_at(Some(railhead.address()));
    let told = "leads to a Railhead and not to the forge";
    let from = Instant::now();
    let token = forge.token_of("bob", "ci", &["write:package"]);
    // A narrow token needs the forge's registry for a login, and so does every right.
    expect(Client::new(railhead.address(), "bob", &token).login(), 503, &[told, "http://gitea-http:3000"]);
    expect(Client::new(railhead.address(), "bob", forge.password()).push("bob/app"), 503, &[told]);
    assert!(from.elapsed() < Duration::from_secs(4), "it took {:?}", from.elapsed());
    // The start says it, too.
    is_at(None);
    railhead.sigterm();
    railhead.restart();
    is_at(Some(railhead.address()));
    railhead.wait_for("the log to tell it", |log| log.contains(told).then_some(()));
    assert!(!railhead.server().log().contains(&token));
}
