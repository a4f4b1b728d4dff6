//! A server's processes: started, measured from outside, and ended by their own id.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// How long a server may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server and the processes that it started.
pub struct Process {
    child: Child,
    /// When it was started.
    pub started: Instant,
}

impl Process {
    /// Starts `command` with its output appended to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot open {}", log.display()))?;
        let errors = output.try_clone().context("cannot share the log")?;
        let started = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self { child, started })
    }

    /// An error when the server has ended by itself.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait().context("cannot ask for the server's state")? {
            Some(status) => bail!("the server ended with {status}"),
            None => Ok(()),
        }
    }

    /// CPU time, user and system, that the server has used, with all its threads and processes.
    pub fn cpu(&self) -> Result<Duration> {
        let mut total = Duration::ZERO;
        for pid in self.family() {
            let clock = clock_getcpuclockid(Pid::from_raw(pid as i32))
                .with_context(|| format!("process {pid} has no CPU clock"))?;
            total +=
                Duration::from(clock.now().with_context(|| format!("cannot read the CPU clock of {pid}"))?);
        }
        Ok(total)
    }

    /// Memory resident now, in bytes.
    pub fn resident(&self) -> Result<u64> {
        self.status_sum("VmRSS:")
    }

    /// The most memory resident since [`Process::reset_peak`], in bytes, summed over the processes.
    pub fn peak(&self) -> Result<u64> {
        self.status_sum("VmHWM:")
    }

    /// Lets [`Process::peak`] begin anew. A kernel that refuses is an error: the figure would be another one.
    pub fn reset_peak(&self) -> Result<()> {
        for pid in self.family() {
            let file = format!("/proc/{pid}/clear_refs");
            fs::write(&file, "5").with_context(|| format!("cannot reset the peak through {file}"))?;
        }
        Ok(())
    }

    /// Asks the server to end and waits for it.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        if self.child.try_wait().context("cannot ask for the server's state")?.is_some() {
            return Ok(());
        }
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM).context("cannot signal the server")?;
        let asked = Instant::now();
        while self.child.try_wait().context("cannot wait for the server")?.is_none() {
            if asked.elapsed() > PATIENCE {
                self.child.kill().context("cannot kill the server")?;
                self.child.wait().context("cannot wait for the server")?;
                bail!("the server did not end within {} s of SIGTERM", PATIENCE.as_secs());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn status_sum(&self, field: &str) -> Result<u64> {
        let mut total = 0;
        for pid in self.family() {
            let file = format!("/proc/{pid}/status");
            let status = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
            let kib: u64 = status
                .lines()
                .find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB")?.parse().ok())
                .with_context(|| format!("{file} has no {field}"))?;
            total += kib << 10;
        }
        Ok(total)
    }

    /// The server's own process and its descendants.
    fn family(&self) -> Vec<u32> {
        let mut family = vec![self.child.id()];
        let mut next = 0;
        while let Some(pid) = family.get(next).copied() {
            next += 1;
            let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
            for task in tasks.flatten() {
                let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
                family.extend(children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
            }
        }
        family
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A run that failed has its own error to show; that the server would not end adds nothing to it.
        let _ = self.end();
    }
}
