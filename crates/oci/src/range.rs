//! Ranges of bytes: of chunks that are uploaded (spec, *Pushing a blob in chunks*) and of content that is read
//! (RFC 9110, section 14).
//!
//! The specification writes an upload's ranges inclusively and without unit, `0-99`; some clients write HTTP's form.
//! Inside, a range is half open. Nothing overflows: a number too large to count is as wrong as one that is no number.

use std::ops::Range;

use crate::ErrorCode;

/// A range could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a chunk's Content-Range is written first-last, inclusive, as in 0-99")]
pub struct RangeError;

impl RangeError {
    /// The code to answer with.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::RangeInvalid
    }
}

/// The bytes that a chunk is. Never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// The first byte.
    pub start: u64,
    /// The byte behind the last.
    pub end: u64,
}

impl ContentRange {
    /// Reads the `Content-Range` of a chunk: `0-99`, and also `bytes 0-99/200`, `bytes 0-99/*`, `bytes=0-99`.
    pub fn read(header: &str) -> Result<Self, RangeError> {
        let (text, total) = without_unit(header.trim())?;
        let (first, last) = text.trim().split_once('-').ok_or(RangeError)?;
        let start = number(first).ok_or(RangeError)?;
        let end = number(last).and_then(|last| last.checked_add(1)).ok_or(RangeError)?;
        let valid = start < end && total.is_none_or(|total| end <= total);
        if valid { Ok(Self { start, end }) } else { Err(RangeError) }
    }

    /// How many bytes.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub const fn len(&self) -> u64 {
        self.end - self.start
    }
}

/// Takes off `bytes ` and the total, if they are there.
fn without_unit(text: &str) -> Result<(&str, Option<u64>), RangeError> {
    let rest = match text.split_at_checked(5) {
        Some((unit, rest)) if unit.eq_ignore_ascii_case("bytes") => rest,
        _ => return Ok((text, None)),
    };
    let rest = rest.strip_prefix([' ', '=']).ok_or(RangeError)?;
    match rest.split_once('/') {
        Some((range, "*")) => Ok((range, None)),
        Some((range, total)) => Ok((range, Some(number(total).ok_or(RangeError)?))),
        None => Ok((rest, None)),
    }
}

/// The `Range` of an answer about an upload that has `received` bytes.
///
/// An inclusive range cannot say that nothing was received; `0-0` is what docker's clients expect then.
pub fn upload_range(received: u64) -> String {
    format!("0-{}", received.saturating_sub(1))
}

/// How many bytes a registry has of an upload, by the `Range` of its answer; `0-0` is read as none, for a client
/// that sends a byte again fails less badly than one that leaves it out.
pub fn parse_upload_range(header: &str) -> Result<u64, RangeError> {
    match ContentRange::read(header)? {
        ContentRange { start: 0, end: 1 } => Ok(0),
        ContentRange { start: 0, end } => Ok(end),
        _ => Err(RangeError),
    }
}

/// The range asked for lies outside of the content. The answer is 416 with [`Self::content_range`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the range lies outside of the content's {size} bytes")]
pub struct Unsatisfiable {
    /// Size of the content in bytes.
    pub size: u64,
}

impl Unsatisfiable {
    /// The `Content-Range` of the answer.
    pub fn content_range(&self) -> String {
        format!("bytes */{}", self.size)
    }
}

/// What to answer to the `Range` header of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobRange {
    /// The whole content, with status 200.
    Whole,
    /// This part of it, never empty, with status 206 and [`content_range`].
    Part(Range<u64>),
}

impl BlobRange {
    /// Reads a `Range` header about `size` bytes.
    ///
    /// Other units, several ranges and what cannot be read are ignored, as RFC 9110 allows or demands. So is any
    /// range of empty content: some clients ask for `bytes=0-` always, and nothing is all there is.
    pub fn read(header: &str, size: u64) -> Result<Self, Unsatisfiable> {
        match requested(header) {
            None => Ok(Self::Whole),
            Some(_) if size == 0 => Ok(Self::Whole),
            Some(Requested::Suffix(0) | Requested::Backwards) => Err(Unsatisfiable { size }),
            Some(Requested::Suffix(length)) => Ok(Self::Part(size.saturating_sub(length)..size)),
            Some(Requested::From(first, _)) if first >= size => Err(Unsatisfiable { size }),
            Some(Requested::From(first, last)) => Ok(Self::Part(first..last.saturating_add(1).min(size))),
        }
    }
}

/// The `Content-Range` of a 206 that carries `range` of `size` bytes. The range is not empty.
pub fn content_range(range: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1))
}

enum Requested {
    From(u64, u64),
    Suffix(u64),
    /// It ends before it begins: RFC 9110 (14.2) lets a server ignore or reject that, and a client that
    /// asks for it is better told.
    Backwards,
}

