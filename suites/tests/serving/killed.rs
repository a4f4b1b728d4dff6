//! What a kill leaves in S3 is cleaned up by the next start, and nothing else is.
//!
//! The leftovers are put into the bucket by hand, as a kill leaves them only when it strikes at the right instant.

use std::fs;

use railhead_oci::Digest;
use railhead_suites::Railhead;
use railhead_suites::bucket::{Bucket, between};
use railhead_suites::http::Http;
use railhead_suites::railhead::Options;

use crate::{REPOSITORY, begin, expect, layer, login};

/// Ids that no upload of the test has.
const ORPHAN: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
const UNFINISHED: &str = "1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f";

#[test]
fn leftovers_in_s3_are_removed_and_running_uploads_go_on() {
    let scratch = tempfile::tempdir().unwrap();
    let bucket = Bucket::start();
    let options = Options { arguments: configuration(scratch.path(), &bucket), ..Options::default() };
    let bucket = &bucket.http;
    let mut railhead = Railhead::start(scratch.path(), options);
    let mut http = login(&railhead);
    let (kept, begun) = (layer(6, 9), layer(7, 20));
    let [kept_digest, begun_digest] = [&kept, &begun].map(|content| Digest::sha256(content));
    let target = format!("/v2/{REPOSITORY}/blobs/uploads/?digest={kept_digest}");
    expect(&http.send("POST", &target, &[], &kept).unwrap(), 201);
    let location = begin(&http);
    expect(&http.send("PATCH", &location, &[], &begun[..17 << 20]).unwrap(), 202);

    let orphan = format!("/railhead/blobs/0f/{ORPHAN}");
    expect(&bucket.send("PUT", &orphan, &[], b"an object that no catalog knows").unwrap(), 200);
    let multipart =
        bucket.send("POST", &format!("/railhead/blobs/1f/{UNFINISHED}?uploads="), &[], b"").unwrap();
    let id = between(&multipart, "<UploadId>", "</UploadId>").remove(0);
    let note = format!("/railhead/uploads/{UNFINISHED}/multipart");
    expect(&bucket.send("PUT", &note, &[], id.as_bytes()).unwrap(), 200);
    assert_eq!(unfinished(bucket), 2);

    railhead.kill9();
    railhead.restart();
    railhead.wait_for("a swept bucket", |log| log.find("left behind when it was killed is removed"));
    assert_eq!(bucket.send("GET", &orphan, &[], b"").unwrap().status, 404);
    assert_eq!(bucket.send("GET", &note, &[], b"").unwrap().status, 404);
    assert_eq!(unfinished(bucket), 1, "the upload that goes on, and nothing else");

    http.address = railhead.address();
    let blob = http.send("GET", &format!("/v2/{REPOSITORY}/blobs/{kept_digest}"), &[], b"").unwrap();
    expect(&blob, 200);
    assert!(blob.body == kept, "other bytes than were pushed");
    let target = format!("{location}?digest={begun_digest}");
    expect(&http.send("PUT", &target, &[], &begun[17 << 20..]).unwrap(), 201);
    assert_eq!(unfinished(bucket), 0);
    assert!(railhead.sigterm(), "SIGTERM must end the server with exit code 0");
}

/// Arguments that send the bytes to the bucket.
fn configuration(scratch: &std::path::Path, bucket: &Bucket) -> Vec<String> {
    let file = scratch.join("railhead.toml");
    fs::write(&file, bucket.configuration(&scratch.join("s3-key"))).unwrap();
    vec!["--config".to_owned(), file.display().to_string()]
}

/// How many multipart uploads the bucket has that were neither completed nor aborted.
fn unfinished(bucket: &Http) -> usize {
    let answer = bucket.send("GET", "/railhead?uploads=", &[], b"").unwrap();
    expect(&answer, 200);
    between(&answer, "<UploadId>", "</UploadId>").len()
}
