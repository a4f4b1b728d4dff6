//! A full disk: the push that does not fit is told so, everything else goes on, and room that comes back is used.

use std::fs;

use railhead_oci::Digest;
use railhead_suites::Railhead;
use railhead_suites::http::{Answer, Http};
use railhead_suites::railhead::Options;
use railhead_suites::small_disk::{SmallDisk, in_own_namespace};

use crate::{REPOSITORY, begin, expect, layer, login};

/// Size of the disk, in MiB.
const DISK: usize = 48;

#[test]
fn a_push_that_does_not_fit_is_refused_and_its_room_comes_back() {
    in_own_namespace("full_disk::a_push_that_does_not_fit_is_refused_and_its_room_comes_back", || {
        let scratch = tempfile::tempdir().unwrap();
        let _disk = SmallDisk::mount(&scratch.path().join("data"), DISK);
        let mut railhead = Railhead::start(scratch.path(), Options::default());
        let http = login(&railhead);
        let [kept, other, too_large] = [(1, 4), (2, 20), (3, DISK)].map(|(seed, size)| layer(seed, size));
        expect(&push(&http, &kept), 201);

        // In one request, then in docker's way; each time the next push needs the room that the refused one took.
        refused(&push(&http, &too_large));
        expect(&push(&http, &other), 201);
        expect(&delete(&http, &other), 202);
        let location = begin(&http);
        refused(&http.send("PATCH", &location, &[], &too_large).unwrap());
        expect(&http.send("GET", &location, &[], b"").unwrap(), 204);
        expect(&push(&http, &other), 201);
        pull(&http, &kept);

        // The refused upload is where it was, and takes what fits now.
        let digest = Digest::sha256(&kept);
        let put = http.send("PUT", &format!("{location}?digest={digest}"), &[], &kept).unwrap();
        expect(&put, 201);

        // The same, where the failing write is the last one, on the way to the final object.
        let last = layer(4, DISK);
        let location = begin(&http);
        let digest = Digest::sha256(&last);
        refused(&http.send("PUT", &format!("{location}?digest={digest}"), &[], &last).unwrap());
        expect(&delete(&http, &other), 202);
        expect(&push(&http, &other), 201);
        assert!(railhead.sigterm(), "SIGTERM must end the server with exit code 0");
    });
}

#[test]
fn a_disk_without_a_single_byte_left_stops_no_pull() {
    in_own_namespace("full_disk::a_disk_without_a_single_byte_left_stops_no_pull", || {
        let scratch = tempfile::tempdir().unwrap();
        let data = scratch.path().join("data");
        let _disk = SmallDisk::mount(&data, DISK);
        let mut railhead = Railhead::start(scratch.path(), Options::default());
        let http = login(&railhead);
        let (kept, small) = (layer(5, 4), b"small");
        expect(&push(&http, &kept), 201);
        let begun = begin(&http);

        // Somebody else fills the disk, so that the catalog has no room either.
        let ballast = data.join("ballast");
        SmallDisk::fill(&ballast);
        refused(&push(&http, small));
        let digest = Digest::sha256(small);
        refused(&http.send("PUT", &format!("{begun}?digest={digest}"), &[], small).unwrap());
        pull(&http, &kept);
        expect(&http.send("GET", "/readyz", &[], b"").unwrap(), 200);

        fs::remove_file(&ballast).unwrap();
        expect(&push(&http, small), 201);
        pull(&http, small);
        assert!(railhead.sigterm(), "SIGTERM must end the server with exit code 0");
        railhead.restart();
        pull(&Http { address: railhead.address(), ..http }, &kept);
    });
}

fn push(http: &Http, content: &[u8]) -> Answer {
    let target = format!("/v2/{REPOSITORY}/blobs/uploads/?digest={}", Digest::sha256(content));
    http.send("POST", &target, &[], content).unwrap()
}

fn delete(http: &Http, content: &[u8]) -> Answer {
    let target = format!("/v2/{REPOSITORY}/blobs/{}", Digest::sha256(content));
    http.send("DELETE", &target, &[], b"").unwrap()
}

#[track_caller]
fn pull(http: &Http, content: &[u8]) {
    let target = format!("/v2/{REPOSITORY}/blobs/{}", Digest::sha256(content));
    let answer = http.send("GET", &target, &[], b"").unwrap();
    expect(&answer, 200);
    assert!(answer.body == content, "other bytes than were pushed");
}

/// That it is 507 and says why, in the form of the distribution-spec.
#[track_caller]
fn refused(answer: &Answer) {
    expect(answer, 507);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let error = &body["errors"][0];
    assert_eq!(error["message"], "the registry's storage is full", "{body}");
    assert!(error["code"].is_string() && error["detail"]["hint"].is_string(), "{body}");
}
