//! `railhead pull-secret rotate`

use std::path::PathBuf;

use clap::Args;
use railhead_client::Credentials;
use railhead_client::hops::Route;
use railhead_operate::pull_secret::{Entry, ImageName, Manifest, Sops, keyring};
use railhead_operate::{Cluster, Secrets};
use secrecy::{ExposeSecret as _, SecretString};

use super::file::{Found, print, write_again};
use super::{Made, same_host, try_login, way};
use crate::commands::Context;
use crate::commands::operator::{site_of, token};
use crate::failure::{Exit, Failure, Result};

/// Put a new token into a Secret, in place of the old one
///
/// The new token comes from RAILHEAD_TOKEN or --token-file, and is tried before anything is changed. Whatever else the Secret
/// has stays: labels, logins of other registries, comments. An encrypted file stays encrypted for whom it was. With --file -
/// the Secret comes from standard input and goes to standard output: `kubectl get secret NAME -o yaml | railhead pull-secret
/// rotate --file - | kubectl apply -f -`.
#[expect(clippy::doc_markdown, reason = "this is help for a terminal, not Markdown")]
#[derive(Debug, Args)]
pub struct Rotate {
    /// The registry whose login is changed; without it, the site file's, or the only one in the Secret
    #[arg(value_name = "HOST[:PORT]")]
    host: Option<String>,
    /// The file with the Secret; without it, the site file's
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The Secret, if the file has several
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The account that the token is of; without it, the one that the Secret has
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Pull this image with the token before
    #[arg(long, value_name = "HOST/OWNER/IMAGE[:TAG]")]
    image: Option<ImageName>,
    /// Try the token by this way
    #[arg(long, value_name = "NAME=URL[,connect=ADDRESS:PORT][,ca=FILE]")]
    route: Option<Route>,
    /// Do not try the token
    #[arg(long, conflicts_with_all = ["image", "route"])]
    unchecked: bool,
    /// Leave a plain file plain, whatever the site file says
    #[arg(long)]
    plain: bool,
}

impl Rotate {
    /// Runs it.
    pub fn run(self, context: &Context) -> Result<()> {
        let own = context.site()?;
        let Some(secret) = token(context)? else {
            return Err(Failure::new(Exit::Usage, "there is no new token")
                .hint("put it into RAILHEAD_TOKEN, or name a file with --token-file"));
        };
        let mut found = Found::read(context, self.file.as_deref(), &own.cluster, self.name.as_deref())?;
        let entries = found.manifest.entries()?;
        let host = host(self.host.as_deref().or(own.host.as_deref()), &entries, found.manifest.name())?;
        same_host(self.image.as_ref(), &host)?;
        let site = site_of(context, &host)?;
        let (rotated, login) = found.manifest.rotate(&host, self.user.as_deref(), &secret)?;
        let is_same = rotated.before.as_ref().is_some_and(|before| {
            before.user == login.user && before.secret.expose_secret() == secret.expose_secret()
        });
        let check = if self.unchecked {
            None
        } else {
            let route = way(context, self.route.as_ref(), &site, &host)?;
            Some(try_login(context, &site, &host, &login, self.image.as_ref(), &route)?)
        };
        let encrypted = self.write(context, &own.cluster, &found)?;
        let made = Made {
            act: "rotate",
            name: found.manifest.name().to_owned(),
            namespace: found.manifest.namespace().map(str::to_owned),
            servers: rotated.servers,
            user: login.user.clone(),
            file: found.path.clone(),
            encrypted,
            check,
        };
        made.keep(&site, &host, &secrets(&entries, &login, &secret))?;
        say(context, &found.manifest, is_same);
        let Some(path) = &found.path else { return Ok(()) };
        context
            .printer
            .data(&made, || format!("the Secret {} in {} has the new token\n", made.name, path.display()))
    }

    /// Writes it back; whether the file is encrypted now.
    fn write(&self, context: &Context, cluster: &Cluster, found: &Found) -> Result<bool> {
        let wanted = !self.plain && cluster.sops;
        let Some(path) = &found.path else {
            if found.encrypted {
                return Err(Failure::new(Exit::Usage, "the Secret on standard input is encrypted")
                    .hint("name its file with --file, where it is changed and stays encrypted"));
            }
            print(context.printer, &found.manifest, !wanted)?;
            return Ok(false);
        };
        if found.encrypted {
            if found.manifest.documents() > 1 {
                let message = format!("{} is encrypted and has several documents", path.display());
                return Err(
                    Failure::new(Exit::Usage, message).hint("keep the pull secret in a file of its own")
                );
            }
            let sops = Sops::find(cluster.sops_config.as_deref())?;
            let (place, data) = found.manifest.data();
            write_again(path, &sops.change(&found.text, path, &place, &data)?)?;
            return Ok(true);
        }
        let (text, is_as_it_was) = found.manifest.text();
        if wanted {
            let sops = Sops::find(cluster.sops_config.as_deref())?;
            write_again(path, &sops.encrypt(&text, path)?)?;
            context.printer.note(&format!("{} was plain, and is encrypted by sops now", path.display()));
            return Ok(true);
        }
        if !is_as_it_was {
            context.printer.warning("the file was written anew: comments and the order of keys are not kept");
        }
        write_again(path, &text)?;
        Ok(false)
    }
}

/// What is to be done next, and what may go wrong.
fn say(context: &Context, manifest: &Manifest, is_same: bool) {
    let printer = context.printer;
    if is_same {
        printer.warning("the Secret had this token already");
    }
    if manifest.is_immutable() {
        printer.warning(
            "the Secret is immutable: the cluster takes the change only after the old one was deleted",
        );
    }
    if !is_same {
        printer.note("apply it, see a pull work, and only then revoke the old token");
    }
}

/// The registry that is meant: the one that is named, or the only one in the Secret.
fn host(named: Option<&str>, entries: &[Entry], secret: &str) -> Result<String> {
    if let Some(named) = named {
        return Ok(named.to_ascii_lowercase());
    }
    let mut hosts: Vec<String> =
        entries.iter().map(|entry| keyring::host(&keyring::key(&entry.server)).to_owned()).collect();
    hosts.sort();
    hosts.dedup();
    match hosts.as_slice() {
        [only] => Ok(only.clone()),
        _ => Err(Failure::new(
            Exit::Usage,
            format!("the Secret '{secret}' has logins for {}", hosts.join(", ")),
        )
        .hint("name the registry whose login is to be changed")),
    }
}

/// Everything that must not get into the evidence.
fn secrets(entries: &[Entry], login: &Credentials, secret: &SecretString) -> Secrets {
    let kept = entries.iter().filter_map(|entry| entry.login.as_ref());
    let mut secrets = Secrets::new(kept.map(|login| (login.user.as_str(), &login.secret)));
    secrets.learn(&login.user, secret);
    secrets
}
