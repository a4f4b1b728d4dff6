//! The story of a code that somebody names.

use crate::Code;

/// What there is to say about a text that should be a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explained {
    /// It is this code.
    Known(Code),
    /// It is none; this one is the nearest, if one is near.
    Unknown(Option<Code>),
}

/// Finds the code that `text` means; case does not count, and neither does the `RH-` in front.
pub fn explain(text: &str) -> Explained {
    let text = text.trim().to_ascii_uppercase().replace('_', "-");
    let whole = if text.starts_with("RH-") { text } else { format!("RH-{text}") };
    if let Some(code) = Code::find(&whole) {
        return Explained::Known(code);
    }
    let nearest = Code::ALL.iter().copied().min_by_key(|code| distance(code.as_str(), &whole));
    // Further away than a third of its letters, it is a guess and no help.
    Explained::Unknown(nearest.filter(|code| distance(code.as_str(), &whole) * 3 <= code.as_str().len()))
}

/// How many letters have to be changed, put in or taken out (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, letter) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (at, other) in right.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[at + 1];
            row[at + 1] = changed.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_or_the_nearest_is_named() {
        assert_eq!(explain("rh-realm-scheme"), Explained::Known(Code::RealmScheme));
        assert_eq!(explain("route_404"), Explained::Known(Code::Route404));
        assert_eq!(explain("RH-ROUTE-405"), Explained::Unknown(Some(Code::Route404)));
        assert_eq!(explain("RH-REALM-SCHEMA"), Explained::Unknown(Some(Code::RealmScheme)));
        assert_eq!(explain("hello"), Explained::Unknown(None));
    }
}
