//! JSON, with the comments and trailing commas that agents allow in their settings.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstArray, CstInputValue, CstObject, CstRootNode};
use serde_json::{Map, Value};

use super::{Refusal, same_member};

const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

pub(super) fn read(text: &str) -> Result<Value, Refusal> {
    let Some(root) = parse(text)?.value() else {
        return Ok(Map::new().into());
    };
    match root.to_serde_value() {
        Some(object @ Value::Object(_)) => Ok(object),
        Some(_) | None => Err(Refusal::new("is not a JSON object")),
    }
}

fn parse(text: &str) -> Result<CstRootNode, Refusal> {
    CstRootNode::parse(text, &OPTIONS).map_err(|error| {
        let (line, column) = (error.line_display(), error.column_display());
        Refusal::new(format!("is not valid JSON: line {line}, column {column}"))
    })
}

pub(super) fn edit(text: &str, template: &Value) -> Result<String, Refusal> {
    let root = parse(if text.trim().is_empty() { "" } else { text })?;
    let object = root.object_value_or_set();
    if let Value::Object(members) = template {
        put(&object, members);
    }
    Ok(root.to_string())
}

/// An equal value is not touched, so its spelling stays.
fn put(object: &CstObject, members: &Map<String, Value>) {
    for (name, value) in members {
        let Some(property) = object.get(name) else {
            object.append(name, input(value));
            continue;
        };
        match (value, property.object_value(), property.array_value()) {
            (Value::Object(members), Some(object), _) => put(&object, members),
            (Value::Array(items), _, Some(array)) => add(&array, items),
            (value, _, _) => {
                let old = property.value().and_then(|old| old.to_serde_value());
                if old.as_ref() != Some(value) {
                    property.set_value(input(value));
                }
            }
        }
    }
}

fn add(array: &CstArray, items: &[Value]) {
    for item in items {
        let elements = array.elements();
        let same = elements.iter().find(|element| {
            let value = element.to_serde_value();
            value.is_some_and(|value| same_member(&value, item))
        });
        match (same.and_then(|element| element.as_object()), item) {
            (Some(object), Value::Object(members)) => put(&object, members),
            (_, item) => drop(array.append(input(item))),
        }
    }
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(flag) => CstInputValue::Bool(*flag),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Value::Object(members) => {
            let members = members.iter();
            CstInputValue::Object(
                members
                    .map(|(name, value)| (name.clone(), input(value)))
                    .collect(),
            )
        }
    }
}
