//! The head of a request or an answer, as it goes over the wire and as a breaker edits it.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What a peer of the bench may send before the empty line.
const BOUND: usize = 256 << 10;

/// First line and fields.
#[derive(Clone, Debug)]
pub struct Head {
    /// The request line or the status line.
    pub first: String,
    fields: Vec<(String, String)>,
}

impl Head {
    /// Reads a head; what came in after it is given beside.
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<(Self, Vec<u8>)> {
        let mut bytes = Vec::new();
        loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = bytes.split_off(end + 4);
                return Ok((Self::parse(&String::from_utf8_lossy(&bytes)), rest));
            }
            if bytes.len() > BOUND || from.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// A head of its first line alone.
    #[cfg(test)]
    pub(super) fn of(first: &str) -> Self {
        Self::parse(first)
    }

    fn parse(text: &str) -> Self {
        let mut lines = text.trim_end().split("\r\n");
        let first = lines.next().unwrap_or_default().to_owned();
        let fields = lines.filter_map(|line| line.split_once(':'));
        let fields = fields.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect();
        Self { first, fields }
    }

    /// As it goes over the wire, with the empty line.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let fields = self.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        format!("{}\r\n{}\r\n", self.first, fields.collect::<String>()).into_bytes()
    }

    /// The method of a request.
    pub fn method(&self) -> &str {
        self.first.split(' ').next().unwrap_or_default()
    }

    /// The path of a request, without its query.
    pub fn path(&self) -> &str {
        let target = self.first.split(' ').nth(1).unwrap_or_default();
        target.split('?').next().unwrap_or(target)
    }

    /// The status of an answer.
    pub fn status(&self) -> u16 {
        self.first.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default()
    }

    /// The first field of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Leaves out every field of this name.
    pub fn remove(&mut self, name: &str) {
        self.fields.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// Has this field once, with this value.
    pub fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.add(name, value);
    }

    /// Has one more field.
    pub fn add(&mut self, name: &str, value: &str) {
        self.fields.push((name.to_owned(), value.to_owned()));
    }

    /// Replaces a part of a field's value; a field that is not there stays away.
    pub fn replace(&mut self, name: &str, from: &str, to: &str) {
        for (_, value) in self.fields.iter_mut().filter(|(known, _)| known.eq_ignore_ascii_case(name)) {
            *value = value.replace(from, to);
        }
    }
}
