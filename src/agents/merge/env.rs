//! `NAME=value` lines, as read by a shell's `.env` readers and by Docker's `--env-file`.
//!
//! The two disagree on quotes, so a template's value is written without them, or not at all.

use serde_json::{Map, Value};

use super::Refusal;
use crate::config::dotenv::{self, Odd};

pub(super) fn read(text: &str) -> Result<Value, Refusal> {
    let mut values = Map::new();
    for (_, read) in dotenv::entries(text) {
        match read {
            Ok((name, value)) => drop(values.insert(name.to_owned(), value.into())),
            // Its readers may substitute it; no template value contains one.
            Err(Odd::Variable) => {}
            Err(Odd::Line) => return Err(Refusal::new("has a line that is not NAME=value")),
        }
    }
    Ok(values.into())
}

pub(super) fn edit(text: &str, template: &Value) -> Result<String, Refusal> {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let members = template.as_object().into_iter().flatten();
    for (name, value) in members {
        let value = value.as_str().unwrap_or_default();
        if !value.bytes().all(is_plain) {
            return Err(Refusal::new(format!(
                "needs {name} with a value that readers of such files spell differently; \
                 a key of letters, digits, - and _ would do"
            )));
        }
        let line = format!("{name}={value}\n");
        let mut old = lines.iter_mut().filter(|line| names(line, name));
        match (old.next(), old.next()) {
            (Some(old), None) => *old = line,
            (None, _) => {
                if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
                    last.push('\n');
                }
                lines.push(line);
            }
            (Some(_), Some(_)) => return Err(Refusal::new(format!("sets {name} twice"))),
        }
    }
    Ok(lines.concat())
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_./:+=@[]<>".contains(&byte)
}

fn names(line: &str, name: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    line.strip_prefix(name)
        .is_some_and(|rest| rest.trim_start().starts_with('='))
}
