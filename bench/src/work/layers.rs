//! Big layers: pushed as docker does, and pulled again.

use anyhow::{Result, ensure};
use sha2::{Digest as _, Sha256};

use super::{Bench, GIB, LAYER, REPOSITORY, blob_path, in_parallel, sessions, store};
use crate::content::{Layer, digest};
use crate::figures::Metric;
use crate::meter::{measure, own_cpu};
use crate::servers::{Kind, Server};
use crate::session::Expect;

/// Clients of both.
const CLIENTS: usize = 2;

impl Bench<'_> {
    /// Two clients push; every round has its own layers, the same for each server.
    pub(super) fn push(&mut self) -> Result<()> {
        let count = self.options.scale.layers;
        for round in 0..self.options.scale.rounds {
            let layers = layers(round, count);
            self.figures.add_hash(hash_alone(&layers)?);
            for server in self.servers.iter().filter(|server| server.is_registry()) {
                let mut clients = sessions(server, REPOSITORY, CLIENTS)?;
                let cost = measure(server.process()?, || {
                    in_parallel(&mut clients, |number, client| {
                        layers
                            .iter()
                            .skip(number)
                            .step_by(CLIENTS)
                            .try_for_each(|layer| client.push_layer(layer))
                    })
                })?;
                let amount = (count * LAYER) as f64 / GIB;
                self.figures.add_cost(Metric::Push, server.kind, cost, amount, 1.0);
            }
            if round == 0 {
                self.pushed = layers;
            }
        }
        Ok(())
    }

    /// Two clients pull all layers of the first round and forget them.
    pub(super) fn pull(&mut self) -> Result<()> {
        self.prepare_pull()?;
        let layers = std::mem::take(&mut self.pushed);
        let pulls = self.options.scale.pulls;
        let result = self.rounds(|figures, server, _| {
            let mut clients = sessions(server, REPOSITORY, CLIENTS)?;
            let cost = measure(server.process()?, || {
                in_parallel(&mut clients, |_, client| {
                    for layer in layers.iter().cycle().take(layers.len() * pulls) {
                        client.repeat(("GET", &blob_path(&layer.digest), ""), 1, Expect::bytes(LAYER))?;
                    }
                    Ok(())
                })
            })?;
            let amount = (CLIENTS * pulls * layers.len() * LAYER) as f64 / GIB;
            figures.add_cost(Metric::Pull, server.kind, cost, amount, 1.0);
            Ok(())
        });
        self.pushed = layers;
        result
    }

    /// Sees to it that every server has the layers, and sends the right bytes.
    fn prepare_pull(&mut self) -> Result<()> {
        let fresh = self.pushed.is_empty();
        if fresh {
            self.pushed = layers(0, self.options.scale.layers);
        }
        let origin = self.servers.iter().find(|server| server.kind == Kind::Railhead);
        for server in &self.servers {
            for layer in self.pushed.iter().filter(|_| fresh || !server.is_registry()) {
                store(server, layer, origin)?;
            }
            self.pushed.first().map_or(Ok(()), |layer| verify(server, layer))?;
        }
        Ok(())
    }
}

/// One pull whose bytes are hashed, outside of any measurement.
fn verify(server: &Server, layer: &Layer) -> Result<()> {
    let mut client = server.session(REPOSITORY)?;
    client.ask("GET", &blob_path(&layer.digest), "", Expect::bytes(layer.length))?;
    ensure!(digest(client.body()) == layer.digest, "{} sent other bytes than were pushed", server.kind.key());
    Ok(())
}

fn layers(round: usize, count: usize) -> Vec<Layer> {
    (0..count).map(|number| Layer::new((round * count + number) as u64, LAYER)).collect()
}

/// CPU seconds per GiB of SHA-256 of some of these layers, in one thread.
fn hash_alone(layers: &[Layer]) -> Result<f64> {
    let mut seconds = 0.0;
    let sample = &layers[..layers.len().min(16)];
    for layer in sample {
        let bytes = layer.bytes();
        let before = own_cpu()?;
        std::hint::black_box(Sha256::digest(&bytes));
        seconds += own_cpu()?.saturating_sub(before).as_secs_f64();
    }
    Ok(seconds / ((sample.len() * LAYER) as f64 / GIB))
}
