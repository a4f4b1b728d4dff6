//! Short patterns for the names of functions that ran.
//!
//! A name is taken apart into its path (`_ZN`, `5tokio`, `7runtime`, …). Where most bytes below a piece of path ran, one
//! pattern stands for all of them; elsewhere each name is told alone, without the hash at its end. A name that hundreds of
//! instances share would bring them all, so those that ran come before by their whole names, as long as these hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Where so many hundredths of the bytes below a path ran, the path is taken as a whole.
const MOSTLY: u64 = 60;

/// A pattern of which fewer hundredths ran is a name that many instances share.
const RARELY: u64 = 30;

/// Paths with much that grows a table or begins something once: the compiler takes both for unlikely.
const UNLIKELY: [&str; 5] = ["_ZN3std", "_ZN5alloc", "_ZN9hashbrown", "_ZN9once_cell", "_ZN12tracing_core"];

/// One pattern.
#[derive(Debug, PartialEq, Eq)]
pub struct Pattern {
    /// As the linker takes it, without the section's own prefix.
    pub text: String,
    /// Bytes of functions that ran.
    pub ran: u64,
    /// Bytes of all functions that it fits.
    pub laid: u64,
}

impl Pattern {
    fn is_rare(&self) -> bool {
        self.ran * 100 < self.laid * RARELY
    }
}

/// The patterns for what `ran` of all `known` functions: dense ones first, then whole names of the others, then these.
pub fn of(known: &BTreeMap<String, u64>, ran: &BTreeSet<String>) -> Vec<Pattern> {
    let mut tree = Node::default();
    for (name, size) in known {
        tree.add(&path(name), *size, ran.contains(name));
    }
    let mut found = Vec::new();
    tree.walk("", 0, &mut found);
    let (shared, dense): (Vec<_>, Vec<_>) = found.into_iter().partition(Pattern::is_rare);
    let is_shared = |name: &&String| {
        let start = name.rfind("17h").map_or(name.as_str(), |hash| &name[..hash + 3]);
        shared.iter().any(|pattern| pattern.text.strip_suffix('*') == Some(start))
    };
    let whole = known.iter().filter(|(name, _)| ran.contains(*name)).filter(|(name, _)| is_shared(name));
    let whole: Vec<_> =
        whole.map(|(name, size)| Pattern { text: stem(name), ran: *size, laid: *size }).collect();
    let mut groups = [dense, whole, shared];
    for group in &mut groups {
        group.sort_by(|one, two| one.text.cmp(&two.text));
    }
    groups.into_iter().flatten().collect()
}

/// A whole name, but for what the optimizer hangs on it when it makes a function known to other units.
fn stem(name: &str) -> String {
    name.split_once(".llvm.").map_or_else(|| name.to_owned(), |(name, _)| format!("{name}*"))
}

/// A script that lays what the patterns fit in front of all other code.
pub fn script(patterns: &[Pattern]) -> String {
    let mut script = String::from(
        "/* What a server runs lies side by side: fewer pages of the program are in memory, and it starts sooner.\n   \
         Written by `cargo xtask layout`; see docs/decisions/0021-layout.md. */\n\
         SECTIONS\n{\n  .text.served :\n  {\n",
    );
    for pattern in patterns {
        let _ = writeln!(script, "    *(.text.{})", pattern.text);
    }
    // What the compiler takes for unlikely has a section of another name; at a start it is likely.
    for path in UNLIKELY {
        let _ = writeln!(script, "    *(.text.unlikely.{path}*)");
    }
    script.push_str("  }\n}\nINSERT BEFORE .text;\n");
    script
}

/// The pieces of a mangled name, without its hash; a name that is not mangled so is one piece.
fn path(name: &str) -> Vec<&str> {
    let Some(mut rest) = name.strip_prefix("_ZN") else { return vec![name] };
    let mut path = vec!["_ZN"];
    while let Some(digits) = rest.find(|letter: char| !letter.is_ascii_digit()).filter(|digits| *digits > 0) {
        let Some(piece) = rest[..digits].parse().ok().and_then(|length: usize| rest.get(..digits + length))
        else {
            break;
        };
        rest = &rest[piece.len()..];
        if piece.starts_with("17h") && rest.starts_with('E') {
            break;
        }
        path.push(piece);
    }
    path
}

