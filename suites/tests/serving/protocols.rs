//! HTTP/2, which ALPN chooses, and HTTP/1.1 over the same port.

use std::fs;

use railhead_oci::Digest;
use railhead_suites::Railhead;
use railhead_suites::railhead::Options;

use crate::curl::Curl;
use crate::{REPOSITORY, layer, make_owner};

#[test]
fn a_blob_is_pushed_and_pulled_over_both_versions() {
    let scratch = tempfile::tempdir().unwrap();
    let railhead = Railhead::start(scratch.path(), Options { tls: true, ..Options::default() });
    let curl = Curl::new(railhead.address(), &make_owner(&railhead), scratch.path());
    let ca = railhead.ca().ca_file();
    for (flag, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let content = layer(4 + version.len() as u64, 9);
        let file = scratch.path().join("content");
        fs::write(&file, &content).unwrap();
        let digest = Digest::sha256(&content);
        let uploads = format!("/v2/{REPOSITORY}/blobs/uploads/");
        let begun = curl.ask(&ca, &[flag, "--request", "POST"], &uploads);
        assert_eq!((begun.status, begun.version.as_str()), (202, version));
        // As docker does: all of it in one chunk of unknown length, then an empty request with the digest.
        let body = format!("@{}", file.display());
        let unknown = ["--header", "Transfer-Encoding: chunked"];
        let length: &[&str] = if version == "2" { &["--header", "Content-Length:"] } else { &unknown };
        let patch = [
            "--request",
            "PATCH",
            "--data-binary",
            &body,
            "--header",
            "Content-Type: application/octet-stream",
        ];
        let options: Vec<_> = [flag].iter().chain(&patch).chain(length).copied().collect();
        let written = curl.ask(&ca, &options, &begun.location);
        assert_eq!((written.status, written.version.as_str()), (202, version));
        let target = format!("{}?digest={digest}", written.location);
        let made = curl.ask(&ca, &[flag, "--request", "PUT"], &target);
        assert_eq!((made.status, made.version.as_str()), (201, version));

        // What came over one is pulled over both.
        let blob = format!("/v2/{REPOSITORY}/blobs/{digest}");
        for (flag, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
            let pulled = curl.ask(&ca, &[flag], &blob);
            assert_eq!((pulled.status, pulled.version.as_str()), (200, version));
            assert!(pulled.body == content, "other bytes than were pushed");
            let part = curl.ask(&ca, &[flag, "--range", "5000000-"], &blob);
            assert_eq!(part.status, 206);
            assert!(part.body == content[5_000_000..], "other bytes than were asked for");
        }
    }
}
