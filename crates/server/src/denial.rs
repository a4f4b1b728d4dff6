//! Denials become answers: a challenge, a refusal that explains itself, or the same "not found" that a missing
//! repository gets.
//!
//! Exactly one challenge, `Bearer`, with realm, service and the precise scope: a second one breaks clients.

use http::StatusCode;
use railhead_access::{Action, Denial, Error as AccessError, Reason};
use railhead_oci::{Challenge, ErrorCode, RepositoryName};

use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::operation::TOKEN;

/// The challenge for a scope, and for an error where a token was not enough.
pub(crate) fn challenge(exchange: &Exchange, scope: Option<&str>, error: Option<&str>) -> String {
    let realm = exchange.origin().url(TOKEN);
    Challenge::bearer(&realm, exchange.core().access.service(), scope, error).to_string()
}

/// The scope that a client has to ask for to do this.
fn scope_of(exchange: &Exchange, name: &RepositoryName, action: Action) -> String {
    let actions = match action {
        Action::Pull => "pull",
        // Every client that pushes also asks what is there already.
        Action::Push => "pull,push",
        Action::Delete => "delete",
        Action::Admin => "*",
    };
    match exchange.mount_source() {
        // A client that asks once for a token must get one that serves the mount.
        Some(from) => format!("repository:{name}:{actions} repository:{from}:pull"),
        None => format!("repository:{name}:{actions}"),
    }
}

/// Answers what access says when it does not say yes.
pub(crate) fn refuse(
    error: AccessError,
    exchange: &Exchange,
    about: Option<(&RepositoryName, Action)>,
) -> Failure {
    match error {
        AccessError::Denied(denial) => deny(*denial, exchange, about),
        other => Failure::internal(&other),
    }
}

/// Answers a denial.
pub(crate) fn deny(denial: Denial, exchange: &Exchange, about: Option<(&RepositoryName, Action)>) -> Failure {
    let scope = about.map(|(name, action)| scope_of(exchange, name, action));
    let scope = scope.as_deref();
    match denial.reason {
        Reason::Unauthenticated => {
            Failure::unauthorized(&challenge(exchange, scope, None), denial.message).note("challenge")
        }
        Reason::Credentials => {
            Failure::unauthorized(&challenge(exchange, scope, Some("invalid_token")), denial.message)
        }
        Reason::NeedsScope => {
            Failure::unauthorized(&challenge(exchange, scope, Some("insufficient_scope")), denial.message)
                .detail(denial.detail)
        }
        // The very answer that a missing repository gets.
        Reason::Visibility => railhead_registry::Error::RepositoryUnknown.into(),
        Reason::Unavailable { retry_after } => {
            Failure::unavailable(retry_after.as_secs(), denial.message).detail(denial.detail)
        }
        Reason::TooMany { retry_after } => Failure::too_many(retry_after.as_secs(), denial.message),
        Reason::TokenScope | Reason::Role | Reason::Owner => {
            Failure::new(StatusCode::FORBIDDEN, ErrorCode::Denied, denial.message).detail(denial.detail)
        }
    }
}

/// Adds the scope to the challenge of a failure that was made before it was known what for.
pub(crate) fn with_scope(
    failure: Failure,
    exchange: &Exchange,
    name: &RepositoryName,
    action: Action,
) -> Failure {
    if failure.status() != StatusCode::UNAUTHORIZED {
        return failure;
    }
    let scope = scope_of(exchange, name, action);
    failure.rechallenge(&challenge(exchange, Some(&scope), Some("invalid_token")))
}
