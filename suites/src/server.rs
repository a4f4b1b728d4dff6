//! A server as a child process: its log is kept and shown when the test fails; it ends with the test.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::program::wait;

/// How long a server may take to say that it is ready, and to end when asked to.
const LIMIT: Duration = Duration::from_secs(30);

/// A running server.
pub struct Server {
    name: String,
    child: Child,
    log: Arc<Mutex<String>>,
    /// Who fills the log.
    readers: [JoinHandle<()>; 2],
}

impl Server {
    /// Starts `command`; `name` is what messages call it.
    pub fn start(name: &str, mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let log = Arc::new(Mutex::new(String::new()));
        let readers = [keep(child.stdout.take().unwrap(), &log), keep(child.stderr.take().unwrap(), &log)];
        Self { name: name.to_owned(), child, log, readers }
    }

    /// Waits until `ready` finds in the log what it looks for, or at the server what it asks.
    pub fn wait_for<T>(&mut self, what: &str, mut ready: impl FnMut(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + LIMIT;
        loop {
            // Taken before the look at the log: what a dying server wrote last is then still seen, once it is read.
            let ended = self.child.try_wait().unwrap();
            let is_read = self.readers.iter().all(JoinHandle::is_finished);
            if let Some(found) = ready(&self.log()) {
                return found;
            }
            // A child of its own may hold the pipes; then there is no end to wait for.
            if let Some(status) = ended.filter(|_| is_read || Instant::now() >= deadline) {
                panic!("{} ended ({status}) before {what}\n{}", self.name, self.log());
            }
            assert!(Instant::now() < deadline, "{}: no {what} in {LIMIT:?}\n{}", self.name, self.log());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut would: no handler runs.
    pub fn kill9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    }

    /// Asks it to end, waits, and says whether it ended with exit code 0.
    pub fn sigterm(&mut self) -> bool {
        terminate(&self.child);
        let ended = wait(&mut self.child, Instant::now() + LIMIT);
        ended.unwrap_or_else(|| panic!("{} did not end on SIGTERM\n{}", self.name, self.log()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            let from = log.char_indices().rev().nth(16_000).map_or(0, |(at, _)| at);
            println!("--- log of {}\n{}\n--- end of log", self.name, &log[from..]);
        }
        // TERM first: a container engine has children of its own to end.
        if let Ok(None) = self.child.try_wait() {
            terminate(&self.child);
            if wait(&mut self.child, Instant::now() + Duration::from_secs(10)).is_none() {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
    }
}

fn terminate(child: &Child) {
    let id = rustix::process::Pid::from_child(child);
    // A process that has ended meanwhile is not an error: its status is read afterwards.
    let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
}

fn keep(from: impl Read + Send + 'static, log: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let log = Arc::clone(log);
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            log.lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}
