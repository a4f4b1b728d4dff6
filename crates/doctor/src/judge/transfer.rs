//! Reading and writing.

use railhead_client::hops::{Answered, Step, WriteSeen};

use super::{Notes, said, shortened, url_of};
use crate::Code;
use crate::recognise::{Face, face};
use crate::url::Url;

pub(super) fn judge(notes: &mut Notes<'_>) {
    let walk = notes.walk;
    scope(notes);
    match &walk.read {
        Step::Broken { broke, .. } => notes.broken("listing tags", broke),
        Step::Taken { seen, .. } => read(notes, seen),
        Step::Skipped { .. } => {}
    }
    match &walk.write {
        Step::Broken { broke, .. } => notes.broken("beginning an upload", broke),
        Step::Taken { seen, .. } => write(notes, seen),
        Step::Skipped { .. } => {}
    }
}

/// A challenge for a repository asks for that repository.
fn scope(notes: &mut Notes<'_>) {
    const NOWHERE: &str = "railhead-doctor-nowhere/x";
    let walk = notes.walk;
    let mut asked = Vec::new();
    if let Some(nowhere) = &walk.behind.nowhere {
        asked.push((NOWHERE.to_owned(), nowhere));
    }
    if let (Some(read), Some(repository)) = (walk.read.seen(), &notes.scene.place.repository) {
        asked.push((repository.clone(), read));
    }
    for (repository, answer) in asked {
        let challenges = railhead_client::Challenge::parse_all(answer.all("www-authenticate"));
        let Some(bearer) = challenges.iter().find(|challenge| challenge.scheme == "bearer") else { continue };
        let scope = bearer.parameter("scope").unwrap_or_default();
        let mut names = scope.split(' ').filter_map(|part| part.strip_prefix("repository:"));
        let first = names.clone().next();
        let fits = names.any(|name| name.rsplit_once(':').is_some_and(|(name, _)| name == repository));
        if first.is_some() && !fits {
            let evidence = format!(
                "{} → {}, which asks for scope=\"{}\"",
                answer.asked,
                answer.status,
                shortened(scope)
            );
            notes.note(Code::ChallengeScope, evidence);
            return;
        }
    }
}

fn read(notes: &mut Notes<'_>, answer: &Answered) {
    if notes.common(answer) {
        return;
    }
    let (status, face) = (answer.status, face(answer));
    let named = notes.scene.place.repository.is_some();
    let logged_in = notes.walk.authenticated.seen().is_some();
    let code = match (status, face) {
        (200, Face::Html | Face::SignOn) | (_, Face::Front(_) | Face::Html | Face::SignOn)
            if status < 500 =>
        {
            Code::ReadMisrouted
        }
        (_, Face::RobotCheck) => Code::RouteChallengePage,
        // A forge has no registry for an owner that does not exist.
        (404, Face::Forge) if named => Code::AuthOwner,
        (200, _) | (404, Face::Registry | Face::Forge) => return,
        (404, _) => Code::ReadMisrouted,
        // Nobody logged in: what is not public cannot be read.
        (401 | 403, _) if !logged_in => return,
        (401 | 403, _) => Code::AuthRead,
        (400, _) if is_about_the_name(answer) => Code::AuthOwner,
        (429 | 500.., _) => match super::failure_of(answer) {
            Some((Code::AppError | Code::AppStarting, _)) | None => Code::ReadError,
            Some((code, _)) => code,
        },
        _ => Code::ReadError,
    };
    notes.note(code, said(answer));
}

fn is_about_the_name(answer: &Answered) -> bool {
    matches!(answer.error_code().as_deref(), Some("NAME_UNKNOWN" | "NAME_INVALID"))
}

/// Railhead's words for it; its code is the one for every refusal.
fn says_no_owner(answer: &Answered) -> bool {
    answer.body.contains("there is no user or organisation")
}

