//! Where xtask talks.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the only place that prints")]

/// A line of the result.
pub fn line(text: &str) {
    println!("{text}");
}

/// A line about something that went wrong.
pub fn problem(text: &str) {
    eprintln!("{text}");
}
