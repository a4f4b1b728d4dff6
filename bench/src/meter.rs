//! One measurement: the server's CPU, the wall clock and the peak of memory, around a piece of work.

use std::time::{Duration, Instant};

use anyhow::Result;
use nix::time::ClockId;

use crate::process::Process;

/// What a piece of work cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// CPU time of the server's processes.
    pub cpu: Duration,
    /// Time that passed.
    pub wall: Duration,
    /// The most memory that the server's processes held, in bytes.
    pub peak: u64,
}

/// Measures `work` done by `server`, once what others wrote before is on the disk: a server that syncs would otherwise
/// pay for writing that out.
pub fn measure(server: &Process, work: impl FnOnce() -> Result<()>) -> Result<Cost> {
    nix::unistd::sync();
    server.reset_peak()?;
    let before = server.cpu()?;
    let clock = Instant::now();
    work()?;
    let wall = clock.elapsed();
    let cpu = server.cpu()?.saturating_sub(before);
    Ok(Cost { cpu, wall, peak: server.peak()? })
}

/// CPU time of the calling thread.
pub fn own_cpu() -> Result<Duration> {
    Ok(ClockId::CLOCK_THREAD_CPUTIME_ID.now()?.into())
}
