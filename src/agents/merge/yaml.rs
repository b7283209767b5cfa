//! YAML, as far as a flat list of settings goes: plain values at the top level.
//!
//! The parser says where in the text each value is; it is changed there and nowhere else.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Value};

use super::Refusal;

type Events<'a> = std::vec::IntoIter<(Event<'a>, Span)>;

/// No settings nest deeper, and the code that reads them here recurses.
const MAX_DEPTH: usize = 128;

pub(super) fn read(text: &str) -> Result<Value, Refusal> {
    let mut events = events(text)?.into_iter();
    let mut document = None;
    while let Some((event, _)) = events.next() {
        match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
            root @ (Event::Alias(_)
            | Event::Scalar(..)
            | Event::SequenceStart(..)
            | Event::SequenceEnd
            | Event::MappingStart(..)
            | Event::MappingEnd) => {
                if document.replace(value(root, &mut events)?).is_some() {
                    return Err(Refusal::new("holds more than one document"));
                }
            }
        }
    }
    match document {
        None => Ok(Map::new().into()),
        Some(Value::String(text)) if text.is_empty() || text == "~" => Ok(Map::new().into()),
        Some(settings @ Value::Object(_)) => Ok(settings),
        Some(_) => Err(Refusal::new("has no settings at its top level")),
    }
}

fn events(text: &str) -> Result<Vec<(Event<'_>, Span)>, Refusal> {
    let (mut events, mut depth) = (Vec::new(), 0_usize);
    for event in Parser::new_from_str(text) {
        let event = event.map_err(|error| {
            Refusal::new(format!(
                "is not valid YAML: line {}, column {}",
                error.marker().line(),
                error.marker().col() + 1
            ))
        })?;
        depth = depth_behind(&event.0, depth);
        if depth > MAX_DEPTH {
            return Err(Refusal::new("nests deeper than any settings file"));
        }
        events.push(event);
    }
    Ok(events)
}

/// Every plain value is its text; what an alias means does not matter as long as it stays.
fn value(event: Event<'_>, events: &mut Events<'_>) -> Result<Value, Refusal> {
    match event {
        Event::Scalar(text, ..) => Ok(text.into_owned().into()),
        Event::Alias(anchor) => Ok(format!("*{anchor}").into()),
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            loop {
                match events.next() {
                    Some((Event::SequenceEnd, _)) | None => return Ok(items.into()),
                    Some((event, _)) => items.push(value(event, events)?),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut members = Map::new();
            loop {
                let Some((event, _)) = events.next() else {
                    return Ok(members.into());
                };
                if event == Event::MappingEnd {
                    return Ok(members.into());
                }
                let name = value(event, events)?;
                let name = name
                    .as_str()
                    .map_or_else(|| name.to_string(), str::to_owned);
                let member = events.next().map(|(event, _)| value(event, events));
                let member = member.unwrap_or(Ok(Value::Null))?;
                if members.insert(name, member).is_some() {
                    return Err(Refusal::new("sets something twice"));
                }
            }
        }
        Event::Nothing
        | Event::StreamStart
        | Event::StreamEnd
        | Event::DocumentStart(_)
        | Event::DocumentEnd
        | Event::SequenceEnd
        | Event::MappingEnd => Ok(Value::Null),
    }
}

pub(super) fn edit(text: &str, template: &Value) -> Result<String, Refusal> {
    let places = top_level(text)?;
    let (mut changes, mut added) = (Vec::new(), String::new());
    for (name, value) in template.as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        match places.iter().find(|(place, _)| place == name) {
            Some((_, Some(spot))) if spot.value == value => {}
            Some((_, Some(spot))) => changes.push((spot.range.clone(), spelt(value))),
            Some((_, None)) => {
                return Err(Refusal::new(format!(
                    "has no plain value on one line as `{name}`"
                )));
            }
            None => added += &format!("{name}: {}\n", spelt(value)),
        }
    }
    changes.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut text = text.to_owned();
    for (span, value) in changes {
        text.replace_range(span, &value);
    }
    if !(added.is_empty() || text.is_empty() || text.ends_with('\n')) {
        text.push('\n');
    }
    Ok(text + &added)
}

/// A plain value on one line, and its position.
struct Spot {
    value: String,
    range: std::ops::Range<usize>,
}

/// The names, with their values if these are plain ones.
fn top_level(text: &str) -> Result<Vec<(String, Option<Spot>)>, Refusal> {
    let mut places = Vec::new();
    let mut name = None;
    let mut depth = 0_usize;
    for (event, span) in events(text)? {
        let at_top = depth == 1;
        depth = depth_behind(&event, depth);
        let ends = matches!(event, Event::MappingEnd | Event::SequenceEnd);
        if !at_top || ends {
            continue;
        }
        let Some(name) = name.take() else {
            if let Event::Scalar(text, ..) = event {
                name = Some(text.into_owned());
                continue;
            }
            return Err(Refusal::new("has a name that is not plain text"));
        };
        // A value with an anchor or a tag is more than its text.
        let place = if let Event::Scalar(value, style, 0, None) = event {
            written(text, span, &value, style)
        } else {
            None
        };
        places.push((name, place));
    }
    Ok(places)
}

/// The exact position of this value. The parser's own end of a value may be after a comment, so
/// only a value written in the one obvious way is accepted.
fn written(text: &str, span: Span, value: &str, style: ScalarStyle) -> Option<Spot> {
    let spelt = match style {
        ScalarStyle::Plain => value.to_owned(),
        ScalarStyle::SingleQuoted => format!("'{}'", value.replace('\'', "''")),
        ScalarStyle::DoubleQuoted => format!("\"{value}\""),
        ScalarStyle::Literal | ScalarStyle::Folded => return None,
    };
    // The parser counts characters.
    let (start, _) = text.char_indices().nth(span.start.index())?;
    let found = text.get(start..)?.starts_with(&spelt) && !spelt.is_empty();
    found.then(|| Spot {
        value: value.to_owned(),
        range: start..start + spelt.len(),
    })
}

/// Plain if every reader would take it for exactly this text, or for the flag that is meant; else
/// in quotes, where YAML reads what JSON writes.
fn spelt(value: &str) -> String {
    const WORDS: [&str; 8] = ["yes", "no", "on", "off", "null", "y", "n", "~"];
    let plain = value.starts_with(|c: char| c.is_ascii_alphabetic())
        && !value.ends_with(':')
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_./:".contains(&b))
        && !WORDS.contains(&value.to_ascii_lowercase().as_str());
    if plain {
        value.to_owned()
    } else {
        Value::from(value).to_string()
    }
}
/// The nesting depth after this event.
fn depth_behind(event: &Event<'_>, depth: usize) -> usize {
    match event {
        Event::MappingStart(..) | Event::SequenceStart(..) => depth + 1,
        Event::MappingEnd | Event::SequenceEnd => depth.saturating_sub(1),
        Event::Scalar(..)
        | Event::Alias(_)
        | Event::Nothing
        | Event::StreamStart
        | Event::StreamEnd
        | Event::DocumentStart(_)
        | Event::DocumentEnd => depth,
    }
}
