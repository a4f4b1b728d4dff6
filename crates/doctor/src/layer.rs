//! Who has to act.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a cause lies, and so who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The forge or the registry itself: its configuration and its release.
    Application,
    /// What is in front: ingress, proxy, CDN, paths, limits.
    Routing,
    /// Certificates, names, trust.
    Tls,
    /// Accounts, tokens, roles, visibility.
    Identity,
    /// Where the bytes are.
    Storage,
    /// Where the metadata is.
    Database,
    /// Names, addresses, ports.
    Network,
    /// The program that pushes or pulls, and its machine.
    Client,
}

impl Layer {
    /// All layers, in the order of the vocabulary.
    pub const ALL: [Self; 8] = [
        Self::Application,
        Self::Routing,
        Self::Tls,
        Self::Identity,
        Self::Storage,
        Self::Database,
        Self::Network,
        Self::Client,
    ];

    /// The word in JSON and in the site file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Routing => "routing",
            Self::Tls => "tls",
            Self::Identity => "identity",
            Self::Storage => "storage",
            Self::Database => "database",
            Self::Network => "network",
            Self::Client => "client",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A text is not a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerError(String);

impl fmt::Display for LayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = Layer::ALL.iter().map(|layer| layer.word()).collect();
        write!(f, "'{}' is not a layer; there are {}", self.0, words.join(", "))
    }
}

impl std::error::Error for LayerError {}

impl FromStr for Layer {
    type Err = LayerError;

    fn from_str(text: &str) -> Result<Self, LayerError> {
        Self::ALL.into_iter().find(|layer| layer.word() == text).ok_or_else(|| LayerError(text.to_owned()))
    }
}

/// The site's table of layers: the repository or team that owns each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owners(BTreeMap<Layer, String>);

impl Owners {
    /// With `owner` for `layer`.
    #[must_use]
    pub fn with(mut self, layer: Layer, owner: impl Into<String>) -> Self {
        self.0.insert(layer, owner.into());
        self
    }

    /// Who owns `layer`, if the site says so.
    pub fn of(&self, layer: Layer) -> Option<&str> {
        self.0.get(&layer).map(String::as_str)
    }

    /// Every layer that has an owner.
    pub fn iter(&self) -> impl Iterator<Item = (Layer, &str)> {
        self.0.iter().map(|(layer, owner)| (*layer, owner.as_str()))
    }
}
