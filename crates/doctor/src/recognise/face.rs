//! What kind of answer one is.

use railhead_client::hops::Answered;

use super::{Front, page_of};
use crate::url::Url;

/// What kind of answer one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    /// A registry's.
    Registry,
    /// A page that tests for a browser.
    RobotCheck,
    /// A page to sign on.
    SignOn,
    /// Written by what is in front.
    Front(Front),
    /// A forge's own, outside of its registry.
    Forge,
    /// Some other page.
    Html,
    /// Nothing in it.
    Empty,
    /// Text, JSON, anything.
    Other,
}

/// What kind of answer `answer` is.
pub(crate) fn face(answer: &Answered) -> Face {
    if is_registry(answer) {
        return Face::Registry;
    }
    if is_robot_check(answer) {
        return Face::RobotCheck;
    }
    if let Some(front) = page_of(answer) {
        return Face::Front(front);
    }
    let html = is_html(answer);
    if html && is_sign_on_page(answer) {
        return Face::SignOn;
    }
    if html {
        return Face::Html;
    }
    if is_forge(answer) {
        return Face::Forge;
    }
    if answer.body.trim().is_empty() { Face::Empty } else { Face::Other }
}

/// Whether a registry wrote it: its header, its errors, or the empty object of `/v2/`.
pub(crate) fn is_registry(answer: &Answered) -> bool {
    let json = answer.media_type().is_some_and(|kind| kind.ends_with("json"));
    answer.header("docker-distribution-api-version").is_some()
        || answer.error_code().is_some()
        || (answer.status == 200 && json && answer.body.trim() == "{}")
}

pub(crate) fn is_html(answer: &Answered) -> bool {
    let start = answer.body.trim_start().get(..15).unwrap_or_default().to_ascii_lowercase();
    answer.media_type().is_some_and(|kind| kind == "text/html" || kind == "application/xhtml+xml")
        || start.starts_with("<!doctype html")
        || start.starts_with("<html")
}

/// Whether Gitea or Forgejo wrote it, in or outside of its registry.
pub(super) fn is_forge(answer: &Answered) -> bool {
    let cookie =
        answer.all("set-cookie").any(|name| name.contains("i_like_gitea") || name.contains("i_like_forgejo"));
    let text = answer.body.trim();
    cookie || matches!(text, "Not found." | "reqPackageAccess" | "Failed to authenticate user")
}

fn is_robot_check(answer: &Answered) -> bool {
    let body = &answer.body;
    answer.header("cf-mitigated") == Some("challenge")
        || (is_html(answer)
            && ["Just a moment", "challenge-platform", "_Incapsula_Resource", "captcha"]
                .iter()
                .any(|words| body.contains(words)))
}

fn is_sign_on_page(answer: &Answered) -> bool {
    let body = answer.body.to_ascii_lowercase();
    let named =
        ["oauth2-proxy", "oauth2/start", "authelia", "authentik", "keycloak", "kc-form-login", "dex-"];
    if named.iter().any(|name| body.contains(name)) {
        return true;
    }
    let forge = is_forge(answer) || body.contains("gitea") || body.contains("forgejo");
    let title =
        body.split_once("<title>").map_or("", |(_, rest)| rest.split("</title>").next().unwrap_or(rest));
    !forge
        && ["sign in", "sign-in", "signin", "log in", "login", "single sign"]
            .iter()
            .any(|word| title.contains(word))
}

/// Whether a redirect there is meant for a person who signs on. A forge's own page to log in is not: `/v2/` went astray.
pub(crate) fn is_sign_on_url(url: &Url) -> bool {
    let path = url.bare_path().to_ascii_lowercase();
    if path == "/user/login" {
        return false;
    }
    let query = url.path.split_once('?').map_or("", |(_, query)| query);
    let label = url.host.split('.').next().unwrap_or_default();
    let makers =
        ["authelia", "authentik", "keycloak", "okta", "auth0", "microsoftonline", "cloudflareaccess"];
    let paths =
        ["/oauth2/", "/realms/", "/saml", "/sso", "/login", "/signin", "/sign_in", "/sign-in", "/auth/"];
    let parameters = ["response_type=", "client_id=", "redirect_uri=", "rd="];
    matches!(label, "auth" | "login" | "sso" | "id" | "idp" | "accounts" | "signin" | "oauth")
        || makers.iter().any(|maker| url.host.contains(maker))
        || paths.iter().any(|part| path.contains(part))
        || parameters.iter().any(|part| query.starts_with(part) || query.contains(&format!("&{part}")))
}

/// Whether a failure speaks of its database.
pub(crate) fn is_database(answer: &Answered) -> bool {
    let body = answer.body.to_ascii_lowercase();
    let words = ["database", "sqlstate", "sqlite", "postgres", "mysql", "pq: ", "sql:", "mariadb"];
    let ports = [":5432", ":3306", ":1433"];
    answer.status >= 500
        && page_of(answer).is_none()
        && (words.iter().any(|word| body.contains(word)) || ports.iter().any(|port| body.contains(port)))
}

/// Whether a failure says that no space is left.
pub(crate) fn is_full(answer: &Answered) -> bool {
    let body = answer.body.to_ascii_lowercase();
    let words =
        ["no space left", "disk full", "storage is full", "insufficient storage", "quota exceeded on volume"];
    answer.status == 507 || (answer.status >= 500 && words.iter().any(|word| body.contains(word)))
}
