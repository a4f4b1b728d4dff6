//! A double before the real Gitea that counts, and doubles that answer badly.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use railhead_suites::Railhead;

use crate::place::{Client, becomes, expect, forge, railhead};

/// What the double does with a request: its head, and where the real one is.
pub type Answering = dyn Fn(&str, TcpStream) + Send + Sync;

/// A server for one request a connection.
pub fn serve(answer: Arc<Answering>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                let mut from = &stream;
                while !head.ends_with(b"\r\n\r\n") && matches!(from.read(&mut byte), Ok(1)) {
                    head.push(byte[0]);
                }
                if !head.is_empty() {
                    answer(&String::from_utf8_lossy(&head), stream);
                }
            });
        }
    });
    address
}

/// Passes a request on to `forge`, each on a connection of its own.
pub fn pass_on(forge: SocketAddr, head: &str, mut client: TcpStream) {
    let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    let mut there = TcpStream::connect(forge).unwrap();
    there.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // What either end breaks off is for the other to see.
    let _ = there.read_to_end(&mut answer);
    let _ = client.write_all(&answer);
}

fn says(mut client: TcpStream, status: &str, kind: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = client.write_all(head.as_bytes());
    let _ = client.write_all(body.as_bytes());
}

fn client(railhead: &Railhead, user: &str, secret: &str) -> Client {
    Client::new(railhead.address(), user, secret)
}

#[test]
fn two_hundred_clients_ask_the_forge_no_more_often_than_the_bound_allows() {
    const CLIENTS: usize = 200;
    let scratch = tempfile::tempdir().unwrap();
    let forge = forge(scratch.path(), "");
    forge.user("bob");
    forge.organisation("hidden", "private");
    forge.team("hidden", "crew", "write", &["bob"]);
    let tokens: Vec<String> =
        (0..CLIENTS).map(|n| forge.token_of("bob", &format!("t{n}"), &["read:package"])).collect();
    let (count, most, now) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let real = forge.address();
    let (counted, highest, running) = (Arc::clone(&count), Arc::clone(&most), Arc::clone(&now));
    let double = serve(Arc::new(move |head: &str, stream: TcpStream| {
        counted.fetch_add(1, Ordering::SeqCst);
        highest.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        pass_on(real, head, stream);
        running.fetch_sub(1, Ordering::SeqCst);
    }));
    let cache = 20;
    let railhead = railhead(scratch.path(), double, cache, 60, Vec::new());
    expect(client(&railhead, "bob", forge.password()).push("hidden/app"), 201, &[]);
    let before = count.load(Ordering::SeqCst);
    let from = Instant::now();
    let pulls = Arc::new(AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for part in tokens.chunks(CLIENTS / 8) {
            let (railhead, pulls) = (&railhead, Arc::clone(&pulls));
            scope.spawn(move || {
                for _ in 0..5 {
                    for token in part {
                        expect(client(railhead, "bob", token).pull("hidden/app"), 200, &[]);
                        pulls.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let took = from.elapsed();
    let asked = count.load(Ordering::SeqCst) - before;
    // Who it is, by two questions the first time, and whether it may: three a token in each span of the cache, and a few that
    // all share.
    let spans = 1 + took.as_secs() as usize / cache as usize;
    println!(
        "{} pulls with {CLIENTS} tokens in {took:?}: {asked} questions, {} at once",
        pulls.load(Ordering::SeqCst),
        most.load(Ordering::SeqCst)
    );
    assert_eq!(pulls.load(Ordering::SeqCst), CLIENTS * 5);
    assert!(asked <= 3 * CLIENTS * spans + 10 * spans, "{asked} questions in {took:?}");
    assert!(most.load(Ordering::SeqCst) <= 16, "{} questions at once", most.load(Ordering::SeqCst));
}

/// How the forge answers at the moment, and for whom.
enum Mood {
    Well,
    Html,
    AnotherUser,
    Slow,
}

#[test]
fn a_forge_that_answers_badly_is_refused_and_does_not_slow_others() {
    let scratch = tempfile::tempdir().unwrap();
    let forge = forge(scratch.path(), "");
    for user in ["bob", "carol"] {
        forge.user(user);
    }
    let mood = Arc::new(Mutex::new(Mood::Well));
    let (real, moods) = (forge.address(), Arc::clone(&mood));
    let double = serve(Arc::new(move |head: &str, stream: TcpStream| {
        let is_user = head.starts_with("GET /api/v1/user ");
        match &*moods.lock().unwrap() {
            Mood::Html => {
                return says(stream, "200 OK", "text/html", "<!doctype html><title>Sign in</title>");
            }
            Mood::AnotherUser if is_user => {
                return says(
                    stream,
                    "200 OK",
                    "application/json",
                    r#"{"id":1,"login":"alice","is_admin":true}"#,
                );
            }
            Mood::Slow if is_user => {}
            _ => return pass_on(real, head, stream),
        }
        // Holds the connection until the one who asks gives up.
        let mut rest = [0; 64];
        let _ = (&stream).read(&mut rest);
    }));
    let railhead = railhead(scratch.path(), double, 1, 60, Vec::new());
    let token = forge.token_of("bob", "all", &["all"]);
    let bob = client(&railhead, "bob", &token);
    expect(bob.push("bob/app"), 201, &[]);
    expect(client(&railhead, "", "").pull("bob/app"), 200, &[]);

    *mood.lock().unwrap() = Mood::Html;
    expect(client(&railhead, "carol", forge.password()).login(), 503, &["a page of HTML"]);
    *mood.lock().unwrap() = Mood::AnotherUser;
    expect(client(&railhead, "carol", forge.password()).login(), 401, &["of another account"]);

    *mood.lock().unwrap() = Mood::Slow;
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..4)
            .map(|n| {
                let railhead = &railhead;
                scope.spawn(move || client(railhead, "carol", &format!("slow{n}")).login().0)
            })
            .collect();
        // Meanwhile others are served as ever.
        let from = Instant::now();
        for _ in 0..20 {
            expect(client(&railhead, "", "").pull("bob/app"), 200, &[]);
        }
        assert!(from.elapsed() < Duration::from_secs(4), "others wait: {:?}", from.elapsed());
        for one in waiting {
            assert_eq!(one.join().unwrap(), 503);
        }
    });
    // It is known to be down: nobody waits for it any more.
    let from = Instant::now();
    expect(client(&railhead, "carol", "again").login(), 503, &["did not answer within"]);
    assert!(from.elapsed() < Duration::from_secs(6));
    *mood.lock().unwrap() = Mood::Well;
    becomes(200, || bob.login());
    let log = railhead.server().log();
    assert_eq!(log.matches("the forge gave no answer that can be used").count(), 1, "{log}");
    assert!(!log.contains(&token) && !log.contains("slow0"));
}
