//! TOML.

use serde_json::{Map, Value};
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use super::Refusal;

pub(super) fn read(text: &str) -> Result<Value, Refusal> {
    parse(text).map(|document| table(document.as_table()))
}

pub(super) fn edit(text: &str, template: &Value) -> Result<String, Refusal> {
    let mut document = parse(text)?;
    if let Value::Object(members) = template {
        put(document.as_table_mut(), members);
    }
    Ok(document.to_string())
}

/// The parser's own message quotes the line, which may contain a key.
fn parse(text: &str) -> Result<DocumentMut, Refusal> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        Refusal::new(format!("is not valid TOML: line {line}"))
    })
}

fn put(table: &mut dyn TableLike, members: &Map<String, Value>) {
    for (name, new) in members {
        match (new, table.get_mut(name)) {
            (Value::Object(members), Some(Item::Table(table))) => put(table, members),
            (Value::Object(members), Some(old)) => {
                if let Some(table) = old.as_table_like_mut() {
                    put(table, members);
                }
            }
            (Value::Object(members), None) => {
                let mut fresh = Table::new();
                // A table containing only tables needs no header of its own.
                fresh.set_implicit(members.values().all(Value::is_object));
                put(&mut fresh, members);
                table.insert(name, Item::Table(fresh));
            }
            (new, Some(old)) => {
                let decor = old.as_value().map(|old| old.decor().clone());
                if plain(old) == *new {
                    continue;
                }
                *old = item(new);
                if let (Some(new), Some(decor)) = (old.as_value_mut(), decor) {
                    *new.decor_mut() = decor;
                }
            }
            (new, None) => drop(table.insert(name, item(new))),
        }
    }
}

/// Templates contain only strings, flags and tables; anything else is caught by parsing the result.
fn item(new: &Value) -> Item {
    match new {
        Value::Bool(flag) => value(*flag),
        Value::String(text) => value(text),
        Value::Number(number) => value(number.as_i64().unwrap_or_default()),
        Value::Null | Value::Array(_) | Value::Object(_) => Item::None,
    }
}

fn table(table: &dyn TableLike) -> Value {
    let members = table.iter();
    members
        .map(|(name, item)| (name.to_owned(), plain(item)))
        .collect()
}

fn plain(item: &Item) -> Value {
    match item {
        Item::None => Value::Null,
        Item::Value(value) => plain_value(value),
        Item::Table(members) => table(members),
        Item::ArrayOfTables(tables) => tables.iter().map(|members| table(members)).collect(),
    }
}

/// What JSON cannot represent becomes a string that no template contains.
fn plain_value(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => text.value().clone().into(),
        toml_edit::Value::Integer(number) => (*number.value()).into(),
        toml_edit::Value::Boolean(flag) => (*flag.value()).into(),
        toml_edit::Value::Float(number) => format!("float {}", number.value()).into(),
        toml_edit::Value::Datetime(date) => format!("date {}", date.value()).into(),
        toml_edit::Value::Array(items) => items.iter().map(plain_value).collect(),
        toml_edit::Value::InlineTable(members) => table(members),
    }
}
