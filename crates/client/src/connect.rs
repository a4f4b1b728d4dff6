//! Where a registry is, whom to trust there, and how to get a connection to it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Error;

/// Where a registry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A host and a port.
    Web {
        /// Whether it speaks TLS.
        https: bool,
        /// Name or address, an IPv6 address without its brackets.
        host: String,
        /// The port.
        port: u16,
        /// What all paths start with; empty or `/…` without a slash at the end.
        base: String,
    },
    /// A unix socket.
    Socket(PathBuf),
}

/// A text is not the URL of a registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the URL of a registry; write it as https://host or http://host:port")]
pub struct OriginError(String);

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        // Credentials in a URL end up in logs and lists of processes: they are refused, and not repeated.
        if text.contains('@') {
            return Err(OriginError("a URL with credentials".to_owned()));
        }
        let wrong = || OriginError(text.to_owned());
        let uri: http::Uri = text.parse().map_err(|_| wrong())?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        if uri.query().is_some() {
            return Err(wrong());
        }
        Ok(Self::Web {
            https,
            host: host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase(),
            port: uri.port_u16().unwrap_or(if https { 443 } else { 80 }),
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl Origin {
    /// The value of the `Host` header.
    pub fn authority(&self) -> String {
        match self {
            Self::Web { https, host, port, .. } => {
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                if *port == if *https { 443 } else { 80 } { host } else { format!("{host}:{port}") }
            }
            Self::Socket(_) => "localhost".to_owned(),
        }
    }

    /// What paths start with.
    pub fn base(&self) -> &str {
        match self {
            Self::Web { base, .. } => base,
            Self::Socket(_) => "",
        }
    }

    /// Whether what is sent there cannot be read on the way: TLS, or it does not leave the machine.
    pub fn is_private(&self) -> bool {
        match self {
            Self::Web { https: true, .. } | Self::Socket(_) => true,
            Self::Web { host, .. } => {
                host == "localhost"
                    || host.ends_with(".localhost")
                    || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web { https, base, .. } => {
                write!(f, "{}://{}{base}", if *https { "https" } else { "http" }, self.authority())
            }
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The certificate authorities that a client trusts. Cloning shares them.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// The system's authorities, and those in the PEM file `extra`.
    pub fn system(extra: Option<&Path>) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        // A system without any authority, as in a bare container, is no error: `extra` may be all that is needed.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for certificate in extra.map(certificates).transpose()?.unwrap_or_default() {
            roots.add(certificate)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

/// The certificates in a PEM file, which has at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = |source| Error::Certificates { path: path.to_owned(), source };
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(io::Error::other(error)))?;
    if certificates.is_empty() {
        return Err(wrong(io::Error::new(io::ErrorKind::InvalidData, "it has no certificate in PEM")));
    }
    Ok(certificates)
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

/// A connection of whatever kind.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

impl Stream {
    /// Connects to `origin`, or to the `ADDRESS:PORT` of `connect` in its stead; every failure says at which step.
    pub(crate) async fn open(
        origin: &Origin,
        connect: Option<&str>,
        trust: Option<&Trust>,
    ) -> io::Result<Self> {
        let (https, host, port) = match origin {
            Origin::Socket(path) => return UnixStream::connect(path).await.map(Self::Unix),
            Origin::Web { https, host, port, .. } => (*https, host.as_str(), *port),
        };
        let tcp = match connect {
            Some(address) => TcpStream::connect(address).await?,
            None => TcpStream::connect((host, port)).await?,
        };
        tcp.set_nodelay(true)?;
        if !https {
            return Ok(Self::Tcp(tcp));
        }
        let trust = trust.ok_or_else(|| io::Error::other("no certificate authorities were given"))?;
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(trust.0.clone()).connect(name, tcp).await?;
        Ok(Self::Tls(Box::new(stream)))
    }
}

macro_rules! each {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Tcp($stream) => $call,
            Stream::Tls($stream) => $call,
            Stream::Unix($stream) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_people_write_them() {
        for (text, shown, private) in [
            ("https://git.example.com", "https://git.example.com", true),
            ("https://git.example.com:443/", "https://git.example.com", true),
            ("http://127.0.0.1:5050", "http://127.0.0.1:5050", true),
            ("http://[::1]:5050/", "http://[::1]:5050", true),
            ("http://Registry.LAN/base/", "http://registry.lan/base", false),
        ] {
            let origin: Origin = text.parse().unwrap();
            assert_eq!((origin.to_string().as_str(), origin.is_private()), (shown, private), "{text}");
        }
        for wrong in ["", "git.example.com", "ftp://host", "https://", "https://host?a=b"] {
            assert_eq!(wrong.parse::<Origin>(), Err(OriginError(wrong.to_owned())), "{wrong}");
        }
        let error = "https://admin:secret@host".parse::<Origin>().unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
