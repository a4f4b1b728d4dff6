//! How a command ends when it fails: a message with its causes, a hint, and an exit code.

use std::error::Error as StdError;

use railhead_api::{ErrorCode, ErrorDetail};

use crate::config::ConfigError;

/// The exit codes, for scripts. They are documented in the command line's reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Something failed that is none of the others.
    Failed = 1,
    /// The command or the configuration is wrong; asking again cannot help. Also what clap uses.
    Usage = 2,
    /// Not logged in, or not allowed.
    Denied = 3,
    /// It does not exist.
    NotFound = 4,
    /// It exists already, or is in a state that forbids it.
    Conflict = 5,
    /// The registry cannot be reached, or cannot serve now.
    Unavailable = 6,
    /// Stored content is damaged.
    Damaged = 7,
}

impl Exit {
    /// Every code with what it means.
    pub const MEANINGS: [(u8, &'static str); 8] = [
        (0, "It worked."),
        (Self::Failed as u8, "It failed, for none of the reasons below."),
        (Self::Usage as u8, "The command line or the configuration is wrong."),
        (Self::Denied as u8, "Not logged in, or not allowed."),
        (Self::NotFound as u8, "It does not exist."),
        (Self::Conflict as u8, "It exists already, or is in a state that forbids it."),
        (Self::Unavailable as u8, "The registry cannot be reached, or cannot serve now."),
        (Self::Damaged as u8, "It worked, and found stored content that is damaged."),
    ];

    const fn of(code: ErrorCode) -> Self {
        match code {
            ErrorCode::Invalid => Self::Usage,
            ErrorCode::Unauthenticated | ErrorCode::Denied => Self::Denied,
            ErrorCode::NotFound => Self::NotFound,
            ErrorCode::Conflict => Self::Conflict,
            ErrorCode::Unavailable => Self::Unavailable,
            ErrorCode::Method | ErrorCode::Internal => Self::Failed,
        }
    }

    /// The word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Unavailable => "unavailable",
            Self::Damaged => "damaged",
        }
    }
}

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    /// The class.
    pub exit: Exit,
    /// What failed, on what, why.
    pub message: String,
    /// The causes, from the nearest to the root.
    pub causes: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
}

