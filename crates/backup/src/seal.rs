//! Seals files for the holders of age keys: the format of age (age-encryption.org/v1) with its X25519 recipients, so that the
//! `age` program opens what is sealed here, and the other way round.
//!
//! A [`Sealer`] and an [`Opener`] take content piece by piece and hold one chunk. What an [`Opener`] has given out is what was
//! sealed, in its place; that nothing is missing at the end is known after [`Opener::finish`].

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bech32::{Bech32, Hrp};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::{hkdf, hmac};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::{Error, Result};

const VERSION: &[u8] = b"age-encryption.org/v1\n";
const CHUNK: usize = 64 << 10;
const TAG: usize = 16;
/// No header that means well is longer: some 600 recipients.
const HEADER_MAX: usize = 64 << 10;

/// Whom files are sealed for: the public half of an age key, `age1…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recipient([u8; 32]);

/// What opens files: the secret half of an age key, `AGE-SECRET-KEY-1…`.
#[derive(Clone)]
pub struct Identity(StaticSecret);

impl std::str::FromStr for Recipient {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::Key { what: format!("'{text}' is not an age recipient; it begins with age1") };
        bytes("age", text).map(Self).ok_or_else(wrong)
    }
}

impl std::fmt::Display for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = bech32::encode::<Bech32>(Hrp::parse_unchecked("age"), &self.0);
        f.write_str(&text.map_err(|_| std::fmt::Error)?)
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.recipient())
    }
}

impl Identity {
    /// The identities in a file as `age-keygen` writes it: one a line, and comments.
    pub fn parse_file(text: &str) -> Result<Vec<Self>> {
        let mut identities = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            // What stands there may be a secret: it is not repeated.
            let wrong = || Error::Key {
                what: "a line of the identity file is no age identity; one begins with AGE-SECRET-KEY-1"
                    .into(),
            };
            let secret = bytes("age-secret-key-", &line.to_ascii_lowercase()).ok_or_else(wrong)?;
            identities.push(Self(StaticSecret::from(secret)));
        }
        Ok(identities)
    }

    /// Whose files it opens.
    pub fn recipient(&self) -> Recipient {
        Recipient(PublicKey::from(&self.0).to_bytes())
    }
}

fn bytes(prefix: &str, text: &str) -> Option<[u8; 32]> {
    let (found, data) = bech32::decode(text).ok()?;
    (found.as_str() == prefix).then_some(())?;
    data.try_into().ok()
}

/// Seals one file.
pub struct Sealer {
    stream: Stream,
    buffer: Vec<u8>,
}

impl Sealer {
    /// For these recipients; what the file begins with.
    pub fn new(recipients: &[Recipient]) -> Result<(Self, Vec<u8>)> {
        let (mut file_key, mut nonce) = ([0; 16], [0; 16]);
        getrandom::fill(&mut file_key).map_err(Error::Random)?;
        getrandom::fill(&mut nonce).map_err(Error::Random)?;
        let mut header = VERSION.to_vec();
        for recipient in recipients {
            let mut scalar = [0; 32];
            getrandom::fill(&mut scalar).map_err(Error::Random)?;
            let ephemeral = StaticSecret::from(scalar);
            let share = PublicKey::from(&ephemeral).to_bytes();
            let shared = ephemeral.diffie_hellman(&PublicKey::from(recipient.0));
            let key = wrap_key(shared.as_bytes(), &share, &recipient.0)?;
            let mut wrapped = file_key.to_vec();
            let sealed = key.seal_in_place_append_tag(zero_nonce(), Aad::empty(), &mut wrapped);
            sealed.map_err(|_| Error::CutOff)?;
            header.extend_from_slice(
                format!("-> X25519 {}\n{}\n", STANDARD_NO_PAD.encode(share), STANDARD_NO_PAD.encode(wrapped))
                    .as_bytes(),
            );
        }
        header.extend_from_slice(b"---");
        let mac = hmac::sign(&mac_key(&file_key)?, &header);
        header.extend_from_slice(format!(" {}\n", STANDARD_NO_PAD.encode(mac)).as_bytes());
        header.extend_from_slice(&nonce);
        let stream = Stream::new(&file_key, &nonce)?;
        Ok((Self { stream, buffer: Vec::with_capacity(CHUNK + TAG) }, header))
    }

    /// Takes the next bytes, and adds what can be written to `out`.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        while !bytes.is_empty() {
            // A full chunk is sealed only when more comes: the last one is marked.
            if self.buffer.len() == CHUNK {
                self.seal(false, out)?;
            }
            let (piece, rest) = bytes.split_at(bytes.len().min(CHUNK - self.buffer.len()));
            self.buffer.extend_from_slice(piece);
            bytes = rest;
        }
        Ok(())
    }

    /// The end of the file.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<()> {
        self.seal(true, out)
    }

    fn seal(&mut self, last: bool, out: &mut Vec<u8>) -> Result<()> {
        let nonce = self.stream.nonce(last)?;
        let sealed = self.stream.key.seal_in_place_append_tag(nonce, Aad::empty(), &mut self.buffer);
        sealed.map_err(|_| Error::CutOff)?;
        out.extend_from_slice(&self.buffer);
        self.buffer.clear();
        Ok(())
    }
}

