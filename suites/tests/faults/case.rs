//! One case: what is broken, by whom, and what the doctor has to say about it.

use std::any::Any;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use railhead_suites::doctor::Finding;
use railhead_suites::{Diagnosis, doctor};

use crate::bench::{Account, Bench, HOST};

const LAYERS: [&str; 8] =
    ["application", "routing", "tls", "identity", "storage", "database", "network", "client"];

/// The most memory that a diagnosis may take.
const MEMORY_KIB: u64 = 64 << 10;

/// Which table a case belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One thing is broken.
    Single,
    /// Two things are broken.
    Pair,
    /// Nothing is.
    Healthy,
    /// A server means harm.
    Hostile,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Single, Self::Pair, Self::Healthy, Self::Hostile];
}

/// A finding that has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    pub code: &'static str,
    pub severity: &'static str,
    pub layer: &'static str,
}

pub const fn error(code: &'static str, layer: &'static str) -> Expected {
    Expected { code, severity: "error", layer }
}

pub const fn warning(code: &'static str, layer: &'static str) -> Expected {
    Expected { code, severity: "warning", layer }
}

pub const fn info(code: &'static str, layer: &'static str) -> Expected {
    Expected { code, severity: "info", layer }
}

type SetUp = Box<dyn Fn(&Bench) -> Setup + Send + Sync>;
type Look = Box<dyn Fn(&Diagnosis) -> Result<(), String> + Send + Sync>;

/// See the module.
pub struct Case {
    pub kind: Kind,
    pub name: String,
    pub server: String,
    pub expected: Vec<Expected>,
    set_up: SetUp,
    look: Option<Look>,
}

impl Case {
    pub fn new(
        kind: Kind,
        name: impl Into<String>,
        server: impl Into<String>,
        expected: &[Expected],
        set_up: impl Fn(&Bench) -> Setup + Send + Sync + 'static,
    ) -> Self {
        let (name, server) = (name.into(), server.into());
        Self { kind, name, server, expected: expected.to_vec(), set_up: Box::new(set_up), look: None }
    }

    /// Checks more than the findings.
    pub fn look(mut self, look: impl Fn(&Diagnosis) -> Result<(), String> + Send + Sync + 'static) -> Self {
        self.look = Some(Box::new(look));
        self
    }

    /// Sets the fault up, asks the doctor, judges. A failure tells everything that is needed to understand it.
    pub fn run(&self, bench: &Bench) -> Result<(), String> {
        let begin = std::time::Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let setup = (self.set_up)(bench);
            let diagnosis = setup.ask();
            self.judge(&setup, &diagnosis).map_err(|why| format!("{why}\n{diagnosis}")).map(|()| diagnosis)
        }));
        let all = begin.elapsed().as_millis();
        match outcome {
            Ok(Ok(diagnosis)) => {
                let (took, peak) = (diagnosis.took.as_millis(), diagnosis.peak_kib / 1024);
                println!(
                    "ok      {} [{}] (doctor {took} ms, {peak} MiB; with servers {all} ms)",
                    self.name, self.server
                );
                Ok(())
            }
            Ok(Err(why)) => {
                println!(
                    "FAILED  {} [{}]: {}",
                    self.name,
                    self.server,
                    why.lines().next().unwrap_or_default()
                );
                Err(format!("=== {} [{}]: {why}", self.name, self.server))
            }
            Err(panic) => {
                let words = panic.downcast_ref::<String>().map(String::as_str);
                let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
                println!(
                    "FAILED  {} [{}]: {}",
                    self.name,
                    self.server,
                    words.lines().next().unwrap_or_default()
                );
                Err(format!("=== {} [{}]: set-up failed: {words}", self.name, self.server))
            }
        }
    }

    fn judge(&self, setup: &Setup, diagnosis: &Diagnosis) -> Result<(), String> {
        if diagnosis.json.is_null() {
            return Err("the doctor's output is not JSON".to_owned());
        }
        let shown: Vec<String> = self.expected.iter().map(show).collect();
        let infos = self.expected.iter().any(|one| one.severity == "info");
        let found: Vec<&Finding> =
            diagnosis.findings.iter().filter(|one| infos || one.severity != "info").collect();
        let found_shown: Vec<String> =
            found.iter().map(|one| format!("{} {} ({})", one.severity, one.code, one.layer)).collect();
        if shown != found_shown {
            return Err(format!("expected {}; found {}", list(&shown), list(&found_shown)));
        }
        let code = exit_code(&self.expected);
        if diagnosis.code != Some(code) {
            return Err(format!("expected exit code {code}; got {:?}", diagnosis.code));
        }
        for finding in &diagnosis.findings {
            complete(finding, setup)?;
        }
        if let Some(account) = &setup.account {
            let kept = diagnosis.json["evidence"].as_str().map(|file| fs::read_to_string(file).unwrap());
            let said = [Some(&diagnosis.stdout), Some(&diagnosis.stderr), kept.as_ref()];
            if said.into_iter().flatten().any(|text| text.contains(&account.secret)) {
                return Err("the token is in the output, or in the evidence".to_owned());
            }
        }
        if diagnosis.peak_kib > MEMORY_KIB {
            return Err(format!("took {} KiB of memory", diagnosis.peak_kib));
        }
        self.look.as_ref().map_or(Ok(()), |look| look(diagnosis))
    }
}

