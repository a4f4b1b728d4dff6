//! Resolve, connect, TLS.

use jiff::SignedDuration;
use railhead_client::hops::{Broke, CertificateSeen, Connected, TlsProblem, TlsSeen};

use super::{Notes, words_of};
use crate::Code;

/// How near the end of a certificate has to be.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);
/// A certificate that lives no longer than this is renewed by a machine, shortly before its end.
const SHORT_LIVED: SignedDuration = SignedDuration::from_hours(31 * 24);

pub(super) fn judge(notes: &mut Notes<'_>) {
    let walk = notes.walk;
    if let Some(broke) = walk.resolve.broke() {
        // A resolver that does not answer in time is a resolver that fails.
        let code = if broke.kind == Broke::NameUnknown { Code::DnsUnknown } else { Code::DnsService };
        notes.note(code, words_of(broke));
    }
    if let Some(broke) = walk.connect.broke() {
        let addresses = walk.resolve.seen().map(|seen| seen.addresses.join(", ")).unwrap_or_default();
        notes.broken(&format!("connecting to {addresses}"), broke);
    }
    if let Some(seen) = walk.connect.seen() {
        partial(notes, seen);
    }
    if let Some(broke) = walk.tls.broke() {
        notes.broken(&format!("the handshake with {}", walk.route.url), broke);
    }
    if let Some(seen) = walk.tls.seen() {
        certificate(notes, seen);
    }
    if let Some(skew) = walk.clock_skew.filter(|skew| skew.abs() > 300) {
        let side = if skew > 0 { "ahead of" } else { "behind" };
        let minutes = skew.abs() / 60;
        notes.note(Code::ClockSkew, format!("its clock is {minutes} minutes {side} this machine's"));
    }
}

fn partial(notes: &mut Notes<'_>, seen: &Connected) {
    let six = |address: &str| address.starts_with('[');
    // A machine without IPv6 reaches no such address; that says nothing about the server.
    let has_six = notes.scene.walks.iter().filter_map(|walk| walk.connect.seen()).any(|connected| {
        connected.attempts.iter().any(|attempt| six(&attempt.address) && attempt.broke.is_none())
    });
    let dead: Vec<String> = seen
        .attempts
        .iter()
        .filter_map(|attempt| {
            let broke = attempt.broke.as_ref()?;
            let own_fault = six(&attempt.address) && broke.kind == Broke::Unreachable && !has_six;
            (!own_fault).then(|| format!("{} ({})", attempt.address, words_of(broke)))
        })
        .collect();
    if !dead.is_empty() {
        let evidence = format!("{} answers, but not {}", seen.address, dead.join(", "));
        notes.note(Code::ConnectPartial, evidence);
    }
}

fn certificate(notes: &mut Notes<'_>, seen: &TlsSeen) {
    let leaf = seen.chain.first();
    let evidence = leaf.map_or_else(|| "no certificate was sent".to_owned(), shown);
    for problem in causes(&seen.problems) {
        notes.note(code(problem), &evidence);
    }
    if let Some(leaf) = leaf
        && seen.problems.is_empty()
        && ends_soon(notes, leaf)
    {
        notes.note(Code::TlsExpiresSoon, &evidence);
    }
}

/// The problems without those that are only another's other side.
fn causes(problems: &[TlsProblem]) -> Vec<TlsProblem> {
    use TlsProblem as P;
    if problems.contains(&P::DefaultCertificate) {
        return vec![P::DefaultCertificate];
    }
    let has = |problem| problems.contains(&problem);
    let hidden = |problem: &P| match problem {
        P::WrongName => has(P::NoNames),
        P::MissingIntermediate => has(P::SelfSigned),
        P::Untrusted => has(P::SelfSigned) || has(P::MissingIntermediate),
        P::Invalid => problems.len() > 1,
        _ => false,
    };
    problems.iter().copied().filter(|problem| !hidden(problem)).collect()
}

const fn code(problem: TlsProblem) -> Code {
    match problem {
        TlsProblem::DefaultCertificate => Code::TlsDefaultCert,
        TlsProblem::Expired => Code::TlsExpired,
        TlsProblem::NotYetValid => Code::TlsNotYet,
        TlsProblem::NoNames => Code::TlsNoNames,
        TlsProblem::WrongName => Code::TlsName,
        TlsProblem::MissingIntermediate => Code::TlsChain,
        TlsProblem::SelfSigned => Code::TlsSelfSigned,
        TlsProblem::Untrusted => Code::TlsUntrusted,
        TlsProblem::Invalid => Code::TlsInvalid,
    }
}

fn ends_soon(notes: &Notes<'_>, leaf: &CertificateSeen) -> bool {
    let life = leaf.not_before.duration_until(leaf.not_after);
    let left = notes.scene.now.duration_until(leaf.not_after);
    left < if life <= SHORT_LIVED { life / 10 } else { SOON }
}

fn shown(certificate: &CertificateSeen) -> String {
    let names = if certificate.names.is_empty() { "nobody".to_owned() } else { certificate.names.join(", ") };
    let by = if certificate.self_signed { "itself" } else { certificate.issuer.as_str() };
    let (from, until) = (day(certificate.not_before), day(certificate.not_after));
    format!(
        "the certificate {} names {names}, is signed by {by}, and is valid from {from} until {until}",
        certificate.subject
    )
}

fn day(time: jiff::Timestamp) -> String {
    let text = time.to_string();
    text.split('T').next().unwrap_or(&text).to_owned()
}
