//! Reading objects whose shape is not sure.

use serde_json::Value;

/// A text; empty where there is none.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A list; empty where there is none.
pub fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A number; 0 where there is none.
pub fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// Whether it says `true`.
pub fn flag(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool).unwrap_or(false)
}

/// The object's name.
pub fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// The object's namespace.
pub fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

/// `NAMESPACE/NAME`.
pub fn full_name(object: &Value) -> String {
    match namespace(object) {
        "" => name(object).to_owned(),
        namespace => format!("{namespace}/{}", name(object)),
    }
}

/// Whether the object is that one.
pub fn is(object: &Value, in_namespace: &str, called: &str) -> bool {
    namespace(object) == in_namespace && name(object) == called
}

/// A condition of the object's status: its status and its message.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<(&'a str, &'a str)> {
    let found =
        list(object, "/status/conditions").iter().find(|condition| text(condition, "/type") == kind)?;
    Some((text(found, "/status"), text(found, "/message")))
}

/// Whether labels have all that a selector asks for; an empty selector asks for nothing and selects nothing.
pub fn selects(selector: Option<&Value>, labels: Option<&Value>) -> bool {
    let Some(selector) = selector.and_then(Value::as_object).filter(|selector| !selector.is_empty()) else {
        return false;
    };
    selector.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
}

/// Bytes of a quantity as Kubernetes writes it: `10Gi`, `500M`, `1e9`.
pub fn quantity(text: &str) -> Option<u64> {
    let end = text.find(|letter: char| !(letter.is_ascii_digit() || letter == '.')).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let factor: f64 = match unit {
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "Pi" => 1024.0 * 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return text.parse::<f64>().ok().map(|bytes| bytes as u64),
    };
    Some((digits.parse::<f64>().ok()? * factor) as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_bytes() {
        let found = ["10Gi", "1.5Ki", "500M", "7", "1e3", "x", ""].map(quantity);
        assert_eq!(found, [Some(10 << 30), Some(1536), Some(500_000_000), Some(7), Some(1000), None, None]);
    }

    #[test]
    fn a_selector_without_anything_selects_nothing() {
        let labels = json!({"app": "gitea", "tier": "x"});
        assert!(selects(Some(&json!({"app": "gitea"})), Some(&labels)));
        assert!(!selects(Some(&json!({"app": "other"})), Some(&labels)));
        assert!(!selects(Some(&json!({})), Some(&labels)) && !selects(None, Some(&labels)));
    }
}
