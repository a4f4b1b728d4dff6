//! Tokens: what the token endpoint gives to somebody and to nobody.

use std::time::Instant;

use http::header::HeaderValue;
use secrecy::SecretString;

use super::course::{Blocked, Course};
use super::exchange::Ask;
use super::reach::Spot;
use super::realm::Realm;
use super::record::{Answered, Broke, Broken, Hop, Step, TokenSeen, Walk};
use super::transfer::Desk;
use crate::Credentials;
use crate::registry::bearer;

/// A token, if there is one, and what is written down of it.
type Given = (TokenSeen, Option<SecretString>);

/// Asks for a token with and without the account; the header that the former makes, or none without an account.
pub(super) async fn tokens(
    course: &Course<'_>,
    walk: &mut Walk,
    spot: &Spot,
    realm: &Realm,
) -> Result<Option<HeaderValue>, Blocked> {
    let name = &course.guide.settings.repository;
    let since = Instant::now();
    let anonymous = ask(course, realm, format!("repository:{name}:pull"), None);
    let Some(account) = &course.guide.settings.account else {
        walk.anonymous_token = Step::ended(since, anonymous.await.map(|(seen, _)| seen));
        walk.token = Step::not_due("no account was given");
        return Ok(None);
    };
    if let Err(blocked) = realm.may_know(course) {
        walk.anonymous_token = Step::ended(since, anonymous.await.map(|(seen, _)| seen));
        walk.token = Step::behind(blocked.0, &blocked.1);
        return Err(blocked);
    }
    let scope = format!("repository:{name}:pull,push");
    let (anonymous, given) = tokio::join!(anonymous, ask(course, realm, scope, Some(account)));
    let (anonymous, nobodys) = match anonymous {
        Ok((seen, token)) => (Ok(seen), token),
        Err(broke) => (Err(broke), None),
    };
    walk.anonymous_token = Step::ended(since, anonymous);
    let (seen, token) = match given {
        Ok(given) => given,
        Err(broke) => {
            walk.token = Step::ended(since, Err(broke));
            return Err(Blocked::broken(Hop::Token));
        }
    };
    let status = seen.answer.status;
    walk.token = Step::ended(since, Ok::<TokenSeen, Broken>(seen));
    let header = token.and_then(|token| bearer(&token).ok());
    if header.is_some() {
        return Ok(header);
    }
    if matches!(status, 401 | 403) {
        walk.read_as_nobody = read_as_nobody(course, spot, nobodys).await;
    }
    Err(Blocked(Hop::Token, format!("the realm answered {status} and gave no token")))
}

/// A list of tags with a token that everybody gets. It is no hop: without an answer, nothing is said.
async fn read_as_nobody(course: &Course<'_>, spot: &Spot, token: Option<SecretString>) -> Option<Answered> {
    let authorization = bearer(&token?).ok()?;
    Desk { course, spot, authorization: Some(authorization) }.read().await.ok()
}

async fn ask(
    course: &Course<'_>,
    realm: &Realm,
    scope: String,
    account: Option<&Credentials>,
) -> Result<Given, Broken> {
    let authorization = account.map(Credentials::basic).transpose().map_err(|error| {
        Broken::new(Broke::NotHttp, format!("the account cannot be written into a header: {error}"))
    })?;
    let asked = Ask::get(realm.path(&scope)).with_credentials(authorization);
    let heard = course.ask(&realm.spot, asked).await?;
    let body: serde_json::Value = match heard.answered.status {
        200..=299 => serde_json::from_slice(&heard.bytes).unwrap_or_default(),
        _ => serde_json::Value::Null,
    };
    let text = |name| body.get(name).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty());
    let (token, access_token) = (text("token"), text("access_token"));
    for secret in token.into_iter().chain(access_token) {
        course.secrets.learn(secret);
    }
    let seen = TokenSeen {
        scope,
        answer: heard.cleaned(&course.secrets),
        has_token: token.is_some(),
        has_access_token: access_token.is_some(),
        expires_in: body.get("expires_in").and_then(serde_json::Value::as_u64),
    };
    Ok((seen, token.or(access_token).map(|token| SecretString::from(token.to_owned()))))
}
