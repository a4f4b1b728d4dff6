//! Guesses what was meant by a word that is unknown.

/// The candidate that is nearest to `word`, when one is near enough to be meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    // The last part alone often is what somebody remembers: `url_file` for `database.url_file`.
    let distance = |candidate: &str| {
        let lower = candidate.to_lowercase();
        let last = lower.rsplit('.').next().unwrap_or(&lower);
        edits(&word, &lower).min(edits(word.rsplit('.').next().unwrap_or(&word), last) + 1)
    };
    let (best, edits) =
        candidates.into_iter().map(|name| (name, distance(name))).min_by_key(|(_, edits)| *edits)?;
    (edits <= 1 + word.len() / 4).then_some(best)
}

/// How many letters have to be put in, taken out, or changed to make `left` into `right`.
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, to) in right.iter().enumerate() {
            let change = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = change.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_when_it_is_near() {
        let words = ["listen", "tls.cert", "database.url_file", "quota.default_bytes"];
        for (word, meant) in [
            ("lisen", Some("listen")),
            ("tls.certificate", None),
            ("tls.certs", Some("tls.cert")),
            ("url_file", Some("database.url_file")),
            ("quota.default_byte", Some("quota.default_bytes")),
            ("zebra", None),
        ] {
            assert_eq!(nearest(word, words), meant, "{word}");
        }
        assert_eq!(edits("kitten", "sitting"), 3);
    }
}
