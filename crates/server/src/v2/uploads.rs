//! Uploads (spec, *Pushing blobs*).
//!
//! The body of a request is handed on piece by piece as it arrives; nothing is gathered.

use http::header::{CONTENT_RANGE, HeaderName, LOCATION, RANGE};
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt as _;
use railhead_catalog::UploadId;
use railhead_oci::{Algorithm, ContentRange, Digest, DigestError, ErrorCode, RepositoryName};
use railhead_registry::UploadSession;

use super::{DIGEST, blob_path, digest_parameter, parameter};
use crate::exchange::{Answer, Exchange};
use crate::failure::Failure;

const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// `POST`: mounts, takes a blob in one request, or begins an upload.
pub(crate) async fn begin(exchange: &mut Exchange, name: &RepositoryName) -> Result<Answer, Failure> {
    if let Some(digest) = parameter(exchange, "mount")? {
        let digest = digest_parameter(&digest)?;
        if let Some(from) = parameter(exchange, "from")?
            && mount(exchange, name, &from, &digest).await?
        {
            return created(name, &digest);
        }
        // A mount that cannot be done is an upload that begins (spec), never an error.
    }
    let digest = parameter(exchange, "digest")?.map(|text| digest_parameter(&text)).transpose()?;
    let announced = match parameter(exchange, "digest-algorithm")? {
        Some(text) => text.parse().map_err(|error: DigestError| {
            Failure::bad_request(ErrorCode::DigestInvalid, error.to_string())
        })?,
        None => digest.map_or(Algorithm::Sha256, |digest| digest.algorithm()),
    };
    let (core, account, now) = (exchange.core().clone(), exchange.account(), exchange.now);
    let id = core.registry.begin_upload(name, account, announced, now).await?;
    let Some(digest) = digest else { return progress(StatusCode::ACCEPTED, name, id, 0) };
    let session = core.registry.open_upload(name, id).await?;
    exchange.story.digest = Some(digest.to_string().into());
    match receive(exchange, session).await {
        Ok(session) => {
            session.finish(&digest, now).await?;
            created(name, &digest)
        }
        Err(failure) => {
            // Nobody knows the id of an upload that was meant to take one request.
            core.registry.end_upload(id).await?;
            Err(failure)
        }
    }
}

/// Mounts when the client may pull from the source and the source has the blob.
async fn mount(
    exchange: &mut Exchange,
    name: &RepositoryName,
    from: &str,
    digest: &Digest,
) -> Result<bool, Failure> {
    let Ok(from) = from.parse::<RepositoryName>() else { return Ok(false) };
    if !exchange.may_mount(&from, name).await? {
        return Ok(false);
    }
    let (core, now) = (exchange.core().clone(), exchange.now);
    Ok(core.registry.mount(&from, name, digest, now).await?)
}

/// `GET`: how far is it.
pub(crate) async fn status(
    exchange: &mut Exchange,
    name: &RepositoryName,
    id: UploadId,
) -> Result<Answer, Failure> {
    let status = exchange.core().registry.upload_status(name, id).await?;
    progress(StatusCode::NO_CONTENT, name, id, status.offset)
}

/// `PATCH`: a chunk, or docker's whole stream.
pub(crate) async fn write(
    exchange: &mut Exchange,
    name: &RepositoryName,
    id: UploadId,
) -> Result<Answer, Failure> {
    let mut session = exchange.core().registry.open_upload(name, id).await?;
    in_order(exchange, &mut session).await?;
    let session = receive(exchange, session).await?;
    let offset = session.pause(exchange.now).await?;
    progress(StatusCode::ACCEPTED, name, id, offset)
}

/// `PUT`: the last bytes, if any, and the digest of the whole.
pub(crate) async fn finish(
    exchange: &mut Exchange,
    name: &RepositoryName,
    id: UploadId,
) -> Result<Answer, Failure> {
    let Some(digest) = parameter(exchange, "digest")? else {
        return Err(Failure::bad_request(
            ErrorCode::DigestInvalid,
            "the upload is closed with ?digest=<digest>",
        ));
    };
    let digest = digest_parameter(&digest)?;
    exchange.story.digest = Some(digest.to_string().into());
    let mut session = exchange.core().registry.open_upload(name, id).await?;
    in_order(exchange, &mut session).await?;
    let session = receive(exchange, session).await?;
    session.finish(&digest, exchange.now).await?;
    created(name, &digest)
}

/// `DELETE`: the upload is over.
pub(crate) async fn cancel(
    exchange: &mut Exchange,
    name: &RepositoryName,
    id: UploadId,
) -> Result<Answer, Failure> {
    exchange.core().registry.cancel_upload(name, id).await?;
    Ok(Answer::new(StatusCode::NO_CONTENT))
}

/// A chunk that says where it starts must start where the upload is.
///
/// `Range: 0-0` is what clients are told of an upload that has nothing yet, and of one that has a single byte. So one with
/// a single byte also takes a chunk from the start.
async fn in_order(exchange: &Exchange, session: &mut UploadSession) -> Result<(), Failure> {
    let Some(header) = exchange.story.parts.headers.get(CONTENT_RANGE) else { return Ok(()) };
    let invalid = |message: String| Failure::bad_request(ErrorCode::RangeInvalid, message);
    let text = header.to_str().map_err(|_| invalid("the Content-Range is not readable text".to_owned()))?;
    let range = ContentRange::read(text).map_err(|error| invalid(error.to_string()))?;
    if range.start == 0 && session.offset() == 1 {
        session.rewind().await?;
    }
    if range.start != session.offset() {
        return Err(railhead_registry::Error::UploadOffset { offset: session.offset() }.into());
    }
    let length = range.len();
    match exchange.announced() {
        Some(announced) if announced != length => Err(Failure::bad_request(
            ErrorCode::SizeInvalid,
            format!("the Content-Range covers {length} bytes and the Content-Length is {announced}"),
        )),
        _ => Ok(()),
    }
}

/// Takes in the request's body. When the client vanishes the upload keeps what came.
async fn receive(exchange: &mut Exchange, mut session: UploadSession) -> Result<UploadSession, Failure> {
    if let Some(announced) = exchange.announced().filter(|announced| *announced > 0) {
        session.expect(announced).await?;
    }
    while let Some(frame) = exchange.body.frame().await {
        let Ok(frame) = frame else {
            session.pause(exchange.now).await?;
            return Err(Failure::client_gone());
        };
        if let Ok(piece) = frame.into_data() {
            exchange.story.received += piece.len() as u64;
            session.write(piece).await?;
        }
    }
    Ok(session)
}

fn progress(status: StatusCode, name: &RepositoryName, id: UploadId, offset: u64) -> Result<Answer, Failure> {
    let mut answer = Answer::new(status)
        .header(LOCATION, format!("/v2/{name}/blobs/uploads/{id}"))?
        .header(RANGE, railhead_oci::upload_range(offset))?
        .header(UPLOAD_UUID, id.to_string())?;
    answer.headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from(0));
    if status == StatusCode::NO_CONTENT {
        answer.headers.remove(http::header::CONTENT_LENGTH);
    }
    Ok(answer)
}

fn created(name: &RepositoryName, digest: &Digest) -> Result<Answer, Failure> {
    Answer::new(StatusCode::CREATED)
        .header(LOCATION, blob_path(name, digest))?
        .header(DIGEST, digest.to_string())
}
