//! nginx with static files under the very URLs of the registries, so that every client request is the same.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{Recipe, find_program, output_of, version_in};
use crate::content::Layer;

/// See the module.
pub struct Nginx;

impl Recipe for Nginx {
    fn find(&self) -> Option<PathBuf> {
        find_program("nginx")
    }

    fn version(&self, program: &Path) -> Result<String> {
        Ok(version_in(&output_of(Command::new(program).arg("-v"))?))
    }

    fn command(&self, program: &Path, home: &Path, address: SocketAddr) -> Result<Command> {
        place(home, "/index.html", b"nginx")?;
        let workers = std::thread::available_parallelism().context("cannot count processors")?;
        let home_text = home.display();
        // `user` counts only when the master runs as root, whose files the workers must read.
        let configuration = format!(
            "daemon off;
user root;
worker_processes {workers};
pid {home_text}/nginx.pid;
error_log {home_text}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log {home_text}/access.log;
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    client_body_temp_path {home_text}/body;
    proxy_temp_path {home_text}/proxy;
    fastcgi_temp_path {home_text}/fastcgi;
    uwsgi_temp_path {home_text}/uwsgi;
    scgi_temp_path {home_text}/scgi;
    server {{
        listen {address};
        root {home_text}/root;
    }}
}}
"
        );
        let file = home.join("nginx.conf");
        fs::write(&file, configuration).with_context(|| format!("cannot write {}", file.display()))?;
        let mut command = Command::new(program);
        command.arg("-p").arg(home).arg("-c").arg(&file).arg("-e").arg(home.join("error.log"));
        Ok(command)
    }
}

/// Puts a file under the server's root.
pub fn place(home: &Path, path: &str, bytes: &[u8]) -> Result<()> {
    let file = prepare(home, path)?;
    fs::write(&file, bytes).with_context(|| format!("cannot write {}", file.display()))
}

/// Puts `layer` under the server's root. Best is a second name of the file that the server in `origin` keeps:
/// then both send the same pages of memory, whose layout would otherwise decide the comparison.
pub fn place_layer(home: &Path, path: &str, layer: &Layer, origin: Option<&Path>) -> Result<()> {
    let file = prepare(home, path)?;
    if let Some(origin) = origin
        && let Some(same) = find_layer(origin, layer)?
        && fs::hard_link(&same, &file).is_ok()
    {
        return Ok(());
    }
    let mut copy = File::create(&file).with_context(|| format!("cannot make {}", file.display()))?;
    for part in layer.bytes().chunks(256 << 10) {
        copy.write_all(part).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn prepare(home: &Path, path: &str) -> Result<PathBuf> {
    let file = home.join("root").join(path.trim_start_matches('/'));
    let parent = file.parent().context("a file without a directory")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    Ok(file)
}

/// The file below `directory` with the length of `layer` and its first bytes.
fn find_layer(directory: &Path, layer: &Layer) -> Result<Option<PathBuf>> {
    let mut first = [0; 64];
    layer.stream().fill(&mut first);
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries =
            fs::read_dir(&directory).with_context(|| format!("cannot list {}", directory.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", directory.display()))?;
            let facts =
                entry.metadata().with_context(|| format!("cannot stat {}", entry.path().display()))?;
            if facts.is_dir() {
                directories.push(entry.path());
            } else if facts.is_file() && facts.len() == layer.length as u64 {
                let mut begin = [0; 64];
                let mut file = File::open(entry.path())
                    .with_context(|| format!("cannot open {}", entry.path().display()))?;
                if file.read_exact(&mut begin).is_ok() && begin == first {
                    return Ok(Some(entry.path()));
                }
            }
        }
    }
    Ok(None)
}
