//! Sizes as people write them: `10GiB`, `500 MB`, `1048576`, and `-1` for no limit. Durations: `90d`, `12h`.

const UNITS: [(&str, u64); 12] = [
    ("", 1),
    ("b", 1),
    ("k", 1 << 10),
    ("kib", 1 << 10),
    ("m", 1 << 20),
    ("mib", 1 << 20),
    ("g", 1 << 30),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
];

const SPANS: [(&str, u64); 5] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)];

/// Reads a size, in bytes.
pub fn parse(text: &str) -> Result<u64, String> {
    number(text, &UNITS)
        .filter(|bytes| i64::try_from(*bytes).is_ok())
        .ok_or_else(|| format!("'{text}' is not a size; write it as 10GiB, 500MB, or a number of bytes"))
}

/// Reads a limit, in bytes; `-1` is none.
pub fn parse_limit(text: &str) -> Result<i64, String> {
    if text.trim() == "-1" {
        return Ok(-1);
    }
    parse(text).map(|bytes| bytes as i64).map_err(|error| format!("{error}, or -1 for no limit"))
}

/// Reads a length of time, in seconds.
pub fn parse_span(text: &str) -> Result<u64, String> {
    number(text, &SPANS)
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| format!("'{text}' is not a length of time; write it as 90d, 12h, or 30m"))
}

fn number(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// Writes a size for a person.
pub fn show(bytes: u64) -> String {
    for (unit, factor) in [("TiB", 1_u64 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= factor {
            let tenths = (u128::from(bytes) * 10 / u128::from(factor)) as u64;
            return if tenths.is_multiple_of(10) {
                format!("{} {unit}", tenths / 10)
            } else {
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            };
        }
    }
    format!("{bytes} B")
}

/// Writes a limit for a person.
pub fn show_limit(bytes: i64) -> String {
    u64::try_from(bytes).map_or_else(|_| "none".to_owned(), show)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for (text, bytes) in
            [("0", 0), ("10GiB", 10 << 30), ("10 gib", 10 << 30), ("5MB", 5_000_000), ("1k", 1024)]
        {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        assert_eq!(parse_limit("-1"), Ok(-1));
        assert_eq!(parse_span("90d"), Ok(90 * 86_400));
        for text in ["", "GiB", "-2", "1.5GiB", "10 potatoes", "99999999999GiB", "0x10"] {
            assert!(parse(text).is_err() && parse_limit(text).is_err(), "{text}");
        }
        for text in ["", "90", "0d", "d", "-1d"] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_short() {
        assert_eq!(show(0), "0 B");
        assert_eq!(show(1536), "1.5 KiB");
        assert_eq!(show(10 << 30), "10 GiB");
        assert_eq!(show_limit(-1), "none");
    }
}
