//! Lists: tags, referrers, repositories (spec, *Content discovery*).

use std::borrow::Cow;

use http::HeaderValue;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderName, LINK};
use railhead_catalog::RepositoryFilter;
use railhead_oci::{Digest, ListQuery, Query, RepositoryName, media, next_link, percent_encode};
use railhead_registry::ReferrerPage;
use serde_json::{Map, Value, json};

use super::parameter;
use crate::denial;
use crate::exchange::{Answer, Exchange};
use crate::failure::Failure;

/// Names on a page when the client does not say how many.
const PAGE: u32 = 1000;
/// Names on a page at most.
const PAGE_MAX: u32 = 10_000;
/// Referrers on a page.
const REFERRERS: u32 = 200;

const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

/// How many entries are wanted, and behind which.
fn page(exchange: &Exchange) -> Result<(u32, Option<String>), Failure> {
    let page = ListQuery::read(exchange.story.parts.uri.query().unwrap_or_default())
        .map_err(|error| Failure::bad_request(error.code(), error.to_string()))?;
    let limit = page.n.map_or(PAGE, |n| u32::try_from(n).unwrap_or(u32::MAX).min(PAGE_MAX));
    Ok((limit, page.last))
}

/// The name that a list goes by: the client's, so that it can follow the link to the next page with the token that it has.
fn shown<'a>(exchange: &'a Exchange, name: &'a RepositoryName) -> &'a RepositoryName {
    exchange.former.as_ref().unwrap_or(name)
}

/// `GET /v2/<name>/tags/list`.
pub(crate) async fn tags(exchange: &mut Exchange, name: &RepositoryName) -> Result<Answer, Failure> {
    let (limit, last) = page(exchange)?;
    let core = exchange.core();
    let shown = shown(exchange, name);
    if limit == 0 {
        core.registry.repository(name).await?;
        return Ok(Answer::json(StatusCode::OK, format!("{{\"name\":\"{shown}\",\"tags\":[]}}")));
    }
    let page = core.registry.tags(name, last.as_deref(), limit).await?;
    // The catalog gives the names as the JSON list that goes out.
    let answer = Answer::json(StatusCode::OK, format!("{{\"name\":\"{shown}\",\"tags\":{}}}", page.names));
    match page.last.as_ref().filter(|_| page.more) {
        Some(last) => answer.header(LINK, next_link(&format!("/v2/{shown}/tags/list"), limit, last.as_str())),
        None => Ok(answer),
    }
}

/// `GET /v2/_catalog`: the repositories that the client may pull, a page at a time.
pub(crate) async fn repositories(exchange: &mut Exchange) -> Result<Answer, Failure> {
    let identity = exchange.identify().await?;
    exchange.verified(&identity)?;
    if identity.is_anonymous() {
        let challenge = denial::challenge(exchange, Some("registry:catalog:*"), None);
        return Err(Failure::unauthorized(&challenge, "log in to list repositories").note("challenge"));
    }
    let (limit, last) = page(exchange)?;
    let core = exchange.core().clone();
    let mut names: Vec<RepositoryName> = Vec::new();
    let mut after = last;
    let mut more = limit > 0;
    while more && names.len() < limit as usize {
        let page = core.registry.repositories(RepositoryFilter::default(), after.as_deref(), PAGE).await?;
        more = page.more;
        for repository in page.repositories {
            after = Some(repository.name.as_str().to_owned());
            let seen = core.access.may_see(&identity, &repository.name).await;
            if seen.map_err(|error| denial::refuse(error, exchange, None))? {
                if names.len() == limit as usize {
                    more = true;
                    break;
                }
                names.push(repository.name);
            }
        }
    }
    let link = names.last().filter(|_| more).map(|last| next_link("/v2/_catalog", limit, last.as_str()));
    let answer = Answer::json(StatusCode::OK, json!({ "repositories": names }).to_string());
    match link {
        Some(link) => answer.header(LINK, link),
        None => Ok(answer),
    }
}

/// `GET /v2/<name>/referrers/<digest>`.
pub(crate) async fn referrers(
    exchange: &mut Exchange,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Answer, Failure> {
    exchange.story.digest = Some(digest.to_string().into());
    let query = Query::new(exchange.story.parts.uri.query());
    let filter = query.get_literal("artifactType")?.filter(|filter| !filter.is_empty()).map(Cow::into_owned);
    let after = parameter(exchange, "last")?.map(|text| super::digest_parameter(&text)).transpose()?;
    let core = exchange.core().clone();
    let page = core.registry.referrers(name, digest, filter.as_deref(), after.as_ref(), REFERRERS).await?;
    let last = page.referrers.last().map(|referrer| referrer.digest).filter(|_| page.more);
    let mut answer = Answer::json(StatusCode::OK, index(page).to_string());
    answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media::OCI_INDEX));
    if filter.is_some() {
        answer.headers.insert(FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
    }
    let Some(last) = last else { return Ok(answer) };
    let mut next = format!("/v2/{}/referrers/{digest}?last={last}", shown(exchange, name));
    if let Some(filter) = filter {
        next.push_str("&artifactType=");
        percent_encode(&filter, &mut next);
    }
    answer.header(LINK, format!("<{next}>; rel=\"next\""))
}

/// An image index of descriptors.
fn index(page: ReferrerPage) -> Value {
    let descriptor = |referrer: railhead_catalog::Referrer| {
        let mut fields = Map::new();
        fields.insert("mediaType".into(), referrer.media_type.into());
        fields.insert("digest".into(), referrer.digest.to_string().into());
        fields.insert("size".into(), referrer.size.into());
        if let Some(artifact_type) = referrer.artifact_type {
            fields.insert("artifactType".into(), artifact_type.into());
        }
        // The catalog holds them as the JSON object that was read from the manifest.
        if let Some(Ok(annotations)) = referrer.annotations.map(|text| serde_json::from_str(&text)) {
            fields.insert("annotations".into(), annotations);
        }
        Value::Object(fields)
    };
    json!({
        "schemaVersion": 2,
        "mediaType": media::OCI_INDEX,
        "manifests": page.referrers.into_iter().map(descriptor).collect::<Vec<_>>(),
    })
}
