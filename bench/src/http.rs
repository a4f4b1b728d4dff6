//! The smallest HTTP/1.1 client that can load a server without becoming the bottleneck: requests are bytes that
//! the caller made beforehand, answers are parsed in place, bodies are read into one buffer and forgotten.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// A server that is silent for so long has failed.
const SILENCE: Duration = Duration::from_mins(2);

/// One kept-alive connection.
pub struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
    /// What of `buffer` was received and not yet consumed.
    ready: std::ops::Range<usize>,
    /// The head of the last answer.
    head: Vec<u8>,
    /// The body of the last answer, when it was asked for.
    pub body: Vec<u8>,
    closing: bool,
}

/// What becomes of an answer's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// There is none, because the request was a HEAD.
    Absent,
    /// It is counted.
    Count,
    /// It is kept in [`Connection::body`].
    Keep,
}

/// The two facts that every answer is checked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Bytes of the body; for HEAD what Content-Length announced.
    pub length: u64,
}

/// How the end of a body is found.
#[derive(Clone, Copy)]
enum Framing {
    Length(u64),
    Chunked,
}

impl Connection {
    /// Connects to `address`.
    pub fn open(address: SocketAddr) -> Result<Self> {
        Ok(Self {
            address,
            stream: connect(address)?,
            buffer: vec![0; 256 << 10],
            ready: 0..0,
            head: Vec::with_capacity(1024),
            body: Vec::new(),
            closing: false,
        })
    }

    /// Sends bytes of a request; a new request on a connection that the server closed opens another.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        if self.closing {
            self.stream = connect(self.address)?;
            (self.ready, self.closing) = (0..0, false);
        }
        self.stream.write_all(bytes).context("the server stopped reading")
    }

    /// Reads one answer.
    pub fn answer(&mut self, body: Body) -> Result<Answer> {
        self.read_head()?;
        while self.head.starts_with(b"HTTP/1.1 100") {
            self.read_head()?;
        }
        let status = self.status()?;
        self.closing = self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let framing = self.framing(status)?;
        self.body.clear();
        let length = match (body, framing) {
            (Body::Absent, Framing::Length(length)) => length,
            (Body::Absent, Framing::Chunked) => 0,
            (_, Framing::Length(length)) => {
                self.take(length, body)?;
                length
            }
            (_, Framing::Chunked) => self.take_chunks(body)?,
        };
        Ok(Answer { status, length })
    }

    /// Value of a header of the last answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
            let (key, value) = line.split_at_checked(name.len())?;
            let value = value.strip_prefix(b":")?;
            key.eq_ignore_ascii_case(name.as_bytes()).then(|| str::from_utf8(value).ok().map(str::trim))?
        })
    }

    /// The head of the last answer, for an error's text.
    pub fn head(&self) -> String {
        String::from_utf8_lossy(&self.head).trim_end().to_owned()
    }

    fn status(&self) -> Result<u16> {
        self.head
            .get(9..12)
            .and_then(|digits| str::from_utf8(digits).ok()?.parse().ok())
            .with_context(|| format!("not an HTTP answer: {}", self.head()))
    }

    fn framing(&self, status: u16) -> Result<Framing> {
        if self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return Ok(Framing::Chunked);
        }
        match self.header("content-length") {
            Some(length) => {
                Ok(Framing::Length(length.parse().with_context(|| format!("bad Content-Length {length}"))?))
            }
            None if matches!(status, 204 | 304) => Ok(Framing::Length(0)),
            None => bail!("an answer without a length: {}", self.head()),
        }
    }

    /// Receives more bytes behind those that are ready.
    fn receive(&mut self) -> Result<()> {
        if self.ready.is_empty() {
            self.ready = 0..0;
        } else if self.ready.end == self.buffer.len() {
            self.buffer.copy_within(self.ready.clone(), 0);
            self.ready = 0..self.ready.len();
        }
        let count = self.stream.read(&mut self.buffer[self.ready.end..]).context("no answer")?;
        if count == 0 {
            self.closing = true;
            bail!("the server closed the connection in the middle of an answer");
        }
        self.ready.end += count;
        Ok(())
    }

    fn read_head(&mut self) -> Result<()> {
        let end = self.find(b"\r\n\r\n")?;
        self.head.clear();
        self.head.extend_from_slice(&self.buffer[self.ready.start..self.ready.start + end]);
        self.ready.start += end;
        Ok(())
    }

    /// Length of what is ready up to and with `mark`.
    fn find(&mut self, mark: &[u8]) -> Result<usize> {
        let mut seen = 0;
        loop {
            let ready = &self.buffer[self.ready.clone()];
            if let Some(at) = ready[seen..].windows(mark.len()).position(|window| window == mark) {
                return Ok(seen + at + mark.len());
            }
            seen = ready.len().saturating_sub(mark.len() - 1);
            if ready.len() == self.buffer.len() {
                bail!("the head of an answer is longer than {} bytes", self.buffer.len());
            }
            self.receive()?;
        }
    }

    /// Consumes `length` bytes of body.
    fn take(&mut self, length: u64, body: Body) -> Result<()> {
        let mut left = length;
        while left > 0 {
            if self.ready.is_empty() {
                self.receive()?;
            }
            let count = left.min(self.ready.len() as u64) as usize;
            if body == Body::Keep {
                let part = self.ready.start..self.ready.start + count;
                self.body.extend_from_slice(&self.buffer[part]);
            }
            self.ready.start += count;
            left -= count as u64;
        }
        Ok(())
    }

    fn take_chunks(&mut self, body: Body) -> Result<u64> {
        let mut total = 0;
        loop {
            let end = self.find(b"\r\n")?;
            let line = &self.buffer[self.ready.start..self.ready.start + end - 2];
            let size = str::from_utf8(line)
                .ok()
                .and_then(|text| u64::from_str_radix(text.split(';').next()?.trim(), 16).ok())
                .context("a chunk without a size")?;
            self.ready.start += end;
            self.take(size, body)?;
            self.find(b"\r\n")?;
            self.ready.start += 2;
            total += size;
            if size == 0 {
                return Ok(total);
            }
        }
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true).context("cannot set TCP_NODELAY")?;
    stream.set_read_timeout(Some(SILENCE)).context("cannot set a read timeout")?;
    stream.set_write_timeout(Some(SILENCE)).context("cannot set a write timeout")?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A connection whose server sends `script` and closes.
    fn scripted(script: &'static [u8]) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || listener.accept().unwrap().0.write_all(script).unwrap());
        Connection::open(address).unwrap()
    }

    #[test]
    fn answers_follow_each_other_on_one_connection() {
        let mut connection = scripted(
            b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
              4;x=y\r\nwiki\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\nLocation: /there\r\n\r\n",
        );
        assert_eq!(connection.answer(Body::Keep).unwrap(), Answer { status: 200, length: 3 });
        assert_eq!(connection.body, b"abc");
        assert_eq!(connection.answer(Body::Keep).unwrap(), Answer { status: 200, length: 4 });
        assert_eq!(connection.body, b"wiki");
        assert_eq!(connection.answer(Body::Count).unwrap(), Answer { status: 204, length: 0 });
        assert_eq!(connection.header("location"), Some("/there"));
        assert!(connection.answer(Body::Count).is_err());
    }

    #[test]
    fn a_body_that_stops_early_is_an_error() {
        assert!(scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").answer(Body::Count).is_err());
    }
}
