//! Small requests: manifests, blobs, tags, and the pushes of small images.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};

use super::{Bench, MANY, REPOSITORY, blob_path, in_parallel, sessions};
use crate::content::{Image, MANIFEST_LENGTH, digest};
use crate::figures::Metric;
use crate::meter::measure;
use crate::options::Scale;
use crate::servers::{Kind, Server};
use crate::session::{ACCEPT, Expect, Session};

/// Kept-alive connections that make requests.
const CONNECTIONS: usize = 4;
/// Clients that push small images.
const PUSHERS: usize = 2;
/// Tags in one answer.
const PAGE: usize = 100;
/// Microseconds in a second.
const MICRO: f64 = 1e6;

impl Bench<'_> {
    /// GET and HEAD of a manifest by tag.
    pub(super) fn manifests(&mut self) -> Result<()> {
        let path = self.place_image()?.1;
        self.request(Metric::ManifestGet, ("GET", &path, ACCEPT), MANIFEST_LENGTH)?;
        self.request(Metric::ManifestHead, ("HEAD", &path, ACCEPT), MANIFEST_LENGTH)
    }

    /// HEAD and GET of a blob of 1 KiB.
    pub(super) fn blobs(&mut self) -> Result<()> {
        let path = self.place_image()?.0;
        self.request(Metric::BlobHead, ("HEAD", &path, ""), 1024)?;
        self.request(Metric::BlobGet, ("GET", &path, ""), 1024)
    }

    /// Images of one small layer, with every request that docker makes for them.
    pub(super) fn images(&mut self) -> Result<()> {
        let count = self.options.scale.images;
        self.rounds(|figures, server, round| {
            if !server.is_registry() {
                return Ok(());
            }
            let images: Vec<Image> =
                (0..count).map(|number| Image::new((1000 + round * count + number) as u64)).collect();
            let mut clients = sessions(server, REPOSITORY, PUSHERS)?;
            let cost = measure(server.process()?, || {
                in_parallel(&mut clients, |pusher, client| {
                    for (number, image) in images.iter().enumerate().skip(pusher).step_by(PUSHERS) {
                        push_as_docker(client, image, &format!("v{round}-{number}"))?;
                    }
                    Ok(())
                })
            })?;
            figures.add_cost(Metric::Image, server.kind, cost, count as f64, 1000.0);
            Ok(())
        })
    }

    /// The first page of the tags of a repository that has many.
    pub(super) fn tags(&mut self) -> Result<()> {
        self.fill()?;
        let path = format!("/v2/{MANY}/tags/list?n={PAGE}");
        let scale = self.options.scale;
        self.rounds(|figures, server, _| {
            if !server.is_registry() {
                return Ok(());
            }
            let requests = requests(server, scale) / 4;
            let mut clients = sessions(server, MANY, CONNECTIONS)?;
            let length = page_length(&mut clients[0], &path)?;
            let cost = measure(server.process()?, || {
                in_parallel(&mut clients, |_, client| {
                    client.repeat(("GET", &path, ""), requests / CONNECTIONS, Expect::bytes(length))
                })
            })?;
            figures.add_cost(Metric::Tags, server.kind, cost, requests as f64, MICRO);
            Ok(())
        })
    }

    /// Fills [`MANY`] once: Railhead with many manifests and tags, the others with one page of tags.
    pub(super) fn fill(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.filled, true) {
            return Ok(());
        }
        for server in self.servers.iter().filter(|server| server.is_registry()) {
            let mut client = server.session(MANY)?;
            let image = Image::new(1);
            client.push_bytes(&image.layer)?;
            client.push_bytes(&image.config)?;
            if server.kind != Kind::Railhead {
                for number in 0..PAGE {
                    client.push_manifest(&format!("t{number:06}"), &image.annotated(number as u64))?;
                }
                continue;
            }
            let scale = self.options.scale;
            let begun = Instant::now();
            let cost = measure(server.process()?, || {
                fill_many(server, &image, scale.manifests, scale.tags / scale.manifests)
            })?;
            self.figures.notes.push(format!(
                "Filling Railhead with {} manifests and {} tags over {CONNECTIONS} connections took {:.0} s and {:.0} s of CPU.",
                scale.manifests,
                scale.tags,
                begun.elapsed().as_secs_f64(),
                cost.cpu.as_secs_f64()
            ));
        }
        Ok(())
    }

    /// Measures one request, made many times over several connections.
    fn request(&mut self, metric: Metric, request: (&str, &str, &str), length: usize) -> Result<()> {
        let scale = self.options.scale;
        self.rounds(|figures, server, _| {
            let requests = requests(server, scale);
            let mut clients = sessions(server, REPOSITORY, CONNECTIONS)?;
            let cost = measure(server.process()?, || {
                in_parallel(&mut clients, |_, client| {
                    client.repeat(request, requests / CONNECTIONS, Expect::bytes(length))
                })
            })?;
            figures.add_cost(metric, server.kind, cost, requests as f64, MICRO);
            Ok(())
        })
    }

    /// Puts the image that is asked for everywhere; the paths of its layer and its manifest.
    fn place_image(&self) -> Result<(String, String)> {
        let image = Image::new(0);
        let blob = blob_path(&digest(&image.layer));
        let manifest = format!("/v2/{REPOSITORY}/manifests/latest");
        for server in &self.servers {
            if server.is_registry() {
                let mut client = server.session(REPOSITORY)?;
                client.push_bytes(&image.layer)?;
                client.push_bytes(&image.config)?;
                client.push_manifest("latest", &image.manifest)?;
            } else {
                server.place(&blob, &image.layer)?;
                server.place(&manifest, &image.manifest)?;
            }
        }
        Ok((blob, manifest))
    }
}

