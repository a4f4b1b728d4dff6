//! Which logins of a pull secret a kubelet takes for an image, by the rules of Kubernetes' `pkg/credentialprovider`.
//!
//! An entry's server is read as a URL: its scheme, query and fragment do not count, and `/v1/` and `/v2/` at the start of its
//! path are nothing. It matches an image when the ports are the same text, the hosts have the same number of parts between
//! dots and each part of the entry's, which may have `*`, matches the image's, and the entry's path begins the image's, letter
//! by letter. Of several that match, the one that is last in the order of bytes comes first, and a kubelet tries them in turn
//! until one pulls. Without any it pulls without a login; with one that is refused it never does.

use std::fmt;

/// The name under which docker's own hub is kept.
const HUB: &str = "index.docker.io";

/// Why an entry is not taken for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The hosts are the same but for upper and lower case.
    Case,
    /// The hosts are not the same.
    Host,
    /// The entry has no port and the image has one, or the ports differ.
    Port,
    /// The entry's path does not begin the image's.
    Path,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Case => "upper and lower case differ",
            Self::Host => "it is another host",
            Self::Port => "the port is not the same",
            Self::Path => "its path does not begin the image's",
        })
    }
}

/// What an entry's server comes to: `HOST[:PORT][/PATH]`.
pub fn key(server: &str) -> String {
    let rest = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://")).unwrap_or(server);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = split_path(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let path = match path.strip_prefix("/v1/").or_else(|| path.strip_prefix("/v2/")) {
        Some(_) => &path[3..],
        None => path,
    };
    if path == "/" { host.to_owned() } else { format!("{host}{path}") }
}

/// Whether the entry with this [`key`] is taken for `image`, which is `HOST[:PORT]/REPOSITORY`.
pub fn takes(key: &str, image: &str) -> Result<(), Mismatch> {
    let ((host, port, path), (wanted_host, wanted_port, wanted_path)) = (parts(key), parts(image));
    let same_number = host.split('.').count() == wanted_host.split('.').count();
    let same = |(glob, part)| matches(glob, part);
    if !same_number || !host.split('.').zip(wanted_host.split('.')).all(same) {
        let is_case = host.eq_ignore_ascii_case(wanted_host);
        return Err(if is_case { Mismatch::Case } else { Mismatch::Host });
    }
    if port != wanted_port {
        return Err(Mismatch::Port);
    }
    if wanted_path.starts_with(path) { Ok(()) } else { Err(Mismatch::Path) }
}

/// The entries that a kubelet tries for `image`, in its order.
pub fn lookup<'a, T>(entries: &'a [T], server: impl Fn(&T) -> &str, image: &str) -> Vec<&'a T> {
    let keyed = entries.iter().map(|entry| (key(server(entry)), entry));
    let mut found: Vec<_> = keyed.filter(|(key, _)| takes(key, image).is_ok()).collect();
    found.sort_by(|(left, _), (right, _)| right.cmp(left));
    if found.is_empty() && matches!(split_path(image).0, "docker.io" | HUB) {
        found =
            entries.iter().map(|entry| (key(server(entry)), entry)).filter(|(key, _)| key == HUB).collect();
    }
    found.into_iter().map(|(_, entry)| entry).collect()
}

/// `HOST[:PORT]` of a [`key`] or an image.
pub fn host(key: &str) -> &str {
    split_path(key).0
}

fn split_path(text: &str) -> (&str, &str) {
    text.split_at(text.find('/').unwrap_or(text.len()))
}

/// Host, port and path; the port is empty where there is none.
fn parts(text: &str) -> (&str, &str, &str) {
    let (authority, path) = split_path(text);
    let split = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once("]:"),
        None => authority.rsplit_once(':').filter(|(host, _)| !host.contains(':')),
    };
    let (host, port) = split.unwrap_or((authority, ""));
    (host, port, path)
}

