//! One walk, from hop to hop.
//!
//! Every hop either writes down what it saw, which the next one goes on with, or ends the course: then all hops behind it
//! name it as what is in the way.

use std::time::{Duration, Instant};

use http::header::HeaderValue;
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::exchange::{Ask, Heard, exchange};
use super::limits;
use super::line::Line;
use super::probe;
use super::reach::{Guide, Spot};
use super::realm::Realm;
use super::record::{
    Answered, Behind, Broke, Broken, Challenged, Connected, Hop, Resolved, Step, TlsSeen, Walk,
};
use super::redact::Secrets;
use super::redirect;
use super::route::Route;
use super::scrub::scrub;
use super::step::millis;
use super::token::tokens;
use super::transfer::Desk;
use crate::{Challenge, Origin};

/// Why a hop is skipped until the course has come to it.
const NOT_REACHED: &str = "it was not reached";
const NO_ACCOUNT: &str = "no account was given";
/// Why no credentials are sent over a route that is only guessed.
pub(super) const OPEN: &str =
    "it is plain HTTP and nobody named the route, so no credentials are sent over it";

/// What one walk has with it.
pub(super) struct Course<'a> {
    pub(super) guide: &'a Guide,
    pub(super) route: &'a Route,
    pub(super) secrets: Secrets,
}

/// A hop that ended the course, and why.
pub(super) struct Blocked(pub(super) Hop, pub(super) String);

impl Blocked {
    /// A hop that broke; its own step says how.
    pub(super) fn broken(hop: Hop) -> Self {
        Self(hop, format!("the hop '{}' broke", hop.word()))
    }
}

impl<'a> Course<'a> {
    pub(super) fn new(guide: &'a Guide, route: &'a Route) -> Self {
        Self { guide, route, secrets: Secrets::of(guide.settings.account.as_ref()) }
    }

    pub(super) async fn walk(self) -> Walk {
        let since = Instant::now();
        let mut walk = blank(self.route);
        if let Err(Blocked(hop, why)) = Box::pin(self.go(&mut walk)).await {
            block(&mut walk, hop, &why);
        }
        walk.millis = millis(since);
        scrub(&mut walk, &self.secrets);
        walk
    }

    async fn go(&self, walk: &mut Walk) -> Result<(), Blocked> {
        let (spot, line) = self.arrive(walk).await?;
        let heard = self.registry(walk, &spot, line).await?;
        let (behind, rest) = tokio::join!(self.behind(&spot), self.beyond(walk, &spot, &heard));
        walk.behind = behind;
        rest
    }

    /// Resolve, connect, TLS.
    async fn arrive(&self, walk: &mut Walk) -> Result<(Spot, Line), Blocked> {
        let since = Instant::now();
        let end = match self.guide.end_of(self.route) {
            Ok(end) => end,
            Err(broke) => return Err(ended(&mut walk.resolve, Hop::Resolve, since, broke)),
        };
        let addresses = match self.guide.resolve(&end).await {
            Ok((resolved, addresses)) => {
                walk.resolve = Step::ended(since, Ok::<Resolved, Broken>(resolved));
                addresses
            }
            Err(broke) => return Err(ended(&mut walk.resolve, Hop::Resolve, since, broke)),
        };
        let since = Instant::now();
        let (address, tcp) = match self.guide.connect(&addresses).await {
            Ok((connected, address, tcp)) => {
                walk.connect = Step::ended(since, Ok::<Connected, Broken>(connected));
                (address, tcp)
            }
            Err(broke) => return Err(ended(&mut walk.connect, Hop::Connect, since, broke)),
        };
        let spot = Spot { end, address };
        let since = Instant::now();
        match Line::over(self.guide, &spot.end, tcp).await {
            Ok(line) => {
                walk.tls = match line.tls.clone() {
                    Some(seen) => Step::ended(since, Ok::<TlsSeen, Broken>(seen)),
                    None => Step::not_due("the route is plain HTTP"),
                };
                Ok((spot, line))
            }
            Err(broke) => {
                let broke = probe::plain(self.guide, &spot, broke).await;
                Err(ended(&mut walk.tls, Hop::Tls, since, broke))
            }
        }
    }

