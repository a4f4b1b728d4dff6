//! What to change, ready to be pasted, with the real names and ports where the walks show them.
//!
//! Order: a sentence, then a block for each server that can be the one to change. A block begins with a comment that says
//! what it is for, so that it can be pasted with it. One file a server; what cannot be known is a placeholder in `<…>`.

mod caddy;
mod cdn;
mod forge;
mod ground;
mod haproxy;
mod nginx;
mod shell;
mod traefik;

pub(crate) use ground::Ground;

use crate::recognise::Front;
use crate::url::Url;
use crate::{Code, Software};

/// What the one in front has to do, in the words of any proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// Bring the registry's paths to it, untouched.
    Route,
    /// Pass `Host` and `X-Forwarded-Proto` on.
    Headers,
    /// Use a certificate for the host.
    Certificate,
    /// No login and no list of addresses before the registry's paths.
    Open,
    /// Let every method through.
    Methods,
    /// Let bodies of any size through.
    Size,
    /// Wait for slow bodies and late answers.
    Patience,
    /// Do not keep requests.
    Stream,
    /// Neither compress nor cache.
    Untouched,
    /// Speak to the right backend.
    Backend,
    /// Speak TLS of today, and ask for no certificate of the client.
    Protocol,
}

/// What to change for `code`.
pub(crate) fn of(code: Code, ground: &Ground<'_>, realm: Option<&Url>) -> String {
    let mut text = ground.fill(code.story().mend);
    let blocks = blocks(code, ground, realm);
    for block in blocks {
        text.push_str("\n\n");
        text.push_str(block.trim_end());
    }
    text
}