/// Whether `glob` matches the whole of `text`: `*` is any letters, `[a-z]` and `[^a-z]` one. A glob that is broken matches
/// nothing.
fn matches(glob: &str, text: &str) -> bool {
    let mut letters = glob.chars();
    match letters.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = letters.as_str();
            text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| matches(rest, &text[at..]))
        }
        Some('[') => {
            let (Some((class, rest)), Some(letter)) = (letters.as_str().split_once(']'), text.chars().next())
            else {
                return false;
            };
            in_class(class, letter) && matches(rest, &text[letter.len_utf8()..])
        }
        Some(own) => text.strip_prefix(own).is_some_and(|text| matches(letters.as_str(), text)),
    }
}

fn in_class(class: &str, letter: char) -> bool {
    let (class, negated) = match class.strip_prefix('^') {
        Some(class) => (class, true),
        None => (class, false),
    };
    let letters: Vec<char> = class.chars().collect();
    let (mut at, mut found) = (0, false);
    while at < letters.len() {
        let is_range = letters.get(at + 1) == Some(&'-') && at + 2 < letters.len();
        let last = if is_range { letters[at + 2] } else { letters[at] };
        found |= (letters[at]..=last).contains(&letter);
        at += if is_range { 3 } else { 1 };
    }
    !letters.is_empty() && found != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_read_as_a_url_without_what_does_not_count() {
        for (server, read) in [
            ("git.example.com", "git.example.com"),
            ("https://git.example.com", "git.example.com"),
            ("http://git.example.com/", "git.example.com"),
            ("https://git.example.com/v2/", "git.example.com"),
            ("https://index.docker.io/v1/", "index.docker.io"),
            ("git.example.com/v2/team", "git.example.com/team"),
            ("git.example.com/v2", "git.example.com/v2"),
            ("git.example.com:8443/team", "git.example.com:8443/team"),
            ("https://kim@git.example.com/?x#y", "git.example.com"),
        ] {
            assert_eq!(key(server), read, "{server}");
        }
    }

    #[test]
    fn an_entry_matches_as_for_a_kubelet() {
        let image = "git.example.com/team/app";
        let ported = "git.example.com:8443/team/app";
        for (server, image, found) in [
            ("git.example.com", image, Ok(())),
            ("https://git.example.com/v2/", image, Ok(())),
            ("*.example.com", image, Ok(())),
            ("g*t.*.com", image, Ok(())),
            ("[a-g]it.example.com", image, Ok(())),
            ("[^a-g]it.example.com", image, Err(Mismatch::Host)),
            ("[git.example.com", image, Err(Mismatch::Host)),
            ("*.com", image, Err(Mismatch::Host)),
            ("*", image, Err(Mismatch::Host)),
            ("example.com", image, Err(Mismatch::Host)),
            ("Git.example.com", image, Err(Mismatch::Case)),
            ("git.example.com/team", image, Ok(())),
            // By letters, not by segments: this is what a kubelet does.
            ("git.example.com/te", image, Ok(())),
            ("git.example.com/team/", image, Ok(())),
            ("git.example.com/other", image, Err(Mismatch::Path)),
            ("git.example.com/v2", image, Err(Mismatch::Path)),
            ("git.example.com/*", image, Err(Mismatch::Path)),
            ("git.example.com:443", image, Err(Mismatch::Port)),
            ("git.example.com", ported, Err(Mismatch::Port)),
            ("git.example.com:8443", ported, Ok(())),
            ("git.example.com:*", ported, Err(Mismatch::Port)),
            ("[::1]:5000", "[::1]:5000/team/app", Ok(())),
            ("[::1]:5001", "[::1]:5000/team/app", Err(Mismatch::Port)),
        ] {
            assert_eq!(takes(&key(server), image), found, "{server} for {image}");
        }
    }

    #[test]
    fn the_most_special_entry_comes_first() {
        let servers = ["*.example.com", "git.example.com", "other.example.com", "git.example.com/team"];
        let found = lookup(&servers, |server| server, "git.example.com/team/app");
        assert_eq!(found, [&"git.example.com/team", &"git.example.com", &"*.example.com"]);
        assert!(lookup(&servers, |server| server, "docker.io/library/nginx").is_empty());
        let hub = ["https://index.docker.io/v1/"];
        assert_eq!(lookup(&hub, |server| server, "docker.io/library/nginx").len(), 1);
    }
}
