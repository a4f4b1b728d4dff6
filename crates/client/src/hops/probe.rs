//! Looks whether a port that closed on a handshake speaks plain HTTP.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Duration, timeout};

use super::broke::shown;
use super::reach::{Guide, Spot};
use super::record::{Broke, Broken};

/// Servers of plain HTTP answer at once or not at all.
const PATIENCE: Duration = Duration::from_secs(2);

/// How the handshake broke, said more precisely if the port speaks plain HTTP. Some servers of HTTP close without a word
/// when they get a handshake, which looks like a fault of TLS.
pub(super) async fn plain(guide: &Guide, spot: &Spot, broke: Broken) -> Broken {
    if broke.kind != Broke::Closed {
        return broke;
    }
    let limit = guide.settings.answer_timeout.min(PATIENCE);
    match timeout(limit, greet(guide, spot)).await {
        Ok(Some(first)) if first.starts_with(b"HTTP/") => Broken::new(Broke::NotTls, shown(&first)),
        _ => broke,
    }
}

async fn greet(guide: &Guide, spot: &Spot) -> Option<Vec<u8>> {
    let mut stream = guide.dial(spot.address).await.ok()?;
    let request =
        format!("GET /v2/ HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", spot.end.origin.authority());
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut first = vec![0; 64];
    let count = stream.read(&mut first).await.ok()?;
    first.truncate(count);
    Some(first)
}