/// Requests in a round. Those that cost milliseconds need fewer of them for a figure as steady.
fn requests(server: &Server, scale: Scale) -> usize {
    match server.kind {
        Kind::Railhead | Kind::RailheadForge | Kind::Nginx => scale.requests,
        Kind::Distribution | Kind::DockerRegistry | Kind::Gitea => scale.requests / 5,
    }
}

/// Every request that docker makes to push an image of one layer, once it has its token.
fn push_as_docker(client: &mut Session, image: &Image, tag: &str) -> Result<()> {
    for blob in [&image.layer, &image.config] {
        client.ask("HEAD", &blob_path(&digest(blob)), "", Expect::status(404))?;
        client.push_bytes(blob)?;
    }
    let path = format!("/v2/{REPOSITORY}/manifests/{tag}");
    client.ask("HEAD", &path, ACCEPT, Expect::status(404))?;
    client.push_manifest(tag, &image.manifest)
}

/// Length of a page of tags, after a look at whether it is a full one.
fn page_length(client: &mut Session, path: &str) -> Result<usize> {
    client.ask("GET", path, "", Expect::status(200))?;
    let list: serde_json::Value = serde_json::from_slice(client.body())?;
    let count = list["tags"].as_array().map_or(0, Vec::len);
    ensure!(count == PAGE, "{path} lists {count} tags instead of {PAGE}");
    Ok(client.body().len())
}

/// Pushes manifests by digest, each with `tags` tags of its own.
fn fill_many(server: &Server, image: &Image, manifests: usize, tags: usize) -> Result<()> {
    let next = AtomicUsize::new(0);
    in_parallel(&mut sessions(server, MANY, CONNECTIONS)?, |_, client| {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= manifests {
                return Ok(());
            }
            let manifest = image.annotated(number as u64);
            let names: Vec<String> =
                (0..tags).map(|tag| format!("tag=t{:06}", number * tags + tag)).collect();
            client.push_manifest(&format!("{}?{}", digest(&manifest), names.join("&")), &manifest)?;
        }
    })
}
