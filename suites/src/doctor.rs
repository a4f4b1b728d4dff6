//! `railhead doctor` as a person runs it, and what it said, as a program reads it.

use std::fmt;
use std::fs;
use std::io::Read as _;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::Program;
use crate::railhead;

/// How long one diagnosis may take, whatever the other side does.
const LIMIT: Duration = Duration::from_mins(2);

/// A finding of the doctor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `RH-ROUTE-404`.
    pub code: String,
    /// `error`, `warning`, `info`.
    pub severity: String,
    /// `routing`.
    pub layer: String,
    /// Who has to act.
    pub owner: String,
    /// Where it was seen.
    pub routes: Vec<String>,
    /// What shows it.
    pub evidence: Vec<String>,
    /// What to change.
    pub fix: String,
}

/// What one run came to.
pub struct Diagnosis {
    /// The command line.
    pub line: String,
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Everything, as JSON.
    pub json: Value,
    /// In the order of mending.
    pub findings: Vec<Finding>,
    /// Standard output as it came.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
    /// The largest resident memory that was seen, in KiB.
    pub peak_kib: u64,
}

/// Runs `railhead doctor` with `arguments`; `secret` is the account's token.
///
/// `under` are words before the program, as `unshare --net`.
pub fn doctor(under: &[String], arguments: &[String], secret: Option<&str>) -> Diagnosis {
    let binary = railhead::binary();
    let mut words: Vec<String> = under.to_vec();
    words.push(binary.display().to_string());
    words.extend(["doctor", "--output", "json"].map(str::to_owned));
    words.extend_from_slice(arguments);
    let mut program = match under.first() {
        None => Program::at(binary),
        Some(outer) => Program::find(outer),
    };
    program = program.without_any("RAILHEAD_").without_any("SSL_CERT_");
    if let Some(secret) = secret {
        program = program.with("RAILHEAD_TOKEN", secret);
    }
    let mut command = program.command(&words[1..]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).current_dir(std::env::temp_dir());
    let from = Instant::now();
    let mut child = command.spawn().unwrap();
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let stderr = thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).map(|_| text)
    });
    let stdout = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let mut peak_kib = 0;
    let line = words.join(" ");
    let status = loop {
        // The mark only grows, so the last look before the end is the largest.
        peak_kib = peak_kib.max(high_water(child.id()).unwrap_or_default());
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if from.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("still running after {LIMIT:?}: {line}");
        }
        thread::sleep(Duration::from_millis(2));
    };
    let took = from.elapsed();
    let (stdout, stderr) = (stdout.join().unwrap().unwrap(), stderr.join().unwrap().unwrap());
    let json: Value = serde_json::from_str(&stdout).unwrap_or(Value::Null);
    let findings = json["findings"].as_array().into_iter().flatten().map(finding).collect();
    Diagnosis { line, code: status.code(), json, findings, stdout, stderr, took, peak_kib }
}

impl Diagnosis {
    /// The findings of this severity.
    pub fn of<'a>(&'a self, severity: &'a str) -> impl Iterator<Item = &'a Finding> {
        self.findings.iter().filter(move |finding| finding.severity == severity)
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, code, stdout, stderr, took, .. } = self;
        let millis = took.as_millis();
        write!(f, "{line}\n(exit {code:?}, {millis} ms)\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

fn finding(value: &Value) -> Finding {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let list = |name: &str| {
        let items = value[name].as_array().into_iter().flatten();
        items.map(|item| item.as_str().unwrap_or_default().to_owned()).collect()
    };
    Finding {
        code: text("code"),
        severity: text("severity"),
        layer: text("layer"),
        owner: text("owner"),
        routes: list("routes"),
        evidence: list("evidence"),
        fix: text("fix"),
    }
}

/// `VmHWM` of a running process.
fn high_water(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