/// How long a file of `size` bytes is when it is sealed for so many recipients.
pub fn sealed_size(size: u64, recipients: usize) -> u64 {
    let stanza = b"-> X25519 ".len() + 43 + 1 + 43 + 1;
    let header = VERSION.len() + stanza * recipients + b"--- ".len() + 43 + 1 + 16;
    let chunks = size.div_ceil(CHUNK as u64).max(1);
    header as u64 + size + chunks * TAG as u64
}

/// Opens one file, piece by piece.
pub struct Opener {
    identities: Arc<[Identity]>,
    /// Absent until the header is read.
    stream: Option<Stream>,
    buffer: Vec<u8>,
    file: String,
}

impl Opener {
    /// With these identities; `file` is what errors call it.
    pub fn new(identities: Arc<[Identity]>, file: impl Into<String>) -> Self {
        Self { identities, stream: None, buffer: Vec::new(), file: file.into() }
    }

    /// Takes the next bytes, and adds what they hold to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.stream.is_none() && !self.header()? {
            return Ok(());
        }
        let mut from = 0;
        while self.buffer.len() - from > CHUNK + TAG {
            let chunk = &mut self.buffer[from..from + CHUNK + TAG];
            open(self.stream.as_mut(), chunk, false, out)
                .ok_or_else(|| Error::damaged(&self.file, "it cannot be opened from some byte on"))?;
            from += CHUNK + TAG;
        }
        self.buffer.drain(..from);
        Ok(())
    }

    /// The end of the file.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let opened = open(self.stream.as_mut(), &mut self.buffer, true, out);
        opened.ok_or_else(|| Error::damaged(&self.file, "its end is missing or is not what was sealed"))
    }

    /// Reads the header once it is there whole.
    fn header(&mut self) -> Result<bool> {
        let damaged = |what: &str| Error::damaged(&self.file, what);
        let begins = self.buffer.len().min(VERSION.len());
        if self.buffer[..begins] != VERSION[..begins] {
            return Err(damaged("it is no age file"));
        }
        let text_end = self.buffer.windows(5).position(|five| five == b"\n--- ");
        let end = text_end.and_then(|at| {
            let line = self.buffer[at + 1..].iter().position(|byte| *byte == b'\n')?;
            Some((at + 4, at + 1 + line))
        });
        let Some((mac_end, line_end)) = end.filter(|(_, end)| self.buffer.len() >= end + 17) else {
            return if self.buffer.len() > HEADER_MAX {
                Err(damaged("its header never ends"))
            } else {
                Ok(false)
            };
        };
        let text = String::from_utf8_lossy(&self.buffer[..line_end]).into_owned();
        let Some(file_key) = self.identities.iter().find_map(|identity| unwrap(identity, &text)) else {
            return Err(Error::Sealed { file: self.file.clone() });
        };
        let mac = STANDARD_NO_PAD.decode(&self.buffer[mac_end + 1..line_end]).unwrap_or_default();
        hmac::verify(&mac_key(&file_key)?, &self.buffer[..mac_end], &mac)
            .map_err(|_| damaged("its header is not what was sealed"))?;
        self.stream = Some(Stream::new(&file_key, &self.buffer[line_end + 1..line_end + 17])?);
        self.buffer.drain(..line_end + 17);
        Ok(true)
    }
}

fn open(stream: Option<&mut Stream>, chunk: &mut [u8], last: bool, out: &mut Vec<u8>) -> Option<()> {
    let stream = stream?;
    // Only an empty file has an empty chunk.
    if chunk.len() < TAG || chunk.len() == TAG && stream.counter > 0 {
        return None;
    }
    let nonce = stream.nonce(last).ok()?;
    let plain = stream.key.open_in_place(nonce, Aad::empty(), chunk).ok()?;
    out.extend_from_slice(plain);
    Some(())
}

/// The file's key, if a stanza of the header is for this identity.
fn unwrap(identity: &Identity, header: &str) -> Option<[u8; 16]> {
    let own = identity.recipient().0;
    let mut lines = header.lines();
    while let Some(line) = lines.next() {
        let Some(share) = line.strip_prefix("-> X25519 ") else { continue };
        let share: [u8; 32] = STANDARD_NO_PAD.decode(share).ok()?.try_into().ok()?;
        let mut wrapped = STANDARD_NO_PAD.decode(lines.next()?).ok()?;
        let shared = identity.0.diffie_hellman(&PublicKey::from(share));
        if !shared.was_contributory() {
            continue;
        }
        let key = wrap_key(shared.as_bytes(), &share, &own).ok()?;
        if let Ok(file_key) = key.open_in_place(zero_nonce(), Aad::empty(), &mut wrapped) {
            return (*file_key).try_into().ok();
        }
    }
    None
}