    /// `/v2/`, where it redirects, and what the clock says there.
    async fn registry(&self, walk: &mut Walk, spot: &Spot, line: Line) -> Result<Heard, Blocked> {
        let since = Instant::now();
        let within = self.guide.settings.answer_timeout;
        let heard = match exchange(line, spot, Ask::get("/v2/"), within, &self.secrets).await {
            Ok(heard) => heard,
            Err(broke) => return Err(ended(&mut walk.registry, Hop::Registry, since, broke)),
        };
        walk.clock_skew = clock_skew(&heard.answered, Timestamp::now());
        walk.registry = Step::ended(since, Ok::<Answered, Broken>(heard.answered.clone()));
        if redirect::is_redirect(heard.answered.status) {
            walk.redirects = redirect::follow(self, spot, &heard).await;
            return Err(Blocked(Hop::Registry, "/v2/ redirects".to_owned()));
        }
        Ok(heard)
    }

    /// Everything behind `/v2/`.
    async fn beyond(&self, walk: &mut Walk, spot: &Spot, heard: &Heard) -> Result<(), Blocked> {
        let challenges = challenge(walk, heard)?;
        if let Some(why) = self.guide.settings.challenge_only {
            leave_out(walk, why);
            return Ok(());
        }
        if has_no_end(&heard.answered) {
            // Every further answer would cost its whole time as well.
            return Err(Blocked(Hop::Registry, "the body of /v2/ does not end".to_owned()));
        }
        let authorization = self.login(walk, spot, &challenges).await?;
        if authorization.is_none() && !challenges.is_empty() {
            walk.authenticated = Step::not_due(NO_ACCOUNT);
            walk.read = Step::not_due(NO_ACCOUNT);
            walk.write = Step::not_due(NO_ACCOUNT);
            return Ok(());
        }
        if authorization.is_some() && !is_trusted(walk) {
            let why = "the certificate of the route does not verify, and no credentials are sent there";
            return Err(Blocked(Hop::Tls, why.to_owned()));
        }
        if authorization.is_some() && !self.may_log_in_at(&spot.end.origin) {
            return Err(Blocked(Hop::Tls, OPEN.to_owned()));
        }
        let desk = Desk { course: self, spot, authorization };
        self.authenticate(walk, &desk).await?;
        self.transfer(walk, &desk).await;
        if let Some(settings) = &self.guide.settings.limits
            && walk.write.seen().is_some_and(|write| write.begin.status == 202)
        {
            walk.limits = Some(limits::measure(&desk, settings).await);
        }
        Ok(())
    }

    /// Realm and tokens, as the challenge wants them; the header that logs in, if there is an account and a challenge.
    async fn login(
        &self,
        walk: &mut Walk,
        spot: &Spot,
        challenges: &[Challenge],
    ) -> Result<Option<HeaderValue>, Blocked> {
        let without_tokens = |walk: &mut Walk, why: &str| {
            walk.realm = Step::not_due(why);
            walk.anonymous_token = Step::not_due(why);
            walk.token = Step::not_due(why);
        };
        if walk.challenge.seen().is_none() {
            without_tokens(walk, "/v2/ asks for no login");
            walk.authenticated = Step::not_due("/v2/ asks for no login");
            return Ok(None);
        }
        match Challenge::preferred(challenges) {
            Some(bearer) if bearer.scheme == "bearer" => {
                let realm = Realm::find(self, walk, bearer).await?;
                tokens(self, walk, spot, &realm).await
            }
            Some(_) => {
                without_tokens(walk, "the registry takes Basic, without tokens");
                let Some(account) = &self.guide.settings.account else { return Ok(None) };
                let why = |error| Blocked(Hop::Token, format!("the account cannot be sent: {error}"));
                account.basic().map(Some).map_err(why)
            }
            None => Err(Blocked(Hop::Challenge, "there is no challenge that clients can answer".to_owned())),
        }
    }

