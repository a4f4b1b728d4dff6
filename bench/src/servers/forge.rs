//! Railhead with the accounts of a Gitea: what it costs that somebody else says who may pull.
//!
//! What the forge says is used for one second here and for a minute by default, so the forge is asked in every round. Its own
//! work is not counted.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::gitea::Gitea;
use super::railhead::Railhead;
use super::{Recipe, free_address};
use crate::session::Login;

/// See the module.
pub struct RailheadForge;

impl Recipe for RailheadForge {
    /// Railhead, when there is a Gitea, too.
    fn find(&self) -> Option<PathBuf> {
        Railhead.find().filter(|_| Gitea.find().is_some())
    }

    fn version(&self, program: &Path) -> Result<String> {
        let forge = gitea()?;
        Ok(format!("{} with the accounts of Gitea {}", Railhead.version(program)?, Gitea.version(&forge)?))
    }

    fn companion(&self, home: &Path) -> Result<Option<(Command, SocketAddr)>> {
        let forge = home.join("forge");
        fs::create_dir_all(&forge).with_context(|| format!("cannot make {}", forge.display()))?;
        let address = free_address()?;
        fs::write(forge.join("address"), address.to_string()).context("cannot note the forge's address")?;
        Ok(Some((Gitea.command(&gitea()?, &forge, address)?, address)))
    }

    fn command(&self, program: &Path, home: &Path, address: SocketAddr) -> Result<Command> {
        let forge = fs::read_to_string(home.join("forge/address")).context("the forge was not started")?;
        let mut serve = Railhead.command(program, home, address)?;
        serve
            .env("RAILHEAD_FORGE_KIND", "gitea")
            .env("RAILHEAD_FORGE_URL", format!("http://{forge}"))
            .env("RAILHEAD_FORGE_CACHE_SECONDS", "1");
        Ok(serve)
    }

    fn enroll(&self, _program: &Path, home: &Path) -> Result<Option<Login>> {
        Gitea.enroll(&gitea()?, &home.join("forge"))
    }
}

fn gitea() -> Result<PathBuf> {
    Gitea.find().context("gitea is not installed")
}
