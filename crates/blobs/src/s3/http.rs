//! The HTTP client that S3 is spoken through: the workspace's own hyper and rustls, and no second TLS library.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect};
use hyper_util::rt::TokioExecutor;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};
use rustls::crypto::ring;

/// How long the store may take to answer one request, its body included. A part is 8 MiB.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// Makes the client; trusts the certificate authorities that the system trusts.
#[derive(Debug)]
pub(super) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(Arc::new(ring::default_provider()))
            .map_err(|source| object_store::Error::Generic { store: "S3", source: source.into() })?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(HttpClient::new(Service(Client::builder(TokioExecutor::new()).build(connector))))
    }
}

#[derive(Debug)]
struct Service(Client<HttpsConnector<connect::HttpConnector>, HttpRequestBody>);

#[async_trait::async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = tokio::time::timeout(ANSWER_WITHIN, self.0.request(request))
            .await
            .map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))?
            .map_err(|error| {
                let kind = if error.is_connect() { HttpErrorKind::Connect } else { kind(error.source()) };
                HttpError::new(kind, error)
            })?;
        Ok(response.map(|body| {
            HttpResponseBody::new(body.map_err(|error| HttpError::new(kind(Some(&error)), error)))
        }))
    }
}

/// Tells what may be tried again from what may not.
fn kind(error: Option<&(dyn std::error::Error + 'static)>) -> HttpErrorKind {
    match error.and_then(|error| error.downcast_ref::<hyper::Error>()) {
        Some(error) if error.is_timeout() => HttpErrorKind::Timeout,
        Some(error)
            if error.is_closed() || error.is_incomplete_message() || error.is_body_write_aborted() =>
        {
            HttpErrorKind::Request
        }
        Some(error) if error.is_parse() => HttpErrorKind::Decode,
        Some(_) => HttpErrorKind::Interrupted,
        None => HttpErrorKind::Unknown,
    }
}
