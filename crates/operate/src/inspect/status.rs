//! The short daily form: is it all right, line by line.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::inventory::{Covers, Inventory};
use super::pace::allowed;
use super::route::winner;
use crate::evidence::{Archive, Evidence, EvidenceError, Kind};

/// A proof that is older than this should be made anew.
const PROOF: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A backup that is older than this is one that was forgotten, where no schedule says how often one is made.
const BACKUP: SignedDuration = SignedDuration::from_hours(48);
/// A certificate that ends within this is worth a word.
const CERTIFICATE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Good,
    /// Nobody knows, or not enough.
    Unknown,
    /// It works, and somebody should look.
    Attention,
    /// It does not work.
    Bad,
}

impl State {
    /// The word for a person.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unknown => "unknown",
            Self::Attention => "attention",
            Self::Bad => "bad",
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// `pod`, `database`, `route`, `certificate`, `proof`, `backup`.
    pub what: &'static str,
    /// How it is.
    pub state: State,
    /// In words.
    pub text: String,
}

fn line(what: &'static str, state: State, text: impl Into<String>) -> Line {
    Line { what, state, text: text.into() }
}

/// The newest evidence that the status tells of.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The last proof.
    pub proof: Option<Evidence>,
    /// The last backup by Railhead.
    pub backup: Option<Evidence>,
}

impl Kept {
    /// Reads it.
    pub fn read(archive: &Archive, host: Option<&str>) -> Result<Self, EvidenceError> {
        let newest = |kind| Ok::<_, EvidenceError>(archive.newest(kind, host)?.map(|(_, evidence)| evidence));
        Ok(Self { proof: newest(Kind::Proof)?, backup: newest(Kind::Backup)? })
    }
}

/// All lines, always the same ones in the same order.
pub fn status(inventory: &Inventory, host: Option<&str>, kept: &Kept) -> Vec<Line> {
    vec![
        pod(inventory),
        database(inventory),
        route(inventory, host),
        certificate(inventory, host),
        proof(kept, inventory.time),
        backup(inventory, kept),
    ]
}

fn pod(inventory: &Inventory) -> Line {
    let Some(forge) = &inventory.forge else {
        return line("pod", State::Bad, "there is no forge in the cluster");
    };
    let (wanted, updated, ready) = forge.rollout;
    let restarts: u64 = forge.pods.iter().map(|pod| pod.restarts).sum();
    let state = if ready == 0 {
        State::Bad
    } else if ready < wanted || updated < wanted {
        State::Attention
    } else {
        State::Good
    };
    let mut text = format!("{}: {ready} of {wanted} ready", forge.workload);
    // Writing to a string cannot fail.
    if updated < wanted {
        let _ = write!(text, ", {updated} of them updated");
    }
    if restarts > 0 {
        let _ = write!(text, ", started again {restarts} times");
    }
    if let Some(why) = forge.pods.iter().find_map(|pod| pod.why.as_deref()) {
        let _ = write!(text, ", {why}");
    }
    line("pod", state, text)
}

fn database(inventory: &Inventory) -> Line {
    let Some(database) = &inventory.database else {
        return line("database", State::Unknown, "the forge's settings could not be read");
    };
    let place = database.object.as_deref().unwrap_or(&database.place);
    if let Some(trouble) = database.trouble.first() {
        let down = database.ready.is_some_and(|(ready, _)| ready == 0);
        return line(
            "database",
            if down { State::Bad } else { State::Attention },
            format!("{place}: {trouble}"),
        );
    }
    match (database.ready, database.kind.as_str()) {
        (Some((ready, wanted)), _) => {
            line("database", State::Good, format!("{place}: {ready} of {wanted} ready"))
        }
        (None, "sqlite3") => line("database", State::Good, format!("the file {}", database.place)),
        (None, kind) => {
            line("database", State::Unknown, format!("{kind} at {place}, which is not in the cluster"))
        }
    }
}

fn route(inventory: &Inventory, host: Option<&str>) -> Line {
    let Some(host) = host else {
        return line("route", State::Unknown, "no site file names the registry's host");
    };
    let name = host.split(':').next().unwrap_or(host);
    let Some(route) = winner(&inventory.routes, name, "/v2/") else {
        return line("route", State::Bad, format!("nothing in the cluster takes {name}/v2/"));
    };
    let service = format!("{}/{}", route.namespace, route.service);
    let text = format!("{name}/v2/ goes to {service} by {}", route.object);
    if !inventory.beside && !inventory.services.iter().any(|own| own.name == service) {
        return line("route", State::Bad, format!("{text}, which is not the forge"));
    }
    match route.ready {
        Some(ready) if ready > 0 => line("route", State::Good, text),
        _ => line("route", State::Bad, format!("{text}, and nothing behind it is ready")),
    }
}

