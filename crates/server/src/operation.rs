//! All that a client can ask for, in one closed list.
//!
//! Method and path become an [`Operation`] once, at the edge; routing, rights, metrics and the log all go by it.

use http::Method;
use railhead_access::Action;
use railhead_catalog::UploadId;
use railhead_oci::{Digest, ErrorCode, Reference, RepositoryName, V2Path};

use crate::failure::Failure;

/// Where the challenge sends clients for a token: below `/v2/`, so that a forge at the same host keeps every other path. No
/// repository has a name of one segment, so nothing else is there.
pub(crate) const TOKEN: &str = "/v2/token";
/// Where a forge sends its messages: below `/v2/` for the same reasons.
pub(crate) const FORGE_HOOK: &str = "/v2/webhook";
/// Where clients that were told of it before go on asking.
const TOKEN_AT_ROOT: &str = "/token";

/// What a request asks for.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// `GET /v2/`: is this a registry, and does it know me?
    Base,
    /// `GET` and `POST` of [`TOKEN`] or [`TOKEN_AT_ROOT`]: a token for these scopes.
    Token,
    /// `GET /v2/_catalog`: which repositories are there.
    Repositories,
    /// `GET` or `HEAD` of a blob.
    PullBlob { name: RepositoryName, digest: Digest, head: bool },
    /// `DELETE` of a blob.
    DeleteBlob { name: RepositoryName, digest: Digest },
    /// `POST` of an upload: begin, mount, or all at once.
    BeginUpload { name: RepositoryName },
    /// `GET` of an upload: how far is it.
    UploadStatus { name: RepositoryName, id: UploadId },
    /// `PATCH` of an upload: more bytes.
    WriteUpload { name: RepositoryName, id: UploadId },
    /// `PUT` of an upload: the last bytes, and the digest.
    FinishUpload { name: RepositoryName, id: UploadId },
    /// `DELETE` of an upload.
    CancelUpload { name: RepositoryName, id: UploadId },
    /// `GET` or `HEAD` of a manifest.
    PullManifest { name: RepositoryName, reference: Reference, head: bool },
    /// `PUT` of a manifest.
    PushManifest { name: RepositoryName, reference: Reference },
    /// `DELETE` of a manifest or a tag.
    DeleteManifest { name: RepositoryName, reference: Reference },
    /// `GET` of the tags of a repository.
    Tags { name: RepositoryName },
    /// `GET` of the referrers of a manifest.
    Referrers { name: RepositoryName, digest: Digest },
    /// Anything below `/api/v1`.
    Api,
    /// `POST` of [`FORGE_HOOK`]: something has changed on the forge.
    ForgeHook,
    /// `GET /healthz`: is the process alive.
    Health,
    /// `GET /readyz`: can it do its work.
    Ready,
    /// `GET /metrics`.
    Metrics,
    /// `GET /`.
    Welcome,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal),* $(,)?) => {
        /// An operation without its arguments: what is counted and logged.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind { $($(#[$doc])* $kind),* }

        impl Kind {
            /// All of them, in the order of their discriminants.
            pub(crate) const ALL: &[Self] = &[$(Self::$kind),*];

            /// The name in metrics and logs.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }
        }
    };
}
kinds! {
    Base = "base",
    Token = "token",
    Repositories = "repositories",
    GetBlob = "blob_get",
    HeadBlob = "blob_head",
    DeleteBlob = "blob_delete",
    BeginUpload = "upload_begin",
    UploadStatus = "upload_status",
    WriteUpload = "upload_write",
    FinishUpload = "upload_finish",
    CancelUpload = "upload_cancel",
    GetManifest = "manifest_get",
    HeadManifest = "manifest_head",
    PushManifest = "manifest_put",
    DeleteManifest = "manifest_delete",
    Tags = "tags",
    Referrers = "referrers",
    Api = "api",
    ForgeHook = "forge_webhook",
    Health = "health",
    Ready = "ready",
    Metrics = "metrics",
    Welcome = "welcome",
    /// What no operation came of.
    Unknown = "unknown",
}