/// All functions below a piece of path.
#[derive(Default)]
struct Node<'a> {
    below: BTreeMap<&'a str, Self>,
    ran: u64,
    laid: u64,
}

impl<'a> Node<'a> {
    fn add(&mut self, path: &[&'a str], size: u64, ran: bool) {
        self.laid += size;
        self.ran += if ran { size } else { 0 };
        if let [first, rest @ ..] = path {
            self.below.entry(first).or_default().add(rest, size, ran);
        }
    }

    fn walk(&self, prefix: &str, depth: usize, found: &mut Vec<Pattern>) {
        if self.ran == 0 {
            return;
        }
        let pattern = |text: String, ran, laid| Pattern { text, ran, laid };
        // Less than a crate is no path yet.
        if depth > 1 && !self.below.is_empty() && self.ran * 100 >= self.laid * MOSTLY {
            found.push(pattern(format!("{prefix}*"), self.ran, self.laid));
            return;
        }
        let (mut ran, mut laid) = (self.ran, self.laid);
        for (piece, node) in &self.below {
            ran -= node.ran;
            laid -= node.laid;
            node.walk(&format!("{prefix}{piece}"), depth + 1, found);
        }
        if ran > 0 {
            let text = if prefix.starts_with("_ZN") { format!("{prefix}17h*") } else { stem(prefix) };
            found.push(pattern(text, ran, laid));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: &str = "_ZN5tokio7runtime4task4poll17h0123456789abcdefE";
    const WAKE: &str = "_ZN5tokio7runtime4task4wake17h0123456789abcdefE";
    const SLEEP: &str = "_ZN5tokio4time5sleep17h0123456789abcdefE";

    fn texts(known: &[(&str, u64)], ran: &[&str]) -> Vec<String> {
        let known = known.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect();
        let ran = ran.iter().map(|name| (*name).to_owned()).collect();
        of(&known, &ran).into_iter().map(|pattern| pattern.text).collect()
    }

    #[test]
    fn a_name_is_taken_apart_and_loses_its_hash() {
        assert_eq!(path(POLL), ["_ZN", "5tokio", "7runtime", "4task", "4poll"]);
        assert_eq!(path("sqlite3_step"), ["sqlite3_step"]);
        assert_eq!(path("_ZN99short"), ["_ZN"]);
    }

    #[test]
    fn a_path_that_mostly_ran_is_one_pattern() {
        let known = [(POLL, 60), (WAKE, 20), (SLEEP, 100)];
        assert_eq!(texts(&known, &[POLL]), ["_ZN5tokio7runtime*"]);
        assert_eq!(texts(&known, &[WAKE]), ["_ZN5tokio7runtime4task4wake17h*"]);
        assert_eq!(texts(&known, &[POLL, WAKE, SLEEP]), ["_ZN5tokio*"]);
    }

    #[test]
    fn what_many_instances_share_lies_behind() {
        let twice = "_ZN4core3ptr4drop17hfedcba9876543210E";
        let known = [("_ZN4core3ptr4drop17h0123456789abcdefE", 10), (twice, 90), ("sqlite3_step", 5)];
        let names: Vec<_> = known.iter().map(|(name, _)| *name).filter(|name| *name != twice).collect();
        let whole = "_ZN4core3ptr4drop17h0123456789abcdefE";
        assert_eq!(texts(&known, &names), ["sqlite3_step", whole, "_ZN4core3ptr4drop17h*"]);
        let text = script(&[Pattern { text: "main".into(), ran: 1, laid: 1 }]);
        assert!(text.contains("    *(.text.main)\n") && text.ends_with("INSERT BEFORE .text;\n"), "{text}");
    }
}