fn show(expected: &Expected) -> String {
    format!("{} {} ({})", expected.severity, expected.code, expected.layer)
}

fn list(items: &[String]) -> String {
    if items.is_empty() { "nothing".to_owned() } else { items.join(", ") }
}

/// Everything that a finding owes its reader.
fn complete(finding: &Finding, setup: &Setup) -> Result<(), String> {
    let Finding { code, layer, owner, routes, evidence, fix, .. } = finding;
    let owes = |what: &str| Err(format!("{code} has no {what}"));
    let due = setup.owner_of(layer);
    if *owner != due {
        return Err(format!("{code}: the owner of {layer} is '{due}', not '{owner}'"));
    }
    if routes.is_empty() {
        return owes("route");
    }
    if evidence.is_empty() {
        return owes("evidence");
    }
    if fix.trim().is_empty() && finding.severity != "info" {
        return owes("fix");
    }
    Ok(())
}

/// The exit code of the class that the errors make together.
fn exit_code(expected: &[Expected]) -> i32 {
    let mut layers: Vec<&str> =
        expected.iter().filter(|one| one.severity == "error").map(|one| one.layer).collect();
    layers.sort_unstable();
    layers.dedup();
    match layers[..] {
        [] => 0,
        ["application"] => 10,
        ["routing"] => 11,
        ["tls"] => 12,
        ["identity"] => 13,
        ["storage"] => 14,
        ["database"] => 15,
        ["network"] => 16,
        ["client"] => 17,
        _ => 20,
    }
}

/// What is running for a case, and how the doctor is asked about it.
pub struct Setup {
    host: String,
    ca: String,
    routes: Vec<String>,
    more: Vec<String>,
    under: Vec<String>,
    timeout: &'static str,
    site: Option<PathBuf>,
    owners: Vec<(&'static str, String)>,
    account: Option<Account>,
    kept: Vec<Box<dyn Any>>,
}

impl Setup {
    /// Asks about [`HOST`], with an account or without.
    pub fn new(ca: &Path, account: Option<Account>) -> Self {
        Self {
            host: HOST.to_owned(),
            ca: ca.display().to_string(),
            routes: Vec::new(),
            more: Vec::new(),
            under: Vec::new(),
            timeout: "10s",
            site: None,
            owners: LAYERS.iter().map(|layer| (*layer, format!("team-{layer}"))).collect(),
            account,
            kept: Vec::new(),
        }
    }

