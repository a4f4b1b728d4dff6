//! The values with their types: what the program works with.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::values::Values;
use super::{ConfigError, keys, size};

/// Characters of the secret of a webhook at least: nobody may guess one.
const WEBHOOK_SECRET_MIN: usize = 16;

/// The whole configuration.
#[derive(Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The data directory.
    pub data: PathBuf,
    /// Public names with their ports, as they were written.
    pub hosts: Vec<String>,
    /// Addresses and blocks whose `X-Forwarded-…` headers count, as they were written.
    pub trusted_proxies: Vec<String>,
    /// How long running requests have to end.
    pub shutdown: Duration,
    /// Worker threads.
    pub workers: Option<usize>,
    /// Certificate and key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whether to make a certificate.
    pub self_signed: bool,
    /// Where the catalog is.
    pub database: Database,
    /// Where bytes rest; `None` is the data directory.
    pub s3: Option<S3>,
    /// How a bucket with backups is reached; the bucket itself is named where it is used.
    pub backup_s3: BackupS3,
    /// Whether to hash what is pulled.
    pub verify_reads: bool,
    /// Default quota in bytes; `-1` is none.
    pub quota: i64,
    /// Default limit of a layer in bytes; `-1` is none.
    pub layer_limit: i64,
    /// Patterns of tags that do not move.
    pub immutable_tags: Vec<String>,
    /// Largest manifest in bytes.
    pub manifest_max: u64,
    /// Whether a manifest may refer to what is not there.
    pub sparse: bool,
    /// How long a client's short token lasts.
    pub token_lifetime: Duration,
    /// When an upload that nobody continued is dropped.
    pub upload_lifetime: Duration,
    /// How often collection runs; never by itself without it.
    pub collect_every: Option<Duration>,
    /// How long a blob stays after somebody was told of it.
    pub lease: Duration,
    /// How long a blob stays after its last manifest was deleted.
    pub grace: Duration,
    /// How stored content is hashed again and healed.
    pub scrub: Scrub,
    /// The forge whose accounts count here.
    pub forge: Option<Forge>,
    /// How the log is written.
    pub log_format: LogFormat,
    /// What is logged.
    pub log_level: String,
}

/// Where the catalog is.
#[derive(Debug)]
pub enum Database {
    /// A file in the data directory.
    Sqlite,
    /// This URL.
    Postgres(SecretString),
}

/// How stored content is hashed again and healed.
#[derive(Debug)]
pub struct Scrub {
    /// How long a round takes; zero is never.
    pub round: Duration,
    /// The most bytes that are hashed in a second.
    pub most_per_second: u64,
    /// Where backups are, to get sound copies from.
    pub backup: Option<String>,
    /// What opens them.
    pub backup_identity: Option<SecretString>,
    /// A registry to get sound copies from, when no backup has them.
    pub mirror: Option<Mirror>,
}

/// A registry that has the same content.
#[derive(Debug)]
pub struct Mirror {
    /// Its URL.
    pub url: String,
    /// Who logs in there, and with what.
    pub login: Option<(String, SecretString)>,
    /// A file with certificates to trust beside the system's.
    pub ca: Option<PathBuf>,
}

/// The forge whose accounts count here.
#[derive(Debug)]
pub struct Forge {
    /// What it is.
    pub kind: railhead_forge::Kind,
    /// Its URL.
    pub url: String,
    /// A file with certificates to trust beside the system's.
    pub ca: Option<PathBuf>,
    /// A token of an administrator of it.
    pub token: Option<SecretString>,
    /// What signs its messages.
    pub webhook: Option<SecretString>,
    /// How long an answer is used.
    pub cache: Duration,
    /// How long repositories can be pulled under the former name of a renamed owner.
    pub former_names: Duration,
    /// How long one is used when there is no other.
    pub stale: Duration,
}

/// An S3-compatible store.
#[derive(Debug)]
pub struct S3 {
    /// The service's URL.
    pub endpoint: String,
    /// The bucket.
    pub bucket: String,
    /// The bucket's region.
    pub region: String,
    /// What all keys start with.
    pub prefix: Option<String>,
    /// Whether it may be asked without TLS.
    pub allow_http: bool,
    /// The access key's id.
    pub access_key: SecretString,
    /// The access key's secret.
    pub secret_key: SecretString,
}