impl Operation {
    /// Reads a request's method and path.
    pub(crate) fn read(method: &Method, path: &str) -> Result<Self, Failure> {
        let own = matches!(path, TOKEN | FORGE_HOOK);
        if !own && (path == "/v2" || path.starts_with("/v2/")) {
            return Self::read_v2(method, path);
        }
        let get = *method == Method::GET || *method == Method::HEAD;
        let (operation, allowed, methods) = match path {
            TOKEN | TOKEN_AT_ROOT => (Self::Token, get || *method == Method::POST, "GET, POST"),
            FORGE_HOOK => (Self::ForgeHook, *method == Method::POST, "POST"),
            "/healthz" => (Self::Health, get, "GET"),
            "/readyz" => (Self::Ready, get, "GET"),
            "/metrics" => (Self::Metrics, get, "GET"),
            "/" => (Self::Welcome, get, "GET"),
            path if path.starts_with("/api/v1/") => (Self::Api, true, ""),
            _ => return Err(Failure::no_such_path()),
        };
        if allowed { Ok(operation) } else { Err(Failure::method(methods)) }
    }

    fn read_v2(method: &Method, path: &str) -> Result<Self, Failure> {
        let get = *method == Method::GET || *method == Method::HEAD;
        let head = *method == Method::HEAD;
        let path = V2Path::parse(path).map_err(|error| Failure::path(error, *method == Method::PUT))?;
        Ok(match path {
            V2Path::Base if get => Self::Base,
            V2Path::Catalog if get => Self::Repositories,
            V2Path::Tags { name } if get => Self::Tags { name },
            V2Path::Referrers { name, digest } if get => Self::Referrers { name, digest },
            V2Path::Base | V2Path::Catalog | V2Path::Tags { .. } | V2Path::Referrers { .. } => {
                return Err(Failure::method("GET"));
            }
            V2Path::Blob { name, digest } if get => Self::PullBlob { name, digest, head },
            V2Path::Blob { name, digest } if *method == Method::DELETE => Self::DeleteBlob { name, digest },
            V2Path::Blob { .. } => return Err(Failure::method("GET, HEAD, DELETE")),
            V2Path::Uploads { name } if *method == Method::POST => Self::BeginUpload { name },
            V2Path::Uploads { .. } => return Err(Failure::method("POST")),
            V2Path::Upload { name, id } => return Self::upload(method, name, &id),
            V2Path::Manifest { name, reference } if get => Self::PullManifest { name, reference, head },
            V2Path::Manifest { name, reference } if *method == Method::PUT => {
                Self::PushManifest { name, reference }
            }
            V2Path::Manifest { name, reference } if *method == Method::DELETE => {
                Self::DeleteManifest { name, reference }
            }
            V2Path::Manifest { .. } => return Err(Failure::method("GET, HEAD, PUT, DELETE")),
        })
    }

    fn upload(method: &Method, name: RepositoryName, id: &str) -> Result<Self, Failure> {
        let id: UploadId = id.parse().map_err(|_| {
            Failure::new(
                http::StatusCode::NOT_FOUND,
                ErrorCode::BlobUploadUnknown,
                "this is not the id of an upload",
            )
        })?;
        Ok(match *method {
            Method::GET | Method::HEAD => Self::UploadStatus { name, id },
            Method::PATCH => Self::WriteUpload { name, id },
            Method::PUT => Self::FinishUpload { name, id },
            Method::DELETE => Self::CancelUpload { name, id },
            _ => return Err(Failure::method("GET, PATCH, PUT, DELETE")),
        })
    }

    /// The same pull from another repository.
    pub(crate) fn of(self, name: RepositoryName) -> Self {
        match self {
            Self::PullBlob { digest, head, .. } => Self::PullBlob { name, digest, head },
            Self::PullManifest { reference, head, .. } => Self::PullManifest { name, reference, head },
            Self::Tags { .. } => Self::Tags { name },
            Self::Referrers { digest, .. } => Self::Referrers { name, digest },
            other => other,
        }
    }

