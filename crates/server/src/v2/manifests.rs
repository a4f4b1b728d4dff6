//! Manifests (spec, *Pulling manifests*, *Pushing manifests*, *Deleting manifests*, *Deleting tags*).
//!
//! A manifest is served as it was pushed, whatever the client says it accepts: converting it would change its digest.

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, LOCATION,
    WARNING,
};
use http::{HeaderValue, StatusCode};
use railhead_catalog::Timestamp;
use railhead_oci::{ErrorCode, Reference, RepositoryName, Tag};
use railhead_registry::{Manifest, PutManifest, Stored};

use super::blobs::range_of;
use super::{DIGEST, parameters};
use crate::exchange::{Answer, Content, Exchange};
use crate::failure::Failure;

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const TAG: HeaderName = HeaderName::from_static("oci-tag");

/// `GET` and `HEAD` of a manifest.
pub(crate) async fn pull(
    exchange: &mut Exchange,
    name: &RepositoryName,
    reference: &Reference,
    head: bool,
) -> Result<Answer, Failure> {
    let registry = &exchange.story.core.registry;
    let manifest = match registry.remembered_manifest(name, reference) {
        Some(manifest) => manifest,
        None => registry.manifest(name, reference).await?,
    };
    exchange.story.digest = Some(manifest.digest_text.clone());
    exchange.story.core.api.pulls().note(name, &manifest.digest, Timestamp::now());
    let parts = &exchange.story.parts;
    if let Some(known) = parts.headers.get(IF_NONE_MATCH)
        && names(known, &manifest)
    {
        return Answer::new(StatusCode::NOT_MODIFIED).header(DIGEST, manifest.digest_text.clone());
    }
    let size = manifest.bytes.len() as u64;
    // Some clients ask even for a manifest with `Range: bytes=0-`.
    let part = if head { None } else { range_of(exchange, size)? };
    let status = if part.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let range = part.unwrap_or(0..size);
    let bytes = manifest.bytes.slice(range.start as usize..range.end as usize);
    let mut answer = Answer::new(status)
        .header(CONTENT_TYPE, manifest.media_type.clone())?
        .header(DIGEST, manifest.digest_text.clone())?
        .header(ETAG, etag(&manifest))?;
    answer.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    if status == StatusCode::PARTIAL_CONTENT {
        answer = answer.header(CONTENT_RANGE, railhead_oci::content_range(&range, size))?;
        answer.headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    if !head {
        answer.content = Content::Whole(bytes);
    }
    Ok(answer)
}

fn etag(manifest: &Manifest) -> Vec<u8> {
    [b"\"", &manifest.digest_text[..], b"\""].concat()
}

/// Whether an `If-None-Match` names this manifest.
fn names(known: &HeaderValue, manifest: &Manifest) -> bool {
    known.to_str().is_ok_and(|known| {
        known.split(',').any(|tag| {
            let tag = tag.trim().trim_start_matches("W/").trim_matches('"');
            tag.as_bytes() == &manifest.digest_text[..]
        })
    })
}

/// `PUT` of a manifest, by tag, or by digest with tags as parameters.
pub(crate) async fn push(
    exchange: &mut Exchange,
    name: RepositoryName,
    reference: Reference,
) -> Result<Answer, Failure> {
    let core = exchange.core().clone();
    let put = PutManifest {
        tags: tag_parameters(exchange, &reference)?,
        content_type: content_type(exchange)?,
        bytes: exchange.collect(core.registry.settings().manifest_max).await?,
        account: exchange.account(),
        repository: name.clone(),
        reference: reference.clone(),
    };
    let by_digest = matches!(reference, Reference::Digest(_));
    let Stored { digest, subject, tags, near_quota, .. } =
        core.registry.put_manifest(put, exchange.now).await?;
    let digest_text = Bytes::from(digest.to_string());
    exchange.story.digest = Some(digest_text.clone());
    exchange.audit("manifest.push", &format!("{name}@{digest}"));
    let mut answer = Answer::new(StatusCode::CREATED)
        .header(LOCATION, format!("/v2/{name}/manifests/{digest}"))?
        .header(DIGEST, digest_text)?;
    if let Some(subject) = subject {
        answer = answer.header(SUBJECT, subject.to_string())?;
    }
    if by_digest && !tags.is_empty() {
        let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
        answer = answer.header(TAG, tags.join(", "))?;
    }
    if let Some(near) = near_quota {
        // The form that the specification gives warnings: this code, no agent, no date.
        let warning =
            format!("299 - \"{} uses {} of the {} bytes of its quota\"", name.owner(), near.used, near.limit);
        answer = answer.header(WARNING, warning)?;
    }
    Ok(answer)
}

fn tag_parameters(exchange: &Exchange, reference: &Reference) -> Result<Vec<Tag>, Failure> {
    let tags = parameters(exchange, "tag")?;
    if tags.is_empty() {
        return Ok(Vec::new());
    }
    if matches!(reference, Reference::Tag(_)) {
        return Err(Failure::bad_request(
            ErrorCode::ManifestInvalid,
            "tags as parameters go with a push by digest",
        ));
    }
    let read = |text: &String| {
        text.parse().map_err(|error: railhead_oci::TagError| {
            Failure::bad_request(ErrorCode::TagInvalid, error.to_string())
        })
    };
    tags.iter().map(read).collect()
}

fn content_type(exchange: &Exchange) -> Result<Option<String>, Failure> {
    let Some(header) = exchange.story.parts.headers.get(CONTENT_TYPE) else { return Ok(None) };
    let text = header.to_str().map_err(|_| {
        Failure::bad_request(ErrorCode::ManifestInvalid, "the Content-Type is not readable text")
    })?;
    Ok(Some(text.to_owned()))
}

/// `DELETE` of a manifest with all its tags, or of one tag alone.
pub(crate) async fn delete(
    exchange: &mut Exchange,
    name: &RepositoryName,
    reference: &Reference,
) -> Result<Answer, Failure> {
    let (core, account, now) = (exchange.core().clone(), exchange.account(), exchange.now);
    match reference {
        Reference::Tag(tag) => {
            let digest = core.registry.delete_tag(name, tag, account, now).await?;
            exchange.story.digest = Some(digest.to_string().into());
            exchange.audit("tag.delete", &format!("{name}:{tag}"));
        }
        Reference::Digest(digest) => {
            exchange.story.digest = Some(digest.to_string().into());
            core.registry.delete_manifest(name, digest, account, now).await?;
            exchange.audit("manifest.delete", &format!("{name}@{digest}"));
        }
    }
    Ok(Answer::new(StatusCode::ACCEPTED))
}
