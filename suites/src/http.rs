//! The least of an HTTP/1.1 client: one request on one connection, in plain text.
//!
//! It hides nothing: a connection that breaks in the middle is an error that the caller sees, and nothing is ever sent twice.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

/// A server's address and the credentials to send.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where the server listens.
    pub address: SocketAddr,
    /// The value of `Authorization`.
    pub authorization: String,
}

/// An answer that came in whole.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of the header field `name`, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The body, for messages.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Http {
    /// Sends a request and reads the whole answer. `target` is a path or an absolute URL of this server.
    pub fn send(
        &self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut stream = self.connect()?;
        let mut head = self.head(method, target, fields);
        head.push_str(&length(body));
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        read_answer(stream, method == "HEAD")
    }

    /// Sends the head of a request that announces all of `body`, then only its first `part` bytes, and hangs up.
    pub fn send_part(
        &self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: &[u8],
        part: usize,
    ) -> io::Result<()> {
        let mut stream = self.connect()?;
        let mut head = self.head(method, target, fields);
        head.push_str(&length(body));
        stream.write_all(head.as_bytes())?;
        stream.write_all(&body[..part])
    }

    /// A client of the server at `address` that sends a name and a password.
    pub fn basic(address: SocketAddr, user: &str, secret: &str) -> Self {
        Self { address, authorization: format!("Basic {}", base64(&format!("{user}:{secret}"))) }
    }

    /// A client of the server at `address` that has fetched a bearer token for `scopes` where the challenge says.
    pub fn login(address: SocketAddr, user: &str, secret: &str, scopes: &[String]) -> io::Result<Self> {
        let anonymous = Self { address, authorization: String::new() };
        let answer = anonymous.send("GET", "/v2/", &[], b"")?;
        let challenge = answer.header("www-authenticate").ok_or_else(|| broken("no challenge"))?;
        let parameter = |name: &str| {
            let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        let realm = parameter("realm").ok_or_else(|| broken("a challenge without a realm"))?;
        let mut query = vec![format!("service={}", parameter("service").unwrap_or_default())];
        query.extend(scopes.iter().map(|scope| format!("scope={scope}")));
        let answer = Self::basic(address, user, secret).send(
            "GET",
            &format!("{realm}?{}", query.join("&")),
            &[],
            b"",
        )?;
        let body: serde_json::Value = serde_json::from_slice(&answer.body)?;
        let token = body["token"].as_str().ok_or_else(|| broken("no token for the right password"))?;
        Ok(Self { address, authorization: format!("Bearer {token}") })
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.address, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn head(&self, method: &str, target: &str, fields: &[(&str, &str)]) -> String {
        let path = target.split_once("://").map_or(target, |(_, rest)| &rest[rest.find('/').unwrap_or(0)..]);
        let Self { address, authorization } = self;
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
        let authorization = (!authorization.is_empty()).then_some(("Authorization", authorization.as_str()));
        for (name, value) in authorization.iter().chain(fields) {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head
    }
}

/// The last field of a head, and its end.
fn length(body: &[u8]) -> String {
    format!("Content-Length: {}\r\n\r\n", body.len())
}

/// Reads an answer from a connection that speaks HTTP/1.1. One to `HEAD` is `bodiless`.
pub fn read_answer(stream: impl Read, bodiless: bool) -> io::Result<Answer> {
    let mut from = BufReader::new(stream);
    let status = read_line(&mut from)?;
    let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| broken("no status line"))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(&mut from)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| broken("a header field without a colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Answer { status, headers, body: Vec::new() };
    if bodiless || status == 204 || status == 304 {
        return Ok(answer);
    }
    match answer.header("content-length") {
        Some(length) => {
            let length = length.parse().map_err(|_| broken("Content-Length is no number"))?;
            answer.body = vec![0; length];
            from.read_exact(&mut answer.body)?;
        }
        None if answer.header("transfer-encoding").is_some() => read_chunks(&mut from, &mut answer.body)?,
        None => return Err(broken("a body of unknown length")),
    }
    Ok(answer)
}

fn read_chunks(from: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let size = read_line(from)?;
        let size = size.split(';').next().and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
        let size = size.ok_or_else(|| broken("a chunk without a size"))?;
        if from.by_ref().take(size).read_to_end(body)? as u64 != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read_line(from)?;
        if size == 0 {
            return Ok(());
        }
    }
}

fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if from.take(64 << 10).read_line(&mut line)? == 0 || !line.ends_with('\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// RFC 4648, as in `Authorization: Basic`.
pub fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = text.as_bytes().chunks(3).map(|group| {
        let bits =
            group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        let digit = |at: usize| {
            if at <= group.len() { char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]) } else { '=' }
        };
        String::from_iter([digit(0), digit(1), digit(2), digit(3)])
    });
    groups.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_the_padding_of_rfc_4648() {
        for (text, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(text), encoded);
        }
    }

    #[test]
    fn an_answer_that_breaks_off_is_an_error() {
        let chunked = "4\r\nabcd\r\n0\r\n\r\n";
        let mut body = Vec::new();
        read_chunks(&mut chunked.as_bytes(), &mut body).unwrap();
        assert_eq!(body, b"abcd");
        for cut in 0..chunked.len() - 2 {
            assert!(read_chunks(&mut &chunked.as_bytes()[..cut], &mut Vec::new()).is_err(), "cut at {cut}");
        }
    }
}