/// How buckets with backups are reached. What is missing is told when it is needed.
#[derive(Debug)]
pub struct BackupS3 {
    /// The service's URL.
    pub endpoint: Option<String>,
    /// The buckets' region.
    pub region: String,
    /// Whether it may be asked without TLS.
    pub allow_http: bool,
    /// The access key's id.
    pub access_key: Option<SecretString>,
    /// The access key's secret.
    pub secret_key: Option<SecretString>,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Gives the values their types, and checks what they say together.
    pub fn of(values: &Values) -> Result<Self, ConfigError> {
        let reader = Reader(values);
        Ok(Self {
            listen: reader.need("listen")?,
            data: reader.need("data")?,
            hosts: reader.list("hosts"),
            trusted_proxies: reader.list("trusted_proxies"),
            shutdown: Duration::from_secs(reader.need("shutdown_seconds")?),
            workers: reader.get("workers")?,
            tls: reader.tls()?,
            self_signed: reader.need("tls.self_signed")?,
            database: reader.database()?,
            s3: reader.s3()?,
            backup_s3: BackupS3 {
                endpoint: reader.get("backup.s3.endpoint")?.filter(|endpoint: &String| !endpoint.is_empty()),
                region: reader.need("backup.s3.region")?,
                allow_http: reader.need("backup.s3.allow_http")?,
                access_key: reader.secret("backup.s3.access_key")?,
                secret_key: reader.secret("backup.s3.secret_key")?,
            },
            verify_reads: reader.need("store.verify_reads")?,
            quota: reader.limit("quota.default_bytes")?,
            layer_limit: reader.limit("quota.default_layer_bytes")?,
            immutable_tags: reader.list("tags.immutable"),
            manifest_max: size::parse(&reader.need::<String>("manifests.max_bytes")?)
                .map_err(ConfigError::new)?,
            sparse: reader.need("manifests.sparse")?,
            token_lifetime: Duration::from_secs(
                reader.need::<u64>("access.token_minutes")?.saturating_mul(60),
            ),
            upload_lifetime: Duration::from_secs(
                reader.need::<u64>("uploads.expire_hours")?.saturating_mul(3600),
            ),
            collect_every: Some(reader.need("collection.interval_seconds")?)
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            lease: Duration::from_secs(reader.need("collection.lease_seconds")?),
            grace: Duration::from_secs(reader.need("collection.grace_seconds")?),
            scrub: reader.scrub()?,
            forge: reader.forge()?,
            log_format: match reader.need::<String>("log.format")?.as_str() {
                "json" => LogFormat::Json,
                _ => LogFormat::Text,
            },
            log_level: reader.need("log.level")?,
        })
    }
}

