//! Messages of the forge: something has changed there, so it is asked anew at once.
//!
//! A message counts when it is signed with the secret that both know (HMAC-SHA-256 over the body, in hexadecimal digits), and
//! when it did not come before. What it is about is not looked at: the next question finds out. So all that a message can do
//! is to have the forge asked again, and that at most once every [`EVERY`], however many come. One that comes sooner counts
//! with all others of that time at its end.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::Access;

/// The forge is asked anew at most once in so long.
const EVERY: Duration = Duration::from_secs(1);
/// Messages that are remembered, so that none of them counts twice.
const REMEMBERED: usize = 4096;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hooked {
    /// The forge is asked anew.
    Taken,
    /// It came before.
    Replayed,
    /// It is not signed with the secret, or none is set.
    NotSigned,
}

type Signature = [u8; 32];

/// The secret, and what came lately.
pub(crate) struct Webhook {
    secret: Option<SecretString>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seen: HashSet<Signature>,
    /// The same, oldest first.
    order: VecDeque<Signature>,
    asked: Option<Instant>,
    /// Whether somebody waits to have the forge asked anew.
    waits: bool,
}

/// When the forge is to be asked anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Now,
    In(Duration),
    /// Another message has seen to it.
    Settled,
}

impl Webhook {
    pub fn new(secret: Option<SecretString>) -> Self {
        Self { secret, state: Mutex::default() }
    }

    fn check(&self, body: &[u8], signature: &str, now: Instant) -> Result<Due, Hooked> {
        let secret = self.secret.as_ref().ok_or(Hooked::NotSigned)?;
        let given = signature_of(signature).ok_or(Hooked::NotSigned)?;
        let mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes());
        // It compares in constant time.
        let right = mac.is_ok_and(|mac| mac.chain_update(body).verify_slice(&given).is_ok());
        if !right {
            return Err(Hooked::NotSigned);
        }
        self.state().take(given, now).ok_or(Hooked::Replayed)
    }

    fn asked(&self, now: Instant) {
        let mut state = self.state();
        state.asked = Some(now);
        state.waits = false;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Notes a message; `None` when it came before.
    fn take(&mut self, message: Signature, now: Instant) -> Option<Due> {
        if !self.seen.insert(message) {
            return None;
        }
        self.order.push_back(message);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        if self.waits {
            return Some(Due::Settled);
        }
        let passed = self.asked.map_or(EVERY, |asked| now.saturating_duration_since(asked));
        if passed >= EVERY {
            self.asked = Some(now);
            return Some(Due::Now);
        }
        self.waits = true;
        Some(Due::In(EVERY.saturating_sub(passed)))
    }
}

impl Access {
    /// Whether the forge's messages are taken: a secret is set.
    pub fn takes_messages(&self) -> bool {
        self.0.webhook.secret.is_some()
    }

    /// Takes a message of the forge, with the signature that came with it.
    pub async fn hooked(&self, body: &[u8], signature: &str) -> Hooked {
        match self.0.webhook.check(body, signature, Instant::now()) {
            Ok(Due::Now) => self.ask_anew().await,
            Ok(Due::In(wait)) => {
                // On its own: the forge that sends the message does not wait so long.
                let access = self.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(wait).await;
                    // Before the forge is asked, so that what comes meanwhile is not settled by this.
                    access.0.webhook.asked(Instant::now());
                    access.ask_anew().await;
                });
            }
            Ok(Due::Settled) => {}
            Err(refused) => return refused,
        }
        Hooked::Taken
    }

    /// Forgets what the forge said, here and in every other process on this catalog.
    async fn ask_anew(&self) {
        if let Some(forge) = self.forge() {
            forge.forget();
        }
        self.changed();
        if !self.0.catalog.is_exclusive()
            && let Err(error) = self.0.catalog.begin_generation().await
        {
            tracing::warn!(error = %error, "other replicas are not told that something changed on the forge; they find out when their answers end");
        }
    }
}

fn signature_of(text: &str) -> Option<Signature> {
    let mut bytes = [0; 32];
    let digits = text.as_bytes();
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high? << 4 | low?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "both of them know it";

    fn signed(secret: &str, body: &[u8]) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body);
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    }

    #[test]
    fn a_message_counts_once_and_when_it_is_signed() {
        let (hook, now) = (Webhook::new(Some(SECRET.into())), Instant::now());
        let good = signed(SECRET, b"{}");
        assert_eq!(hook.check(b"{}", &good, now), Ok(Due::Now));
        assert_eq!(hook.check(b"{}", &good, now), Err(Hooked::Replayed));
        assert_eq!(hook.check(b"{}", &good.to_uppercase(), now + EVERY * 9), Err(Hooked::Replayed));
        for (body, signature) in [
            (&b"{}"[..], signed("another secret", b"{}")),
            (b"[]", good.clone()),
            (b"{}", String::new()),
            (b"{}", good[1..].to_owned()),
            (b"{}", "+f".repeat(32)),
            (b"{}", "é".repeat(32)),
        ] {
            assert_eq!(hook.check(body, &signature, now), Err(Hooked::NotSigned), "{signature}");
        }
        assert_eq!(Webhook::new(None).check(b"{}", &good, now), Err(Hooked::NotSigned));
    }

    #[test]
    fn many_messages_have_the_forge_asked_once_each_second() {
        let (hook, start) = (Webhook::new(Some(SECRET.into())), Instant::now());
        let send = |body: u32, at: Instant| {
            let body = body.to_be_bytes();
            hook.check(&body, &signed(SECRET, &body), at)
        };
        assert_eq!(send(0, start), Ok(Due::Now));
        assert_eq!(send(1, start + EVERY / 4), Ok(Due::In(EVERY * 3 / 4)));
        for body in 2..50 {
            assert_eq!(send(body, start + EVERY / 2), Ok(Due::Settled));
        }
        hook.asked(start + EVERY);
        assert_eq!(send(50, start + EVERY), Ok(Due::In(EVERY)));
        hook.asked(start + EVERY * 2);
        assert_eq!(send(51, start + EVERY * 4), Ok(Due::Now));
    }

    #[test]
    fn what_is_remembered_of_messages_has_a_bound() {
        let (mut state, now) = (State::default(), Instant::now());
        let message = |number: u32| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            bytes
        };
        let all = u32::try_from(REMEMBERED).unwrap();
        for number in 0..=all {
            assert!(state.take(message(number), now).is_some());
        }
        assert_eq!((state.seen.len(), state.order.len()), (REMEMBERED, REMEMBERED));
        assert!(state.take(message(all), now).is_none(), "the last is known");
        assert!(state.take(message(0), now).is_some(), "the first is forgotten");
    }
}
