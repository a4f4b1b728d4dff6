//! YAML: reading by a library, writing here, so that what is written means the same to readers of YAML 1.1 and 1.2.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// A text is not YAML. What it says is not repeated, since it may be a secret.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is not YAML that can be read")]
pub struct YamlError {
    line: u64,
}

/// The documents of a stream; an empty one is left out. JSON is YAML.
pub fn read(text: &str) -> Result<Vec<Value>, YamlError> {
    serde_saphyr::from_multiple::<Value>(text)
        .map_err(|error| YamlError { line: error.location().map_or(1, |at| at.line()) })
}

/// One document, with `first` keys of the root before the others.
pub fn write(value: &Value, first: &[&str]) -> String {
    let mut text = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => {
            let order = first.iter().filter_map(|key| map.get_key_value(*key));
            let rest = map.iter().filter(|(key, _)| !first.contains(&key.as_str()));
            entries(&mut text, order.chain(rest), 0);
        }
        _ => {
            inline(&mut text, value);
            text.push('\n');
        }
    }
    text
}

fn entries<'a>(text: &mut String, entries: impl Iterator<Item = (&'a String, &'a Value)>, depth: usize) {
    for (key, value) in entries {
        // Writing to a string cannot fail.
        let _ = write!(text, "{:depth$}{}:", "", scalar(key));
        nested(text, value, depth);
    }
}

fn nested(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            entries(text, map.iter(), depth + 2);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            list(text, items, depth + 2);
        }
        _ => {
            text.push(' ');
            inline(text, value);
            text.push('\n');
        }
    }
}

fn list(text: &mut String, items: &[Value], depth: usize) {
    for item in items {
        let _ = write!(text, "{:depth$}-", "");
        match item {
            // The first key stands beside the dash.
            Value::Object(map) if !map.is_empty() => {
                let mut inner = String::new();
                entries(&mut inner, map.iter(), depth + 2);
                text.push(' ');
                text.push_str(&inner[depth + 2..]);
            }
            _ => nested(text, item, depth),
        }
    }
}

/// What has no lines of its own.
fn inline(text: &mut String, value: &Value) {
    match value {
        Value::String(string) => text.push_str(&scalar(string)),
        // JSON's form of the others is YAML's.
        Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
            let _ = write!(text, "{value}");
        }
    }
}

/// Plain where nobody can take it for anything but a text, else in quotes.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let begins = text.starts_with(|first: char| first.is_ascii_alphabetic())
        || (text.starts_with('.') && text[1..].starts_with(|next: char| next.is_ascii_alphabetic()));
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._/+=".contains(letter);
    let is_float = [".inf", ".nan"].iter().any(|word| text.eq_ignore_ascii_case(word));
    let is_word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    if begins && text.chars().all(plain) && !is_word && !is_float {
        return text.to_owned();
    }
    // Of what JSON leaves as it is, YAML takes these for the end of a line or refuses them.
    let mut quoted = String::new();
    for letter in Value::from(text).to_string().chars() {
        match letter {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted
}

/// The value at a path of keys.
pub fn at<'a>(root: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(root, |value, key| &value[*key])
}

/// The map at `key`, made if it is missing; none if something else is there.
pub fn map_at<'a>(root: &'a mut Value, key: &str) -> Option<&'a mut Map<String, Value>> {
    let map = root.as_object_mut()?;
    map.entry(key).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn people_can_read_what_is_written() {
        let value = json!({
            "kind": "Secret", "apiVersion": "v1", "empty": {}, "none": [], "on": "off", "port": "8080",
            "metadata": {"name": "registry-pull", "labels": {"a": "true", "b": null}},
            "list": [1, {"a": "b", "c": [true]}, "x: y"],
        });
        insta::assert_snapshot!(write(&value, &["apiVersion", "kind"]));
    }

    #[test]
    fn an_error_does_not_repeat_the_text() {
        for text in ["a: [geheim123", "a: b\nc: \"geheim123", "\t- geheim123: :", "a: *geheim123"] {
            let error = read(text).unwrap_err();
            let said = format!("{error} {error:?}");
            assert!(!said.contains("geheim") && said.contains("line"), "{said}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "(yes|No|~|null|0x1f|1e3|-|\\.inf|2026-01-01|a: b|# c|[a-z.=/+-]{0,12}|\\PC{0,8})"
                .prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                prop::collection::btree_map("\\PC{0,8}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_the_same(value in values()) {
            let text = write(&value, &["b"]);
            let read = read(&text).unwrap();
            // A null alone is no document.
            prop_assert!(read == [value.clone()] || (value.is_null() && read.is_empty()), "{text:?}: {read:?}");
        }
    }
}
