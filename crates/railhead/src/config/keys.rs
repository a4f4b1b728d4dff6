//! Every key of the configuration, once: its name in the file, its variable, its flag, its kind, its default, and what
//! it is for. The parser, `config show`, the template, and the reference are all made from this table.

pub use super::key::{Key, Kind};
use super::key::{key, secret};

/// Every key, in the order of the reference. Keys of one section stand together.
pub const KEYS: &[Key] = &[
    key(
        "listen",
        "RAILHEAD_LISTEN",
        Some("--listen"),
        Kind::Address,
        "127.0.0.1:5050",
        "The address and port to listen on. Beyond loopback, use TLS here or in a proxy in front.",
    ),
    key(
        "data",
        "RAILHEAD_DATA",
        Some("--data"),
        Kind::Path,
        "railhead-data",
        "The data directory. It is made when missing, for its owner alone.",
    ),
    key(
        "hosts",
        "RAILHEAD_HOSTS",
        Some("--host"),
        Kind::List,
        "",
        "Public host names, each with its port if it is not the usual one. The first is told to clients that came by an unknown name.",
    ),
    key(
        "trusted_proxies",
        "RAILHEAD_TRUSTED_PROXIES",
        Some("--trusted-proxy"),
        Kind::List,
        "127.0.0.0/8,::1/128",
        "Addresses, or blocks of them, whose `X-Forwarded-…` headers count.",
    ),
    key(
        "shutdown_seconds",
        "RAILHEAD_SHUTDOWN_SECONDS",
        None,
        Kind::Count(0),
        "25",
        "Seconds that running requests have to end after SIGTERM.",
    ),
    key(
        "workers",
        "RAILHEAD_WORKERS",
        None,
        Kind::Count(1),
        "",
        "Worker threads; without it, one for each core, and at least two.",
    ),
    key(
        "tls.cert",
        "RAILHEAD_TLS_CERT",
        Some("--tls-cert"),
        Kind::Path,
        "",
        "The certificate chain, in PEM. It is read again when it changes.",
    ),
    key(
        "tls.key",
        "RAILHEAD_TLS_KEY",
        Some("--tls-key"),
        Kind::Path,
        "",
        "The certificate's private key, in PEM.",
    ),
    key(
        "tls.self_signed",
        "RAILHEAD_TLS_SELF_SIGNED",
        Some("--tls-self-signed"),
        Kind::Bool,
        "false",
        "Make a certificate for the names in `hosts`, in the data directory, and serve TLS with it.",
    ),
    secret(
        "database.url",
        "RAILHEAD_DATABASE_URL",
        "database.url_file",
        "A Postgres database, as in `postgres://user:password@host/name`. Without it the catalog is SQLite in the data directory.",
    ),
    key(
        "database.url_file",
        "RAILHEAD_DATABASE_URL_FILE",
        None,
        Kind::Path,
        "",
        "A file with the database's URL.",
    ),
    key(
        "store.s3.endpoint",
        "RAILHEAD_S3_ENDPOINT",
        None,
        Kind::Text,
        "",
        "The URL of an S3-compatible store. Without endpoint and bucket, bytes rest in the data directory.",
    ),
    key("store.s3.bucket", "RAILHEAD_S3_BUCKET", None, Kind::Text, "", "The bucket; it must exist."),
    key("store.s3.region", "RAILHEAD_S3_REGION", None, Kind::Text, "us-east-1", "The bucket's region."),
    key(
        "store.s3.prefix",
        "RAILHEAD_S3_PREFIX",
        None,
        Kind::Text,
        "",
        "What all keys in the bucket start with, so that a bucket can be shared.",
    ),
    key(
        "store.s3.allow_http",
        "RAILHEAD_S3_ALLOW_HTTP",
        None,
        Kind::Bool,
        "false",
        "Whether the endpoint may be asked without TLS.",
    ),
    secret(
        "store.s3.access_key",
        "RAILHEAD_S3_ACCESS_KEY",
        "store.s3.access_key_file",
        "The access key's id.",
    ),
    key(
        "store.s3.access_key_file",
        "RAILHEAD_S3_ACCESS_KEY_FILE",
        None,
        Kind::Path,
        "",
        "A file with the access key's id.",
    ),
    secret(
        "store.s3.secret_key",
        "RAILHEAD_S3_SECRET_KEY",
        "store.s3.secret_key_file",
        "The access key's secret.",
    ),
    key(
        "store.s3.secret_key_file",
        "RAILHEAD_S3_SECRET_KEY_FILE",
        None,
        Kind::Path,
        "",
        "A file with the access key's secret.",
    ),
    key(
        "backup.s3.endpoint",
        "RAILHEAD_BACKUP_S3_ENDPOINT",
        None,
        Kind::Text,
        "",
        "The URL of the S3-compatible store that backups at `s3://BUCKET/PREFIX` are in. The `backup.s3` keys are for those only.",
    ),
    key(
        "backup.s3.region",
        "RAILHEAD_BACKUP_S3_REGION",
        None,
        Kind::Text,
        "us-east-1",
        "The bucket's region.",
    ),
    key(
        "backup.s3.allow_http",
        "RAILHEAD_BACKUP_S3_ALLOW_HTTP",
        None,
        Kind::Bool,
        "false",
        "Whether the endpoint may be asked without TLS.",
    ),
    secret(
        "backup.s3.access_key",
        "RAILHEAD_BACKUP_S3_ACCESS_KEY",
        "backup.s3.access_key_file",
        "The access key's id.",
    ),
    key(
        "backup.s3.access_key_file",
        "RAILHEAD_BACKUP_S3_ACCESS_KEY_FILE",
        None,
        Kind::Path,
        "",
        "A file with the access key's id.",
    ),
    secret(
        "backup.s3.secret_key",
        "RAILHEAD_BACKUP_S3_SECRET_KEY",
        "backup.s3.secret_key_file",
        "The access key's secret.",
    ),
    key(
        "backup.s3.secret_key_file",
        "RAILHEAD_BACKUP_S3_SECRET_KEY_FILE",
        None,
        Kind::Path,
        "",
        "A file with the access key's secret.",
    ),
    key(
        "store.verify_reads",
        "RAILHEAD_STORE_VERIFY_READS",
        None,
        Kind::Bool,
        "false",
        "Hash every whole blob again while it is pulled, and cut the connection before a damaged one ends.",
    ),
    key(
        "quota.default_bytes",
        "RAILHEAD_QUOTA_DEFAULT_BYTES",
        None,
        Kind::Limit,
        "-1",
        "Bytes that an owner without limits of its own may store.",
    ),
    key(
        "quota.default_layer_bytes",
        "RAILHEAD_QUOTA_DEFAULT_LAYER_BYTES",
        None,
        Kind::Limit,
        "-1",
        "Bytes of one layer, for an owner without limits of its own.",
    ),
    key(
        "tags.immutable",
        "RAILHEAD_TAGS_IMMUTABLE",
        None,
        Kind::List,
        "",
        "Tags that cannot move once pushed, as patterns such as `v*`. Tags that name a signature (`sha256-…`) always can.",
    ),
    key(
        "manifests.max_bytes",
        "RAILHEAD_MANIFESTS_MAX_BYTES",
        None,
        Kind::Size(4 << 20),
        "8MiB",
        "The largest manifest that is taken; at least 4MiB.",
    ),
    key(
        "manifests.sparse",
        "RAILHEAD_MANIFESTS_SPARSE",
        None,
        Kind::Bool,
        "false",
        "Take manifests that refer to what is not there: an index with some of its platforms, an image whose layers are elsewhere.",
    ),
    key(
        "access.token_minutes",
        "RAILHEAD_ACCESS_TOKEN_MINUTES",
        None,
        Kind::Count(1),
        "5",
        "Minutes that a client's short token from the token endpoint lasts.",
    ),
    key(
        "forge.kind",
        "RAILHEAD_FORGE_KIND",
        None,
        Kind::Choice(&["gitea", "forgejo"]),
        "",
        "The forge whose accounts, organisations and tokens count here. Without it Railhead has accounts of its own.",
    ),
    key(
        "forge.url",
        "RAILHEAD_FORGE_URL",
        None,
        Kind::Text,
        "",
        "Where Railhead asks the forge, best an address inside: its `/v2/` and `/api/v1/` must be the forge's own, not Railhead's.",
    ),
    key(
        "forge.ca",
        "RAILHEAD_FORGE_CA",
        None,
        Kind::Path,
        "",
        "A file with certificates to trust there beside the system's, in PEM.",
    ),
    secret(
        "forge.token",
        "RAILHEAD_FORGE_TOKEN",
        "forge.token_file",
        "A token of an administrator of the forge with `read:user`, `read:organization` and `read:repository`: for private owners, and so that images of a private Git repository are private.",
    ),
    key("forge.token_file", "RAILHEAD_FORGE_TOKEN_FILE", None, Kind::Path, "", "A file with that token."),
    key(
        "forge.cache_seconds",
        "RAILHEAD_FORGE_CACHE_SECONDS",
        None,
        Kind::Count(1),
        "60",
        "Seconds that an answer of the forge is used: a revoked token, a removed member, an owner made private count after so long at the latest.",
    ),
    key(
        "forge.stale_seconds",
        "RAILHEAD_FORGE_STALE_SECONDS",
        None,
        Kind::Count(0),
        "600",
        "Seconds that an answer is used when the forge gives no other one. After that only public pulls go on.",
    ),
    key(
        "uploads.expire_hours",
        "RAILHEAD_UPLOADS_EXPIRE_HOURS",
        None,
        Kind::Count(1),
        "24",
        "Hours after which an upload that nobody continued is dropped.",
    ),
    key(
        "collection.interval_seconds",
        "RAILHEAD_COLLECTION_INTERVAL_SECONDS",
        None,
        Kind::Count(0),
        "60",
        "Seconds between two runs of collection; `0` is never, then `railhead gc --now` does it.",
    ),
    key(
        "collection.lease_seconds",
        "RAILHEAD_COLLECTION_LEASE_SECONDS",
        None,
        Kind::Count(1),
        "7200",
        "Seconds that a blob which no manifest needs stays, at least, after a client was told that it is there; a push may take as long as that.",
    ),
    key(
        "collection.grace_seconds",
        "RAILHEAD_COLLECTION_GRACE_SECONDS",
        None,
        Kind::Count(0),
        "7200",
        "Seconds that blobs stay after their last manifest was deleted; the lease, if that is longer.",
    ),
    key(
        "scrub.days",
        "RAILHEAD_SCRUB_DAYS",
        None,
        Kind::Count(0),
        "30",
        "Days in which every stored blob is hashed again, at an even rate; `0` is never, then `railhead verify` does it.",
    ),
    key(
        "scrub.bytes_per_second",
        "RAILHEAD_SCRUB_BYTES_PER_SECOND",
        None,
        Kind::Size(1 << 10),
        "50MiB",
        "The most that is hashed in a second, also where a round is late.",
    ),
    key(
        "scrub.backup",
        "RAILHEAD_SCRUB_BACKUP",
        None,
        Kind::Text,
        "",
        "Where backups are, a directory or `s3://BUCKET/PREFIX`, to heal damaged blobs from. What it gives is hashed before it is believed.",
    ),
    key(
        "scrub.backup_identity_file",
        "RAILHEAD_SCRUB_BACKUP_IDENTITY_FILE",
        None,
        Kind::Path,
        "",
        "A file with the age identity that opens those backups, where they are sealed.",
    ),
    key(
        "scrub.mirror",
        "RAILHEAD_SCRUB_MIRROR",
        None,
        Kind::Text,
        "",
        "The URL of a registry with the same repositories, to heal damaged blobs from. What it gives is hashed before it is believed.",
    ),
    key(
        "scrub.mirror_user",
        "RAILHEAD_SCRUB_MIRROR_USER",
        None,
        Kind::Text,
        "",
        "The account to log in with there; any name, where the token is all that counts.",
    ),
    secret(
        "scrub.mirror_token",
        "RAILHEAD_SCRUB_MIRROR_TOKEN",
        "scrub.mirror_token_file",
        "A token that may pull there.",
    ),
    key(
        "scrub.mirror_token_file",
        "RAILHEAD_SCRUB_MIRROR_TOKEN_FILE",
        None,
        Kind::Path,
        "",
        "A file with that token.",
    ),
    key(
        "scrub.mirror_ca",
        "RAILHEAD_SCRUB_MIRROR_CA",
        None,
        Kind::Path,
        "",
        "A file with certificates to trust there beside the system's, in PEM.",
    ),
    key(
        "log.format",
        "RAILHEAD_LOG_FORMAT",
        Some("--log-format"),
        Kind::Choice(&["text", "json"]),
        "text",
        "How the log on standard error is written.",
    ),
    key(
        "log.level",
        "RAILHEAD_LOG_LEVEL",
        Some("--log-level"),
        Kind::Text,
        "info",
        "What to log: `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,railhead_registry=debug`.",
    ),
];

