//! Looks for decrypted values where they do not belong: in the work tree, in git's index, and in what is about to be written or said.
//!
//! Three ways, since each alone is blind somewhere: the values that sops decrypts, anywhere; a plain value for a key that sops encrypts
//! elsewhere; and keys and tokens by their shape, in what differs from the last commit.
//!
//! Invariant: what is found is named by its place and its key, and is never repeated.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::values::{Values, leaves};
use crate::programs::{find, last_line};
use crate::yaml;

/// A value that is shorter stands by chance in a text.
const SHORTEST: usize = 8;
/// The longest file that is looked at: no values file is nearly as long.
const LONGEST: u64 = 32 << 20;
/// In the names of keys whose values are secrets.
const WORDS: [&str; 7] = ["passw", "secret", "token", "credential", "private", "apikey", "conn_str"];
/// How secrets of known kinds begin, and what they are.
const SHAPES: [(&str, &str); 7] = [
    ("AGE-SECRET-KEY-1", "a private key of age"),
    ("PRIVATE KEY-----", "a private key"),
    ("ghp_", "a token of GitHub"),
    ("github_pat_", "a token of GitHub"),
    ("glpat-", "a token of GitLab"),
    ("rh_", "a token of Railhead"),
    ("eyJhbGciOi", "a signed token"),
];

/// A secret where none belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leak {
    /// The file and the line; what stands in git's index says so.
    pub place: String,
    /// Which secret: its key and its file, or its kind.
    pub what: String,
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Scan {
    /// The top of the work tree; none where there is no git repository.
    pub tree: Option<PathBuf>,
    /// How many files were looked at.
    pub files: usize,
    /// How many decrypted values were looked for.
    pub values: usize,
    /// What was found.
    pub leaks: Vec<Leak>,
}

/// Why it cannot be looked for.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// A program or a file.
    #[error("cannot {act}")]
    Io {
        /// What was tried.
        act: String,
        /// Why.
        source: io::Error,
    },
    /// git refuses.
    #[error("git {act} fails: {said}")]
    Git {
        /// What was tried.
        act: String,
        /// What it said last.
        said: String,
    },
}

/// What is looked for.
struct Wanted<'a> {
    /// A line of the text, and which secret it is of.
    texts: Vec<(SecretString, String)>,
    /// Keys that are encrypted, and in which file.
    keys: Vec<(Vec<String>, &'a Path)>,
}

/// Looks into the work tree that `place` is in, and into `texts`, each with what it is called.
pub fn scan(place: &Path, values: &Values, texts: &[(&str, &str)]) -> Result<Scan, ScanError> {
    let wanted = Wanted::of(values);
    let mut found = Scan { values: wanted.texts.len(), ..Scan::default() };
    for (name, text) in texts {
        wanted.look(text, name, Path::new("a.yaml"), true, &mut found.leaks);
    }
    if let Some(tree) = tree(place)? {
        look_into(&tree, &wanted, &mut found)?;
        found.tree = Some(tree);
    }
    let mut seen = BTreeSet::new();
    found.leaks.retain(|leak| seen.insert((leak.place.clone(), leak.what.clone())));
    Ok(found)
}

