//! The smallest JSON document that fits a JSON schema, close enough to drive SDKs.

use serde_json::{Map, Value, json};

/// How deep references and nesting are followed.
const MAX_DEPTH: usize = 24;

/// The smallest document that fits `schema`.
pub(super) fn example(schema: &Value) -> Value {
    fit(schema, schema, MAX_DEPTH)
}

fn fit(schema: &Value, root: &Value, depth: usize) -> Value {
    let Some(deeper) = depth.checked_sub(1) else {
        return Value::Null;
    };
    if let Some(target) = schema["$ref"].as_str() {
        let target = target
            .strip_prefix('#')
            .and_then(|pointer| root.pointer(pointer));
        return target.map_or(Value::Null, |target| fit(target, root, deeper));
    }
    for fixed in ["const", "default"] {
        if let Some(value) = schema.get(fixed) {
            return value.clone();
        }
    }
    for list in ["enum", "examples"] {
        if let Some(value) = schema[list].get(0) {
            return value.clone();
        }
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(first) = schema[choice].get(0) {
            return fit(first, root, deeper);
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return merged(parts.iter().map(|part| fit(part, root, deeper)));
    }
    match kind(schema) {
        "object" => object(schema, root, deeper),
        "array" => {
            let length = schema["minItems"].as_u64().unwrap_or(0).min(100);
            (0..length)
                .map(|_| fit(&schema["items"], root, deeper))
                .collect()
        }
        "string" => json!(text(schema)),
        "integer" | "number" => {
            let above = schema["exclusiveMinimum"]
                .as_i64()
                .map(|bound| bound.saturating_add(1));
            schema
                .get("minimum")
                .cloned()
                .or(above.map(Value::from))
                .unwrap_or(json!(0))
        }
        "boolean" => json!(false),
        _ => Value::Null,
    }
}

/// The schema's type: the first of several that is not `null`, and `object` if there are
/// properties.
fn kind(schema: &Value) -> &str {
    let first = |kinds: &'_ [Value]| kinds.iter().position(|kind| kind != "null");
    let named = match &schema["type"] {
        Value::String(kind) => Some(kind.as_str()),
        Value::Array(kinds) => first(kinds).and_then(|at| schema["type"][at].as_str()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    };
    named.unwrap_or(if schema.get("properties").is_some() {
        "object"
    } else {
        "null"
    })
}

fn object(schema: &Value, root: &Value, depth: usize) -> Value {
    let mut object = Map::new();
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        object.insert(
            name.to_owned(),
            fit(&schema["properties"][name], root, depth),
        );
    }
    Value::Object(object)
}

fn text(schema: &Value) -> String {
    match schema["format"].as_str() {
        Some("date-time") => "2026-01-01T00:00:00Z".to_owned(),
        Some("date") => "2026-01-01".to_owned(),
        Some("time") => "00:00:00Z".to_owned(),
        Some("email") => "someone@example.com".to_owned(),
        Some("uri") => "https://example.com/".to_owned(),
        Some("uuid") => "00000000-0000-4000-8000-000000000000".to_owned(),
        Some(_) | None => {
            let least = schema["minLength"].as_u64().unwrap_or(0).min(10_000);
            let most = schema["maxLength"].as_u64().unwrap_or(u64::MAX);
            let usual = "ok".chars().chain(std::iter::repeat('k'));
            let length = usize::try_from(least.max(2).min(most)).unwrap_or(2);
            usual.take(length).collect()
        }
    }
}

fn merged(parts: impl Iterator<Item = Value>) -> Value {
    let mut whole = Map::new();
    for part in parts {
        match part {
            Value::Object(fields) => whole.extend(fields),
            Value::Null => {}
            other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                return other;
            }
        }
    }
    Value::Object(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn the_smallest_document_fits_its_schema() {
        let rows = [
            (json!({"type": "string"}),                                  json!("ok")),
            (json!({"type": ["null", "integer"]}),                       json!(0)),
            (json!({"type": "integer", "minimum": 3}),                   json!(3)),
            (json!({"type": "string", "minLength": 4}),                  json!("okkk")),
            (json!({"enum": ["b", "a"]}),                                json!("b")),
            (json!({"anyOf": [{"type": "boolean"}, {"type": "null"}]}),  json!(false)),
            (json!({"type": "array", "items": {"type": "string"}}),      json!([])),
            (json!({"type": "array", "minItems": 1, "items": {"type": "number"}}), json!([0])),
            (json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}), json!({"a": "ok"})),
            (json!({"$defs": {"n": {"type": "integer"}}, "properties": {"n": {"$ref": "#/$defs/n"}}, "required": ["n"]}), json!({"n": 0})),
            (json!({"$ref": "#"}),                                       json!(null)),
        ];
        for (schema, expected) in rows {
            assert_eq!(example(&schema), expected, "{schema}");
        }
    }
}
