//! What the fuzzers run: one function a parser, shared by `fuzz/` and by the short run in the tests.
//!
//! Each takes any bytes, and panics if a promise of the parser does not hold.

use crate::{
    BlobRange, Challenge, ContentRange, Digest, Hasher, ListQuery, Manifest, Pattern, Query, Reference,
    RepositoryName, Scope, V2Path, media, next_link, parse_next_link, parse_upload_range,
};

/// A target and seeds from which to begin.
pub struct Target {
    /// The name of its program in `fuzz/`.
    pub name: &'static str,
    /// What runs.
    pub run: fn(&[u8]),
    /// Inputs that get far.
    pub seeds: &'static [&'static str],
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "names", run: names, seeds: NAME_SEEDS },
    Target { name: "manifest", run: manifest, seeds: MANIFEST_SEEDS },
    Target { name: "challenge", run: challenge, seeds: CHALLENGE_SEEDS },
    Target { name: "scope", run: scope, seeds: SCOPE_SEEDS },
    Target { name: "range", run: range, seeds: RANGE_SEEDS },
    Target { name: "path", run: path, seeds: PATH_SEEDS },
    Target { name: "pattern", run: pattern, seeds: PATTERN_SEEDS },
];

const NAME_SEEDS: &[&str] = &[
    "team/tools/build__er-x",
    "v1.0-rc_1",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
];

/// Names, tags, digests, references: what is read is written the same, and stays inside of a directory.
pub fn names(data: &[u8]) {
    let _ = Hasher::restore(crate::Algorithm::Sha256, data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(name) = text.parse::<RepositoryName>() {
        assert_eq!(name.as_str(), text);
        assert_eq!(format!("{}/{}", name.owner(), name.image()), text);
        assert!(!text.split('/').any(|segment| segment.is_empty() || segment.starts_with('.')));
    }
    if let Ok(reference) = text.parse::<Reference>() {
        assert_eq!(reference.to_string(), text);
        assert!(!text.contains('/') && !text.starts_with('.'));
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
}

const MANIFEST_SEEDS: &[&str] = &[
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"a/b","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[{"mediaType":"x","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0,"urls":["https://x"]}],"subject":{"mediaType":"x","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":1},"annotations":{"a":"b"}}"#,
    r#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":7,"platform":{"os":"unknown"}}]}"#,
    r#"{"schemaVersion":1,"fsLayers":[{"blobSum":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}],"signatures":[]}"#,
    r#"{"mediaType":"application/vnd.example.v1+json","blobs":[{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":7}],"annotations":{"a":1}}"#,
];

/// Manifests: what is accepted has a type that can be served, and each reference once.
pub fn manifest(data: &[u8]) {
    for content_type in [None, Some(media::OCI_INDEX), Some("application/vnd.example.v1+json; charset=utf-8")]
    {
        let Ok(manifest) = Manifest::read(content_type, data) else { continue };
        assert!(media::is_manifest_type(&manifest.media_type));
        let all = manifest.blobs.iter().chain(&manifest.foreign);
        let count = all.clone().collect::<std::collections::HashSet<_>>().len();
        assert_eq!(count, manifest.blobs.len() + manifest.foreign.len());
        let annotations = serde_json::from_str(&manifest.annotations_json()).expect("it is JSON");
        assert_eq!(manifest.annotations, annotations);
    }
}

const CHALLENGE_SEEDS: &[&str] = &[
    r#"Bearer realm="https://git.example.org/token",service="git.example.org",scope="repository:a/b:pull,push""#,
    r#"Negotiate, Basic realm="a, \"b", NTLM abc==, Bearer realm=x"#,
];

/// Challenges: any header is read, and any text is written as one challenge that reads back.
pub fn challenge(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    Challenge::parse_all([&*text, &*text]);
    let challenge = Challenge::bearer(&text, "x", Some(&text), None);
    let written = challenge.to_string();
    assert!(written.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    let read = Challenge::parse_all([&*written]);
    assert_eq!((read.len(), read[0].parameters.len()), (1, 3));
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        assert_eq!(read, [challenge]);
    }
}

const SCOPE_SEEDS: &[&str] = &[
    "repository:a/b:pull,push registry:catalog:* repository(plugin):c/d:*",
    "repository:localhost:5000/a/b:pull repository:a/b:delete",
];

/// Scopes: what is granted reads back, each repository once.
pub fn scope(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let scopes = Scope::parse_all([&*text]);
    let written: Vec<_> = scopes.iter().map(ToString::to_string).collect();
    assert_eq!(Scope::parse_all([&*written.join(" ")]), scopes);
}

const RANGE_SEEDS: &[&str] =
    &["0-99", "bytes 0-99/200", "bytes=5-9", "bytes=-5", "bytes=0-18446744073709551615"];

/// Ranges: never empty, never outside of the content.
pub fn range(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(range) = ContentRange::read(&text) {
        assert!(range.len() > 0);
    }
    let _ = parse_upload_range(&text);
    for size in [0, 1, 100, u64::MAX] {
        if let Ok(BlobRange::Part(range)) = BlobRange::read(&text, size) {
            assert!(range.start < range.end && range.end <= size);
        }
    }
}

const PATH_SEEDS: &[&str] = &[
    "/v2/a/b/blobs/sha256%3Ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855?n=5&last=a%2Fb",
    "/v2/a/blobs/uploads/manifests/latest?digest=sha256:ab&mount=x&from=a/b",
    "/v2/a/b/blobs/uploads/1-2-3",
    "/v2/_catalog?n=0",
    "/v2/a/b/tags/list",
    "/v2/a/b/referrers/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855?artifactType=a/b+c",
];

/// Paths and queries: a page that is read is linked to, and the link reads back.
pub fn path(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (path, query) = text.split_once('?').unwrap_or((&text, ""));
    if let Ok(V2Path::Upload { id, .. }) = V2Path::parse(path) {
        assert!(!id.is_empty() && !id.contains('/'));
    }
    let pairs = Query::new(Some(query));
    let _ = (pairs.get("digest"), pairs.get_literal("artifactType"), pairs.all("tag").count());
    if let Ok(ListQuery { n: Some(n), last: Some(last) }) = ListQuery::read(query)
        && let Ok(entries) = u32::try_from(n)
    {
        let link = next_link("/v2/_catalog", entries, &last);
        let target = parse_next_link([&*link]).expect("it is a link");
        let (_, query) = target.split_once('?').expect("it has a query");
        assert_eq!(ListQuery::read(query), Ok(ListQuery { n: Some(n), last: Some(last) }));
    }
    let _ = parse_next_link([&*text]);
}

const PATTERN_SEEDS: &[&str] =
    &["team/app*\nteam/app-x", "**/a*b\nx/y/aab", "a*a*a*a*b\naaaaaaaaaaaaaa", "*\na/b"];

/// Patterns: the first line is one, the second is matched. A text without stars matches itself alone.
pub fn pattern(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (pattern, name) = text.split_once('\n').unwrap_or((&text, ""));
    let Ok(pattern) = pattern.parse::<Pattern>() else { return };
    let found = pattern.matches(name);
    if !pattern.as_str().contains('*') {
        assert_eq!(found, pattern.as_str() == name);
    }
}
