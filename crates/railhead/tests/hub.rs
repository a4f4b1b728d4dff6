//! A hub is told of what evidence shows, whatever happens to the hub, to the connection, and to the command.

#![allow(clippy::unwrap_used, reason = "a helper of a test that fails fails the test")]

mod common;

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use common::{Place, Ran};

/// How long something may take that happens at once.
const PATIENCE: Duration = Duration::from_mins(1);
const KEY: [u8; 32] = [7; 32];

/// How the hub behaves towards one message.
#[derive(Clone, Copy, Debug)]
enum Behaviour {
    Answers(&'static str),
    /// Takes it, and closes the connection before it answers.
    Cuts,
    /// Breaks off in the middle of what it says beside a 200.
    CutsBody,
    /// Takes it, and answers after so long.
    Slow(Duration),
    /// Takes it, and never answers.
    Never,
}

const OK: Behaviour = Behaviour::Answers("204 No Content");

/// One message as it came.
#[derive(Clone, Debug)]
struct Got {
    id: String,
    seconds: i64,
    signature: String,
    body: Vec<u8>,
}

impl Got {
    fn body(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Checks the signature as a receiver does, with a library of its own.
    #[track_caller]
    fn check(&self) {
        let mut mac = Hmac::<Sha256>::new_from_slice(&KEY).unwrap();
        mac.update(format!("{}.{}.", self.id, self.seconds).as_bytes());
        mac.update(&self.body);
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(self.signature, expected);
        let now = jiff::Timestamp::now().as_second();
        assert!((now - self.seconds).abs() < 120, "{} is not now", self.seconds);
    }
}

#[derive(Default)]
struct State {
    got: Vec<Got>,
    script: VecDeque<Behaviour>,
}

/// A hub: it behaves as the script says, and takes what comes behind the script.
#[derive(Clone)]
struct Hub {
    address: String,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Hub {
    fn start(script: &[Behaviour]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let hub = Self { address, state: Arc::default() };
        hub.behave(script);
        let accepting = hub.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let hub = accepting.clone();
                // A client that goes away in the middle is part of the test.
                std::thread::spawn(move || hub.serve(&connection.unwrap()));
            }
        });
        hub
    }

    fn behave(&self, script: &[Behaviour]) {
        self.state.0.lock().unwrap().script = script.iter().copied().collect();
    }

    fn got(&self) -> Vec<Got> {
        self.state.0.lock().unwrap().got.clone()
    }

    fn ids(&self) -> Vec<String> {
        self.got().into_iter().map(|got| got.id).collect()
    }

    /// Waits until it has got so many messages.
    fn wait_for(&self, count: usize) {
        let (state, changed) = &*self.state;
        let state = state.lock().unwrap();
        let (state, late) =
            changed.wait_timeout_while(state, PATIENCE, |state| state.got.len() < count).unwrap();
        assert!(!late.timed_out(), "got only {}", state.got.len());
    }

    fn serve(&self, connection: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(connection);
        loop {
            let got = read(&mut reader)?;
            let (state, changed) = &*self.state;
            let behaviour = {
                let mut state = state.lock().unwrap();
                state.got.push(got);
                changed.notify_all();
                state.script.pop_front().unwrap_or(OK)
            };
            let mut writer = connection;
            match behaviour {
                Behaviour::Answers(status) => {
                    let said = if status.starts_with("204") { "" } else { "because of the test" };
                    let length = said.len();
                    write!(writer, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{said}").ok()?;
                }
                Behaviour::Cuts => return None,
                Behaviour::CutsBody => {
                    write!(writer, "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nthanks").ok()?;
                    return None;
                }
                Behaviour::Slow(wait) => {
                    std::thread::sleep(wait);
                    write!(writer, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
                }
                Behaviour::Never => {
                    // Until the client goes.
                    let _ = reader.read_to_end(&mut Vec::new());
                    return None;
                }
            }
        }
    }
}

/// Reads one request; none where the client goes.
fn read(reader: &mut impl BufRead) -> Option<Got> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line).ok()? {
            0 => return None,
            // The empty line behind the head.
            1 | 2 => break,
            _ => lines.push(line.trim_end().to_owned()),
        }
    }
    let header = |name: &str| {
        let found = lines.iter().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        found.unwrap_or_else(|| panic!("no {name} in {lines:?}")).to_owned()
    };
    assert_eq!(lines.first()?, "POST /events HTTP/1.1");
    assert_eq!(header("content-type"), "application/json");
    let mut body = vec![0; header("content-length").parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    let seconds = header("webhook-timestamp").parse().unwrap();
    Some(Got { id: header("webhook-id"), seconds, signature: header("webhook-signature"), body })
}

/// A site whose registry does not answer, so that a diagnosis finds that.
struct Team {
    place: Place,
    registry: String,
}

impl Team {
    fn new() -> Self {
        let place = Place::new();
        // A port that was free a moment ago: nobody listens there.
        let registry = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        fs::write(place.path().join("hub.key"), format!("whsec_{}\n", STANDARD.encode(KEY))).unwrap();
        Self { place, registry }
    }