fn look_into(tree: &Path, wanted: &Wanted<'_>, found: &mut Scan) -> Result<(), ScanError> {
    let files = names(tree, &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
    let others = names(tree, &["ls-files", "-z", "--others", "--exclude-standard"])?;
    // A repository without a commit differs in everything.
    let differing = names(tree, &["diff", "--name-only", "-z", "--no-ext-diff", "HEAD"]).ok();
    let unstaged = names(tree, &["diff", "--name-only", "-z", "--no-ext-diff"])?;
    for name in &files {
        let is_new = others.contains(name) || differing.as_ref().is_none_or(|all| all.contains(name));
        let (path, shown) = (tree.join(name), name.to_string_lossy());
        // What was deleted stands only in the index; a link's text is a path.
        if fs::symlink_metadata(&path).is_ok_and(|seen| seen.is_file() && seen.len() <= LONGEST) {
            let bytes = fs::read(&path)
                .map_err(|source| ScanError::Io { act: format!("read {}", path.display()), source })?;
            found.files += 1;
            wanted.look(&String::from_utf8_lossy(&bytes), &shown, &path, is_new, &mut found.leaks);
        }
        if unstaged.contains(name) {
            let mut object = OsString::from(":");
            object.push(name);
            let staged = git(tree, &[OsStr::new("show"), &object])?;
            let shown = format!("{shown} in the index");
            wanted.look(&String::from_utf8_lossy(&staged), &shown, &path, is_new, &mut found.leaks);
        }
    }
    Ok(())
}

impl<'a> Wanted<'a> {
    fn of(values: &'a Values) -> Self {
        let (mut texts, mut keys) = (Vec::new(), Vec::new());
        for file in values.files() {
            let shown = file.path().display();
            for (path, value) in file.hidden_values() {
                // A long one may be indented differently elsewhere, so one line has to do.
                let line = value.expose_secret().lines().map(str::trim).max_by_key(|line| line.len());
                let Some(line) = line.filter(|line| line.len() >= SHORTEST) else { continue };
                if is_secret(&path, line) {
                    let what = format!("the value of {} in {shown}", path.join("."));
                    texts.push((STANDARD.encode(value.expose_secret()).into(), what.clone()));
                    texts.push((line.to_owned().into(), what));
                }
            }
            let secret = file.hidden_keys().into_iter().filter(|path| names_a_secret(path));
            keys.extend(secret.map(|path| (path, file.path())));
        }
        Self { texts, keys }
    }

    /// Looks into one text.
    fn look(&self, text: &str, name: &str, path: &Path, is_new: bool, leaks: &mut Vec<Leak>) {
        let mut leak = |at: usize, what: &str| {
            let line = text[..at].matches('\n').count() + 1;
            leaks.push(Leak { place: format!("{name}:{line}"), what: what.to_owned() });
        };
        for (secret, what) in &self.texts {
            if let Some(at) = text.find(secret.expose_secret()) {
                leak(at, what);
            }
        }
        for (shape, what) in SHAPES.iter().filter(|_| is_new) {
            if let Some((at, _)) = text.match_indices(shape).find(|(at, _)| is_shape(text, *at, shape)) {
                leak(at, what);
            }
        }
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if is_yaml && !self.keys.is_empty() {
            self.plain_keys(text, name, leaks);
        }
    }

    fn plain_keys(&self, text: &str, name: &str, leaks: &mut Vec<Leak>) {
        // What is no YAML has no keys: a template of a chart, for one.
        for document in yaml::read(text).unwrap_or_default() {
            leaves(&document, &mut Vec::new(), &mut |path, value| {
                let known = self.keys.iter().find(|(key, _)| key == path);
                let is_plain = !value.is_empty() && !value.starts_with("ENC[");
                if let (Some((_, file)), true) = (known, is_plain) {
                    let what =
                        format!("a plain value for {}, which {} encrypts", path.join("."), file.display());
                    leaks.push(Leak { place: name.to_owned(), what });
                }
            });
        }
    }
}

/// Whether what begins here is a secret, and not a word about one.
fn is_shape(text: &str, at: usize, shape: &str) -> bool {
    if shape == "PRIVATE KEY-----" {
        // The body of the key follows in the next line.
        let next = text[at..].lines().nth(1).map(str::trim).unwrap_or_default();
        return next.len() >= 16
            && next.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    }
    let before = text[..at].chars().next_back();
    let begins = before.is_none_or(|letter| !letter.is_ascii_alphanumeric() && letter != '_');
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    begins && text.as_bytes()[at + shape.len()..].iter().take_while(|byte| plain(byte)).count() >= 20
}

fn names_a_secret(path: &[String]) -> bool {
    // An item of a list is of the list's kind.
    let key = path.iter().rfind(|key| key.parse::<usize>().is_err()).map(|key| key.to_ascii_lowercase());
    key.is_some_and(|key| WORDS.iter().any(|word| key.contains(word)) || key.ends_with("key"))
}

/// A value is a secret by its key, or because nobody writes such a text by hand.
fn is_secret(path: &[String], text: &str) -> bool {
    let is_random = text.len() >= 20
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().any(|byte| byte.is_ascii_alphabetic());
    names_a_secret(path) || is_random
}

/// The top of the work tree; none outside of one.
fn tree(place: &Path) -> Result<Option<PathBuf>, ScanError> {
    let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
    if find("git").is_none() {
        return Ok(None);
    }
    match git(place, &["rev-parse", "--show-toplevel"]) {
        Ok(said) => Ok(Some(PathBuf::from(String::from_utf8_lossy(&said).trim_end()))),
        Err(ScanError::Git { said, .. }) if said.contains("not a git repository") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Names as they are, whatever bytes are in them.
fn names(tree: &Path, words: &[&str]) -> Result<BTreeSet<OsString>, ScanError> {
    let said = git(tree, words)?;
    let names = said.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| OsStr::from_bytes(name).to_owned()).collect())
}

fn git(tree: &Path, words: &[impl AsRef<OsStr>]) -> Result<Vec<u8>, ScanError> {
    let act = words.first().map(|word| word.as_ref().to_string_lossy().into_owned()).unwrap_or_default();
    let mut command = Command::new("git");
    command.current_dir(tree).arg("--no-optional-locks").args(words).env("LC_ALL", "C");
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| ScanError::Io { act: "run git".to_owned(), source })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(ScanError::Git { act, said: last_line(&output.stderr) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enable::ValuesFile;
    use crate::pull_secret::SopsError;

    fn at(path: &str) -> Vec<String> {
        path.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn what_is_a_secret_is_told_by_key_or_by_shape() {
        for (path, text, wanted) in [
            ("gitea.admin.password", "Passw0rd!", true),
            ("gitea.config.security.SECRET_KEY", "abcdefgh", true),
            ("gitea.config.database.PASSWD", "abcdefgh", true),
            ("gitea.list.tokens.0", "abcdefgh", true),
            ("gitea.config.server.ROOT_URL", "http://git.example.com", false),
            ("gitea.x", "q8Zk3vN1pL6tR0yW5cJ2", true),
            ("gitea.image", "docker.gitea.com/gitea", false),
        ] {
            assert_eq!(is_secret(&at(path), text), wanted, "{path}");
        }
    }

    #[test]
    fn a_plain_value_for_an_encrypted_key_and_known_shapes_are_found_without_any_key() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("values.sops.yaml");
        let closed = "gitea:\n  admin: {password: 'ENC[x]'}\n  config: {server: {ROOT_URL: 'ENC[x]'}}\nsops: {mac: 'ENC[x]'}\n";
        fs::write(&file, closed).unwrap();
        let values = Values::new(vec![ValuesFile::read(&file, Err(&SopsError::Missing)).unwrap()]);
        let age = format!("key: AGE-SECRET-KEY-1{}", "Q".repeat(58));
        let pem = format!("a\n-----BEGIN PRIVATE KEY-----\n{}\n", "M".repeat(64));
        let texts = [
            ("one", "gitea:\n  admin:\n    password: geheim123\n"),
            ("two", age.as_str()),
            ("three", pem.as_str()),
            (
                "innocent",
                "gitea: {config: {server: {ROOT_URL: 'https://a/'}}}\n# AGE-SECRET-KEY-1 is how it begins\n",
            ),
            ("empty", "gitea: {admin: {password: ''}}"),
        ];
        let found = scan(directory.path(), &values, &texts).unwrap();
        let said: Vec<_> = found.leaks.iter().map(|leak| leak.place.as_str()).collect();
        assert_eq!(said, ["one", "two:1", "three:2"]);
        assert!(!format!("{found:?}").contains("geheim"));
        assert_eq!((found.tree, found.values), (None, 0));
    }
}
