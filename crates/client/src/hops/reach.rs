//! How to get to a URL: its addresses, which of them answer, and whom to trust there.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use rustls_pki_types::CertificateDer;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::broke;
use super::record::{Attempt, Broke, Broken, Connected, Resolved};
use super::route::Route;
use super::settings::{Settings, host_name};
use super::step::millis;
use super::trust::Authorities;
use crate::{Origin, Result};

/// Of a name with more addresses, only the first ones are tried.
const ADDRESSES_MAX: usize = 16;

/// Where requests to an origin go.
#[derive(Clone, Debug)]
pub(super) struct End {
    /// The origin.
    pub(super) origin: Origin,
    pub(super) https: bool,
    /// The server name of TLS.
    pub(super) host: String,
    /// Name or address that is connected to, and its port.
    towards: (String, u16),
    /// Whom to trust, or why the file that says so is of no use.
    pub(super) authorities: Result<Arc<Authorities>, Broken>,
}

/// One address of an end: every exchange of a walk goes to the same.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) end: End,
    pub(super) address: SocketAddr,
}

/// Knows the way to every origin that a walk may name.
pub(super) struct Guide {
    pub(super) settings: Settings,
    system: Vec<CertificateDer<'static>>,
    authorities: BTreeMap<Option<PathBuf>, Arc<Authorities>>,
}

impl Guide {
    /// Reads the system's authorities and those of all known routes.
    pub(super) fn new(settings: Settings) -> Result<Self> {
        // A system without any authority, as a bare container, trusts nobody; that is seen on the walk.
        let system = rustls_native_certs::load_native_certs().certs;
        let mut authorities = BTreeMap::new();
        let files = settings.known.iter().map(|route| route.ca.clone());
        for file in files.chain([None]) {
            let read = Authorities::new(&system, file.as_deref())?;
            authorities.insert(file, Arc::new(read));
        }
        Ok(Self { settings, system, authorities })
    }

    /// The end of `route` itself.
    pub(super) fn end_of(&self, route: &Route) -> Result<End, Broken> {
        self.end(&route.url, route.connect.as_deref(), route.ca.as_deref())
    }

    /// Where an origin that was met on `route` is: what is known of it by this route or another holds, else its name.
    pub(super) fn end_from(&self, route: &Route, origin: &Origin) -> Result<End, Broken> {
        let known = std::iter::once(route).chain(&self.settings.known);
        match known.into_iter().find(|known| is_same(&known.url, origin)) {
            Some(known) => self.end(origin, known.connect.as_deref(), known.ca.as_deref()),
            None => self.end(origin, None, route.ca.as_deref()),
        }
    }

    fn end(&self, origin: &Origin, connect: Option<&str>, ca: Option<&Path>) -> Result<End, Broken> {
        let Origin::Web { https, host, port, .. } = origin else {
            return Err(Broken::new(Broke::Unreachable, "a unix socket has no hops to walk"));
        };
        let towards = match connect.and_then(|connect| connect.rsplit_once(':')) {
            Some((_, text)) => (host_name(connect.unwrap_or_default()), text.parse().unwrap_or(*port)),
            None => (host.clone(), *port),
        };
        Ok(End {
            origin: origin.clone(),
            https: *https,
            host: host.clone(),
            towards,
            authorities: self.authorities(ca),
        })
    }

    fn authorities(&self, ca: Option<&Path>) -> Result<Arc<Authorities>, Broken> {
        if let Some(known) = self.authorities.get(&ca.map(Path::to_owned)) {
            return Ok(known.clone());
        }
        Authorities::new(&self.system, ca).map(Arc::new).map_err(|error| {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            Broken::new(Broke::TlsHandshake, format!("{error}{cause}"))
        })
    }