    /// The same, with a hub.
    fn with(hub: &Hub) -> Self {
        let team = Self::new();
        team.name_hub(&format!("http://{}/events", hub.address));
        team
    }

    fn name_hub(&self, url: &str) {
        self.site(&format!("[hub]\nurl = \"{url}\"\nkey_file = \"hub.key\"\n"));
    }

    fn site(&self, more: &str) {
        let registry = &self.registry;
        let site = format!(
            "[site]\nhost = \"{registry}\"\n[routes.public]\nurl = \"http://{registry}\"\n[owners]\nrouting = \"cluster-team\"\n{more}"
        );
        fs::write(self.place.path().join("railhead.toml"), site).unwrap();
    }

    fn doctor(&self) -> Ran {
        let ran = self.place.run("doctor");
        assert!(!ran.err.contains(&STANDARD.encode(KEY)) && !ran.out.contains("whsec_"), "{ran:?}");
        ran
    }

    /// The same, without waiting for its end.
    fn start_doctor(&self) -> Child {
        let mut command = self.place.command();
        command.arg("doctor").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The ids of what waits, in order.
    fn waiting(&self) -> Vec<String> {
        let listed: Value = serde_json::from_str(&self.place.run("hub list --output json").ok()).unwrap();
        let ids = listed["waiting"].as_array().unwrap().iter();
        ids.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }

    fn evidence(&self) -> usize {
        let is_document = |name: &str| name.starts_with("doctor-");
        let entries = fs::read_dir(self.place.path().join("railhead-evidence")).unwrap();
        entries.filter(|entry| is_document(entry.as_ref().unwrap().file_name().to_str().unwrap())).count()
    }
}

#[test]
fn a_hub_is_told_of_each_finding_and_each_task_that_changes() {
    let hub = Hub::start(&[]);
    let team = Team::with(&hub);
    let without = Team::new();
    without.site("");
    let alone = without.doctor();
    let ran = team.doctor();
    assert_eq!(ran.code, alone.code, "a hub changes nothing of how a diagnosis ends");
    let got = hub.got();
    got.iter().for_each(Got::check);
    assert!(ran.err.contains(&format!("the hub was told: {} messages", got.len())), "{ran:?}");
    assert_eq!(hub.ids().iter().collect::<BTreeSet<_>>().len(), got.len(), "each has an id of its own");
    let types: Vec<String> = got.iter().map(|got| got.body()["type"].as_str().unwrap().to_owned()).collect();
    let findings = types.iter().filter(|kind| *kind == "railhead.finding.open").count();
    assert!(findings > 0 && types.len() == findings + 6, "{types:?}");
    assert!(types.is_sorted(), "findings come before the tasks that rest on them: {types:?}");
    assert_eq!(got[0].body()["data"]["host"], team.registry.as_str());
    assert_eq!(team.waiting(), [""; 0]);
    // The same diagnosis again: the finding is known, and its tasks have newer evidence.
    team.doctor();
    let again = &hub.got()[got.len()..];
    assert!(
        !again.is_empty() && again.iter().all(|got| got.body()["type"] == "railhead.task.changed"),
        "{again:?}"
    );
    assert_eq!(team.evidence(), 2);
}

#[test]
fn a_hub_that_is_down_is_told_later() {
    let team = Team::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    team.name_hub(&format!("http://{nobody}/events"));
    let first = team.doctor();
    assert!(
        first.err.contains("messages wait for the hub") && first.err.contains("Connection refused"),
        "{first:?}"
    );
    let waiting = team.waiting();
    assert!(waiting.len() > 6, "{waiting:?}");
    let failed = team.place.run("hub send").code;
    assert_eq!(failed, 6);
    let hub = Hub::start(&[]);
    team.name_hub(&format!("http://{}/events", hub.address));
    // In passing it is left alone until the pause is over; somebody who wants it now does not wait.
    team.doctor();
    assert_eq!(hub.ids(), [""; 0]);
    let all = team.waiting();
    assert_eq!(all[..waiting.len()], waiting, "the oldest first");
    team.place.run("hub send").ok();
    assert_eq!(hub.ids(), all);
    hub.got().iter().for_each(Got::check);
}

#[test]
fn what_comes_behind_a_failure_waits_for_it() {
    for behaviour in [
        Behaviour::Answers("500 Internal Server Error"),
        Behaviour::Answers("401 Unauthorized"),
        Behaviour::Answers("301 Moved Permanently"),
        Behaviour::Cuts,
    ] {
        let hub = Hub::start(&[OK, OK, behaviour]);
        let team = Team::with(&hub);
        let ran = team.doctor();
        let first = hub.ids();
        assert_eq!(first.len(), 3, "{behaviour:?}: {ran:?}");
        let waiting = team.waiting();
        assert_eq!(waiting.first(), first.last(), "{behaviour:?}: what was not taken is the next");
        team.place.run("hub send").ok();
        assert_eq!(hub.ids()[3..], waiting, "{behaviour:?}: the same ids, in order");
        let bodies: BTreeSet<Vec<u8>> = hub.got().into_iter().map(|got| got.body).collect();
        assert_eq!(bodies.len(), hub.got().len() - 1, "{behaviour:?}: what came twice is the same");
        assert_eq!(team.waiting(), [""; 0]);
    }
}

#[test]
fn an_answer_counts_when_its_status_is_there() {
    let hub = Hub::start(&[Behaviour::CutsBody]);
    let team = Team::with(&hub);
    team.doctor();
    assert_eq!(team.waiting(), [""; 0]);
    let ids = hub.ids();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[test]
fn a_message_that_the_hub_refuses_holds_up_nothing_and_is_kept() {
    let hub = Hub::start(&[Behaviour::Answers("422 Unprocessable Content")]);
    let team = Team::with(&hub);
    let ran = team.doctor();
    assert!(ran.err.contains("the hub refused") && ran.err.contains("422"), "{ran:?}");
    assert!(ran.err.contains("because of the test"), "{ran:?}");
    let first = hub.ids();
    assert_eq!(team.waiting(), [""; 0]);
    let listed: Value = serde_json::from_str(&team.place.run("hub list --output json").ok()).unwrap();
    assert_eq!(listed["refused"].as_array().unwrap().len(), 1, "{listed}");
    hub.behave(&[Behaviour::Answers("400 Bad Request")]);
    let ran = team.place.run("hub send --refused");
    assert!(ran.code == 1 && ran.err.contains("hint: they are in"), "{ran:?}");
    team.place.run("hub send --refused").ok();
    assert_eq!(hub.ids()[first.len()..], [first[0].clone(), first[0].clone()]);
}

#[test]
fn a_slow_hub_delays_a_diagnosis_for_seconds_only() {
    let hub = Hub::start(&[Behaviour::Slow(Duration::from_secs(30))]);
    let team = Team::with(&hub);
    let begun = std::time::Instant::now();
    let ran = team.doctor();
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    assert!(ran.err.contains("did not answer within 5 s"), "{ran:?}");
    assert_eq!(team.waiting()[0], hub.ids()[0]);
}

#[test]
fn a_kill_between_writing_and_sending_loses_nothing() {
    let hub = Hub::start(&[OK, Behaviour::Never]);
    let team = Team::with(&hub);
    let mut doctor = team.start_doctor();
    hub.wait_for(2);
    doctor.kill().unwrap();
    doctor.wait().unwrap();
    let waiting = team.waiting();
    assert_eq!(waiting[0], hub.ids()[1], "what was on its way is the first of those that wait");
    team.place.run("hub send").ok();
    assert_eq!(hub.ids()[2..], waiting);
    assert_eq!(hub.ids().into_iter().collect::<BTreeSet<_>>().len(), waiting.len() + 1);
}

#[test]
fn evidence_that_was_kept_before_there_was_a_hub_is_told_too() {
    let team = Team::new();
    team.site("");
    team.doctor();
    let hub = Hub::start(&[]);
    team.name_hub(&format!("http://{}/events", hub.address));
    assert!(team.place.run("hub send").ok().starts_with("sent: "));
    assert!(hub.ids().len() > 6, "{:?}", hub.ids());
    assert_eq!(team.place.run("hub send").ok(), "sent: 0, refused: 0, waiting: 0\n");
}

#[test]
fn two_that_send_at_the_same_time_send_nothing_twice() {
    let hub = Hub::start(&[Behaviour::Never]);
    let team = Team::with(&hub);
    let mut first = team.start_doctor();
    hub.wait_for(1);
    // The first one holds the outbox while it waits for its answer.
    let err = team.place.run("hub send").failed(5);
    assert!(err.contains("another command is sending"), "{err}");
    first.wait().unwrap();
    team.place.run("hub send").ok();
    let ids = hub.ids();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len() - 1);
}

#[test]
fn what_is_wrong_with_the_key_is_said_and_the_key_is_not() {
    let hub = Hub::start(&[]);
    let team = Team::with(&hub);
    fs::write(team.place.path().join("hub.key"), "geheim-geheim-geheim").unwrap();
    let ran = team.doctor();
    assert!(
        ran.err.contains("the hub was not told: ") && ran.err.contains("line 1 is not 24 to 64 bytes"),
        "{ran:?}"
    );
    let err = team.place.run("hub send").failed(2);
    assert!(err.contains("openssl rand -base64 32") && !err.contains("geheim"), "{err}");
    fs::remove_file(team.place.path().join("hub.key")).unwrap();
    assert!(team.place.run("hub send").failed(2).contains("hub.key"));
    team.site("");
    assert!(team.place.run("hub send").failed(2).contains("names no hub"));
    assert_eq!(hub.ids(), [""; 0]);
}
