//! Media types of manifests, and which of them are the same thing.

/// An image manifest of the OCI.
pub const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
/// An image index of the OCI.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The configuration of an OCI image.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The content `{}`, where something has to stand.
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// A gzipped layer of an OCI image.
pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// An image manifest of docker, schema 2.
pub const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// A manifest list of docker.
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// A manifest of docker's schema 1, without signature.
pub const DOCKER_SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";
/// A manifest of docker's schema 1, signed.
pub const DOCKER_SCHEMA1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
/// The configuration of a docker image.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// What a client that takes every manifest writes into `Accept`.
pub const ACCEPT_MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, \
     application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v1+prettyjws, \
     application/vnd.docker.distribution.manifest.v1+json, */*;q=0.1";

/// What a manifest is, whoever named its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ManifestKind {
    /// A configuration and layers.
    Image,
    /// A list of manifests.
    Index,
    /// Docker's first schema: layers by `fsLayers`.
    Schema1,
    /// Some other JSON document.
    Other,
}

impl ManifestKind {
    /// The kind that a media type (without parameters) stands for.
    pub fn of(media_type: &str) -> Self {
        let is = |known: &str| media_type.eq_ignore_ascii_case(known);
        if is(OCI_IMAGE) || is(DOCKER_IMAGE) {
            Self::Image
        } else if is(OCI_INDEX) || is(DOCKER_INDEX) {
            Self::Index
        } else if is(DOCKER_SCHEMA1) || is(DOCKER_SCHEMA1_SIGNED) {
            Self::Schema1
        } else {
            Self::Other
        }
    }
}

/// A `Content-Type` without its parameters and without white space.
pub fn essence(content_type: &str) -> &str {
    content_type.split_once(';').map_or(content_type, |(essence, _)| essence).trim()
}

/// Whether two media types (without parameters) are the same thing: docker's and the OCI's are.
pub fn same_kind(one: &str, other: &str) -> bool {
    let kind = ManifestKind::of(one);
    one.eq_ignore_ascii_case(other) || (kind != ManifestKind::Other && kind == ManifestKind::of(other))
}

/// Whether a layer of this type is not distributed by registries, so that it need not be there.
pub fn is_foreign_layer(media_type: &str) -> bool {
    media_type.contains("nondistributable") || media_type.contains(".foreign.")
}

/// Whether a text may be stored and served as the type of a manifest.
///
/// It has the form of a media type, so it cannot break out of a header; and it is of the `application/vnd.` tree or
/// JSON, so a browser never runs what somebody pushed.
pub fn is_manifest_type(media_type: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
    let Some((tree, subtype)) = media_type.split_once('/') else { return false };
    let subtype = subtype.to_ascii_lowercase();
    media_type.len() <= 255
        && tree.eq_ignore_ascii_case("application")
        && subtype.bytes().all(token)
        && !subtype.ends_with("xml")
        && (subtype.starts_with("vnd.") || subtype.ends_with("json") || subtype.ends_with("jws"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_and_oci_are_the_same_thing() {
        assert!(same_kind(OCI_IMAGE, DOCKER_IMAGE));
        assert!(same_kind(DOCKER_INDEX, OCI_INDEX));
        assert!(same_kind("application/x", "Application/X"));
        assert!(!same_kind(OCI_IMAGE, OCI_INDEX));
        assert!(!same_kind("application/x", "application/y"));
    }

    #[test]
    fn parameters_are_not_part_of_a_type() {
        assert_eq!(essence(" application/json ; charset=utf-8"), "application/json");
        assert_eq!(essence(""), "");
    }

    #[test]
    fn what_a_browser_runs_or_a_header_breaks_on_is_no_manifest_type() {
        for good in [OCI_IMAGE, DOCKER_SCHEMA1_SIGNED, "application/vnd.example.v1", "application/json"] {
            assert!(is_manifest_type(good), "{good}");
        }
        for bad in [
            "",
            "text/html",
            "application/xhtml+xml",
            "application/javascript",
            "image/svg+xml",
            "application/vnd.x\r\nSet-Cookie: a",
            "application/vnd.x y",
            "application/vnd.mozilla.xul+xml",
            "json",
        ] {
            assert!(!is_manifest_type(bad), "{bad}");
        }
    }
}