    /// Whether nobody on the way to `origin` can read along, or the operator accepts it.
    pub(super) fn may_log_in_at(&self, origin: &Origin) -> bool {
        self.guide.settings.open_login || origin.is_private()
    }

    async fn authenticate(&self, walk: &mut Walk, desk: &Desk<'_>) -> Result<(), Blocked> {
        if desk.authorization.is_none() {
            return Ok(());
        }
        let since = Instant::now();
        match desk.ask(Ask::get("/v2/")).await {
            Ok(heard) => {
                let status = heard.answered.status;
                walk.authenticated = Step::ended(since, Ok::<Answered, Broken>(heard.answered));
                if status == 200 {
                    return Ok(());
                }
                Err(Blocked(Hop::Authenticated, format!("/v2/ answered {status} with the login")))
            }
            Err(broke) => Err(ended(&mut walk.authenticated, Hop::Authenticated, since, broke)),
        }
    }

    /// Read and write, which do not depend on each other.
    async fn transfer(&self, walk: &mut Walk, desk: &Desk<'_>) {
        let since = Instant::now();
        let writing = async {
            if !self.guide.settings.write {
                return Step::not_due("writing was not asked for");
            }
            Step::ended(since, desk.write().await)
        };
        let reading = async { Step::ended(since, desk.read().await) };
        (walk.read, walk.write) = tokio::join!(reading, writing);
    }

    /// What tells the servers behind the route apart. These answers are no hops: without one, nothing is said.
    async fn behind(&self, spot: &Spot) -> Behind {
        let ask = async |path| self.ask(spot, Ask::get(path)).await.ok().map(|heard| heard.answered);
        let (root, version, nowhere) = tokio::join!(
            ask("/"),
            ask("/api/v1/version"),
            ask("/v2/railhead-doctor-nowhere/x/manifests/none")
        );
        Behind { root, version, nowhere }
    }

    /// The first address of an origin that was met on the way and answers.
    pub(super) async fn spot(&self, origin: &Origin) -> Result<Spot, Broken> {
        let end = self.guide.end_from(self.route, origin)?;
        let (_, addresses) = self.guide.resolve(&end).await?;
        let (_, address, _) = self.guide.connect(&addresses).await?;
        Ok(Spot { end, address })
    }

    /// Asks over a connection of its own.
    pub(super) async fn ask(&self, spot: &Spot, ask: Ask) -> Result<Heard, Broken> {
        self.ask_within(spot, ask, self.guide.settings.answer_timeout).await
    }

    /// The same, where an answer may take longer, or shorter.
    pub(super) async fn ask_within(&self, spot: &Spot, ask: Ask, within: Duration) -> Result<Heard, Broken> {
        let line = Line::open(self.guide, spot).await?;
        exchange(line, spot, ask, within, &self.secrets).await
    }
}

/// Whether reading its body cost all the time, or all the bytes, that there are.
fn has_no_end(answered: &Answered) -> bool {
    answered.body_endless || answered.body_broke.as_ref().is_some_and(|broke| broke.kind == Broke::BodySlow)
}

/// Whether there is nothing against the route's certificate.
fn is_trusted(walk: &Walk) -> bool {
    walk.tls.seen().is_none_or(|tls| tls.problems.is_empty())
}

/// Reads the challenge of a `/v2/` that asks for a login; empty when it asks for none.
fn challenge(walk: &mut Walk, heard: &Heard) -> Result<Vec<Challenge>, Blocked> {
    match heard.answered.status {
        401 => {}
        200 => {
            walk.challenge = Step::not_due("/v2/ asks for no login");
            return Ok(Vec::new());
        }
        status => return Err(Blocked(Hop::Registry, format!("/v2/ answered {status}"))),
    }
    let since = Instant::now();
    let values = heard.headers.get_all(http::header::WWW_AUTHENTICATE);
    let lines: Vec<String> =
        values.iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    let challenges = Challenge::parse_all(lines.iter().map(String::as_str));
    let headers = heard.answered.all("www-authenticate").map(str::to_owned).collect();
    let seen = Challenged { headers, challenges: challenges.clone() };
    walk.challenge = Step::ended(since, Ok::<Challenged, Broken>(seen));
    Ok(challenges)
}