    /// The addresses of an end, in the order in which clients try them.
    pub(super) async fn resolve(&self, end: &End) -> Result<(Resolved, Vec<SocketAddr>), Broken> {
        let (name, port) = &end.towards;
        let found = if let Ok(address) = name.parse::<IpAddr>() {
            vec![address]
        } else if let Some(given) = self.settings.resolve.get(name) {
            given.clone()
        } else {
            self.look_up(name, *port).await?
        };
        if found.is_empty() {
            return Err(Broken::new(Broke::NameUnknown, format!("{name} has no address")));
        }
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for address in found.into_iter().take(ADDRESSES_MAX) {
            let address = SocketAddr::new(address, *port);
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let shown = addresses.iter().map(|address| address.ip().to_string()).collect();
        Ok((Resolved { name: name.clone(), addresses: shown }, addresses))
    }

    async fn look_up(&self, name: &str, port: u16) -> Result<Vec<IpAddr>, Broken> {
        // RFC 6761, 6.4: such a name never has an address, and no name service need be asked.
        if name == "invalid" || name.ends_with(".invalid") {
            return Err(Broken::new(
                Broke::NameUnknown,
                format!("{name}: names in .invalid never have an address"),
            ));
        }
        let limit = self.settings.connect_timeout;
        match timeout(limit, lookup_host((name, port))).await {
            Ok(Ok(found)) => Ok(found.map(|address| address.ip()).collect()),
            Ok(Err(error)) => Err(broke::resolving(name, &error)),
            Err(_) => {
                let detail =
                    format!("{name}: the name service did not answer within {} s", limit.as_secs_f32());
                Err(Broken::new(Broke::NameService, detail))
            }
        }
    }

    /// Connects to all addresses at the same time; goes on with the first in order that answers.
    pub(super) async fn connect(
        &self,
        addresses: &[SocketAddr],
    ) -> Result<(Connected, SocketAddr, TcpStream), Broken> {
        let tries = addresses.iter().map(async |address| {
            let since = Instant::now();
            let result = self.dial(*address).await;
            let broke = result.as_ref().err().cloned();
            (Attempt { address: address.to_string(), millis: millis(since), broke }, *address, result.ok())
        });
        let mut chosen = None;
        let mut attempts = Vec::new();
        for (attempt, address, stream) in join_all(tries).await {
            attempts.push(attempt);
            chosen = chosen.or(stream.map(|stream| (address, stream)));
        }
        match chosen {
            Some((address, stream)) => {
                Ok((Connected { address: address.to_string(), attempts }, address, stream))
            }
            None => Err(all_failed(&attempts)),
        }
    }

    /// One connection to one address.
    pub(super) async fn dial(&self, address: SocketAddr) -> Result<TcpStream, Broken> {
        let limit = self.settings.connect_timeout;
        match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Only speed is lost where the system refuses it.
                let _ = stream.set_nodelay(true);
                Ok(stream)
            }
            Ok(Err(error)) => Err(broke::connecting(&error)),
            Err(_) => {
                let detail = format!("no connection within {} s", limit.as_secs_f32());
                Err(Broken::new(Broke::ConnectTimeout, detail))
            }
        }
    }
}

/// Whether two origins are the same place; their paths do not count.
pub(super) fn is_same(known: &Origin, origin: &Origin) -> bool {
    match (known, origin) {
        (
            Origin::Web { https, host, port, .. },
            Origin::Web { https: other_https, host: other_host, port: other_port, .. },
        ) => (https, host, port) == (other_https, other_host, other_port),
        _ => false,
    }
}

/// The kind is that of the first address, which is the one that most clients complain about.
fn all_failed(attempts: &[Attempt]) -> Broken {
    let failures = attempts.iter().filter_map(|attempt| Some((&attempt.address, attempt.broke.as_ref()?)));
    let details: Vec<String> =
        failures.clone().map(|(address, broke)| format!("{address}: {broke}")).collect();
    let kind = failures.map(|(_, broke)| broke.kind).next().unwrap_or(Broke::Unreachable);
    Broken::new(kind, details.join("; "))
}