fn blocks(code: Code, ground: &Ground<'_>, realm: Option<&Url>) -> Vec<String> {
    use Code as C;
    match code {
        C::DnsUnknown => vec![shell::record(ground)],
        C::DnsService => vec![shell::resolver(ground)],
        C::ConnectRefused | C::ConnectUnreachable | C::ConnectTimeout | C::HttpClosed | C::HttpTimeout => {
            vec![shell::listening(ground)]
        }
        C::ConnectPartial => vec![shell::addresses(ground)],
        C::HttpForeign | C::HttpHugeHead | C::HttpCut | C::HttpEndless => vec![shell::ask(ground)],
        C::ClockSkew => vec![shell::clock()],
        C::TlsPlain | C::TlsNone => front(ground, Need::Certificate),
        C::TlsRequired => vec![shell::route_as(ground, "https"), backend_tls(ground)],
        C::TlsVersion | C::TlsClientCert => front(ground, Need::Protocol),
        C::TlsNameRefused | C::TlsHandshake | C::TlsDefaultCert | C::TlsName => {
            front(ground, Need::Certificate)
        }
        C::TlsExpired | C::TlsNotYet | C::TlsExpiresSoon => {
            let mut blocks = vec![shell::renewal(ground)];
            blocks.extend(front(ground, Need::Certificate));
            blocks
        }
        C::TlsNoNames | C::TlsInvalid => vec![shell::request(ground)],
        C::TlsChain => {
            let mut blocks = vec![shell::chain(ground)];
            blocks.extend(front(ground, Need::Certificate));
            blocks
        }
        C::TlsSelfSigned | C::TlsUntrusted => {
            let mut blocks = vec![shell::trust(ground)];
            blocks.extend(front(ground, Need::Certificate));
            blocks
        }
        C::Route404
        | C::RouteMisrouted
        | C::RouteSubpath
        | C::AppNotRegistry
        | C::ChallengeScope
        | C::Realm404
        | C::RealmHtml
        | C::ReadMisrouted => front(ground, Need::Route),
        C::RouteSignOn
        | C::RouteBasic
        | C::RouteForbidden
        | C::RouteChallengePage
        | C::RouteRate
        | C::RouteAuthDropped => front(ground, Need::Open),
        C::RouteRedirect | C::RouteRedirectLoop => front(ground, Need::Headers),
        C::Route502 | C::Route503 | C::Route504 => front(ground, Need::Backend),
        C::RouteOther => vec![shell::compare(ground)],
        C::RouteCompressed | C::RouteCached => front(ground, Need::Untouched),
        C::RouteMethod => front(ground, Need::Methods),
        C::ClientByAddress => vec![shell::by_name(ground)],
        C::AppDisabled => forge::packages(ground),
        C::AppError
        | C::AppStarting
        | C::AppDatabase
        | C::StorageError
        | C::RealmError
        | C::ReadError
        | C::WritePatch => forge::logs(ground),
        C::StorageFull => forge::room(ground),
        C::ChallengeMissing | C::ChallengeBroken | C::ChallengeTwo => vec![shell::challenge(ground)],
        C::ChallengeNoRealm | C::ChallengeRealmInvalid | C::ChallengeNoService => forge::address(ground),
        C::ChallengeOpen => forge::login(ground),
        // Nothing ends TLS on the way to a registry that says so itself.
        C::RealmScheme if !ground.is_behind_tls() => forge::address(ground),
        C::RealmScheme | C::RealmPrivate | C::RealmHost | C::RealmPort | C::WriteLocation => {
            let mut blocks = forge::address(ground);
            blocks.extend(front(ground, Need::Headers));
            blocks
        }
        C::RealmRedirect => {
            let mut blocks = front(ground, Need::Open);
            blocks.extend(forge::address(ground));
            blocks
        }
        C::RealmPost => vec![shell::realm_post(realm)],
        C::RealmUnreachable | C::TokenInvalid | C::TokenOneName => vec![shell::realm(realm)],
        C::AuthRefused | C::AuthRead | C::AuthWrite => forge::token(ground),
        C::AuthStale => {
            let mut blocks = vec![shell::forget(ground)];
            blocks.extend(forge::token(ground));
            blocks
        }
        C::AuthTokenRefused => forge::secrets(ground),
        C::AuthOwner => forge::owner(ground),
        C::AuthQuota => forge::quota(ground),
        C::WriteReadOnly => forge::writable(ground),
        C::RouteChunked | C::LimitBuffering => front(ground, Need::Stream),
        C::LimitSize => front(ground, Need::Size),
        C::LimitSizeApp => forge::layer_size(ground),
        C::LimitReadTimeout | C::LimitIdleTimeout | C::LimitAnswerTimeout => front(ground, Need::Patience),
        // Nothing can be pasted for the cancelled upload; an inspection knows the objects, and writes its own blocks.
        _ => Vec::new(),
    }
}

/// What each server in front needs; where none shows, the likely ones.
fn front(ground: &Ground<'_>, need: Need) -> Vec<String> {
    ground
        .fronts()
        .into_iter()
        .flat_map(|front| match front {
            Front::Traefik => traefik::blocks(ground, need),
            Front::Nginx => nginx::blocks(ground, need),
            Front::Caddy => caddy::blocks(ground, need),
            Front::HaProxy => haproxy::blocks(ground, need),
            Front::Apache | Front::Envoy => vec![shell::other(ground, front)],
            Front::Cloudflare | Front::CloudFront | Front::Fastly | Front::Akamai => {
                vec![cdn::block(ground, front, need)]
            }
        })
        .collect()
}

/// A proxy that has to speak TLS to its backend.
fn backend_tls(ground: &Ground<'_>) -> String {
    let host = ground.host();
    format!(
        "# nginx, if its backend is what speaks TLS\nproxy_pass https://{};\nproxy_ssl_server_name on;\nproxy_ssl_name {host};",
        ground.upstream()
    )
}

/// The paths of a registry, without a slash at the end.
fn paths(software: Option<Software>) -> &'static [&'static str] {
    match software {
        Some(Software::Harbor) => &["/v2", "/service"],
        _ => &["/v2"],
    }
}
