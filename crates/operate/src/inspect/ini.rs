//! The forge's app.ini, of which only what matters here is kept.

use std::collections::BTreeMap;

/// A setting that is looked at.
pub struct Known {
    /// Its section.
    pub section: &'static str,
    /// Its key.
    pub key: &'static str,
    /// What holds where it is absent; none if that depends.
    pub default: Option<&'static str>,
    /// What it means that it is absent.
    pub absent: &'static str,
}

const fn known(
    section: &'static str,
    key: &'static str,
    default: Option<&'static str>,
    absent: &'static str,
) -> Known {
    Known { section, key, default, absent }
}

/// The settings that are kept; nothing else of the file gets out of the reader. None of them is a secret.
pub const KEPT: &[Known] = &[
    known("packages", "ENABLED", Some("true"), "the registry is on by default"),
    known("packages", "LIMIT_SIZE_CONTAINER", Some("-1"), "images may have any size"),
    known("packages", "LIMIT_TOTAL_OWNER_SIZE", Some("-1"), "an owner may keep any number of bytes"),
    known("packages", "LIMIT_TOTAL_OWNER_COUNT", Some("-1"), "an owner may keep any number of packages"),
    known("packages", "STORAGE_TYPE", None, "packages are kept as [storage] says, or as files"),
    known("packages", "PATH", None, "packages are in the directory `packages` of APP_DATA_PATH"),
    known("packages", "MINIO_BUCKET", None, ""),
    known("packages", "MINIO_ENDPOINT", None, ""),
    known("storage.packages", "STORAGE_TYPE", None, ""),
    known("storage.packages", "PATH", None, ""),
    known("storage.packages", "MINIO_BUCKET", None, ""),
    known("storage.packages", "MINIO_ENDPOINT", None, ""),
    known("storage", "STORAGE_TYPE", Some("local"), "everything is kept as files"),
    known("storage", "PATH", None, ""),
    known("storage", "MINIO_BUCKET", None, ""),
    known("storage", "MINIO_ENDPOINT", None, ""),
    known("repository", "ROOT", None, "repositories are in APP_DATA_PATH"),
    known("repository", "DISABLED_REPO_UNITS", Some(""), "no unit is turned off"),
    known("server", "ROOT_URL", None, "links and realms are made from PROTOCOL, DOMAIN and HTTP_PORT"),
    known("server", "DOMAIN", Some("localhost"), "the forge believes to be at localhost"),
    known("server", "PROTOCOL", Some("http"), "the forge speaks HTTP without TLS"),
    known("server", "HTTP_PORT", Some("3000"), ""),
    known("server", "APP_DATA_PATH", None, "data is in the directory `data` of WORK_PATH"),
    known("service", "REQUIRE_SIGNIN_VIEW", Some("false"), "public packages can be pulled without a login"),
    known("cron.cleanup_packages", "ENABLED", Some("true"), "expired packages are cleaned up"),
    known("cron.cleanup_packages", "OLDER_THAN", Some("24h"), ""),
    known("database", "DB_TYPE", None, ""),
    known("database", "HOST", None, ""),
    known("database", "NAME", None, ""),
    known("database", "PATH", None, ""),
    known("", "WORK_PATH", None, ""),
];

/// The settings of [`KEPT`] that a file has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ini(BTreeMap<(String, String), String>);

impl Ini {
    /// Reads the text of an app.ini.
    pub fn parse(text: &str) -> Self {
        let mut ini = Self::default();
        let mut section = String::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with([';', '#']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                name.trim().clone_into(&mut section);
                continue;
            }
            if let Some((key, value)) = line.split_once(['=', ':']) {
                ini.set(&section, key, value);
            }
        }
        ini
    }

    /// Reads the sections that the chart keeps, one a key of a Secret.
    pub fn sections<'a>(sections: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut ini = Self::default();
        for (section, text) in sections {
            let section = if section == "_generals_" { "" } else { section };
            for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
                ini.set(section, key, value);
            }
        }
        ini
    }

    /// Keeps a setting, if it is one that is kept.
    fn set(&mut self, section: &str, key: &str, value: &str) {
        let (section, key) = (section.trim().to_lowercase(), key.trim().trim_matches('`').to_uppercase());
        let value = value.trim().trim_matches(['`', '"']).trim();
        if KEPT.iter().any(|known| known.section == section && known.key == key) {
            self.0.insert((section, key), value.to_owned());
        }
    }

    /// What the file says; none where it says nothing.
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.0.get(&(section.to_owned(), key.to_owned())).map(String::as_str)
    }

    /// What holds.
    pub fn effective(&self, section: &str, key: &str) -> Option<&str> {
        let default = || KEPT.iter().find(|known| known.section == section && known.key == key)?.default;
        self.get(section, key).or_else(default)
    }

    /// Whether the file says anything in the section.
    pub fn has_section(&self, section: &str) -> bool {
        self.0.keys().any(|(of, _)| of == section)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "WORK_PATH = /data\n; a comment\n[server]\nROOT_URL = http://forge.test\nLFS_JWT_SECRET = geheim\n\
                        [database]\nDB_TYPE = postgres\nPASSWD = `geheim`\n[security]\nSECRET_KEY=geheim\n[repository]\nDISABLED_REPO_UNITS =\n";

    #[test]
    fn what_matters_is_kept_and_nothing_else() {
        let ini = Ini::parse(TEXT);
        assert_eq!(ini.get("", "WORK_PATH"), Some("/data"));
        assert_eq!(ini.get("server", "ROOT_URL"), Some("http://forge.test"));
        assert_eq!(ini.get("repository", "DISABLED_REPO_UNITS"), Some(""));
        assert_eq!(
            (ini.get("packages", "ENABLED"), ini.effective("packages", "ENABLED")),
            (None, Some("true"))
        );
        assert!(!format!("{ini:?}").contains("geheim"));
        let sections = [("server", "ROOT_URL=https://a/\nHTTP_PORT=3000"), ("_generals_", "WORK_PATH=/x")];
        let ini = Ini::sections(sections);
        assert_eq!(
            (ini.get("server", "ROOT_URL"), ini.get("", "WORK_PATH")),
            (Some("https://a/"), Some("/x"))
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_much_for_it(text in "(?s).{0,200}") {
            let ini = Ini::parse(&text);
            proptest::prop_assert!(ini.0.len() <= KEPT.len());
        }
    }
}
