//! Spans of time as people write them for tokens: `90d`, `12h`, `30m`, `45s`, `2w`.

use std::time::Duration;

/// Longest span, ten years of 365 days: a longer one is rather a slip of the finger.
const MAX: u64 = 3650 * 86_400;

/// A text is not a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a time span is a whole number and a unit, as in 90d, 12h, 30m, 45s or 2w; at most 3650d, and not zero"
)]
pub struct LifetimeError;

/// Reads a span such as `90d`.
pub fn parse_lifetime(text: &str) -> Result<Duration, LifetimeError> {
    let unit = match text.bytes().last().ok_or(LifetimeError)? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        b'd' => 86_400,
        b'w' => 7 * 86_400,
        _ => return Err(LifetimeError),
    };
    let number = &text[..text.len() - 1];
    // `parse` alone would take a sign.
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(LifetimeError);
    }
    let seconds =
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or(LifetimeError)?;
    if seconds == 0 || seconds > MAX { Err(LifetimeError) } else { Ok(Duration::from_secs(seconds)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_have_a_number_and_a_unit() {
        for (text, seconds) in
            [("90d", 7_776_000), ("12h", 43_200), ("30m", 1800), ("45s", 45), ("2w", 1_209_600)]
        {
            assert_eq!(parse_lifetime(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in [
            "",
            "d",
            "90",
            "0d",
            "-1d",
            "+1d",
            "1.5d",
            "1 d",
            "90D",
            "1y",
            "3651d",
            "99999999999999999999s",
            "é",
        ] {
            assert_eq!(parse_lifetime(wrong), Err(LifetimeError), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            let _ = parse_lifetime(&text);
        }
    }
}
