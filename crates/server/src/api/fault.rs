//! Errors of what is below become answers of the admin API; here alone.
//!
//! What is the asker's doing is explained. What is not is logged, and answered without its inside.

use http::StatusCode;
use railhead_access::{Denial, Error as AccessError, Reason};
use railhead_api::{ErrorBody, ErrorCode, ErrorDetail};
use railhead_catalog::Error as CatalogError;
use railhead_registry::Error as RegistryError;

use super::{Answer, Call};

/// Why there is no better answer.
#[derive(Debug)]
pub(super) struct Fault {
    code: ErrorCode,
    message: String,
    hint: Option<String>,
}

impl Fault {
    fn new(code: ErrorCode, message: String) -> Self {
        Self { code, message, hint: None }
    }

    pub(super) fn invalid(message: String) -> Self {
        Self::new(ErrorCode::Invalid, message)
    }

    pub(super) fn not_found(message: String) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }

    pub(super) fn conflict(message: String) -> Self {
        Self::new(ErrorCode::Conflict, message)
    }

    pub(super) fn method(call: &Call<'_>, allowed: &str) -> Self {
        let fault = Self::new(ErrorCode::Method, format!("{} does not take {}", call.path, call.method));
        fault.hint(format!("it takes {allowed}"))
    }

    /// The answer to who may not know whether the repository exists, and to who asks for one that does not.
    pub(super) fn no_repository(name: &str) -> Self {
        Self::not_found(format!("there is no repository '{name}'"))
            .hint("`railhead repo list` shows those that you may pull".to_owned())
    }

    /// A failure that is not the asker's doing.
    pub(super) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            chain = format!("{chain}: {cause}");
            source = cause.source();
        }
        tracing::error!(error = chain, "a request to the admin API failed");
        Self::new(ErrorCode::Internal, "the registry failed".to_owned()).hint("its log says why".to_owned())
    }

    pub(super) fn hint(mut self, hint: String) -> Self {
        self.hint = Some(hint);
        self
    }

    pub(super) fn answer(self, call: &Call<'_>) -> Answer {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body =
            ErrorBody { error: ErrorDetail { code: self.code, message: self.message, hint: self.hint } };
        super::json(status, &body).unwrap_or_else(|_| {
            // Texts always are JSON; without a body the status still tells.
            tracing::error!(path = call.path, "an error of the admin API could not be written");
            Answer { status, body: Vec::new() }
        })
    }
}

impl From<CatalogError> for Fault {
    fn from(error: CatalogError) -> Self {
        match &error {
            CatalogError::NotFound(_) => Self::not_found(error.to_string()),
            CatalogError::AlreadyExists(_) | CatalogError::OwnerInUse(_) => {
                Self::new(ErrorCode::Conflict, error.to_string())
            }
            CatalogError::InvalidName { source, .. } => Self::invalid(format!("{error}: {source}")),
            CatalogError::Closed => Self::new(ErrorCode::Unavailable, "the registry is stopping".to_owned()),
            _ => Self::internal(&error),
        }
    }
}

impl From<&Denial> for Fault {
    fn from(denial: &Denial) -> Self {
        let code = match denial.reason {
            Reason::Unauthenticated | Reason::Credentials => ErrorCode::Unauthenticated,
            Reason::TooMany { .. } | Reason::Unavailable { .. } => ErrorCode::Unavailable,
            Reason::Visibility | Reason::Owner => ErrorCode::NotFound,
            Reason::NeedsScope | Reason::TokenScope | Reason::Role => ErrorCode::Denied,
        };
        Self::new(code, denial.message.clone())
    }
}

impl From<AccessError> for Fault {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Denied(denial) => (&*denial).into(),
            AccessError::Catalog(error) => error.into(),
            AccessError::Invalid(message) => Self::invalid(message),
            error => Self::internal(&error),
        }
    }
}

impl From<RegistryError> for Fault {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::RepositoryUnknown | RegistryError::ManifestUnknown(_) => {
                Self::not_found(error.to_string())
            }
            RegistryError::Catalog(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}
