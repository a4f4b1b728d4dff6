//! One line a request: who asked for what, what came of it, how many bytes went which way, and why it ended.
//!
//! The line is written into a buffer that a thread of its own carries to standard error, so a slow terminal or a
//! full pipe never holds up a transfer. The buffer is bounded: lines that do not fit are counted and the count is
//! logged, so that a gap in the log is never silent.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes of finished lines that may wait for the writer.
const WAITING_MAX: usize = 4 << 20;
/// How long the writer gathers lines before it writes them together.
const GATHER: Duration = Duration::from_millis(100);

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The whole answer was handed over.
    Complete,
    /// The client went away while its body was received, after so many bytes.
    ClientLeftSending(u64),
    /// The client went away, or stopped reading, while the answer was sent, after so many bytes.
    ClientLeftReading(u64),
    /// The server cut the answer, because the bytes at rest were not right.
    Cut(u64),
}

/// What the line tells.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// Request method.
    pub method: &'a str,
    /// Path without the query, which may hold what clients put there.
    pub path: &'a str,
    /// Status code of the answer.
    pub status: u16,
    /// Name of the operation, as in the metrics.
    pub operation: &'static str,
    /// Account name; none is anonymous.
    pub account: Option<&'a str>,
    /// Address of the client.
    pub client: IpAddr,
    /// The client's own name for itself.
    pub agent: &'a str,
    /// Digest of what was moved, if any.
    pub digest: Option<&'a str>,
    /// Bytes received in the body.
    pub received: u64,
    /// Bytes sent in the body.
    pub sent: u64,
    /// From the first byte of the request to its end.
    pub took: Duration,
    /// Why it ended.
    pub end: End,
    /// Short reason of a refusal or failure, for the operator.
    pub note: &'a str,
}

/// The log. Clones share one writer.
#[derive(Clone, Debug)]
pub struct AccessLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    format: LogFormat,
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    lost: u64,
    closed: bool,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the writer when dropped, after all lines are out.
#[derive(Debug)]
pub struct LogWriter {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl AccessLog {
    /// Starts the writer.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        format: LogFormat,
        out: impl std::io::Write + Send + 'static,
    ) -> std::io::Result<(Self, LogWriter)> {
        let shared = Arc::new(Shared { format, waiting: Mutex::default(), wake: Condvar::new() });
        let theirs = shared.clone();
        let thread = std::thread::Builder::new()
            .name("access-log".into())
            .stack_size(128 << 10)
            .spawn(move || write_lines(&theirs, out))?;
        Ok((Self(shared.clone()), LogWriter { shared, thread: Some(thread) }))
    }

