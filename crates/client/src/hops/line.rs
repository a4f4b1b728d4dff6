//! One connection, over which one request goes.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::reach::{End, Guide, Spot};
use super::record::{Broke, Broken, TlsSeen};
use super::tap::Tap;
use super::tls::{Shaken, handshake};

pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A connection that is ready for a request.
pub(super) struct Line {
    pub(super) stream: Tap<Box<dyn Duplex>>,
    /// What the handshake showed; none over plain HTTP.
    pub(super) tls: Option<TlsSeen>,
    /// The server asked for a certificate of the client, which has none.
    pub(super) certificate_wanted: bool,
}

impl Line {
    /// A fresh connection to `spot`.
    pub(super) async fn open(guide: &Guide, spot: &Spot) -> Result<Self, Broken> {
        Self::over(guide, &spot.end, guide.dial(spot.address).await?).await
    }

    /// Shakes hands over `tcp`, if `end` speaks TLS.
    pub(super) async fn over(guide: &Guide, end: &End, tcp: TcpStream) -> Result<Self, Broken> {
        if !end.https {
            let stream: Box<dyn Duplex> = Box::new(tcp);
            return Ok(Self { stream: Tap::new(stream), tls: None, certificate_wanted: false });
        }
        let limit = guide.settings.connect_timeout;
        let shaking = handshake(tcp, &end.host, end.authorities.clone()?);
        let Shaken { stream, seen, certificate_wanted } = timeout(limit, shaking).await.map_err(|_| {
            let detail = format!("the handshake did not end within {} s", limit.as_secs_f32());
            Broken::new(Broke::AnswerTimeout, detail)
        })??;
        let stream: Box<dyn Duplex> = Box::new(stream);
        Ok(Self { stream: Tap::new(stream), tls: Some(seen), certificate_wanted })
    }

    /// Whether a credential may go over it: what is wrong with the certificate may mean that somebody listens.
    /// Plain HTTP is the operator's choice, who wrote the route.
    pub(super) fn is_trusted(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| tls.problems.is_empty())
    }
}
