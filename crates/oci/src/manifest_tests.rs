use proptest::prelude::*;
use serde_json::json;

use super::*;

const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const C: &str = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";

fn read(content_type: Option<&str>, document: &Value) -> Result<Manifest, ManifestError> {
    Manifest::read(content_type, document.to_string().as_bytes())
}

fn descriptor(media_type: &str, digest: &str) -> Value {
    json!({"mediaType": media_type, "digest": digest, "size": 7})
}

fn image() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": media::OCI_IMAGE,
        "config": descriptor(media::OCI_CONFIG, A),
        "layers": [descriptor(media::OCI_LAYER_GZIP, B)],
    })
}

/// A document with one field set.
fn with(mut document: Value, field: &str, value: Value) -> Value {
    document[field] = value;
    document
}

fn digests(found: &[Digest]) -> Vec<String> {
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn an_image_needs_its_config_and_its_layers() {
    let manifest = read(Some(media::OCI_IMAGE), &image()).unwrap();
    assert_eq!(manifest.kind, ManifestKind::Image);
    assert_eq!(digests(&manifest.blobs), [A, B]);
    assert_eq!(manifest.artifact_type.as_deref(), Some(media::OCI_CONFIG));
    assert_eq!((manifest.children.len(), manifest.subject), (0, None));
    for layers in [json!([]), json!(null)] {
        let none = read(None, &with(image(), "layers", layers)).unwrap();
        assert_eq!(digests(&none.blobs), [A]);
    }
}

#[test]
fn dockers_types_are_read_like_the_ocis() {
    for (header, document) in [
        (media::DOCKER_IMAGE, with(image(), "mediaType", json!(media::DOCKER_IMAGE))),
        (media::DOCKER_IMAGE, with(image(), "mediaType", json!(null))),
    ] {
        let manifest = read(Some(header), &document).unwrap();
        assert_eq!((&*manifest.media_type, manifest.kind), (header, ManifestKind::Image));
        assert_eq!(digests(&manifest.blobs), [A, B]);
    }
}

#[test]
fn the_type_is_the_headers_the_documents_or_the_shapes() {
    let untyped = with(image(), "mediaType", json!(""));
    let index = json!({"schemaVersion": 2, "manifests": []});
    let schema1 = json!({"schemaVersion": 1, "fsLayers": []});
    let signed = with(schema1.clone(), "signatures", json!([]));
    let vendor = "application/vnd.example.v1+json";
    for (header, document, expected) in [
        (Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8"), &image(), media::OCI_IMAGE),
        (
            Some("Application/Vnd.OCI.image.manifest.v1+json"),
            &image(),
            "Application/Vnd.OCI.image.manifest.v1+json",
        ),
        (Some("application/json"), &image(), media::OCI_IMAGE),
        (Some(""), &image(), media::OCI_IMAGE),
        (None, &image(), media::OCI_IMAGE),
        (None, &untyped, media::OCI_IMAGE),
        (None, &index, media::OCI_INDEX),
        (Some(media::DOCKER_INDEX), &index, media::DOCKER_INDEX),
        (None, &schema1, media::DOCKER_SCHEMA1),
        (None, &signed, media::DOCKER_SCHEMA1_SIGNED),
        (Some(vendor), &json!({}), vendor),
        (None, &json!({"mediaType": vendor}), vendor),
    ] {
        assert_eq!(read(header, document).unwrap().media_type, expected, "{header:?} {document}");
    }
}

#[test]
fn header_and_document_must_agree() {
    let error = read(Some(media::DOCKER_IMAGE), &image()).unwrap_err();
    assert_eq!(
        error,
        ManifestError::TypeMismatch { header: media::DOCKER_IMAGE.into(), field: media::OCI_IMAGE.into() }
    );
    assert_eq!(error.code(), ErrorCode::ManifestInvalid);
    assert_eq!(read(None, &json!({})), Err(ManifestError::Untyped));
    for served in ["text/html", "application/vnd.x\r\nSet-Cookie: a=b", "image/svg+xml"] {
        assert_eq!(read(None, &json!({ "mediaType": served })), Err(ManifestError::MediaType(served.into())));
    }
}

#[test]
fn any_config_and_layer_type_is_accepted() {
    let artifact = json!({
        "schemaVersion": 2,
        "mediaType": media::OCI_IMAGE,
        "artifactType": "application/vnd.example.sbom",
        "config": {"mediaType": media::OCI_EMPTY, "digest": A, "size": 2, "data": "e30="},
        "layers": [descriptor("text/plain", B), descriptor("application/wasm", C), {"digest": C, "size": 0}],
        "subject": descriptor(media::OCI_IMAGE, C),
        "annotations": {"org.example": "\"quoted\""},
        "org.example.custom": {"anything": [1, 2.5, null]},
    });
    let manifest = read(None, &artifact).unwrap();
    assert_eq!(manifest.artifact_type.as_deref(), Some("application/vnd.example.sbom"));
    assert_eq!(digests(&manifest.blobs), [A, B, C]);
    assert_eq!(manifest.subject.map(|subject| subject.to_string()).as_deref(), Some(C));
    assert_eq!(manifest.annotations_json(), r#"{"org.example":"\"quoted\""}"#);
    let empty = with(artifact, "artifactType", json!(""));
    assert_eq!(read(None, &empty).unwrap().artifact_type.as_deref(), Some(media::OCI_EMPTY));
}

#[test]
fn layers_of_others_need_not_exist() {
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let nondistributable = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    let mut linked = descriptor(media::OCI_LAYER_GZIP, C);
    linked["urls"] = json!(["https://example.org/layer"]);
    for layer in [descriptor(foreign, C), descriptor(nondistributable, C), linked] {
        let manifest = read(None, &with(image(), "layers", json!([layer.clone()]))).unwrap();
        assert_eq!((digests(&manifest.blobs), digests(&manifest.foreign)), (vec![A.into()], vec![C.into()]));
        let both = json!([layer, descriptor(media::OCI_LAYER_GZIP, C)]);
        let manifest = read(None, &with(image(), "layers", both)).unwrap();
        assert_eq!((digests(&manifest.blobs), manifest.foreign.len()), (vec![A.into(), C.into()], 0));
    }
    let mut empty = descriptor(media::OCI_LAYER_GZIP, C);
    empty["urls"] = json!([]);
    let manifest = read(None, &with(image(), "layers", json!([empty]))).unwrap();
    assert_eq!(manifest.foreign.len(), 0, "an empty list of URLs is none");
}

#[test]
fn an_index_lists_each_child_once() {
    let index = json!({
        "schemaVersion": 2,
        "mediaType": media::OCI_INDEX,
        "manifests": [descriptor(media::OCI_IMAGE, B), descriptor(media::OCI_LAYER_GZIP, A), descriptor("x", B)],
    });
    let manifest = read(None, &index).unwrap();
    assert_eq!((digests(&manifest.children), manifest.blobs.len()), (vec![B.into(), A.into()], 0));
    assert_eq!(manifest.artifact_type, None, "an index without a type has none");
    assert_eq!(read(None, &with(index.clone(), "manifests", json!(null))).unwrap().children, []);
    let typed = with(index, "artifactType", json!("application/vnd.example"));
    assert_eq!(read(None, &typed).unwrap().artifact_type.as_deref(), Some("application/vnd.example"));
}

#[test]
fn schema_1_has_layers_of_its_own_kind() {
    let document = json!({"schemaVersion": 1, "name": "a", "tag": "b", "fsLayers": [{"blobSum": A}, {"blobSum": B}, {"blobSum": A}]});
    for media_type in [media::DOCKER_SCHEMA1, media::DOCKER_SCHEMA1_SIGNED] {
        let manifest = read(Some(media_type), &document).unwrap();
        assert_eq!((&*manifest.media_type, manifest.kind), (media_type, ManifestKind::Schema1));
        assert_eq!(digests(&manifest.blobs), [A, B]);
    }
}

#[test]
fn unknown_documents_are_kept_with_what_they_seem_to_refer_to() {
    let document = json!({
        "mediaType": "application/vnd.example.manifest.v1+json",
        "config": "not a descriptor",
        "blobs": [descriptor("x", A), 7, {"digest": "md5:00", "size": 1}],
        "manifests": [descriptor("x", B)],
        "subject": descriptor("x", C),
        "annotations": {"a": "b", "c": 1},
        "artifactType": "application/vnd.example",
    });
    let manifest = read(None, &document).unwrap();
    assert_eq!(manifest.kind, ManifestKind::Other);
    assert_eq!((digests(&manifest.blobs), digests(&manifest.children)), (vec![A.into()], vec![B.into()]));
    assert_eq!(manifest.subject.map(|subject| subject.to_string()).as_deref(), Some(C));
    assert_eq!(manifest.annotations_json(), r#"{"a":"b"}"#);
    assert_eq!(manifest.artifact_type.as_deref(), Some("application/vnd.example"));
    let both = read(None, &with(document.clone(), "manifests", json!([descriptor("x", A)]))).unwrap();
    assert_eq!((digests(&both.blobs), digests(&both.children)), (vec![A.into()], vec![A.into()]));
    assert!(read(None, &with(document.clone(), "subject", json!({"digest": "x", "size": 1}))).is_err());
    assert_eq!(read(None, &with(document, "subject", json!(null))).unwrap().subject, None);
}

#[test]
fn what_could_be_two_things_is_refused() {
    let index = json!({"schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": []});
    for (document, expected) in [
        (with(image(), "manifests", json!([])), "manifests"),
        (with(image(), "fsLayers", json!([])), "fsLayers"),
        (with(index.clone(), "config", json!({})), "config"),
        (with(index, "layers", json!([])), "layers"),
    ] {
        assert!(
            matches!(read(None, &document), Err(ManifestError::Ambiguous { field, .. }) if field == expected)
        );
    }
    let twice = image().to_string().replace(r#""layers""#, r#""config":{},"layers""#);
    let error = Manifest::read(None, twice.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("duplicate field"), "{error}");
}

#[test]
fn what_is_wrong_is_said() {
    let mut config_without_size = image();
    config_without_size["config"] = json!({"digest": A});
    for (document, expected) in [
        (with(image(), "schemaVersion", json!(1)), "schemaVersion is 1; a"),
        (with(image(), "config", json!(null)), "needs the field 'config'"),
        (
            with(image(), "config", descriptor("x", "md5:00")),
            "config refers to 'md5:00': the digest algorithm",
        ),
        (with(image(), "layers", json!([descriptor("x", A), descriptor("x", "")])), "layers[1] refers to ''"),
        (with(image(), "layers", json!([["x", A, 7]])), "expected an object"),
        (with(image(), "layers", json!([{"digest": A, "size": -1}])), "invalid value: integer `-1`"),
        (with(image(), "layers", json!([{"digest": A, "size": 1.5}])), "invalid type: floating point"),
        (with(image(), "layers", json!({})), "expected a sequence"),
        (config_without_size, "missing field `size`"),
        (with(image(), "annotations", json!({"a": 1})), "expected a string"),
        (with(image(), "subject", json!("x")), "expected an object"),
        (json!({"schemaVersion": 1, "fsLayers": [{"blobSum": "x"}]}), "fsLayers[0] refers to 'x'"),
        (json!([]), "expected an object"),
        (json!("x"), "expected an object"),
    ] {
        let error = read(None, &document).unwrap_err().to_string();
        assert!(error.contains(expected), "{document}\n{error}");
    }
    for bytes in [&b""[..], b"\x1f\x8b", b"{", b"{}{}", b"\xff"] {
        assert!(matches!(Manifest::read(None, bytes), Err(ManifestError::Json { .. })));
    }
    assert!(read(None, &with(image(), "schemaVersion", json!(null))).is_ok(), "some clients leave it out");
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = format!(r#"{{"mediaType":"{}","x":{}"#, media::OCI_INDEX, "[".repeat(1_000_000));
    assert!(matches!(Manifest::read(None, deep.as_bytes()), Err(ManifestError::Json { .. })));
    let long = "x".repeat(5 << 20);
    let manifest = read(None, &with(image(), "annotations", json!({ "a": long }))).unwrap();
    assert_eq!(manifest.annotations["a"].len(), 5 << 20);
    let error = read(None, &with(image(), "config", descriptor("x", &long))).unwrap_err();
    assert!(error.to_string().len() < 400, "a message does not carry the manifest");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, cut in 0_usize..300, byte: u8) {
        let _ = Manifest::read(None, &bytes);
        let mut broken = image().to_string().into_bytes();
        let cut = cut % broken.len();
        broken[cut] = byte;
        let _ = Manifest::read(None, &broken);
        let _ = Manifest::read(Some("application/vnd.x"), &broken[..cut]);
    }
}
