//! What the command line asks for.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::servers::Kind;
use crate::work::Work;

/// The text of `--help`.
pub const HELP: &str = "\
Usage: cargo xtask bench [OPTIONS]

  --only LIST      servers to run: railhead,nginx,distribution,docker-registry,gitea   [default: all of these found]
                   or railhead-forge, which is railhead with the accounts of a gitea
  --work LIST      push,pull,manifest,blob,image,tags,start,memory                     [default: all]
  --quick          a quarter of the bytes, a tenth of the manifests, two rounds
  --json FILE      write every sample as JSON too
  --write-docs     write docs/reference/benchmark.md
  --check          exit with 1 when Railhead misses a target
  --directory DIR  where the servers keep their data while it runs                     [default: target/bench]

A program is looked for in the directory of tools/install, then on the PATH. One that is not
there is a line that says so. `cargo xtask bench` builds Railhead itself in release mode first.";

/// How much work a run does.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Times that each work is repeated; the median is shown.
    pub rounds: usize,
    /// Layers of 32 MiB that are pushed in a round.
    pub layers: usize,
    /// Times that each client pulls the layers of the first round, a round.
    pub pulls: usize,
    /// Requests in a round of small requests, over all connections, for a server that answers in microseconds.
    pub requests: usize,
    /// Small images in a round.
    pub images: usize,
    /// Manifests stored before the start is timed.
    pub manifests: usize,
    /// Tags of the repository whose tags are listed.
    pub tags: usize,
    /// Bytes of each of the 64 layers that are pushed at once.
    pub parallel_layer: usize,
}

impl Scale {
    const FULL: Self = Self {
        rounds: 3,
        layers: 24,
        pulls: 1,
        requests: 20_000,
        images: 300,
        manifests: 100_000,
        tags: 100_000,
        parallel_layer: 64 << 20,
    };
    const QUICK: Self = Self {
        rounds: 2,
        layers: 8,
        pulls: 2,
        requests: 5_000,
        images: 100,
        manifests: 10_000,
        tags: 100_000,
        parallel_layer: 16 << 20,
    };
}

/// A run's options.
#[derive(Clone, Debug)]
pub struct Options {
    /// Servers to run.
    pub only: Vec<Kind>,
    /// Work to do, in [`Work::ALL`]'s order.
    pub work: Vec<Work>,
    /// How much of it.
    pub scale: Scale,
    /// Whether `--quick` was given.
    pub quick: bool,
    /// File for every sample.
    pub json: Option<PathBuf>,
    /// The reference page to write.
    pub docs: Option<PathBuf>,
    /// Whether a missed target is a failure.
    pub check: bool,
    /// Where data directories are made.
    pub directory: PathBuf,
}

impl Options {
    /// The options that `arguments` spell, or `None` when help is wanted.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let mut arguments = arguments;
        let mut options = Self {
            only: Kind::USUAL.to_vec(),
            work: Work::ALL.to_vec(),
            scale: Scale::FULL,
            quick: false,
            json: None,
            docs: None,
            check: false,
            directory: PathBuf::from("target/bench"),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--only" => {
                    options.only = choose(&value()?, &Kind::ALL, Kind::key, "server")?;
                }
                "--work" => options.work = choose(&value()?, &Work::ALL, Work::key, "work")?,
                "--quick" => (options.scale, options.quick) = (Scale::QUICK, true),
                "--json" => options.json = Some(value()?.into()),
                "--write-docs" => options.docs = Some(PathBuf::from("docs/reference/benchmark.md")),
                "--check" => options.check = true,
                "--directory" => options.directory = value()?.into(),
                "--help" | "-h" => return Ok(None),
                other => bail!("unknown option {other}\n\n{HELP}"),
            }
        }
        std::fs::create_dir_all(&options.directory)
            .with_context(|| format!("cannot make {}", options.directory.display()))?;
        options.directory = options
            .directory
            .canonicalize()
            .with_context(|| format!("cannot resolve {}", options.directory.display()))?;
        Ok(Some(options))
    }
}

/// The members of `all` that the comma-separated `list` names, in the order of `all`.
fn choose<T: Copy>(list: &str, all: &[T], key: impl Fn(T) -> &'static str, what: &str) -> Result<Vec<T>> {
    let names: Vec<&str> = list.split(',').map(str::trim).collect();
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|item| key(*item) == **name)) {
        let known: Vec<_> = all.iter().map(|item| key(*item)).collect();
        bail!("no such {what}: {unknown}; known are {}", known.join(", "));
    }
    Ok(all.iter().copied().filter(|item| names.contains(&key(*item))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_put_in_order_and_an_unknown_name_is_refused() {
        let chosen = choose("gitea, nginx", &Kind::ALL, Kind::key, "server").unwrap();
        assert_eq!(chosen, [Kind::Nginx, Kind::Gitea]);
        let error = choose("apache", &Kind::ALL, Kind::key, "server").unwrap_err().to_string();
        assert!(error.starts_with("no such server: apache; known are railhead,"), "{error}");
    }
}
