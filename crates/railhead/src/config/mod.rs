//! The configuration: flags over variables over the file over defaults, each value with where it came from.
//!
//! Order: [`Layers`] are gathered by `main`, [`Values::read`] lays them over each other and checks each value against
//! its key, [`Config::of`] gives the values their types. Nothing unknown is passed over, and a secret never stands in
//! the file, nor in anything that is shown.

mod file;
mod key;
pub mod keys;
pub mod reference;
mod service_link;
mod settings;
pub mod size;
mod values;
pub mod workloads;

use file::line_of;
pub use settings::{Config, Database, LogFormat, Mirror, read_secret};
pub use values::{DEFAULT_FILE, Layers, Values};

/// Why the configuration cannot be used. `hint` is what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// What is wrong, where.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ConfigError {
    fn new(message: String) -> Self {
        Self { message, hint: None, source: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn because(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }
}
