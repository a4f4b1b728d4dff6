//! The table `[hub]`: who is told what a site's evidence shows.

use std::fmt;
use std::path::PathBuf;

use railhead_client::Origin;
use toml::Spanned;
use toml::de::DeValue;

use super::error::SiteError;
use super::keys;
use super::read::{At, Entry, beside};

/// Who is told what the evidence shows. Paths are usable as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hub {
    /// Where it is.
    pub origin: Origin,
    /// The path that messages go to.
    pub path: String,
    /// The file with the keys that messages are signed with.
    pub key_file: PathBuf,
    /// A file with authorities to trust, in PEM.
    pub ca: Option<PathBuf>,
}

impl fmt::Display for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

impl<'a> At<'a> {
    /// The hub; none where the table is empty, as in a first site file.
    pub(super) fn hub(&self, value: &'a Spanned<DeValue<'a>>) -> Result<Option<Hub>, SiteError> {
        let (mut url, mut key_file, mut ca) = (None, None, None);
        let entries = self.entries(value, Some(&keys::names("hub")))?;
        if entries.is_empty() {
            return Ok(None);
        }
        for entry in entries {
            match entry.key {
                "url" => url = Some(entry.address_of_hub()?),
                "key_file" => key_file = Some(beside(self.path, &entry.line()?)),
                _ => ca = Some(beside(self.path, &entry.line()?)),
            }
        }
        let missing = |name: &str, wanted: &str| self.missing(value.span().start, name, wanted);
        let (origin, path) =
            url.ok_or_else(|| missing("url", "there, as in url = \"https://hub.example.com/events\""))?;
        let key_file = key_file.ok_or_else(|| missing("key_file", "there, as in key_file = \"hub.key\""))?;
        Ok(Some(Hub { origin, path, key_file, ca }))
    }
}

impl Entry<'_> {
    /// A URL with a path. A name, a password or a query would be a secret in the site file.
    fn address_of_hub(&self) -> Result<(Origin, String), SiteError> {
        let wanted = || {
            self.wanted(
                "a URL as https://hub.example.com/events, without a name, a password, a query or a fragment",
            )
        };
        let text = self.line()?;
        if text.contains(['@', '?', '#']) {
            return Err(wanted());
        }
        let mut origin: Origin = text.parse().map_err(|_| wanted())?;
        let uri: http::Uri = text.parse().map_err(|_| wanted())?;
        if let Origin::Web { base, .. } = &mut origin {
            base.clear();
        }
        Ok((origin, uri.path().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Site;

    fn parse(text: &str) -> Result<Option<Hub>, SiteError> {
        Site::parse(Path::new("/srv/railhead.toml"), &format!("[hub]\n{text}")).map(|site| site.hub)
    }

    #[test]
    fn a_hub_is_a_url_and_a_key() {
        for (url, path, shown) in [
            ("https://hub.example.com/a/b/", "/a/b/", "https://hub.example.com/a/b/"),
            ("https://hub.example.com:443", "/", "https://hub.example.com/"),
            ("http://127.0.0.1:8080/x", "/x", "http://127.0.0.1:8080/x"),
        ] {
            let hub =
                parse(&format!("url = '{url}'\nkey_file = 'hub.key'\nca = '/etc/ca.pem'")).unwrap().unwrap();
            assert_eq!((hub.path.as_str(), hub.to_string().as_str()), (path, shown));
            assert_eq!(hub.key_file, Path::new("/srv/hub.key"));
            assert_eq!(hub.ca.as_deref(), Some(Path::new("/etc/ca.pem")));
        }
        assert_eq!(Site::parse(Path::new("railhead.toml"), "").unwrap().hub, None);
        assert_eq!(parse("").unwrap(), None);
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_is_repeated() {
        for (text, message) in [
            ("url = 'https://a/b'", ":1: hub.key_file must be there"),
            ("key_file = 'a'", "hub.url must be there"),
            ("url = 'hub.example.com'\nkey_file = 'a'", ":2: hub.url must be a URL"),
            ("url = 'https://kim:geheim@a/b'\nkey_file = 'a'", "without a name, a password"),
            ("url = 'https://a/b?key=geheim'\nkey_file = 'a'", "without a name, a password"),
            ("urls = 'https://a'", "'hub.urls' is unknown"),
            ("secret = 'geheim'", "'hub.secret' is a secret"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().contains(message), "{text}: {error}");
            assert!(!format!("{error:?}").contains("geheim"), "{error:?}");
        }
    }
}
