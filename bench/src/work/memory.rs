//! Memory while many clients push at once.

use anyhow::{Context as _, Result};

use super::{Bench, REPOSITORY, in_parallel, sessions};
use crate::content::Layer;
use crate::figures::{Metric, Sample};
use crate::meter::measure;

/// Clients that push at the same time.
const CLIENTS: usize = 64;
/// The first number of their layers, past those of the other work.
const FIRST: u64 = 1 << 20;

impl Bench<'_> {
    /// Each of the clients pushes one layer to a server that was just started.
    pub(super) fn parallel_pushes(&mut self) -> Result<()> {
        let length = self.options.scale.parallel_layer;
        let layers: Vec<Layer> =
            (0..CLIENTS as u64).map(|number| Layer::new(FIRST + number, length)).collect();
        for server in self.servers.iter_mut().filter(|server| server.is_registry()) {
            server.restart()?;
            let mut clients = sessions(server, REPOSITORY, CLIENTS)?;
            let cost = measure(server.process()?, || {
                in_parallel(&mut clients, |number, client| client.push_layer(&layers[number]))
            })
            .with_context(|| server.kind.key())?;
            let value = cost.peak as f64 / f64::from(1 << 20);
            let amount = (CLIENTS * length) as f64 / super::GIB;
            self.figures.add(Metric::MemoryPushes, server.kind, Sample { value, cost: Some(cost), amount });
        }
        Ok(())
    }
}