/// A variable that is no key of the file: its name, and what it is for.
pub const OTHER_VARIABLES: &[(&str, &str)] = &[
    ("RAILHEAD_CONFIG", "The configuration file, as `--config`."),
    (
        "RAILHEAD_SERVER",
        "The URL of a registry to administer, as `--server`. It counts more than `RAILHEAD_DATA`, and less than `--data`.",
    ),
    (
        "RAILHEAD_TOKEN",
        "The token to show to that registry. It has no flag: other users of a machine can read flags.",
    ),
    ("RAILHEAD_TOKEN_FILE", "A file with that token, as `--token-file`."),
    ("RAILHEAD_TOKEN_READONLY", "A token that may not push, for `prove` to see it refused."),
    ("RAILHEAD_TOKEN_READONLY_FILE", "A file with that token, as `--readonly-token-file`."),
    ("RAILHEAD_FROM_TOKEN", "The token to show to the registry that `migrate` copies from."),
    ("RAILHEAD_FROM_TOKEN_FILE", "A file with that token, as `--from-token-file`."),
    ("RAILHEAD_TO_TOKEN", "The token to show to the registry that `migrate` copies to."),
    ("RAILHEAD_TO_TOKEN_FILE", "A file with that token, as `--to-token-file`."),
    ("RAILHEAD_CA", "A file with certificates to trust beside the system's, as `--ca`."),
    ("RAILHEAD_OUTPUT", "`text` or `json`, as `--output`."),
];

/// The key of this name.
pub fn by_name(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

#[cfg(test)]
mod tests {
    use super::super::service_link::is_service_link;
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_variables_and_flags_are_used_once() {
        let names: HashSet<_> = KEYS.iter().map(|key| key.name).collect();
        let variables: HashSet<_> =
            KEYS.iter().map(|key| key.variable).chain(OTHER_VARIABLES.iter().map(|other| other.0)).collect();
        assert_eq!(names.len(), KEYS.len());
        assert_eq!(variables.len(), KEYS.len() + OTHER_VARIABLES.len());
        for key in KEYS {
            assert!(key.secret_file.is_none_or(|file| names.contains(file)), "{}", key.name);
            assert!(!is_service_link(key.variable), "{}", key.variable);
        }
    }
}