struct Reader<'a>(&'a Values);

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.value(name)?.texts.first().map(String::as_str)
    }

    fn list(&self, name: &str) -> Vec<String> {
        self.0.value(name).map(|value| value.texts.clone()).unwrap_or_default()
    }

    fn get<T: FromStr<Err: fmt::Display>>(&self, name: &str) -> Result<Option<T>, ConfigError> {
        let parse =
            |text: &str| text.parse().map_err(|error| ConfigError::new(format!("{name}: '{text}': {error}")));
        self.text(name).map(parse).transpose()
    }

    fn need<T: FromStr<Err: fmt::Display>>(&self, name: &str) -> Result<T, ConfigError> {
        self.get(name)?.ok_or_else(|| ConfigError::new(format!("{name} is empty")))
    }

    fn limit(&self, name: &str) -> Result<i64, ConfigError> {
        size::parse_limit(self.text(name).unwrap_or("-1"))
            .map_err(|wrong| ConfigError::new(format!("{name}: {wrong}")))
    }

    fn tls(&self) -> Result<Option<(PathBuf, PathBuf)>, ConfigError> {
        let self_signed = self.text("tls.self_signed") == Some("true");
        match (self.get("tls.cert")?, self.get("tls.key")?) {
            (Some(_), Some(_)) if self_signed => Err(ConfigError::new(
                "tls.self_signed makes a certificate, and tls.cert names one; only one of them can be"
                    .to_owned(),
            )),
            (Some(cert), Some(key)) => Ok(Some((cert, key))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(ConfigError::new("tls.cert is given without tls.key".to_owned())),
            (None, Some(_)) => Err(ConfigError::new("tls.key is given without tls.cert".to_owned())),
        }
    }

    fn database(&self) -> Result<Database, ConfigError> {
        Ok(self.secret("database.url")?.map_or(Database::Sqlite, Database::Postgres))
    }

    fn scrub(&self) -> Result<Scrub, ConfigError> {
        let token = self.secret("scrub.mirror_token")?;
        let (url, user) = (self.text("scrub.mirror"), self.text("scrub.mirror_user"));
        if url.is_none() && (token.is_some() || user.is_some()) {
            return Err(ConfigError::new("a login for a mirror is given without scrub.mirror".to_owned()));
        }
        if user.is_some() && token.is_none() {
            return Err(ConfigError::new("scrub.mirror_user is given without a token".to_owned()).hint(
                "put it into RAILHEAD_SCRUB_MIRROR_TOKEN, or name a file with `scrub.mirror_token_file`",
            ));
        }
        let identity: Option<PathBuf> = self.get("scrub.backup_identity_file")?;
        let backup = self.text("scrub.backup").map(str::to_owned);
        if backup.is_none() && identity.is_some() {
            let message = "scrub.backup_identity_file is given without scrub.backup".to_owned();
            return Err(ConfigError::new(message).hint("name the place of the backups with `scrub.backup`"));
        }
        let login = token.map(|token| (user.unwrap_or("railhead").to_owned(), token));
        let ca = self.get("scrub.mirror_ca")?;
        let days = self.need::<u64>("scrub.days")?;
        Ok(Scrub {
            round: Duration::from_secs(days.saturating_mul(86_400)),
            most_per_second: size::parse(&self.need::<String>("scrub.bytes_per_second")?)
                .map_err(ConfigError::new)?,
            backup,
            backup_identity: identity.as_deref().map(read_secret).transpose()?,
            mirror: url.map(|url| Mirror { url: url.to_owned(), login, ca }),
        })
    }

    fn forge(&self) -> Result<Option<Forge>, ConfigError> {
        let (kind, url) = (self.get("forge.kind")?, self.text("forge.url"));
        let (token, webhook) = (self.secret("forge.token")?, self.secret("forge.webhook_secret")?);
        let (Some(kind), Some(url)) = (kind, url) else {
            let alone = [("forge.token", &token), ("forge.webhook_secret", &webhook)];
            let alone = alone.iter().find(|(_, secret)| secret.is_some()).map(|(name, _)| name);
            return match (kind, url) {
                (None, None) => match alone {
                    Some(name) => {
                        Err(ConfigError::new(format!("{name} is given without forge.kind and forge.url")))
                    }
                    None => Ok(None),
                },
                (Some(_), _) => Err(ConfigError::new("forge.kind is given without forge.url".to_owned())
                    .hint("it is where Railhead asks the forge, as in http://gitea-http:3000")),
                (None, Some(_)) => Err(ConfigError::new("forge.url is given without forge.kind".to_owned())
                    .hint("it is gitea or forgejo")),
            };
        };
        if webhook.as_ref().is_some_and(|secret| secret.expose_secret().len() < WEBHOOK_SECRET_MIN) {
            let error = format!("forge.webhook_secret is shorter than {WEBHOOK_SECRET_MIN} characters");
            return Err(ConfigError::new(error).hint("`openssl rand -hex 32` makes a good one"));
        }
        Ok(Some(Forge {
            kind,
            url: url.to_owned(),
            ca: self.get("forge.ca")?,
            token,
            webhook,
            former_names: days(self.need("forge.former_name_days")?),
            cache: Duration::from_secs(self.need("forge.cache_seconds")?),
            stale: Duration::from_secs(self.need("forge.stale_seconds")?),
        }))
    }

    fn s3(&self) -> Result<Option<S3>, ConfigError> {
        let (endpoint, bucket) = (self.text("store.s3.endpoint"), self.text("store.s3.bucket"));
        let (Some(endpoint), Some(bucket)) = (endpoint, bucket) else {
            return match (endpoint, bucket) {
                (None, None) => Ok(None),
                (Some(_), _) => {
                    Err(ConfigError::new("store.s3.endpoint is given without store.s3.bucket".to_owned()))
                }
                (None, _) => {
                    Err(ConfigError::new("store.s3.bucket is given without store.s3.endpoint".to_owned()))
                }
            };
        };
        let key = |name: &str| {
            let missing = || {
                let variable = keys::by_name(name).map_or("", |key| key.variable);
                ConfigError::new(format!("{name} is needed for the store at {endpoint}"))
                    .hint(format!("put it into {variable}, or name a file with `{name}_file`"))
            };
            self.secret(name)?.ok_or_else(missing)
        };
        Ok(Some(S3 {
            endpoint: endpoint.to_owned(),
            bucket: bucket.to_owned(),
            region: self.need("store.s3.region")?,
            prefix: self.get("store.s3.prefix")?,
            allow_http: self.need("store.s3.allow_http")?,
            access_key: key("store.s3.access_key")?,
            secret_key: key("store.s3.secret_key")?,
        }))
    }

    /// A secret: from its variable, or from the file that its neighbour names.
    fn secret(&self, name: &str) -> Result<Option<SecretString>, ConfigError> {
        let file = keys::by_name(name).and_then(|key| key.secret_file).and_then(|key| self.text(key));
        match (self.text(name), file) {
            (Some(_), Some(file)) => {
                let error = ConfigError::new(format!(
                    "{name} is given twice: by its variable and by the file {file}"
                ));
                Err(error.hint("unset one of them"))
            }
            (Some(secret), None) => Ok(Some(secret.into())),
            (None, Some(file)) => read_secret(Path::new(file)).map(Some),
            (None, None) => Ok(None),
        }
    }
}

