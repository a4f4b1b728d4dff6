//! One access path to a registry.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Serialize;

use crate::{Origin, OriginError};

/// One access path to a registry: where a client believes the registry to be, and where the connection really goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Route {
    /// What people call it: `public`, `nodeport`, `pod`.
    pub name: String,
    /// The URL; its host is the `Host` header and the server name of TLS.
    #[serde(serialize_with = "as_text")]
    pub url: Origin,
    /// `ADDRESS:PORT` to connect to, so that the host of `url` need not resolve.
    pub connect: Option<String>,
    /// A PEM file with authorities to trust on this route, besides the system's.
    pub ca: Option<PathBuf>,
}

fn as_text<S: serde::Serializer>(url: &Origin, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(url)
}

/// A text is not a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// It does not begin with `NAME=URL`.
    #[error("'{0}' is not a route; write it as NAME=URL[,connect=ADDRESS:PORT][,ca=FILE]")]
    Form(String),
    /// The URL is not one.
    #[error("the route '{name}' has no usable URL")]
    Url {
        /// The route.
        name: String,
        /// Why.
        source: OriginError,
    },
    /// A registry cannot live under a path.
    #[error(
        "the route '{name}' has the path '{path}'; a registry's name is its host, and /v2/ is at the root of it"
    )]
    Path {
        /// The route.
        name: String,
        /// The path.
        path: String,
    },
    /// It has a part that routes do not have.
    #[error("the route '{name}' has the part '{part}'; there are connect=ADDRESS:PORT and ca=FILE")]
    Part {
        /// The route.
        name: String,
        /// The part.
        part: String,
    },
}

impl Route {
    /// The route `name` to `url`, by name and with the system's authorities.
    pub fn new(name: impl Into<String>, url: Origin) -> Self {
        Self { name: name.into(), url, connect: None, ca: None }
    }

    /// Whether the route speaks TLS.
    pub fn is_tls(&self) -> bool {
        matches!(self.url, Origin::Web { https: true, .. })
    }
}

impl FromStr for Route {
    type Err = RouteError;

    /// Reads `NAME=URL[,connect=ADDRESS:PORT][,ca=FILE]`.
    fn from_str(text: &str) -> Result<Self, RouteError> {
        let form = || RouteError::Form(text.to_owned());
        let (name, rest) = text.split_once('=').ok_or_else(form)?;
        let mut parts = rest.split(',');
        let url = parts.next().unwrap_or_default();
        let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
        if name.is_empty() || !name.chars().all(plain) {
            return Err(form());
        }
        let name = name.to_owned();
        let url: Origin = url.parse().map_err(|source| RouteError::Url { name: name.clone(), source })?;
        if !url.base().is_empty() {
            return Err(RouteError::Path { path: url.base().to_owned(), name });
        }
        let mut route = Self::new(name, url);
        for part in parts {
            match part.split_once('=') {
                Some(("connect", address)) if has_port(address) => route.connect = Some(address.to_owned()),
                Some(("ca", file)) if !file.is_empty() => route.ca = Some(PathBuf::from(file)),
                _ => return Err(RouteError::Part { name: route.name, part: part.to_owned() }),
            }
        }
        Ok(route)
    }
}

fn has_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.url)?;
        if let Some(connect) = &self.connect {
            write!(f, ",connect={connect}")?;
        }
        if let Some(ca) = &self.ca {
            write!(f, ",ca={}", ca.display())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_read_and_written_the_same() {
        for text in [
            "public=https://git.example.com",
            "pod=http://git.example.com,connect=10.0.0.7:3000",
            "tls=https://git.example.com,connect=[::1]:8443,ca=/etc/ca.pem",
        ] {
            assert_eq!(text.parse::<Route>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_route_says_why() {
        for (text, part) in [
            ("https://git.example.com", "NAME=URL"),
            ("a b=https://git.example.com", "NAME=URL"),
            ("public=git.example.com", "no usable URL"),
            ("public=https://git.example.com/git", "/v2/ is at the root"),
            ("public=https://git.example.com,connect=10.0.0.7", "connect=ADDRESS:PORT"),
            ("public=https://git.example.com,key=x", "'key=x'"),
        ] {
            let error = text.parse::<Route>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