    /// Writes one line.
    pub fn line(&self, line: &Line<'_>) {
        let now = jiff::Timestamp::now();
        let mut waiting = self.0.waiting();
        if waiting.lines.len() > WAITING_MAX {
            waiting.lost += 1;
            return;
        }
        let first = waiting.lines.is_empty();
        let text = &mut Text(&mut waiting.lines);
        // Writing into memory cannot fail.
        let _ = match self.0.format {
            LogFormat::Text => text_line(text, now, line),
            LogFormat::Json => json_line(text, now, line),
        };
        drop(waiting);
        // The writer only sleeps on an empty buffer, so only the first line has to wake it.
        if first {
            self.0.wake.notify_one();
        }
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.shared.waiting().closed = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write_lines(shared: &Shared, mut out: impl std::io::Write) {
    let mut lines = Vec::new();
    loop {
        let mut waiting = shared.waiting();
        while waiting.lines.is_empty() && !waiting.closed {
            waiting = shared.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let closed = waiting.closed;
        if !closed {
            waiting = shared.wake.wait_timeout(waiting, GATHER).unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::swap(&mut lines, &mut waiting.lines);
        let lost = std::mem::take(&mut waiting.lost);
        drop(waiting);
        // A log that cannot be written must not stop the registry; there is no other place to say it.
        let _ = out.write_all(&lines);
        if lost > 0 {
            let _ = writeln!(out, "{lost} lines of the access log did not fit the buffer and are lost");
        }
        let _ = out.flush();
        lines.clear();
        lines.shrink_to(64 << 10);
        if closed {
            return;
        }
    }
}

/// Lets formatting write into bytes.
struct Text<'a>(&'a mut Vec<u8>);

impl std::fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

fn text_line(out: &mut Text<'_>, now: jiff::Timestamp, line: &Line<'_>) -> std::fmt::Result {
    let micros = line.took.as_micros();
    write!(out, "{now:.3} {} {} {} ", line.status, line.method, Plain(line.path))?;
    write!(
        out,
        "{} {} {}.{:03}ms",
        line.client,
        Plain(line.account.unwrap_or("-")),
        micros / 1000,
        micros % 1000
    )?;
    if line.received > 0 {
        write!(out, " in={}", line.received)?;
    }
    if line.sent > 0 {
        write!(out, " out={}", line.sent)?;
    }
    if let Some(digest) = line.digest {
        write!(out, " {digest}")?;
    }
    match line.end {
        End::Complete => {}
        End::ClientLeftSending(bytes) => {
            write!(
                out,
                " client vanished while sending, at byte {bytes} after {:.1}s",
                line.took.as_secs_f64()
            )?;
        }
        End::ClientLeftReading(bytes) => {
            write!(
                out,
                " client vanished while reading, at byte {bytes} after {:.1}s",
                line.took.as_secs_f64()
            )?;
        }
        End::Cut(bytes) => write!(out, " cut by the server at byte {bytes}: the stored bytes are not right")?,
    }
    if !line.note.is_empty() {
        write!(out, " {}", Plain(line.note))?;
    }
    writeln!(out, " \"{}\"", Plain(line.agent))
}

fn json_line(out: &mut Text<'_>, now: jiff::Timestamp, line: &Line<'_>) -> std::fmt::Result {
    let (end, at) = match line.end {
        End::Complete => ("complete", None),
        End::ClientLeftSending(bytes) => ("client_left_sending", Some(bytes)),
        End::ClientLeftReading(bytes) => ("client_left_reading", Some(bytes)),
        End::Cut(bytes) => ("cut", Some(bytes)),
    };
    write!(out, "{{\"time\":\"{now:.3}\",\"kind\":\"request\",\"status\":{}", line.status)?;
    for (name, value) in [
        ("method", Some(line.method)),
        ("path", Some(line.path)),
        ("operation", Some(line.operation)),
        ("account", line.account),
        ("agent", Some(line.agent)),
        ("digest", line.digest),
        ("end", Some(end)),
        ("note", Some(line.note).filter(|note| !note.is_empty())),
    ] {
        if let Some(value) = value {
            let quoted = serde_json::to_string(value).map_err(|_| std::fmt::Error)?;
            write!(out, ",\"{name}\":{quoted}")?;
        }
    }
    if let Some(at) = at {
        write!(out, ",\"end_at_byte\":{at}")?;
    }
    let micros = line.took.as_micros();
    writeln!(
        out,
        ",\"client\":\"{}\",\"received_bytes\":{},\"sent_bytes\":{},\"duration_us\":{micros}}}",
        line.client, line.received, line.sent
    )
}

/// Text from outside, which must not forge a line or reach a terminal's controls.
struct Plain<'a>(&'a str);

impl std::fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"') {
            return f.write_str(self.0);
        }
        for character in self.0.chars() {
            if character == '"' || character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Out(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Out {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, line: &Line<'_>) -> String {
        let out = Out::default();
        let (log, writer) = AccessLog::start(format, out.clone()).unwrap();
        log.line(line);
        drop(writer);
        let bytes = out.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn line() -> Line<'static> {
        Line {
            method: "PATCH",
            path: "/v2/a/b/blobs/uploads/1",
            status: 400,
            operation: "upload_write",
            account: Some("alice"),
            client: "192.0.2.7".parse().unwrap(),
            agent: "docker/1\n\"x\u{1b}[31m",
            digest: None,
            received: 512,
            sent: 0,
            took: Duration::from_micros(1_500_250),
            end: End::ClientLeftSending(512),
            note: "",
        }
    }

    #[test]
    fn a_vanished_client_is_said_with_byte_and_time_and_cannot_forge_lines() {
        let text = logged(LogFormat::Text, &line());
        assert!(
            text.contains("400 PATCH /v2/a/b/blobs/uploads/1 192.0.2.7 alice 1500.250ms in=512"),
            "{text}"
        );
        assert!(text.contains("client vanished while sending, at byte 512 after 1.5s"), "{text}");
        assert_eq!(text.lines().count(), 1);
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn the_json_line_is_one_object_with_every_fact() {
        let value: serde_json::Value = serde_json::from_str(&logged(LogFormat::Json, &line())).unwrap();
        assert_eq!(value["end"], "client_left_sending");
        assert_eq!(value["end_at_byte"], 512);
        assert_eq!(value["duration_us"], 1_500_250);
        assert_eq!(value["agent"], "docker/1\n\"x\u{1b}[31m");
    }
}
