//! `railhead pull-secret create`

use std::path::PathBuf;

use clap::Args;
use railhead_client::hops::Route;
use railhead_operate::Secrets;
use railhead_operate::handoff::PULL_SECRET;
use railhead_operate::pull_secret::{ImageName, Manifest, Sops};

use super::file::{print, write_new};
use super::{Made, same_host, try_login, way};
use crate::commands::Context;
use crate::commands::operator::{account, site_of};
use crate::failure::{Exit, Failure, Result};

/// Make a Secret from a token, for `kubectl apply` or as a file
///
/// The token comes from RAILHEAD_TOKEN or --token-file (- is standard input), and is tried before. Without --out the Secret
/// goes to standard output, as in `railhead pull-secret create … | kubectl apply -f -`. Where the site file says `sops = true`,
/// the file is encrypted by sops, and never was plain.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
#[expect(clippy::doc_markdown, reason = "this is help for a terminal, not Markdown")]
#[derive(Debug, Args)]
pub struct Create {
    /// The registry as images name it; without it, the site file's
    #[arg(value_name = "HOST[:PORT]")]
    host: Option<String>,
    /// The account that the token is of
    #[arg(long, value_name = "NAME")]
    user: String,
    /// What the Secret is called; without it, what the site file says, or registry-pull
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The namespace that pulls; without it, what the site file says, or wherever it is applied
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Pull this image with the token before
    #[arg(long, value_name = "HOST/OWNER/IMAGE[:TAG]")]
    image: Option<ImageName>,
    /// Try the token by this way
    #[arg(long, value_name = "NAME=URL[,connect=ADDRESS:PORT][,ca=FILE]")]
    route: Option<Route>,
    /// Do not try the token
    #[arg(long, conflicts_with_all = ["image", "route"])]
    unchecked: bool,
    /// Write the Secret to this file, which its owner alone can read
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "out")]
    force: bool,
    /// Encrypt the file with sops
    #[arg(long, requires = "out")]
    sops: bool,
    /// Encrypt nothing, whatever the site file says
    #[arg(long, conflicts_with = "sops")]
    plain: bool,
}

impl Create {
    /// Runs it.
    pub fn run(self, context: &Context) -> Result<()> {
        let own = context.site()?;
        let Some(host) = self.host.as_ref().map(|host| host.to_ascii_lowercase()).or(own.host.clone()) else {
            return Err(Failure::new(Exit::Usage, "there is no registry to log in to").hint(
                "name its host, as in `railhead pull-secret create git.example.com`, or in the site file",
            ));
        };
        valid(&host)?;
        same_host(self.image.as_ref(), &host)?;
        let site = site_of(context, &host)?;
        let Some(login) = account(context, Some(&self.user))? else {
            return Err(Failure::new(Exit::Usage, "there is no token"));
        };
        let name = self.name.as_deref().or(site.cluster.pull_secret.as_deref()).unwrap_or(PULL_SECRET);
        let namespace = self.namespace.as_deref().or(site.cluster.namespace.as_deref());
        let manifest = Manifest::new(name, namespace, &host, &login)?;
        // Which files are encrypted is a matter of the place, not of the registry.
        let encrypted = !self.plain && (self.sops || own.cluster.sops);
        let wanted = encrypted && self.out.is_some();
        let sops = wanted.then(|| Sops::find(own.cluster.sops_config.as_deref())).transpose()?;
        if let Some(out) = self.out.as_ref().filter(|out| out.exists() && !self.force) {
            return Err(Failure::new(Exit::Conflict, format!("{} is there already", out.display()))
                .hint("`railhead pull-secret rotate` changes the login in it; --force replaces all of it"));
        }
        let check = if self.unchecked {
            None
        } else {
            let route = way(context, self.route.as_ref(), &site, &host)?;
            Some(try_login(context, &site, &host, &login, self.image.as_ref(), &route)?)
        };
        match &self.out {
            Some(out) => write_new(out, &manifest.text().0, sops.as_ref())?,
            None => print(context.printer, &manifest, !encrypted)?,
        }
        let made = Made {
            act: "create",
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
            servers: vec![host.clone()],
            user: login.user.clone(),
            file: self.out.clone(),
            encrypted: sops.is_some(),
            check,
        };
        made.keep(&site, &host, &Secrets::new([(login.user.as_str(), &login.secret)]))?;
        let Some(out) = &self.out else { return Ok(()) };
        let how = if sops.is_some() { "encrypted by sops" } else { "which you alone can read" };
        context.printer.data(&made, || format!("the Secret {name} is in {}, {how}\n", out.display()))
    }
}

/// A kubelet compares the host with the image's: it has no scheme and no path.
fn valid(host: &str) -> Result<()> {
    let is_host = format!("https://{host}").parse::<railhead_client::Origin>();
    if is_host.is_ok_and(|origin| origin.base().is_empty()) && !host.ends_with('/') {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, format!("'{host}' is not a host"))
        .hint("write it as in the image's name: git.example.com, or git.example.com:8443"))
}
