//! Sources that break, lie, forget and refuse: what can be had is moved, and the rest is named with why.

use std::collections::BTreeMap;

use railhead_suites::{Image, Random};

use crate::ends::{End, Said, migrate, operator, railhead};
use crate::faulty::{Fault, Faulty, NAME};

/// Images `good` and `bad` at a faulty source, whose blobs of `bad` are shown to `spoil`; what the move said.
fn moved(spoil: impl FnOnce(&Faulty, &[String]), check: impl FnOnce(&Said, &Faulty)) {
    let scratch = tempfile::tempdir().unwrap();
    let (_railhead, to) = railhead(&scratch.path().join("railhead"), "railhead.test:5050");
    let (source, mut random) = (Faulty::start(), Random::new(29));
    let [good, bad] = [(); 2].map(|()| Image::random(&mut random, 1, 300_000));
    source.image("good", &good);
    let blobs = source.image("bad", &bad);
    spoil(&source, &blobs);
    let from = End::open(source.address());
    let operator = operator(&scratch.path().join("home"), &from, &to);
    let said = migrate(&operator, &from, &to, &[]);
    let http = to.login(&[NAME]);
    let pulls = |tag: &str| http.send("GET", &format!("/v2/{NAME}/manifests/{tag}"), &[], b"").unwrap();
    assert_eq!(pulls("good").body, good.manifest(), "what is whole is moved in every case: {}", said.outcome);
    let is_whole = said.report["verdict"] == "equal" && said.report["totals"]["tags"] == 2;
    assert_eq!(pulls("bad").status == 200, is_whole, "{}", said.outcome);
    check(&said, &source);
}

fn bad_layer(blobs: &[String]) -> &str {
    &blobs[1]
}

#[test]
fn a_blob_that_breaks_off_is_asked_for_from_where_it_broke() {
    moved(
        |source, blobs| source.fault(bad_layer(blobs), &[Fault::CutAt(100_000), Fault::Expired]),
        |said, source| {
            assert_eq!(said.report["verdict"], "equal", "{}", said.outcome);
            let asked: Vec<String> = source.asked("bytes=");
            assert!(
                !asked.is_empty() && asked.iter().all(|line| line.ends_with("bytes=100000-")),
                "{asked:?}"
            );
        },
    );
}

#[test]
fn a_source_that_is_busy_is_waited_for() {
    moved(
        |source, blobs| {
            source.fault(bad_layer(blobs), &[Fault::Busy(429), Fault::Busy(503)]);
            source.fault(&format!("/v2/{NAME}/tags/list"), &[Fault::Busy(429)]);
            source.fault(&format!("/v2/{NAME}/manifests/bad"), &[Fault::Busy(502)]);
        },
        |said, source| {
            assert_eq!(said.report["verdict"], "equal", "{}", said.outcome);
            let blobs = source.asked("GET ").into_iter().filter(|line| line.contains("/blobs/"));
            let most = blobs.fold(BTreeMap::<String, usize>::new(), |mut times, line| {
                *times.entry(line).or_default() += 1;
                times
            });
            assert_eq!(most.values().max(), Some(&3), "the layer came at the third time: {most:?}");
            assert_eq!(source.asked("/tags/list").len(), 2, "the list came at the second time");
            assert!(source.asked("/manifests/bad").len() >= 2, "and so did the manifest");
        },
    );
}

#[test]
fn a_login_that_ends_in_the_middle_is_renewed() {
    moved(
        |source, blobs| {
            source.fault(bad_layer(blobs), &[Fault::Expired]);
            source.fault(&format!("/v2/{NAME}/manifests/good"), &[Fault::Expired]);
        },
        |said, _| assert_eq!(said.report["verdict"], "equal", "{}", said.outcome),
    );
}

#[test]
fn bytes_that_are_not_what_their_digest_says_are_not_moved() {
    for fault in [Fault::Flipped, Fault::Short] {
        moved(
            |source, blobs| source.fault(bad_layer(blobs), &[fault; 8]),
            |said, _| {
                assert_eq!((said.outcome.code, &said.report["verdict"]), (Some(1), &"different".into()));
                let differences = said.differences();
                assert!(differences[0].starts_with("blob sha256:"), "{fault:?}: {differences:?}");
                let why = if fault == Fault::Flipped { "whose digest is" } else { "and the source serves" };
                assert!(differences[0].contains(why), "{fault:?}: {differences:?}");
                assert!(differences[1].contains("it needs blob sha256:"), "{fault:?}: {differences:?}");
            },
        );
    }
}

#[test]
fn a_manifest_that_is_not_what_its_digest_says_is_named() {
    moved(
        // By its tag it cannot be compared; but it is no JSON any more.
        |source, _| source.fault(&format!("/v2/{NAME}/manifests/bad"), &[Fault::Flipped; 8]),
        |said, _| {
            assert_eq!(said.outcome.code, Some(1), "{}", said.outcome);
            assert!(said.differences()[0].contains("of no use"), "{:?}", said.differences());
        },
    );
}

#[test]
fn a_tag_that_goes_while_it_is_looked_at_is_no_difference() {
    moved(
        |source, _| source.fault(&format!("/v2/{NAME}/manifests/bad"), &[Fault::Gone; 8]),
        |said, _| {
            assert_eq!((said.outcome.code, &said.report["verdict"]), (Some(0), &"equal".into()));
            assert_eq!(said.report["repositories"][0]["absent"], serde_json::json!(["bad"]));
        },
    );
}

#[test]
fn a_blob_that_always_breaks_off_is_given_up_alone() {
    moved(
        |source, blobs| source.fault(bad_layer(blobs), &[Fault::CutAt(10); 64]),
        |said, source| {
            assert_eq!((said.outcome.code, &said.report["verdict"]), (Some(1), &"different".into()));
            assert!(source.asked("bytes=").len() <= 9, "{:?}", source.asked("bytes="));
        },
    );
}
