//! A short run of every fuzz target on stable Rust: the seeds, and a bounded number of mutations of them.
//!
//! The run is the same every time. `FUZZ_SEED` takes another one and `FUZZ_RUNS` takes it further; a failure prints
//! what is needed to run it again. `fuzz/` has the open-ended runs.

use std::panic::{AssertUnwindSafe, catch_unwind};

use railhead_oci::fuzzing::{TARGETS, Target};

/// A small generator of numbers (splitmix64), so that a seed means the same run everywhere.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// What breaks parsers more often than chance does.
const WORDS: &[&str] = &[
    "\"",
    "\\",
    ",",
    ";",
    "=",
    ":",
    "/",
    "//",
    "..",
    "%",
    "%2F",
    "%3A",
    "%00",
    "\r\n",
    "\0",
    "é",
    "*",
    "**",
    "-",
    "--",
    "0",
    "-1",
    "18446744073709551615",
    "18446744073709551616",
    "null",
    "{}",
    "[]",
    "[[[[[[",
    "bytes=",
    "blobs/",
    "uploads/",
    "manifests/",
    "sha256:",
    "Bearer ",
    "&",
    "?",
    "\n",
    " ",
];

fn mutate(input: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    let at = numbers.below(input.len() + 1);
    match numbers.below(6) {
        0 if at < input.len() => input[at] = numbers.next() as u8,
        1 => input.truncate(at),
        2 => {
            let end = (at + 1 + numbers.below(8)).min(input.len());
            input.drain(at..end.max(at));
        }
        3 => {
            let from = numbers.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        4 => {
            let end = (at + numbers.below(16)).min(input.len());
            let copy = input[at..end].to_vec();
            input.splice(at..at, copy);
        }
        _ => {
            let word = WORDS[numbers.below(WORDS.len())];
            input.splice(at..at, word.bytes());
        }
    }
    input.truncate(4096);
}

fn run(target: &Target, seed: u64, runs: u64) {
    let check = |input: &[u8]| {
        let survived = catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_ok();
        let input = String::from_utf8_lossy(input);
        assert!(survived, "{} with FUZZ_SEED={seed} fails on {input:?}", target.name);
    };
    let mut numbers = Numbers(seed);
    for input in target.seeds {
        check(input.as_bytes());
    }
    for _ in 0..runs {
        let mut input = target.seeds[numbers.below(target.seeds.len())].as_bytes().to_vec();
        for _ in 0..=numbers.below(6) {
            let other = target.seeds[numbers.below(target.seeds.len())].as_bytes();
            mutate(&mut input, other, &mut numbers);
        }
        check(&input);
    }
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text}")),
        Err(_) => default,
    }
}

#[test]
fn every_target_survives_a_short_run() {
    let (seed, runs) = (number("FUZZ_SEED", 20_260_101), number("FUZZ_RUNS", 20_000));
    for target in TARGETS {
        println!("{}: {runs} inputs, FUZZ_SEED={seed}", target.name);
        run(target, seed, runs);
    }
}

#[test]
fn a_target_that_fails_is_found() {
    fn breaks(input: &[u8]) {
        assert!(!input.windows(2).any(|pair| pair == b"**"));
    }
    let target = Target { name: "breaks", run: breaks, seeds: &["abc"] };
    assert!(catch_unwind(|| run(&target, 1, 20_000)).is_err());
}