    /// The public name over https, at this address.
    pub fn https(self, at: SocketAddr) -> Self {
        self.tls("https", at)
    }

    /// A route of this name over https.
    pub fn tls(self, name: &str, at: SocketAddr) -> Self {
        let route = format!("{name}=https://{HOST},connect={at},ca={}", self.ca);
        self.route(route)
    }

    /// The public name over http, at this address.
    pub fn http(self, at: SocketAddr) -> Self {
        self.plain("http", at)
    }

    /// A route of this name over http.
    pub fn plain(self, name: &str, at: SocketAddr) -> Self {
        self.route(format!("{name}=http://{HOST},connect={at}"))
    }

    /// Any route.
    pub fn route(mut self, route: impl Into<String>) -> Self {
        self.routes.push(route.into());
        self
    }

    /// Writes host, routes and these owners into a site file in `directory`, and names none of them on the command line.
    pub fn site(mut self, directory: &Path, owners: &[(&'static str, &str)]) -> Self {
        self.owners = owners.iter().map(|(layer, who)| (*layer, (*who).to_owned())).collect();
        let mut text = format!("[site]\nhost = \"{}\"\n[owners]\n", self.host);
        for (layer, who) in &self.owners {
            writeln!(text, "{layer} = \"{who}\"").unwrap();
        }
        for route in &self.routes {
            let (name, rest) = route.split_once('=').unwrap();
            let mut parts = rest.split(',');
            write!(text, "[routes.{name}]\nurl = \"{}\"\n", parts.next().unwrap()).unwrap();
            for (key, value) in parts.map(|part| part.split_once('=').unwrap()) {
                writeln!(text, "{key} = \"{value}\"").unwrap();
            }
        }
        let file = directory.join("railhead.toml");
        fs::write(&file, text).unwrap();
        self.site = Some(file);
        self
    }

    fn owner_of(&self, layer: &str) -> &str {
        self.owners.iter().find(|(known, _)| *known == layer).map_or("", |(_, who)| who)
    }

    /// Asks about another name.
    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// The authority's file, for a route written by hand.
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// More arguments.
    pub fn with(mut self, words: &[&str]) -> Self {
        self.more.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Runs under another program.
    pub fn under(mut self, words: Vec<String>) -> Self {
        self.under = words;
        self
    }

    /// Waits only this long for each hop.
    pub fn timeout(mut self, text: &'static str) -> Self {
        self.timeout = text;
        self
    }

    /// Lives as long as the case.
    pub fn keep(mut self, what: impl Any) -> Self {
        self.kept.push(Box::new(what));
        self
    }

    fn ask(&self) -> Diagnosis {
        let mut words = Vec::new();
        if let Some(file) = &self.site {
            words.extend(["--config".to_owned(), file.display().to_string()]);
        } else {
            words.push(self.host.clone());
            words.extend(self.routes.iter().flat_map(|route| ["--route".to_owned(), route.clone()]));
            let owners = self.owners.iter().map(|(layer, who)| format!("{layer}={who}"));
            words.extend(owners.flat_map(|owner| ["--owner".to_owned(), owner]));
        }
        words.extend(["--timeout".to_owned(), self.timeout.to_owned()]);
        if let Some(account) = &self.account {
            words.extend(["--user".to_owned(), account.user.clone()]);
            words.extend(["--repository".to_owned(), account.repository.clone()]);
        }
        words.extend_from_slice(&self.more);
        doctor(&self.under, &words, self.account.as_ref().map(|account| account.secret.as_str()))
    }
}

/// A check of time: the diagnosis took less than `limit`.
pub fn within(limit: Duration) -> impl Fn(&Diagnosis) -> Result<(), String> {
    move |diagnosis| {
        let mut why = String::new();
        if diagnosis.took > limit {
            write!(why, "took {:?}, more than {limit:?}", diagnosis.took).unwrap();
        }
        if why.is_empty() { Ok(()) } else { Err(why) }
    }
}
