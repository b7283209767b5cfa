//! Puts a template into a file that may be hand-written, losing nothing.
//!
//! Pure: text in, text out. What the template does not name stays exactly as it is: comments,
//! order, unknown fields, the spelling of numbers. The result is parsed again before it is
//! accepted; if it is not as intended, or if the file contains something that conflicts with the
//! template, it is refused, and a person must edit the file.

mod env;
mod json;
mod toml;
mod yaml;

use serde_json::Value;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON, perhaps with comments and trailing commas.
    Json,
    /// TOML.
    Toml,
    /// YAML; templates set plain values at its top level only.
    Yaml,
    /// `NAME=value` lines.
    Env,
}

/// The changed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The complete text.
    pub text: String,
    /// What had a different value before, as dotted paths.
    pub replaced: Vec<String>,
}

/// Why a template cannot be added: the end of a sentence that begins with the file's name. It
/// quotes nothing of the file except the names on a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(String);

impl Refusal {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Parses a file.
///
/// # Errors
///
/// When its meaning is not certain.
pub fn said(format: Format, text: &str) -> Result<Value, Refusal> {
    read(format, text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text))
}

/// Adds the template to the text.
///
/// # Errors
///
/// When that cannot be done safely.
pub fn merge(format: Format, text: &str, template: &Value) -> Result<Merged, Refusal> {
    let body = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let before = read(format, body)?;
    let template = &as_read(format, template);
    let (mut wanted, mut replaced) = (before.clone(), Vec::new());
    overlay(&mut wanted, template, &mut Vec::new(), &mut replaced)?;
    if wanted == before {
        let text = text.to_owned();
        return Ok(Merged { text, replaced });
    }
    let edited = match format {
        Format::Json => json::edit(body, template),
        Format::Toml => toml::edit(body, template),
        Format::Yaml => yaml::edit(body, template),
        Format::Env => env::edit(body, template),
    }?;
    let edited = with_line_ends_of(body, edited);
    if read(format, &edited).ok() != Some(wanted) {
        return Err(Refusal::new(
            "is written in a way that cannot be changed safely",
        ));
    }
    let mark = text.starts_with(BYTE_ORDER_MARK).then_some(BYTE_ORDER_MARK);
    Ok(Merged {
        text: mark.into_iter().chain(edited.chars()).collect(),
        replaced,
    })
}

fn read(format: Format, text: &str) -> Result<Value, Refusal> {
    match format {
        Format::Json => json::read(text),
        Format::Toml => toml::read(text),
        Format::Yaml => yaml::read(text),
        Format::Env => env::read(text),
    }
}

/// The template as its own format represents it: in some, every value is a string.
fn as_read(format: Format, template: &Value) -> Value {
    match (format, template) {
        (Format::Json | Format::Toml, _) => template.clone(),
        (Format::Yaml | Format::Env, Value::Object(members)) => members
            .iter()
            .map(|(name, value)| {
                let text = value.as_str().map(str::to_owned);
                let text = text.unwrap_or_else(|| value.to_string());
                (name.clone(), Value::String(text))
            })
            .collect(),
        (Format::Yaml | Format::Env, _) => template.clone(),
    }
}

/// The contents with the template applied. Members of a list are the same if their `id` is.
fn overlay(
    old: &mut Value,
    new: &Value,
    path: &mut Vec<String>,
    replaced: &mut Vec<String>,
) -> Result<(), Refusal> {
    let kind = |value: &Value| match value {
        Value::Object(_) => "a group of settings",
        Value::Array(_) => "a list",
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => "a plain value",
    };
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, new) in new {
                path.push(name.clone());
                match old.get_mut(name) {
                    Some(old) => overlay(old, new, path, replaced)?,
                    None => drop(old.insert(name.clone(), new.clone())),
                }
                path.pop();
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for new in new {
                match old.iter_mut().find(|old| same_member(old, new)) {
                    Some(old) => overlay(old, new, path, replaced)?,
                    None => old.push(new.clone()),
                }
            }
        }
        (old @ Value::Null, new) => *old = new.clone(),
        (old, new) if kind(old) != kind(new) => {
            let (path, old, new) = (path.join("."), kind(old), kind(new));
            return Err(Refusal::new(format!(
                "has {old} as `{path}`, where {new} is needed"
            )));
        }
        (old, new) if old != new => {
            replaced.push(path.join("."));
            *old = new.clone();
        }
        (_, _) => {}
    }
    Ok(())
}

fn same_member(old: &Value, new: &Value) -> bool {
    new.get("id").is_some() && new.get("id") == old.get("id")
}

/// A file in which all lines end in CR LF keeps that.
fn with_line_ends_of(model: &str, text: String) -> String {
    let ends = model.matches('\n').count();
    if ends == 0 || model.matches("\r\n").count() != ends {
        return text;
    }
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
