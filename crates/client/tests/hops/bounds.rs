//! Hostile answers: each costs a bounded time and leaves a bounded record.

use railhead_client::hops::{Broke, Hop, Step};

use crate::server::{Reply, Server, leaks, settings, walk};

fn head(status: &str, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}\r\n").into_bytes()
}

#[tokio::test]
async fn a_head_without_end_is_too_large() {
    let again = b"X-More: abcdefghijklmnopqrstuvwxyz\r\n".to_vec();
    let server = Server::start(move |_| Reply::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), again.clone())).await;
    let walk = walk(settings(), &server.route()).await;
    assert_eq!(walk.registry.broke().unwrap().kind, Broke::HeadTooLarge, "{:?}", walk.registry);
    // One header alone that large.
    let server =
        Server::start(|_| Reply::Endless(b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'a'; 4096])).await;
    let walk = crate::server::walk(settings(), &server.route()).await;
    assert_eq!(walk.registry.broke().unwrap().kind, Broke::HeadTooLarge, "{:?}", walk.registry);
}

#[tokio::test]
async fn a_head_that_ends_beyond_the_bound_is_too_large() {
    for (size, is_too_large) in [(60_000, false), (70_000, true), (96 << 10, true)] {
        let server = Server::start(move |_| {
            let padding = format!("X-Padding: {}", "a".repeat(size));
            Reply::new("404 Not Found", &[&padding], "")
        })
        .await;
        let walk = walk(settings(), &server.route()).await;
        let broke = walk.registry.broke().map(|broke| broke.kind);
        assert_eq!(broke, is_too_large.then_some(Broke::HeadTooLarge), "{size}");
    }
}

#[tokio::test]
async fn a_body_of_a_stated_gigabyte_is_endless() {
    let first = head("404 Not Found", "Content-Length: 1000000000\r\n");
    let server = Server::start(move |_| Reply::Endless(first.clone(), vec![b'a'; 16 << 10])).await;
    let walk = walk(settings(), &server.route()).await;
    let answered = walk.registry.seen().unwrap();
    assert!(answered.body_endless && answered.body_broke.is_none(), "{answered:?}");
    assert!(answered.body_bytes < 200_000, "{}", answered.body_bytes);
}

#[tokio::test]
async fn a_body_without_end_is_left() {
    let first = head(
        "401 Unauthorized",
        "Transfer-Encoding: chunked\r\nWWW-Authenticate: Bearer realm=\"http://git.example.com/t\"\r\n",
    );
    let chunk = [b"1000\r\n".to_vec(), vec![b'a'; 4096], b"\r\n".to_vec()].concat();
    let server = Server::start(move |_| Reply::Endless(first.clone(), chunk.clone())).await;
    let walk = walk(settings(), &server.route()).await;
    let answered = walk.registry.seen().unwrap();
    assert!(answered.body_endless && answered.body.len() == 2048, "{answered:?}");
    assert!(answered.body_bytes <= 2 << 20, "{}", answered.body_bytes);
    assert!(walk.challenge.seen().is_some());
    assert!(matches!(walk.realm, Step::Skipped { behind: Some(Hop::Registry), .. }));
    assert!(serde_json::to_string(&walk).unwrap().len() < 40_000);
}

#[tokio::test]
async fn a_slow_body_and_a_cut_one_are_told_apart() {
    let slow = [head("404 Not Found", "Content-Length: 100\r\n"), b"abc".to_vec()].concat();
    let cut = slow.clone();
    let server = Server::start(move |_| Reply::Stall(slow.clone())).await;
    let first = walk(settings(), &server.route()).await;
    let answered = first.registry.seen().unwrap();
    assert_eq!(answered.body_broke.as_ref().unwrap().kind, Broke::BodySlow);
    assert_eq!((answered.body.as_str(), answered.body_bytes), ("abc", 3));
    let server = Server::start(move |_| Reply::Bytes(cut.clone())).await;
    let second = walk(settings(), &server.route()).await;
    let broke = second.registry.seen().unwrap().body_broke.clone().unwrap();
    assert_eq!(broke.kind, Broke::BodyCut, "{broke:?}");
}

#[tokio::test]
async fn a_large_page_with_a_length_is_not_endless() {
    let server = Server::start(|_| Reply::new("404 Not Found", &[], &"x".repeat(300_000))).await;
    let walk = walk(settings(), &server.route()).await;
    let answered = walk.registry.seen().unwrap();
    assert!(
        !answered.body_endless && answered.body_broke.is_none() && answered.body_bytes < 200_000,
        "{answered:?}"
    );
}

#[tokio::test]
async fn compressed_bodies_stay_as_they_are() {
    // A deflated gigabyte would begin like this; nobody unpacks it.
    let server = Server::start(|_| {
        let mut bytes =
            head("200 OK", "Content-Encoding: gzip\r\nContent-Length: 20\r\nConnection: close\r\n");
        bytes.extend_from_slice(
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xec\xc1\x01\x01\x00\x00\x00\x80\x90\xfe",
        );
        Reply::Bytes(bytes)
    })
    .await;
    let walk = walk(settings(), &server.route()).await;
    let answered = walk.registry.seen().unwrap();
    assert_eq!((answered.header("content-encoding"), answered.body_bytes), (Some("gzip"), 20));
    assert!(answered.body.chars().all(|letter| !letter.is_control()), "{:?}", answered.body);
}

#[tokio::test]
async fn control_characters_do_not_reach_a_terminal() {
    let server =
        Server::start(|_| Reply::new("404 Not Found", &["Server: x\tx"], "\u{1b}[31mred\u{7}\r\nline\n"))
            .await;
    let walk = walk(settings(), &server.route()).await;
    assert_eq!(walk.registry.seen().unwrap().body, "\u{fffd}[31mred\u{fffd}\nline\n");
    assert_eq!(leaks(&walk), [""; 0]);
}