/// The result of a command.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure of this class.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new(), hint: None }
    }

    /// A failure that an error says all about.
    pub fn of(exit: Exit, error: &(dyn StdError + 'static)) -> Self {
        Self::new(exit, error.to_string()).chain(error.source())
    }

    /// With the error that caused it, and the causes of that.
    #[must_use]
    pub fn because(self, error: &(dyn StdError + 'static)) -> Self {
        self.chain(Some(error))
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn chain(mut self, mut cause: Option<&(dyn StdError + 'static)>) -> Self {
        while let Some(error) = cause {
            self.causes.push(error.to_string());
            cause = error.source();
        }
        self
    }
}

impl From<ErrorDetail> for Failure {
    fn from(detail: ErrorDetail) -> Self {
        let failure = Self::new(Exit::of(detail.code), detail.message);
        match detail.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let failure = Self::of(Exit::Usage, &error);
        match error.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<railhead_operate::SiteError> for Failure {
    fn from(error: railhead_operate::SiteError) -> Self {
        let failure = Self::of(Exit::Usage, &error);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<railhead_operate::EvidenceError> for Failure {
    fn from(error: railhead_operate::EvidenceError) -> Self {
        use railhead_operate::EvidenceError;
        let failure = Self::of(Exit::Failed, &error);
        match &error {
            EvidenceError::Io { .. } => {
                failure.hint("the directory of evidence is `evidence` in [site] of the site file")
            }
            EvidenceError::Damaged { .. } => {
                failure.hint("take the file out of the directory, and do again what it was the evidence of")
            }
            EvidenceError::Schema { .. } => failure.hint("use the newer release of Railhead"),
            EvidenceError::Shape(_) | EvidenceError::Secret { .. } => failure,
        }
    }
}

impl From<railhead_operate::hub::HubError> for Failure {
    fn from(error: railhead_operate::hub::HubError) -> Self {
        use railhead_operate::hub::HubError;
        match error {
            HubError::Evidence(error) => error.into(),
            HubError::Client(error) => error.into(),
            HubError::Key { .. } => Self::of(Exit::Usage, &error).hint(
                "`openssl rand -base64 32` writes a key; the file is `key_file` in [hub] of the site file",
            ),
            HubError::Busy { .. } => Self::of(Exit::Conflict, &error).hint("wait until it has ended"),
        }
    }
}

impl From<railhead_operate::image::ImageError> for Failure {
    fn from(error: railhead_operate::image::ImageError) -> Self {
        use railhead_operate::image::ImageError;
        let exit = match &error {
            ImageError::Nowhere { .. } => Exit::NotFound,
            ImageError::Form { .. } | ImageError::Which { .. } => Exit::Usage,
            _ => Exit::Failed,
        };
        let failure = Self::of(exit, &error);
        match &error {
            ImageError::Which { .. } => failure.hint("name it with --image-name"),
            ImageError::Nowhere { .. } => failure.hint(
                "`docker image ls` and `podman image ls` list what there is; an archive is named by its path",
            ),
            ImageError::Form { .. } | ImageError::Document { .. } | ImageError::Damaged { .. } => {
                failure.hint("write it again, with `docker save`, `podman save` or `skopeo copy`")
            }
            ImageError::Read { .. } | ImageError::Program { .. } => failure,
        }
    }
}

impl From<railhead_operate::handoff::HandoffError> for Failure {
    fn from(error: railhead_operate::handoff::HandoffError) -> Self {
        use railhead_operate::handoff::HandoffError;
        let prove = "`railhead prove HOST/OWNER/IMAGE --keep` proves it and leaves the image there";
        let error = match error {
            HandoffError::Evidence(error) => return error.into(),
            other => other,
        };
        match &error {
            HandoffError::NothingKept { .. } => Self::of(Exit::NotFound, &error).hint(prove),
            HandoffError::NotProven { .. } => {
                Self::of(Exit::Conflict, &error).hint(format!("mend what it found; then {prove}"))
            }
            HandoffError::NoFacts | HandoffError::Facts(_) => {
                Self::of(Exit::Usage, &error).hint("write the page anew with `railhead handoff --out FILE`")
            }
            HandoffError::Schema(_) => {
                Self::of(Exit::Usage, &error).hint("use the newer release of Railhead")
            }
            HandoffError::Shape { .. } => Self::of(Exit::Failed, &error).hint(prove),
            HandoffError::Read { .. } => Self::of(Exit::Failed, &error)
                .hint("the route names this file as its authority, and the page has to take it in"),
            HandoffError::Evidence(_) => Self::of(Exit::Failed, &error),
        }
    }
}

impl From<railhead_operate::pull_secret::ManifestError> for Failure {
    fn from(error: railhead_operate::pull_secret::ManifestError) -> Self {
        use railhead_operate::pull_secret::ManifestError;
        let exit = match &error {
            ManifestError::None | ManifestError::NoName { .. } | ManifestError::NoEntry { .. } => {
                Exit::NotFound
            }
            _ => Exit::Usage,
        };
        let failure = Self::of(exit, &error);
        match &error {
            ManifestError::NoEntry { .. } => {
                failure.hint("the server is written as in the image's name, with its port")
            }
            ManifestError::Several(_) | ManifestError::NoName { .. } => failure.hint("name one with --name"),
            ManifestError::Users { .. } => failure.hint("name the one whose token it is with --user"),
            _ => failure,
        }
    }
}

impl From<railhead_operate::pull_secret::SopsError> for Failure {
    fn from(error: railhead_operate::pull_secret::SopsError) -> Self {
        let failure = Self::of(Exit::Failed, &error);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<railhead_operate::enable::ValuesError> for Failure {
    fn from(error: railhead_operate::enable::ValuesError) -> Self {
        use railhead_operate::enable::ValuesError;
        match error {
            ValuesError::Sops(error) => error.into(),
            ValuesError::Read { .. } => Self::of(Exit::NotFound, &error)
                .hint("values files are named by --values, or by `values` in [release] of the site file"),
            ValuesError::Yaml { .. } | ValuesError::Shape(_) => Self::of(Exit::Usage, &error),
        }
    }
}

impl From<railhead_operate::enable::ReplaceError> for Failure {
    fn from(error: railhead_operate::enable::ReplaceError) -> Self {
        use railhead_operate::enable::ReplaceError;
        match &error {
            ReplaceError::Foreign(_) => Self::of(Exit::Conflict, &error).hint(
                "name another file for it in [release] of the site file: overlay, manifest or makefile",
            ),
            ReplaceError::Read { .. } => Self::of(Exit::Failed, &error),
        }
    }
}

impl From<railhead_backup::Error> for Failure {
    fn from(error: railhead_backup::Error) -> Self {
        use railhead_backup::Error;
        match error {
            Error::Registry(error) => error.into(),
            Error::Full { .. } => Self::of(Exit::Failed, &error)
                .hint("make room, as `railhead backup prune` does, and give the same command again: it goes on where it was"),
            Error::Lied { .. } => Self::of(Exit::Failed, &error)
                .hint("look after the disk or the service behind this place; nothing of the registry was touched"),
            Error::Damaged { .. } | Error::Missing { .. } => Self::of(Exit::Failed, &error)
                .hint("`railhead backup verify` names every damaged file; `railhead backup list` shows the other backups"),
            Error::Nothing { .. } => Self::of(Exit::NotFound, &error).hint("`railhead backup TO` makes one"),
            Error::Unknown { .. } => {
                Self::of(Exit::NotFound, &error).hint("`railhead backup list` shows those that are there")
            }
            Error::NotThere(_) => Self::of(Exit::NotFound, &error),
            Error::Locked { ref file, .. } => {
                let hint = format!("wait until it has ended; if it is sure to be dead, remove {file} there");
                Self::of(Exit::Conflict, &error).hint(hint)
            }
            Error::Sealed { .. } => Self::of(Exit::Denied, &error)
                .hint("name the file with the age identity with --identity"),
            Error::Key { .. } => Self::of(Exit::Usage, &error),
            Error::Signature { .. } => Self::of(Exit::Denied, &error)
                .hint("restore nothing of it before you know who has made it"),
            Error::NotEmpty { .. } => Self::of(Exit::Conflict, &error)
                .hint("name an empty data directory with --data, and an empty database and bucket if they are not in it; if only the catalog is lost, --catalog-only makes a new one for the store"),
            Error::Format { .. } => Self::of(Exit::Failed, &error).hint("use a newer release"),
            _ => Self::of(Exit::Failed, &error),
        }
    }
}

impl From<railhead_cluster::Error> for Failure {
    fn from(error: railhead_cluster::Error) -> Self {
        use railhead_cluster::Error;
        let exit = match &error {
            Error::NoKubeconfig
            | Error::Read { .. }
            | Error::Form { .. }
            | Error::Context { .. }
            | Error::Kubeconfig(_)
            | Error::Manifest(_) => Exit::Usage,
            Error::Login(_) | Error::Unauthenticated { .. } | Error::Denied { .. } => Exit::Denied,
            Error::Unreachable { .. } | Error::Slow { .. } => Exit::Unavailable,
            Error::Conflict { .. } => Exit::Conflict,
            Error::NoKind { .. } => Exit::NotFound,
            _ => Exit::Failed,
        };
        let failure = Self::of(exit, &error);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<railhead_client::Error> for Failure {
    fn from(error: railhead_client::Error) -> Self {
        use railhead_client::Error;
        match error {
            Error::Refused(detail) => detail.into(),
            Error::Origin(_) | Error::Certificates { .. } | Error::Request(_) => Self::of(Exit::Usage, &error),
            Error::Connect { .. } => Self::of(Exit::Unavailable, &error)
                .hint("check the URL, and that `railhead serve` runs there; for a private certificate authority use --ca"),
            Error::Timeout { .. } | Error::Exchange { .. } => Self::of(Exit::Unavailable, &error),
            Error::Unexpected { .. } => {
                Self::of(Exit::Failed, &error).hint("is that the URL of a Railhead server, with its scheme?")
            }
            Error::Tls(_) | Error::TooLarge { .. } | Error::Endless { .. } | Error::Spent { .. } => Self::of(Exit::Failed, &error),
        }
    }
}