struct Stream {
    key: LessSafeKey,
    counter: u64,
}

impl Stream {
    fn new(file_key: &[u8; 16], nonce: &[u8]) -> Result<Self> {
        Ok(Self { key: aead(&derive(nonce, file_key, b"payload")?)?, counter: 0 })
    }

    /// The number of the chunk, and whether it is the last.
    fn nonce(&mut self, last: bool) -> Result<Nonce> {
        let mut bytes = [0; 12];
        bytes[3..11].copy_from_slice(&self.counter.to_be_bytes());
        bytes[11] = u8::from(last);
        self.counter = self.counter.checked_add(1).ok_or(Error::CutOff)?;
        Ok(Nonce::assume_unique_for_key(bytes))
    }
}

fn zero_nonce() -> Nonce {
    // The key is used once.
    Nonce::assume_unique_for_key([0; 12])
}

fn wrap_key(shared: &[u8; 32], share: &[u8; 32], recipient: &[u8; 32]) -> Result<LessSafeKey> {
    let salt = [share.as_slice(), recipient].concat();
    aead(&derive(&salt, shared, b"age-encryption.org/v1/X25519")?)
}

fn mac_key(file_key: &[u8; 16]) -> Result<hmac::Key> {
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &derive(&[], file_key, b"header")?))
}

fn aead(key: &[u8; 32]) -> Result<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, key).map(LessSafeKey::new).map_err(|_| Error::CutOff)
}

/// HKDF-SHA-256 (RFC 5869), 32 bytes.
fn derive(salt: &[u8], secret: &[u8], info: &[u8]) -> Result<[u8; 32]> {
    let mut key = [0; 32];
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let expanded = extracted.expand(&[info], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut key));
    expanded.map_err(|_| Error::CutOff)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn identity(seed: u8) -> Identity {
        Identity(StaticSecret::from([seed; 32]))
    }

    fn seal(recipients: &[Recipient], content: &[u8], step: usize) -> Vec<u8> {
        let (mut sealer, mut out) = Sealer::new(recipients).unwrap();
        for piece in content.chunks(step) {
            sealer.push(piece, &mut out).unwrap();
        }
        sealer.finish(&mut out).unwrap();
        out
    }

    fn open_all(identities: &[Identity], sealed: &[u8], step: usize) -> Result<Vec<u8>> {
        let (mut opener, mut out) = (Opener::new(identities.into(), "file"), Vec::new());
        for piece in sealed.chunks(step) {
            opener.push(piece, &mut out)?;
        }
        opener.finish(&mut out)?;
        Ok(out)
    }

    #[test]
    fn keys_are_read_as_age_writes_them() {
        let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        assert_eq!(recipient.parse::<Recipient>().unwrap().to_string(), recipient);
        assert!(
            "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8q".parse::<Recipient>().is_err()
        );
        let secret = bech32::encode::<Bech32>(Hrp::parse_unchecked("age-secret-key-"), &[7; 32]).unwrap();
        let file = format!("# created: today\n# public key: …\n{}\n", secret.to_ascii_uppercase());
        let read = Identity::parse_file(&file).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].recipient(), identity(7).recipient());
        let error = Identity::parse_file("geheim").unwrap_err().to_string();
        assert!(!error.contains("geheim"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_is_sealed_opens_for_each_recipient_and_for_nobody_else(
            size in prop_oneof![Just(0_usize), Just(CHUNK), Just(2 * CHUNK), 1..3 * CHUNK], step in 1_usize..100_000
        ) {
            let content: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let sealed = seal(&[identity(1).recipient(), identity(2).recipient()], &content, step);
            prop_assert_eq!(sealed.len() as u64, sealed_size(size as u64, 2));
            for seed in [1, 2] {
                prop_assert_eq!(&open_all(&[identity(9), identity(seed)], &sealed, step).unwrap(), &content);
            }
            let refused = open_all(&[identity(9)], &sealed, step);
            let is_sealed = matches!(refused, Err(Error::Sealed { .. }));
            prop_assert!(is_sealed);
        }

        #[test]
        fn a_changed_or_missing_byte_is_found(at in 0_usize..1000, cut: bool) {
            let content = vec![5; CHUNK + 100];
            let mut sealed = seal(&[identity(1).recipient()], &content, 4096);
            let at = at * sealed.len() / 1000;
            if cut { sealed.truncate(at) } else { sealed[at] ^= 1 }
            prop_assert!(open_all(&[identity(1)], &sealed, 4096).is_err());
        }
    }
}
