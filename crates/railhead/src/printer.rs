//! The one place that prints. Data goes to standard output, talk to standard error; `--output json` makes both JSON.
//!
//! Text from the registry is printed without control characters, so that a tag or a token's name cannot play with the
//! terminal.

use std::io::{self, Write as _};
use std::process::ExitCode;

use serde::Serialize;

use crate::failure::{Exit, Failure, Result};

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Prints.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    output: Output,
}

impl Printer {
    /// A printer of this kind.
    pub const fn new(output: Output) -> Self {
        Self { output }
    }

    /// Whether programs read it.
    pub fn is_json(self) -> bool {
        self.output == Output::Json
    }

    /// Prints data: `value` for programs, `text` for people.
    pub fn data(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        match self.output {
            Output::Text => self.raw(&text()),
            Output::Json => {
                let json = serde_json::to_string_pretty(value).map_err(|error| {
                    Failure::new(Exit::Failed, "cannot write the answer as JSON").because(&error)
                })?;
                self.raw(&format!("{json}\n"))
            }
        }
    }

    /// Prints text as it is, whatever the kind of output.
    #[expect(clippy::unused_self, reason = "who prints has a printer")]
    pub fn raw(self, text: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // Who reads has seen enough, as with `| head`.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Failure::new(Exit::Failed, "cannot write to standard output").because(&error)),
            Ok(()) => Ok(()),
        }
    }

    /// Says something beside the data.
    pub fn note(self, text: &str) {
        self.talk("note", "\u{1b}[1;36m", text);
    }

    /// Says what may go wrong.
    pub fn warning(self, text: &str) {
        self.talk("warning", "\u{1b}[1;33m", text);
    }

    /// Asks a question on standard error and reads the answer; `None` at the end of the input.
    #[expect(clippy::unused_self, reason = "who prints has a printer")]
    pub fn question(self, text: &str) -> Result<Option<String>> {
        let mut err = anstream::stderr().lock();
        // A question that cannot be seen is answered with no.
        let _ = write!(err, "{text} ").and_then(|()| err.flush());
        drop(err);
        let mut line = String::new();
        let read = io::stdin()
            .read_line(&mut line)
            .map_err(|error| Failure::new(Exit::Failed, "cannot read from standard input").because(&error))?;
        Ok((read > 0).then_some(line))
    }

    /// Says why a command failed; the code to exit with.
    pub fn failure(self, failure: &Failure) -> ExitCode {
        if self.is_json() {
            let mut message = failure.message.clone();
            for cause in &failure.causes {
                message = format!("{message}: {cause}");
            }
            let error = serde_json::json!({
                "error": { "code": failure.exit.word(), "message": message, "hint": failure.hint }
            });
            // Nowhere is left to say that standard error is closed.
            let _ = writeln!(io::stderr().lock(), "{error}");
        } else {
            self.talk("error", "\u{1b}[1;31m", &failure.message);
            for cause in &failure.causes {
                self.talk("  because", "", cause);
            }
            if let Some(hint) = &failure.hint {
                self.talk("hint", "\u{1b}[1;32m", hint);
            }
        }
        ExitCode::from(failure.exit as u8)
    }

    #[expect(clippy::unused_self, reason = "who prints has a printer")]
    fn talk(self, label: &str, colour: &str, text: &str) {
        let reset = if colour.is_empty() { "" } else { "\u{1b}[0m" };
        // Nowhere is left to say that standard error is closed.
        let _ = writeln!(anstream::stderr().lock(), "{colour}{label}:{reset} {}", clean(text));
    }
}

/// `text` without control characters, line breaks apart.
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() && letter != '\n' { '\u{fffd}' } else { letter })
        .collect()
}

/// A table with aligned columns.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| clean(&cell.replace('\n', " "))).collect()).collect();
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let head = head.iter().map(|cell| (*cell).to_owned()).collect();
    for row in std::iter::once(&head).chain(&rows) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Names and values, one a line.
pub fn fields(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0) + 1;
    let lines = rows.iter().map(|(name, value)| format!("{:<width$} {}\n", format!("{name}:"), clean(value)));
    lines.collect()
}

/// A time for a person; seconds are enough.
pub fn time(time: jiff::Timestamp) -> String {
    format!("{:.0}", time.round(jiff::Unit::Second).unwrap_or(time))
}

/// A time that may be missing.
pub fn time_or(time_or: Option<jiff::Timestamp>, missing: &str) -> String {
    time_or.map_or_else(|| missing.to_owned(), time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_cannot_move_the_cursor() {
        let rows =
            [vec!["é".to_owned(), "x".to_owned()], vec!["long\u{1b}[2J".to_owned(), "y\nz".to_owned()]];
        assert_eq!(table(&["A", "B"], &rows), "A         B\né         x\nlong\u{fffd}[2J  y z\n");
    }

    #[test]
    fn fields_are_aligned() {
        assert_eq!(fields(&[("a", "1".into()), ("long", "2".into())]), "a:    1\nlong: 2\n");
    }

    #[test]
    fn times_are_short() {
        assert_eq!(time("2026-07-01T12:00:00.7Z".parse().unwrap()), "2026-07-01T12:00:01Z");
    }
}
