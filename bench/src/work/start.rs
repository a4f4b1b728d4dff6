//! The start of a server whose store is full.

use anyhow::{Context as _, Result};

use super::{Bench, MANY};
use crate::figures::{Metric, Sample};
use crate::servers::Kind;

/// How often it is started.
const STARTS: usize = 5;

impl Bench<'_> {
    /// From the start of Railhead's process to the first answer about a manifest. The other servers are left out:
    /// filling them as full would take hours.
    pub(super) fn starts(&mut self) -> Result<()> {
        self.fill()?;
        let Some(server) = self.servers.iter_mut().find(|server| server.kind == Kind::Railhead) else {
            return Ok(());
        };
        for _ in 0..STARTS {
            server.stop()?;
            let took = server
                .start_until_answer(&format!("/v2/{MANY}/manifests/t000000"))
                .context("start on a full store")?;
            let value = took.as_secs_f64();
            self.figures.add(Metric::Start, server.kind, Sample { value, cost: None, amount: 1.0 });
        }
        Ok(())
    }
}
