//! Files that are kept in the repository: written anew when that is wanted, and compared otherwise.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// A path in the project.
pub fn project(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// Compares `made` with the file `name` of the project, or writes it with `SUITES_WRITE=1`. Times, sizes and digests may differ.
pub fn compare(name: &str, made: &str) {
    same(name, made, &without_numbers);
}

/// The same where nothing may differ.
pub fn exactly(name: &str, made: &str) {
    same(name, made, &str::to_owned);
}

fn same(name: &str, made: &str, read: &dyn Fn(&str) -> String) {
    let path = project(name);
    if env::var_os("SUITES_WRITE").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, made).unwrap();
        return;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let (kept, made) = (read(&kept), read(made));
    let differ = kept.lines().zip(made.lines()).enumerate().find(|(_, (kept, made))| kept != made);
    let told = differ.map_or_else(
        || "one is longer than the other".to_owned(),
        |(at, (kept, made))| format!("line {}:\n  kept: {kept}\n  made: {made}", at + 1),
    );
    assert!(kept == made, "{name} has drifted: write it with SUITES_WRITE=1. {told}");
}

/// Digests, a plan's name, times, sizes and certificates as `#`: they differ each time.
fn without_numbers(text: &str) -> String {
    let text = without_plans(&without_certificates(text));
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("sha256:") {
        let end = at + "sha256:".len();
        plain.push_str(&rest[..end]);
        rest = rest[end..].trim_start_matches(|letter: char| letter.is_ascii_hexdigit());
        plain.push('#');
    }
    plain.push_str(rest);
    let mut masked = String::new();
    for letter in plain.chars() {
        match letter {
            // 0.9 KiB and 1023 bytes, 10 ms and 1.2 s are of the same kind.
            '0'..='9' if masked.ends_with('#') => {}
            '0'..='9' => masked.push('#'),
            letter => masked.push(letter),
        }
    }
    masked.replace("#.#", "#")
}

/// What is called `plan` and sixteen hexadecimal digits.
fn without_plans(text: &str) -> String {
    let is_name = |word: &str| word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut words = text.split("by plan ");
    let mut kept = words.next().unwrap_or_default().to_owned();
    for rest in words {
        let name = rest.split(' ').next().unwrap_or_default();
        kept = kept + "by plan " + if is_name(name) { &rest[16..] } else { rest };
    }
    kept
}

/// What is between the marks of a certificate, on lines of its own or in one.
fn without_certificates(text: &str) -> String {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once(BEGIN) {
        let (_, after) = inside.split_once(END).unwrap();
        kept = kept + before + BEGIN + END;
        rest = after;
    }
    kept + rest
}

#[test]
fn only_numbers_may_differ() {
    let same = |a: &str, b: &str| assert_eq!(without_numbers(a), without_numbers(b));
    same("at 2026-11-26, 1.5 s, sha256:0a1b", "at 2027-01-02, 12 s, sha256:ffff00");
    let page =
        |inside: &str| format!("a\n-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\nb\n");
    same(&page("MIIB"), &page("MIIC\nZZ"));
    same(&page("MIIB").replace('\n', "\\n"), &page("MIIC").replace('\n', "\\n"));
    assert_ne!(without_numbers(&page("MIIB")), without_numbers("a\nb\n"));
    same("by plan 04d10544417ff3c3 0 tags", "by plan ffffffffffffffff 10 tags");
    assert_ne!(without_numbers("1 tag"), without_numbers("1 tags"));
}