fn requested(header: &str) -> Option<Requested> {
    let (unit, ranges) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    // A list has a comma, which is no digit.
    let (first, last) = ranges.trim().split_once('-')?;
    match (first, last) {
        ("", length) => Some(Requested::Suffix(large_number(length)?)),
        (first, "") => Some(Requested::From(large_number(first)?, u64::MAX)),
        (first, last) => {
            let (first, last) = (large_number(first)?, large_number(last)?);
            Some(if first <= last { Requested::From(first, last) } else { Requested::Backwards })
        }
    }
}

fn number(text: &str) -> Option<u64> {
    // `parse` would also take a plus.
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// A number, of which everything beyond 64 bits is as good as their end.
fn large_number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn chunks_are_inclusive_and_may_have_a_unit() {
        for (header, expected) in [
            ("0-99", 0..100),
            ("100-100", 100..101),
            (" 0-99 ", 0..100),
            ("bytes 0-99/200", 0..100),
            ("bytes 0-99/*", 0..100),
            ("bytes 0-99", 0..100),
            ("Bytes=5-9", 5..10),
            ("0-18446744073709551614", 0..u64::MAX),
        ] {
            let range = ContentRange::read(header).unwrap();
            assert_eq!(
                (range.start..range.end, range.len()),
                (expected.clone(), expected.end - expected.start),
                "{header}"
            );
        }
        for wrong in [
            "",
            "-",
            "0",
            "0-",
            "-9",
            "9-0",
            "+1-2",
            "a-b",
            "0-99/200",
            "0--1",
            "bytes",
            "bytes 0-99/50",
            "bytes 0-99/x",
            "bytesé0-9",
            "0-18446744073709551615",
            "0-99999999999999999999999",
        ] {
            assert_eq!(ContentRange::read(wrong), Err(RangeError), "{wrong}");
        }
    }

    #[test]
    fn an_upload_says_how_far_it_is() {
        assert_eq!(
            (upload_range(0), upload_range(1), upload_range(100)),
            ("0-0".into(), "0-0".into(), "0-99".into())
        );
        assert_eq!(parse_upload_range("0-99"), Ok(100));
        assert_eq!(parse_upload_range("bytes=0-99"), Ok(100));
        assert_eq!(parse_upload_range("0-0"), Ok(0));
        assert_eq!(parse_upload_range("5-99"), Err(RangeError));
    }

    #[test]
    fn one_range_of_bytes_is_served() {
        for (header, expected) in [
            ("bytes=0-", 0..10),
            ("bytes=5-9", 5..10),
            ("bytes=5-5", 5..6),
            ("bytes=5-99", 5..10),
            ("bytes=-5", 5..10),
            ("bytes=-99", 0..10),
            ("Bytes = 0-4", 0..5),
            ("bytes=0-18446744073709551615", 0..10),
            ("bytes=0-99999999999999999999999", 0..10),
            ("bytes=-99999999999999999999999", 0..10),
        ] {
            assert_eq!(BlobRange::read(header, 10), Ok(BlobRange::Part(expected)), "{header}");
        }
        assert_eq!(content_range(&(5..10), 10), "bytes 5-9/10");
    }

    #[test]
    fn what_is_not_one_range_of_bytes_gets_everything() {
        for header in
            ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=0-1,4-5", "items=0-5", "bytes=+1-2", "0-5"]
        {
            assert_eq!(BlobRange::read(header, 10), Ok(BlobRange::Whole), "{header}");
        }
        assert_eq!(BlobRange::read("bytes=0-", 0), Ok(BlobRange::Whole));
    }

    #[test]
    fn what_lies_outside_is_refused_with_the_size() {
        for header in ["bytes=10-", "bytes=10-20", "bytes=9-5", "bytes=-0", "bytes=99999999999999999999999-"]
        {
            assert_eq!(BlobRange::read(header, 10), Err(Unsatisfiable { size: 10 }), "{header}");
        }
        assert_eq!(Unsatisfiable { size: 10 }.content_range(), "bytes */10");
    }

    proptest! {
        #[test]
        fn a_range_lies_in_the_content(header in "(bytes)?[ =]?[0-9]{0,22}-?[0-9]{0,22}.{0,3}", size: u64) {
            if let Ok(BlobRange::Part(range)) = BlobRange::read(&header, size) {
                prop_assert!(range.start < range.end && range.end <= size);
            }
            if let Ok(range) = ContentRange::read(&header) {
                prop_assert!(range.start < range.end);
            }
        }

        #[test]
        fn received_bytes_read_back(received in 2_u64..) {
            prop_assert_eq!(parse_upload_range(&upload_range(received)), Ok(received));
        }
    }
}