fn days(count: u32) -> Duration {
    Duration::from_hours(24 * u64::from(count))
}

/// Reads a secret from a file, without the line's end.
pub fn read_secret(path: &Path) -> Result<SecretString, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        ConfigError::new(format!("cannot read the secret in {}", path.display())).because(error)
    })?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(ConfigError::new(format!("the file {} is empty; it should have a secret", path.display()))),
        secret => Ok(secret.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::values::Layers;
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Config::of(&Values::read(&Layers { variables, ..Layers::default() })?)
    }

    #[test]
    fn the_defaults_are_a_configuration() {
        let config = config(&[]).unwrap();
        assert_eq!(config.listen, "127.0.0.1:5050".parse().unwrap());
        assert!(matches!(config.database, Database::Sqlite) && config.s3.is_none() && config.tls.is_none());
        assert_eq!((config.quota, config.manifest_max), (-1, 8 << 20));
    }

    #[test]
    fn secrets_come_from_a_variable_or_a_file_and_are_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("url");
        std::fs::write(&file, "postgres://u:hunter2@h/d\n").unwrap();
        let from_file = config(&[("RAILHEAD_DATABASE_URL_FILE", file.to_str().unwrap())]).unwrap();
        let Database::Postgres(url) = &from_file.database else { panic!("no database") };
        assert_eq!(url.expose_secret(), "postgres://u:hunter2@h/d");
        assert!(!format!("{from_file:?}").contains("hunter2"));
        let twice = [("RAILHEAD_DATABASE_URL_FILE", "x"), ("RAILHEAD_DATABASE_URL", "hunter2")];
        let error = config(&twice).unwrap_err();
        assert!(error.to_string().contains("twice") && !error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn halves_are_refused() {
        for (variables, message) in [
            (&[("RAILHEAD_TLS_CERT", "c")][..], "without tls.key"),
            (&[("RAILHEAD_TLS_KEY", "c")], "without tls.cert"),
            (&[("RAILHEAD_S3_BUCKET", "b")], "without store.s3.endpoint"),
            (&[("RAILHEAD_FORGE_KIND", "gitea")], "without forge.url"),
            (&[("RAILHEAD_FORGE_URL", "http://g")], "without forge.kind"),
            (&[("RAILHEAD_FORGE_TOKEN", "t")], "without forge.kind and forge.url"),
            (&[("RAILHEAD_FORGE_WEBHOOK_SECRET", "t")], "without forge.kind and forge.url"),
            (
                &[
                    ("RAILHEAD_FORGE_KIND", "gitea"),
                    ("RAILHEAD_FORGE_URL", "http://g"),
                    ("RAILHEAD_FORGE_WEBHOOK_SECRET", "too short"),
                ],
                "shorter than 16 characters",
            ),
            (&[("RAILHEAD_SCRUB_MIRROR_TOKEN", "t")], "without scrub.mirror"),
            (
                &[("RAILHEAD_SCRUB_MIRROR", "https://m"), ("RAILHEAD_SCRUB_MIRROR_USER", "u")],
                "without a token",
            ),
            (
                &[("RAILHEAD_S3_BUCKET", "b"), ("RAILHEAD_S3_ENDPOINT", "https://s")],
                "store.s3.access_key is needed",
            ),
            (
                &[
                    ("RAILHEAD_TLS_CERT", "c"),
                    ("RAILHEAD_TLS_KEY", "k"),
                    ("RAILHEAD_TLS_SELF_SIGNED", "true"),
                ],
                "only one of them",
            ),
        ] {
            let error = config(variables).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
    }
}