/// Writes down how a hop broke; the course ends there.
fn ended<T>(step: &mut Step<T>, hop: Hop, since: Instant, broke: Broken) -> Blocked {
    *step = Step::ended(since, Err(broke));
    Blocked::broken(hop)
}

/// How far the server's clock is ahead. An answer from a cache is older than its date says.
fn clock_skew(answered: &Answered, now: Timestamp) -> Option<i64> {
    let date = rfc2822::parse(answered.header("date")?).ok()?.timestamp();
    let age: i64 = answered.header("age").and_then(|age| age.parse().ok()).unwrap_or(0);
    Some(date.as_second() + age - now.as_second())
}

/// A walk before its first hop.
fn blank(route: &Route) -> Walk {
    fn step<T>() -> Step<T> {
        Step::not_due(NOT_REACHED)
    }
    Walk {
        route: route.clone(),
        started: Timestamp::now(),
        millis: 0,
        resolve: step(),
        connect: step(),
        tls: step(),
        registry: step(),
        redirects: Vec::new(),
        challenge: step(),
        realm: step(),
        anonymous_token: step(),
        token: step(),
        authenticated: step(),
        read: step(),
        write: step(),
        read_as_nobody: None,
        behind: Behind::default(),
        clock_skew: None,
        limits: None,
    }
}

/// Says why the hops behind the challenge are not taken.
fn leave_out(walk: &mut Walk, why: &str) {
    walk.realm = Step::not_due(why);
    walk.anonymous_token = Step::not_due(why);
    walk.token = Step::not_due(why);
    walk.authenticated = Step::not_due(why);
    walk.read = Step::not_due(why);
    walk.write = Step::not_due(why);
}

impl Walk {
    /// The record of a route that leads to `place`, where nothing answers.
    pub fn unreached(route: &Route, place: &str, broke: Broken) -> Self {
        let mut walk = blank(route);
        let resolved = Resolved { name: place.to_owned(), addresses: vec![place.to_owned()] };
        walk.resolve = Step::Taken { millis: 0, seen: resolved };
        let Blocked(hop, why) = ended(&mut walk.connect, Hop::Connect, Instant::now(), broke);
        block(&mut walk, hop, &why);
        walk
    }
}

/// Says of every hop that was not reached what is in its way.
fn block(walk: &mut Walk, hop: Hop, why: &str) {
    macro_rules! behind {
        ($($field:ident: $own:ident),*) => {
            $(if Hop::$own > hop && matches!(&walk.$field, Step::Skipped { why, .. } if why == NOT_REACHED) {
                walk.$field = Step::behind(hop, why);
            })*
        };
    }
    behind!(
        connect: Connect, tls: Tls, registry: Registry, challenge: Challenge, realm: Realm,
        anonymous_token: AnonymousToken, token: Token, authenticated: Authenticated, read: Read, write: Write
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_a_cached_answer_is_not_behind() {
        let now: Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
        let answered = |headers: &[(&str, &str)]| Answered {
            asked: String::new(),
            address: String::new(),
            status: 200,
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: String::new(),
            body_bytes: 0,
            body_broke: None,
            body_endless: false,
        };
        let date = ("date", "Wed, 01 Jul 2026 11:50:00 GMT");
        assert_eq!(clock_skew(&answered(&[date]), now), Some(-600));
        assert_eq!(clock_skew(&answered(&[date, ("age", "590")]), now), Some(-10));
        assert_eq!(clock_skew(&answered(&[("date", "yesterday")]), now), None);
        assert_eq!(clock_skew(&answered(&[]), now), None);
    }
}
