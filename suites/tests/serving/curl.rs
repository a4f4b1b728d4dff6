//! curl: a client that speaks both versions of HTTP over TLS.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use railhead_suites::registry::OWNER;
use railhead_suites::{Outcome, Program};

/// curl with what all of its runs have in common.
pub struct Curl {
    program: Program,
    scratch: PathBuf,
    base: String,
    user: String,
}

/// What the server answered.
pub struct Told {
    pub status: u16,
    /// As curl writes it: `1.1` or `2`.
    pub version: String,
    pub location: String,
    pub body: Vec<u8>,
}

impl Curl {
    /// For the server at `address`, with a token of the team's owner. `scratch` is for the files that it writes.
    pub fn new(address: SocketAddr, token: &str, scratch: &Path) -> Self {
        let (program, scratch) = (Program::find("curl"), scratch.to_owned());
        Self { program, scratch, base: format!("https://{address}"), user: format!("{OWNER}:{token}") }
    }

    /// One request. `options` are curl's own, `ca` is the authority to trust, `target` is a path or an URL.
    pub fn run(&self, ca: &Path, options: &[&str], target: &str) -> Outcome {
        let url = if target.starts_with('/') { format!("{}{target}", self.base) } else { target.to_owned() };
        let body = self.scratch.join("body");
        let fixed = ["--silent", "--show-error", "--max-time", "60", "--user", &self.user];
        let files = ["--cacert", ca.to_str().unwrap(), "--output", body.to_str().unwrap()];
        let told = ["--write-out", "%{http_code} %{http_version} %header{location}", &url];
        self.program.run(fixed.iter().chain(&files).chain(options).chain(&told))
    }

    /// One request that is answered, whatever the answer is.
    #[track_caller]
    pub fn ask(&self, ca: &Path, options: &[&str], target: &str) -> Told {
        let body = self.scratch.join("body");
        // curl makes no file for an answer without a body.
        fs::write(&body, b"").unwrap();
        let outcome = self.run(ca, options, target).ok();
        let mut words = outcome.stdout.split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        Told {
            status: word().parse().unwrap(),
            version: word(),
            location: word(),
            body: fs::read(&body).unwrap(),
        }
    }
}