fn certificate(inventory: &Inventory, host: Option<&str>) -> Line {
    let name = host.map(|host| host.split(':').next().unwrap_or(host));
    let route = name.and_then(|name| winner(&inventory.routes, name, "/v2/"));
    let Some(secret) = route.and_then(|route| route.secret.as_deref()) else {
        return line("certificate", State::Unknown, "no route of the registry names a certificate");
    };
    let Some(found) = inventory.certificates.iter().find(|one| one.secret == secret) else {
        return line("certificate", State::Unknown, format!("the Secret {secret} may not be read"));
    };
    if let Some(trouble) = &found.trouble {
        return line("certificate", State::Bad, format!("{secret}: {trouble}"));
    }
    let Some(until) = found.until else {
        return line("certificate", State::Bad, format!("{secret} is not there"));
    };
    let left = until.duration_since(inventory.time);
    let state = match left {
        left if left.is_negative() => State::Bad,
        left if left < CERTIFICATE => State::Attention,
        _ => State::Good,
    };
    line("certificate", state, format!("{secret} is valid until {until:.0}, {}", days(left)))
}

fn proof(kept: &Kept, now: Timestamp) -> Line {
    match &kept.proof {
        None => line("proof", State::Unknown, "never made; `railhead prove` makes one"),
        Some(proof) => {
            let age = now.duration_since(proof.time);
            let state = match (proof.ok, age > PROOF) {
                (false, _) => State::Bad,
                (true, true) => State::Attention,
                (true, false) => State::Good,
            };
            let word = if proof.ok { "worked" } else { "failed" };
            line("proof", state, format!("{word} {:.0}, {} ago", proof.time, days(age)))
        }
    }
}

/// The newest of what the cluster does and what Railhead did. Its own schedule says how old it may be; where it has none, as
/// one that somebody makes by hand, the shortest that there is.
fn backup(inventory: &Inventory, kept: &Kept) -> Line {
    let of_cluster = || inventory.backups.iter().filter(|backup| backup.covers == Covers::Packages);
    let made = of_cluster().filter_map(|backup| {
        let time = backup.last.as_deref()?.parse::<Timestamp>().ok()?;
        Some((time, backup.object.as_str(), allowed(&backup.schedule)))
    });
    let own = kept.backup.iter().filter(|backup| backup.ok).map(|own| (own.time, "railhead backup", None));
    let Some((time, by, own_limit)) = made.chain(own).max_by_key(|(time, ..)| *time) else {
        return line("backup", State::Attention, "no backup of the package data is known");
    };
    let shortest = || of_cluster().filter_map(|backup| allowed(&backup.schedule)).min();
    let limit = own_limit.or_else(shortest).unwrap_or(BACKUP);
    let age = inventory.time.duration_since(time);
    let state = if age > limit { State::Attention } else { State::Good };
    line("backup", state, format!("{time:.0} by {by}, {} ago", days(age)))
}

/// A span in hours or days.
fn days(span: SignedDuration) -> String {
    let hours = span.as_hours().abs();
    if hours < 48 { format!("{hours} h") } else { format!("{} days", hours / 24) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::collect::{Collected, Wanted};
    use super::super::inventory::{Backup, inventory};
    use super::*;

    const DAILY: &str = "0 3 * * *";
    const WEEKLY: &str = "0 3 * * 0";

    /// Noon of a day in May.
    fn noon(day: u8) -> Timestamp {
        format!("2026-05-{day:02}T12:00:00Z").parse().unwrap()
    }

    fn made(schedule: &str, day: u8) -> Backup {
        Backup {
            object: format!("CronJob default/{schedule}"),
            schedule: schedule.to_owned(),
            covers: Covers::Packages,
            why: String::new(),
            last: Some(noon(day).to_string()),
            trouble: None,
        }
    }

    /// On the 20th, with what the cluster made, and what Railhead made on a day.
    fn on_the_20th(backups: Vec<Backup>, own: Option<u8>) -> State {
        let mut seen = inventory(&Collected::default(), &Wanted::default(), None);
        seen.time = noon(20);
        seen.backups = backups;
        let own = own.map(|day| {
            let evidence = Evidence::new(Kind::Backup, "git.example.com", true, &json!({})).unwrap();
            Evidence { time: noon(day), ..evidence }
        });
        backup(&seen, &Kept { proof: None, backup: own }).state
    }

    #[test]
    fn a_backup_may_be_as_old_as_its_schedule_lets_it_get() {
        for (schedule, day, state) in [
            (DAILY, 18, State::Good),
            (DAILY, 17, State::Attention),
            (WEEKLY, 12, State::Good),
            (WEEKLY, 11, State::Attention),
            ("at times", 18, State::Good),
            ("at times", 17, State::Attention),
        ] {
            assert_eq!(on_the_20th(vec![made(schedule, day)], None), state, "{schedule} on the {day}th");
        }
        assert_eq!(on_the_20th(vec![made(DAILY, 10), made(WEEKLY, 15)], None), State::Good);
        assert_eq!(on_the_20th(vec![made(DAILY, 17), made(WEEKLY, 15)], None), State::Attention);
    }

    #[test]
    fn a_backup_without_a_schedule_goes_by_the_shortest_that_there_is() {
        assert_eq!(on_the_20th(Vec::new(), Some(18)), State::Good);
        assert_eq!(on_the_20th(Vec::new(), Some(17)), State::Attention);
        assert_eq!(on_the_20th(vec![made(WEEKLY, 1)], Some(13)), State::Good);
        assert_eq!(on_the_20th(vec![made(WEEKLY, 1), made(DAILY, 1)], Some(13)), State::Attention);
        let database = Backup { covers: Covers::Database, ..made(WEEKLY, 19) };
        assert_eq!(on_the_20th(vec![database], Some(13)), State::Attention);
    }
}
