//! Which values of a release are not those of the files. Keys are said, and values never, since they may be secrets.

use std::collections::BTreeSet;

use serde_json::Value;

/// The keys, joined by dots, for which `live` and `files` differ, apart from those below the paths of `ours`.
pub fn drift(live: &Value, files: &Value, ours: &[[&str; 4]]) -> Vec<String> {
    let mut found = BTreeSet::new();
    compare(live, files, &mut Vec::new(), ours, &mut found);
    found.into_iter().collect()
}

fn compare(
    live: &Value,
    files: &Value,
    path: &mut Vec<String>,
    ours: &[[&str; 4]],
    found: &mut BTreeSet<String>,
) {
    if ours.iter().any(|own| own.iter().eq(path.iter())) {
        return;
    }
    let tables = (table(live), table(files));
    let (Some(a), Some(b)) = tables else {
        if !same(live, files) {
            found.insert(path.join("."));
        }
        return;
    };
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    for key in keys {
        path.push(key.clone());
        let side = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
        compare(&side(a), &side(b), path, ours, found);
        path.pop();
    }
}

/// A table. What is absent is an empty one beside one, so that the keys inside of it are named.
fn table(value: &Value) -> Option<&serde_json::Map<String, Value>> {
    static NONE: std::sync::LazyLock<serde_json::Map<String, Value>> =
        std::sync::LazyLock::new(serde_json::Map::new);
    match value {
        Value::Object(map) => Some(map),
        Value::Null => Some(&NONE),
        _ => None,
    }
}

/// Whether two values are the same to helm, which reads YAML 1.1 and keeps every number as a float.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Bool(is), Value::String(word)) | (Value::String(word), Value::Bool(is)) => {
            let words: &[&str] = if *is { &["y", "yes", "on"] } else { &["n", "no", "off"] };
            words.iter().any(|one| word.eq_ignore_ascii_case(one))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_that_differ_are_named_and_ours_are_not() {
        let live = json!({"a": 1, "b": {"c": "x", "d": "y"}, "gitea": {"config": {"packages": {"ENABLED": true}}}, "set": {"by": "hand"}});
        let files = json!({"a": 1.0, "b": {"c": "x", "d": "z"}, "new": true});
        let ours = [["gitea", "config", "packages", "ENABLED"]];
        assert_eq!(drift(&live, &files, &ours), ["b.d", "new", "set.by"]);
        assert_eq!(drift(&live, &live, &[]), [""; 0]);
        assert_eq!(drift(&Value::Null, &json!({}), &[]), [""; 0]);
    }

    #[test]
    fn what_helm_reads_alike_is_the_same() {
        let live = json!({"on": true, "big": 1e6, "list": [1.0, {"a": false}], "none": null});
        let files = json!({"on": "yes", "big": 1_000_000, "list": [1, {"a": "off"}], "empty": {}});
        assert_eq!(drift(&live, &files, &[]), [""; 0]);
        assert_eq!(drift(&json!({"a": "1"}), &json!({"a": 1}), &[]), ["a"]);
        assert_eq!(drift(&json!({"a": [1]}), &json!({"a": [1, 2]}), &[]), ["a"]);
        assert_eq!(drift(&json!({"a": {"b": 1}}), &json!({"a": "x"}), &[]), ["a"]);
    }
}
