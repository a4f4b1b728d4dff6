//! What passes through what is in front.

use railhead_client::hops::{Limits, Slow};

use super::{Notes, said};
use crate::Code;
use crate::recognise::is_registry;

pub(super) fn judge(notes: &mut Notes<'_>) {
    let Some(limits) = &notes.walk.limits else { return };
    size(notes, limits);
    let trickle = slow(notes, &limits.trickle, Code::LimitReadTimeout, "a body of one byte a second");
    // A limit for the whole request cuts a pause, too.
    if !trickle {
        slow(notes, &limits.pause, Code::LimitIdleTimeout, "a body that pauses");
    }
    if limits.buffered == Some(true) {
        notes.note(Code::LimitBuffering, "the registry answers only after the last byte of a request");
    }
}

fn size(notes: &mut Notes<'_>, limits: &Limits) {
    let Some((bytes, answer)) = &limits.size.refused else { return };
    if answer.status != 413 {
        return;
    }
    let code = if is_registry(answer) { Code::LimitSizeApp } else { Code::LimitSize };
    let evidence = match limits.size.passed {
        0 => format!("{} does not pass: {}", amount(*bytes), said(answer)),
        passed => format!("{} passes, {} does not: {}", amount(passed), amount(*bytes), said(answer)),
    };
    notes.note(code, evidence);
}

/// Notes how a slow request ended; true if it was cut.
fn slow(notes: &mut Notes<'_>, slow: &Slow, code: Code, what: &str) -> bool {
    let (code, evidence) = match slow {
        Slow::Passed { .. } | Slow::Untried { .. } => return false,
        Slow::Cut { millis, whole, answer } => {
            // Traefik says 504 also when its own time for reading the request is over.
            let late = *whole && answer.as_ref().is_some_and(|answer| answer.status == 504);
            let code = if late { Code::LimitAnswerTimeout } else { code };
            let end = answer.as_ref().map_or_else(|| "the connection is closed".to_owned(), said);
            (code, format!("{what} is cut off after {}: {end}", seconds(*millis)))
        }
        Slow::Unanswered { millis } => {
            let evidence = format!("{what} was sent whole, and no answer came within {}", seconds(*millis));
            (Code::LimitAnswerTimeout, evidence)
        }
    };
    notes.note(code, evidence);
    true
}

fn seconds(millis: u64) -> String {
    if millis < 10_000 { format!("{:.1} s", millis as f64 / 1000.0) } else { format!("{} s", millis / 1000) }
}

/// `1 MiB`, `100 MiB + 1`.
fn amount(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    for (unit, name) in UNITS {
        if bytes >= unit {
            let (whole, rest) = (bytes / unit, bytes % unit);
            return match rest {
                0 => format!("{whole} {name}"),
                1 => format!("{whole} {name} + 1 byte"),
                _ => format!("{:.1} {name}", bytes as f64 / unit as f64),
            };
        }
    }
    format!("{bytes} bytes")
}
