//! Pulls under the former name of an owner that was renamed on the forge: they go on for a while, with a warning.
//!
//! The warning is a header (spec, *Warnings*), which some clients show and docker does not; so it is in the log, too.

use std::time::Instant;

use http::HeaderValue;
use http::header::WARNING;
use railhead_access::CurrentName;

use crate::exchange::{Answer, Exchange};
use crate::failure::Failure;
use crate::operation::Operation;

/// Pulls from where the repository is now.
pub(crate) async fn pull(
    exchange: &mut Exchange,
    operation: Operation,
    current: CurrentName,
) -> Result<Answer, Failure> {
    let former = operation.needs().map(|(name, _)| name.clone());
    let Some(former) = former else { return Err(Failure::no_such_path()) };
    let until = current.until.to_string();
    let day = until.split('T').next().unwrap_or_default().to_owned();
    if exchange.core().former_names.due(former.as_str(), Instant::now()).is_some() {
        tracing::warn!(
            repository = %former,
            now = %current.name,
            until = day,
            client = %exchange.story.client,
            "a repository is pulled under the former name of its owner"
        );
    }
    // All of it is made of names and a date, so it needs no quoting.
    let warning = format!("299 - \"{former} is called {} now; the former name ends on {day}\"", current.name);
    exchange.former = Some(former);
    let mut answer = exchange.perform(operation.of(current.name)).await?;
    if let Ok(warning) = HeaderValue::try_from(warning) {
        answer.headers.insert(WARNING, warning);
    }
    Ok(answer)
}
