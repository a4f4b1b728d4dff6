//! Messages of the forge: `POST /v2/webhook`.
//!
//! Order, from what costs nothing to what costs most: are messages taken, is there a signature at all, is it JSON, is it small enough, is it signed
//! by who knows the secret, is it new. Gitea and Forgejo sign the body and nothing else, so no header is believed.

use std::time::Instant;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use railhead_access::Hooked;
use railhead_oci::ErrorCode;

use crate::exchange::{Answer, Exchange};
use crate::failure::Failure;

/// Largest message that is read, in bytes. Those of Gitea are some kilobytes: it cuts a push off after a few commits.
const MESSAGE_MAX: usize = 1 << 20;
/// Where Forgejo and Gitea put their signature. Forgejo sends both.
const SIGNATURES: [&str; 2] = ["x-forgejo-signature", "x-gitea-signature"];

/// Takes a message.
pub(crate) async fn answer(exchange: &mut Exchange) -> Result<Answer, Failure> {
    let taken = take(exchange).await;
    if let Err(failure) = &taken
        && exchange.core().access.takes_messages()
        && !failure.is_client_gone()
        && exchange.core().refused_messages.due(failure.status().as_str(), Instant::now()).is_some()
    {
        tracing::warn!(
            from = %exchange.story.client,
            status = failure.status().as_u16(),
            error = failure.reason(),
            "a message to the webhook is refused; others that are refused so are not logged for a while"
        );
    }
    taken
}

async fn take(exchange: &mut Exchange) -> Result<Answer, Failure> {
    if !exchange.core().access.takes_messages() {
        return Err(Failure::no_such_path());
    }
    let headers = &exchange.story.parts.headers;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(signature) = SIGNATURES.into_iter().find_map(header).map(str::to_owned) else {
        return Err(not_signed());
    };
    let kind = header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ErrorCode::Unsupported,
            "the message is not JSON: set the webhook's content type to application/json",
        ));
    }
    let body = exchange.collect(MESSAGE_MAX).await?;
    match exchange.core().access.hooked(&body, &signature).await {
        Hooked::Taken => Ok(Answer::text("the forge is asked anew\n")),
        Hooked::NotSigned => Err(not_signed()),
        Hooked::Replayed => Err(Failure::new(
            StatusCode::CONFLICT,
            ErrorCode::Denied,
            "the message came before; nothing is done for it",
        )),
    }
}

fn not_signed() -> Failure {
    Failure::new(
        StatusCode::FORBIDDEN,
        ErrorCode::Denied,
        "the message is not signed with the secret of forge.webhook_secret",
    )
}
