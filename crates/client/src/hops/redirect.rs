//! Follows where `/v2/` redirects, without credentials, to see who is there.

use std::time::Instant;

use http::Uri;
use http::header::LOCATION;

use super::course::Course;
use super::exchange::{Ask, Heard};
use super::reach::Spot;
use super::record::{Broken, Redirect, Step};
use crate::Origin;

/// How many redirects are followed.
const REDIRECTS_MAX: usize = 5;

pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// A place that a `Location` names.
pub(super) struct Place {
    pub(super) origin: Origin,
    /// With its query.
    pub(super) path: String,
}

/// The redirects that begin with `heard`; the last has no answer when it leads back, too far, or nowhere.
pub(super) async fn follow(course: &Course<'_>, spot: &Spot, heard: &Heard) -> Vec<Redirect> {
    let mut seen = vec![format!("{}/v2/", spot.end.origin)];
    let mut origin = spot.end.origin.clone();
    let mut path = "/v2/".to_owned();
    let mut location = heard.header(&LOCATION).map(str::to_owned);
    let mut redirects = Vec::new();
    while let Some(text) = location.take() {
        let place = place(&origin, &path, &text);
        let shown = course.secrets.url(&text);
        let next = place.filter(|place| {
            let url = format!("{}{}", place.origin, place.path);
            let is_new = !seen.contains(&url);
            seen.push(url);
            is_new && redirects.len() < REDIRECTS_MAX
        });
        let Some(next) = next else {
            redirects.push(Redirect { location: shown, answer: None });
            break;
        };
        let since = Instant::now();
        let answer = ask(course, &next).await;
        if let Ok(heard) = &answer
            && is_redirect(heard.answered.status)
        {
            location = heard.header(&LOCATION).map(str::to_owned);
        }
        let answer = Step::ended(since, answer.map(|heard| heard.answered));
        redirects.push(Redirect { location: shown, answer: Some(answer) });
        (origin, path) = (next.origin, next.path);
    }
    redirects
}

async fn ask(course: &Course<'_>, place: &Place) -> Result<Heard, Broken> {
    let spot = course.spot(&place.origin).await?;
    course.ask(&spot, Ask::get(&place.path)).await
}

/// What `location` means in an answer of `origin` to `path` (RFC 3986, 5.2, as far as servers use it).
pub(super) fn place(origin: &Origin, path: &str, location: &str) -> Option<Place> {
    let location = location.split('#').next().unwrap_or(location);
    if let Some(rest) = location.strip_prefix("//") {
        let scheme = if matches!(origin, Origin::Web { https: true, .. }) { "https" } else { "http" };
        return absolute(&format!("{scheme}://{rest}"));
    }
    if location.contains("://") {
        return absolute(location);
    }
    let path = if location.starts_with('/') {
        location.to_owned()
    } else {
        let directory = path.split('?').next().unwrap_or(path);
        format!("{}{location}", &directory[..=directory.rfind('/')?])
    };
    path.parse::<Uri>().ok()?;
    Some(Place { origin: origin.clone(), path })
}

fn absolute(url: &str) -> Option<Place> {
    let (origin, path) = split(url)?;
    Some(Place { origin, path })
}

/// The origin of an absolute URL, and its path with its query.
pub(super) fn split(url: &str) -> Option<(Origin, String)> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?.as_str();
    let origin = format!("{}://{authority}", uri.scheme_str()?).parse().ok()?;
    Some((origin, uri.path_and_query().map_or("/", |path| path.as_str()).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read_against_the_place_they_come_from() {
        let origin: Origin = "http://h:3000".parse().unwrap();
        for (location, url) in [
            ("https://login.example.com/x?y=1#z", Some("https://login.example.com/x?y=1")),
            ("//other/x", Some("http://other/x")),
            ("/user/login?to=%2Fv2%2F", Some("http://h:3000/user/login?to=%2Fv2%2F")),
            ("v1/", Some("http://h:3000/v2/v1/")),
            ("ftp://h/x", None),
            ("https://user:password@h/x", None),
            ("/a b", None),
        ] {
            let found =
                place(&origin, "/v2/", location).map(|place| format!("{}{}", place.origin, place.path));
            assert_eq!(found.as_deref(), url, "{location}");
        }
    }
}