fn write(notes: &mut Notes<'_>, seen: &WriteSeen) {
    if notes.common(&seen.begin) {
        return;
    }
    if seen.begin.status != 202 {
        let code = begin(notes, &seen.begin);
        notes.note(code, said(&seen.begin));
        return;
    }
    let astray = location(notes, seen);
    match &seen.patch {
        Some(Step::Broken { broke, .. }) => notes.broken("PATCH of an upload", broke),
        Some(Step::Taken { seen, .. }) if seen.status != 202 => {
            let code = patch(seen);
            // At a wrong address nobody knows the upload.
            if !(astray && code == Code::WritePatch) {
                notes.note(code, said(seen));
            }
            return;
        }
        _ => {}
    }
    if let Some(answer) = seen.cancel.as_ref().and_then(Step::seen).filter(|answer| answer.status >= 300) {
        let code = match face(answer) {
            Face::Front(_) | Face::Html if matches!(answer.status, 403..=405) => Code::RouteMethod,
            _ => Code::WriteCancel,
        };
        notes.note(code, said(answer));
    }
}

/// Why an upload does not begin.
fn begin(notes: &Notes<'_>, answer: &Answered) -> Code {
    let quota = || answer.body.to_ascii_lowercase().contains("quota");
    match (answer.status, face(answer)) {
        (_, Face::RobotCheck) => Code::RouteChallengePage,
        (411 | 501, _) => Code::RouteChunked,
        (429 | 500.., _) => failed(answer),
        (413, Face::Front(_)) => Code::LimitSize,
        (401 | 403 | 409 | 413, _) if quota() => Code::AuthQuota,
        (413, Face::Registry) => Code::AuthQuota,
        (405, Face::Registry) => Code::WriteReadOnly,
        (_, Face::Front(_) | Face::Html | Face::SignOn) => Code::RouteMethod,
        (404 | 400, _) if is_about_the_name(answer) => Code::AuthOwner,
        (404, Face::Forge) => Code::AuthOwner,
        (403, _) if says_no_owner(answer) => Code::AuthOwner,
        (401 | 403, _) => Code::AuthWrite,
        (404, Face::Registry) if notes.walk.read.seen().is_some() => Code::AuthOwner,
        (404 | 405, _) => Code::RouteMethod,
        _ => Code::WritePatch,
    }
}

/// What a failure of an upload means: `/v2/` works, so it is where the bytes are kept, unless it says otherwise.
fn failed(answer: &Answered) -> Code {
    match super::failure_of(answer) {
        Some((Code::AppError | Code::AppStarting, None)) | None => Code::StorageError,
        Some((code, _)) => code,
    }
}

/// Why a chunk is not taken.
fn patch(answer: &Answered) -> Code {
    let face = face(answer);
    match answer.status {
        411 | 501 => Code::RouteChunked,
        400 if face != Face::Registry => Code::RouteChunked,
        413 if matches!(face, Face::Registry) => Code::AuthQuota,
        413 => Code::LimitSize,
        403..=405 if matches!(face, Face::Front(_) | Face::Html) => Code::RouteMethod,
        403 | 409 if answer.body.to_ascii_lowercase().contains("quota") => Code::AuthQuota,
        429 | 500.. => failed(answer),
        _ => Code::WritePatch,
    }
}

/// An upload goes on where it was begun, or at the public host. True if it does not.
fn location(notes: &mut Notes<'_>, seen: &WriteSeen) -> bool {
    let Some(own) = url_of(notes.walk) else { return false };
    let came = seen.begin.header("location").map(shortened);
    let Some(target) = seen.location.as_deref().and_then(Url::parse) else {
        let evidence = match came {
            Some(location) => format!("{} → 202, to \"{location}\", which is no URL", seen.begin.asked),
            None => format!("{} → 202 without Location", seen.begin.asked),
        };
        notes.note(Code::WriteLocation, evidence);
        return true;
    };
    let place = notes.scene.place;
    let at_host = target.host == place.host_name()
        && target.https
        && (target.port == place.port() || target.port == 443);
    let astray = !target.same_origin(&own) && !at_host;
    if astray {
        let target = Url { path: target.bare_path().to_owned(), ..target };
        let evidence = format!("{} → 202, and goes on at {target}", seen.begin.asked);
        notes.note(Code::WriteLocation, evidence);
    }
    astray
}