    /// What is counted and logged of it.
    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Base => Kind::Base,
            Self::Token => Kind::Token,
            Self::Repositories => Kind::Repositories,
            Self::PullBlob { head: false, .. } => Kind::GetBlob,
            Self::PullBlob { head: true, .. } => Kind::HeadBlob,
            Self::DeleteBlob { .. } => Kind::DeleteBlob,
            Self::BeginUpload { .. } => Kind::BeginUpload,
            Self::UploadStatus { .. } => Kind::UploadStatus,
            Self::WriteUpload { .. } => Kind::WriteUpload,
            Self::FinishUpload { .. } => Kind::FinishUpload,
            Self::CancelUpload { .. } => Kind::CancelUpload,
            Self::PullManifest { head: false, .. } => Kind::GetManifest,
            Self::PullManifest { head: true, .. } => Kind::HeadManifest,
            Self::PushManifest { .. } => Kind::PushManifest,
            Self::DeleteManifest { .. } => Kind::DeleteManifest,
            Self::Tags { .. } => Kind::Tags,
            Self::Referrers { .. } => Kind::Referrers,
            Self::Api => Kind::Api,
            Self::ForgeHook => Kind::ForgeHook,
            Self::Health => Kind::Health,
            Self::Ready => Kind::Ready,
            Self::Metrics => Kind::Metrics,
            Self::Welcome => Kind::Welcome,
        }
    }

    /// The repository it is about and the right that it needs there; none where rights are a matter of its own.
    pub(crate) const fn needs(&self) -> Option<(&RepositoryName, Action)> {
        Some(match self {
            Self::PullBlob { name, .. }
            | Self::PullManifest { name, .. }
            | Self::Tags { name }
            | Self::Referrers { name, .. } => (name, Action::Pull),
            Self::BeginUpload { name }
            | Self::UploadStatus { name, .. }
            | Self::WriteUpload { name, .. }
            | Self::FinishUpload { name, .. }
            | Self::CancelUpload { name, .. }
            | Self::PushManifest { name, .. } => (name, Action::Push),
            Self::DeleteBlob { name, .. } | Self::DeleteManifest { name, .. } => (name, Action::Delete),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn kind(method: &Method, path: &str) -> Result<&'static str, u16> {
        Operation::read(method, path)
            .map(|read| read.kind().name())
            .map_err(|failure| failure.status().as_u16())
    }

    #[test]
    fn kinds_index_their_own_list() {
        for (index, kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, index);
        }
    }

    #[test]
    fn a_path_that_exists_says_which_methods_it_takes() {
        assert_eq!(kind(&Method::GET, "/v2/"), Ok("base"));
        assert_eq!(kind(&Method::GET, "/v2"), Ok("base"));
        assert_eq!(kind(&Method::POST, "/v2/a/b/blobs/uploads"), Ok("upload_begin"));
        assert_eq!(kind(&Method::POST, "/v2/a/b/blobs/uploads/"), Ok("upload_begin"));
        assert_eq!(kind(&Method::POST, "/v2/a/b/manifests/latest"), Err(405));
        for path in ["/token", "/v2/token"] {
            assert_eq!(kind(&Method::GET, path), Ok("token"));
            assert_eq!(kind(&Method::POST, path), Ok("token"));
            assert_eq!(kind(&Method::DELETE, path), Err(405));
        }
        assert_eq!(kind(&Method::GET, "/v2/token/app/tags/list"), Ok("tags"));
        assert_eq!(kind(&Method::POST, "/v2/webhook"), Ok("forge_webhook"));
        assert_eq!(kind(&Method::GET, "/v2/webhook"), Err(405));
        assert_eq!(kind(&Method::GET, "/v2/webhook/app/tags/list"), Ok("tags"));
        assert_eq!(kind(&Method::GET, "/v1/search"), Err(404));
        assert_eq!(kind(&Method::GET, "/v2/a/b/blobs/uploads/xyz"), Err(404));
    }
}
