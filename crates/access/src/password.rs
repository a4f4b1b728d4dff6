//! Passwords: hashed with Argon2id, on threads that may block, only so many at once.
//!
//! One hash takes 19 MiB and some tens of milliseconds. As many run as there are cores, a bounded number waits, and
//! the rest is told to come again: guesses can exhaust neither memory nor the threads that serve.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::settings::PasswordCost;
use crate::{Denial, Error, Result, secret};

/// Logins that may wait for their turn.
const WAITING_MAX: usize = 128;
/// Longest password, in bytes.
pub(crate) const LONGEST: usize = 1024;
/// Shortest password, in characters (NIST SP 800-63B).
pub(crate) const SHORTEST: usize = 8;

/// Hashes and verifies passwords.
pub(crate) struct Passwords {
    hasher: Argon2<'static>,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// The hash of nothing anyone has: verified when there is no account, so that this takes as long.
    dummy: SecretString,
}

/// The right to hash one password.
pub(crate) struct Turn(#[expect(dead_code, reason = "it is held, not read")] OwnedSemaphorePermit);

impl Passwords {
    pub async fn new(cost: PasswordCost) -> Result<Self> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(failed)?;
        let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut passwords = Self {
            hasher,
            turns: Arc::new(Semaphore::new(cores)),
            waiting: AtomicUsize::new(0),
            dummy: SecretString::default(),
        };
        passwords.dummy = passwords.hash(secret::generate()?).await?;
        Ok(passwords)
    }

    /// Waits for a turn, unless too many wait already.
    pub async fn turn(&self) -> Result<Turn> {
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _counted = Waiting(&self.waiting);
        if waiting >= WAITING_MAX {
            return Err(Denial::busy().into());
        }
        let permit = Arc::clone(&self.turns).acquire_owned().await;
        permit.map(Turn).map_err(|closed| Error::Password(closed.to_string()))
    }

    /// The hash of a new password, as a PHC string.
    pub async fn hash(&self, password: SecretString) -> Result<SecretString> {
        let turn = self.turn().await?;
        let hasher = self.hasher.clone();
        let (hash, _turn) = run(turn, move || {
            let hash = hasher.hash_password(password.expose_secret().as_bytes()).map_err(failed)?;
            Ok(hash.to_string().into())
        })
        .await?;
        Ok(hash)
    }

    /// Whether `password` is the one behind `stored`; without one it takes as long and is wrong.
    /// Gives the turn back, for the caller to count a failure before the next one looks.
    pub async fn verify(
        &self,
        turn: Turn,
        password: SecretString,
        stored: Option<SecretString>,
    ) -> Result<(bool, Turn)> {
        let exists = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.dummy.clone());
        let hasher = self.hasher.clone();
        run(turn, move || {
            let stored = PasswordHash::new(stored.expose_secret()).map_err(failed)?;
            match hasher.verify_password(password.expose_secret().as_bytes(), &stored) {
                Ok(()) => Ok(exists),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(failed(error)),
            }
        })
        .await
    }
}

/// Runs `work` on a blocking thread, which holds the turn to its end even when nobody waits for it any more.
async fn run<T: Send + 'static>(
    turn: Turn,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<(T, Turn)> {
    let done = tokio::task::spawn_blocking(move || Ok((work()?, turn)));
    done.await.map_err(failed)?
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn failed(error: impl ToString) -> Error {
    Error::Password(error.to_string())
}
