//! How often something runs by a line of cron, as far as is needed to say that it should have run long ago.

use jiff::{SignedDuration, Timestamp};

/// How old the last good run may be; none where nobody can say. A day more than the longest wait: a run may take hours.
pub fn allowed(schedule: &str) -> Option<SignedDuration> {
    Some(SignedDuration::from_hours(24 * (gap(schedule)? + 1)))
}

/// Why the last good run is too long ago; none where it is not, or where nobody can say.
pub fn stale(schedule: &str, last: &str, now: Timestamp) -> Option<String> {
    let last: Timestamp = last.parse().ok()?;
    let age = now.duration_since(last);
    (age > allowed(schedule)?)
        .then(|| format!("its last good run, of {last:.0}, is {} days ago", age.as_hours() / 24))
}

/// The most days between two runs; none where that is not to be seen.
fn gap(schedule: &str) -> Option<i64> {
    match schedule.trim() {
        "@monthly" => return Some(31),
        "@weekly" => return Some(7),
        "@daily" | "@midnight" | "@hourly" => return Some(1),
        other if other.starts_with('@') => return None,
        _ => {}
    }
    // Five fields; six where seconds stand before them; a time zone may stand before all.
    let fields: Vec<&str> = schedule.split_whitespace().filter(|field| !field.contains('=')).collect();
    let [.., _hour, day, month, weekday] = fields.as_slice() else { return None };
    if every(month)? != 1 {
        return None;
    }
    // Where both are given, cron runs when one of them fits.
    match (every(day), every(weekday)) {
        (Some(day), Some(weekday)) => Some(day.max(weekday)),
        (None, Some(_)) => Some(31),
        (_, None) => Some(7),
    }
}

/// The step of a field that has one, 1 for `*`; none where the field lists times.
fn every(field: &str) -> Option<i64> {
    match field.split_once('/') {
        Some(("*" | "?", step)) => step.parse::<i64>().ok().filter(|step| (1..=31).contains(step)),
        None if ["*", "?"].contains(&field) => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_is_read_from_the_line() {
        for (schedule, days) in [
            ("0 3 * * *", Some(1)),
            ("0 0 3 * * *", Some(1)),
            ("CRON_TZ=Europe/Berlin */5 * * * *", Some(1)),
            ("0 3 */2 * *", Some(2)),
            ("0 3 * * 0", Some(7)),
            ("0 3 * * MON-FRI", Some(7)),
            ("0 3 1 * ?", Some(31)),
            ("0 3 1 * 1", Some(7)),
            ("0 3 1 1 *", None),
            ("0 3 1 */3 *", None),
            ("@daily", Some(1)),
            ("@weekly", Some(7)),
            ("@yearly", None),
            ("@every 720h", None),
            ("0 3 */0 * *", Some(31)),
            ("0 3 */9000000000000000000 * *", Some(31)),
            ("", None),
            ("nightly", None),
        ] {
            assert_eq!(gap(schedule), days, "{schedule}");
        }
    }

    #[test]
    fn a_run_is_stale_a_day_after_it_should_have_come() {
        let now = "2026-05-19T12:00:00Z".parse().unwrap();
        assert_eq!(stale("0 3 * * *", "2026-05-18T03:10:00Z", now), None);
        assert_eq!(
            stale("0 3 * * *", "2026-05-16T03:10:00Z", now).as_deref(),
            Some("its last good run, of 2026-05-16T03:10:00Z, is 3 days ago")
        );
        assert_eq!(stale("0 3 * * 0", "2026-05-16T03:10:00Z", now), None);
        assert_eq!(stale("0 3 * * *", "yesterday", now), None);
    }
}
