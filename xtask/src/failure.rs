//! Why a command stopped.

use std::fmt;
use std::process::ExitStatus;

/// Why a command stopped.
#[derive(Debug)]
pub enum Failure {
    /// The arguments make no sense; the text says how they would.
    Usage(String),
    /// A program could not be started.
    Start(String, std::io::Error),
    /// A program ended badly.
    Ended(String, ExitStatus),
    /// Something that is needed cannot be had here; the text says what and why.
    CannotRun(String),
    /// This machine cannot do the work, whatever is installed.
    NotHere(String),
    /// A step of [`crate::ci`] failed.
    Step(String, Box<Self>),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => write!(f, "{text}"),
            Self::Start(program, error) => write!(f, "cannot start {program}: {error}"),
            Self::Ended(program, status) => write!(f, "{program} ended with {status}"),
            Self::CannotRun(text) | Self::NotHere(text) => write!(f, "cannot run: {text}"),
            Self::Step(name, failure) => write!(f, "step `{name}` failed: {failure}"),
        }
    }
}
