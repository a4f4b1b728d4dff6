//! SIGTERM in the middle of an upload.

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use railhead_oci::Digest;
use railhead_suites::Railhead;
use railhead_suites::http::read_answer;
use railhead_suites::railhead::Options;

use crate::{begin, expect, layer, login};

#[test]
fn a_running_upload_ends_well_and_no_new_connection_is_taken() {
    let scratch = tempfile::tempdir().unwrap();
    let mut railhead = Railhead::start(scratch.path(), Options::default());
    let (http, content) = (login(&railhead), layer(3, 3));
    let (location, digest) = (begin(&http), Digest::sha256(&content));
    let path =
        location.split_once("://").map_or(location.as_str(), |(_, rest)| &rest[rest.find('/').unwrap()..]);
    let head = format!(
        "PUT {path}?digest={digest} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nContent-Length: {}\r\n\r\n",
        http.address,
        http.authorization,
        content.len()
    );
    let mut stream = TcpStream::connect(http.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&content[..1 << 20]).unwrap();
    // The server must be at it, and not only its system's queue of connections.
    let uploads = railhead.data().join("uploads");
    railhead.wait_for("staged bytes", |_| {
        let staged = fs::read_dir(&uploads).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
        staged.sum::<u64>().checked_sub(1)
    });

    thread::scope(|scope| {
        let ended = scope.spawn(|| railhead.sigterm());
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match TcpStream::connect(http.address) {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => break,
                _ => assert!(Instant::now() < deadline, "it still takes connections"),
            }
            thread::sleep(Duration::from_millis(5));
        }
        assert!(!ended.is_finished(), "it ended in the middle of an upload");
        stream.write_all(&content[1 << 20..]).unwrap();
        expect(&read_answer(&stream, false).unwrap(), 201);
        assert!(ended.join().unwrap(), "SIGTERM must end the server with exit code 0");
    });
}
