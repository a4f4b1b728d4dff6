//! Blobs (spec, *Pulling blobs*, *Checking if content exists*, *Deleting blobs*).

use std::ops::Range;

use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, RANGE};
use http::{HeaderValue, StatusCode};
use railhead_oci::{BlobRange, Digest, ErrorCode, RepositoryName};

use super::DIGEST;
use crate::exchange::{Answer, Content, Exchange};
use crate::failure::Failure;

/// `GET` and `HEAD` of a blob, whole or a range of it. Both are answered by the registry itself: a signed address
/// for `GET` does not serve a `HEAD`.
pub(crate) async fn pull(
    exchange: &mut Exchange,
    name: &RepositoryName,
    digest: &Digest,
    head: bool,
) -> Result<Answer, Failure> {
    let core = exchange.core().clone();
    let digest_text = bytes::Bytes::from(digest.to_string());
    exchange.story.digest = Some(digest_text.clone());
    let blob = core.registry.blob(name, digest, exchange.now).await?;
    let wanted = if head { None } else { range_of(exchange, blob.size)? };
    let (status, range) =
        wanted.map_or((StatusCode::OK, 0..blob.size), |range| (StatusCode::PARTIAL_CONTENT, range));
    let mut answer = Answer::new(status).header(DIGEST, digest_text.clone())?;
    let headers = &mut answer.headers;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if status == StatusCode::PARTIAL_CONTENT {
        answer = answer.header(CONTENT_RANGE, railhead_oci::content_range(&range, blob.size))?;
    }
    answer = answer.header(ETAG, format!("\"{digest}\""))?;
    if !head {
        answer.content = Content::Blob(core.registry.read_blob(name, &blob, range).await?);
    }
    Ok(answer)
}

/// The part that the client asks for; none is all of it. A header that is no text is no range, and is ignored like
/// every range that cannot be read (RFC 9110, 14.2).
pub(super) fn range_of(exchange: &Exchange, size: u64) -> Result<Option<Range<u64>>, Failure> {
    let header = exchange.story.parts.headers.get(RANGE).and_then(|header| header.to_str().ok());
    match header.map_or(Ok(BlobRange::Whole), |header| BlobRange::read(header, size)) {
        Ok(BlobRange::Whole) => Ok(None),
        Ok(BlobRange::Part(range)) => Ok(Some(range)),
        Err(error) => {
            let failure =
                Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, ErrorCode::RangeInvalid, error.to_string());
            Err(failure.header(CONTENT_RANGE, &error.content_range()))
        }
    }
}

/// `DELETE` of a blob.
pub(crate) async fn delete(
    exchange: &mut Exchange,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Answer, Failure> {
    let core = exchange.core().clone();
    core.registry.delete_blob(name, digest, exchange.now).await?;
    exchange.audit("blob.delete", &format!("{name}@{digest}"));
    Ok(Answer::new(StatusCode::ACCEPTED))
}
