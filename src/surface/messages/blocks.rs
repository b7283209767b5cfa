//! `system` and `messages`: blocks become the messages of a chat completion.
//!
//! `cache_control` and the like are marks for Anthropic's servers and mean nothing here.

use super::document::{document, image};
use crate::json::{Kind, Raw};
use crate::surface::chat::{Arguments, Body, Part, fitting, unseal};
use crate::surface::dropped::Dropped;
use crate::surface::place::{Invalid, Place};

/// Carries `messages` over.
pub(super) fn carry(
    messages: Raw<'_>,
    body: &mut Body,
    dropped: &mut Dropped,
) -> Result<(), Invalid> {
    let place = Place::top("messages");
    for (n, message) in place.array(messages)?.elements().enumerate() {
        let place = place.at(n);
        let [role, content] = place.object(message)?.pick(["role", "content"]);
        let role = place.required("role", role)?;
        let inside = place.field("content");
        let content = content.ok_or_else(|| inside.missing())?;
        if !matches!(content.kind(), Kind::String | Kind::Array) {
            return Err(inside.must_be("a string or a list of blocks"));
        }
        match role {
            "user" => user(content, &inside, body, dropped)?,
            "assistant" => assistant(content, &inside, body)?,
            "system" => body.system(texts(content, &inside)?),
            _ => return Err(place.field("role").must_be("user, assistant or system")),
        }
    }
    Ok(())
}

/// What a system says: a string, or text blocks.
pub(super) fn texts<'a>(content: Raw<'a>, place: &Place<'_>) -> Result<Vec<&'a str>, Invalid> {
    if let Some(text) = content.escaped() {
        return Ok(vec![text]);
    }
    let mut texts = Vec::new();
    for (n, block) in place.array(content)?.elements().enumerate() {
        let place = place.at(n);
        let [kind, text] = place.object(block)?.pick(["type", "text"]);
        match place.required("type", kind)? {
            "text" => texts.push(place.required("text", text)?),
            other => return Err(place.field("type").not_carried(other)),
        }
    }
    Ok(texts)
}

/// The results of tools come first, each as a message of its own; chat knows no other order.
fn user(
    content: Raw<'_>,
    place: &Place<'_>,
    body: &mut Body,
    dropped: &mut Dropped,
) -> Result<(), Invalid> {
    if let Some(text) = content.escaped() {
        body.user(&[Part::Text(text)]);
        return Ok(());
    }
    let mut parts = Vec::new();
    let mut results = false;
    for (n, block) in content.elements().enumerate() {
        let place = place.at(n);
        let block = Block::read(block, &place)?;
        if block.kind == "tool_result" {
            result(&block, &place, body, dropped)?;
            results = true;
        } else {
            part(&block, &place, &mut parts, dropped)?;
        }
    }
    if !parts.is_empty() || !results {
        body.user(&parts);
    }
    Ok(())
}

/// A block of the user's, as far as any kind of block is read.
pub(super) struct Block<'a> {
    pub(super) kind: &'a str,
    pub(super) source: Option<Raw<'a>>,
    pub(super) title: Option<Raw<'a>>,
    pub(super) context: Option<Raw<'a>>,
    pub(super) citations: Option<Raw<'a>>,
    text: Option<Raw<'a>>,
    tool_use_id: Option<Raw<'a>>,
    content: Option<Raw<'a>>,
    is_error: Option<Raw<'a>>,
}

impl<'a> Block<'a> {
    pub(super) fn read(block: Raw<'a>, place: &Place<'_>) -> Result<Self, Invalid> {
        let keys = [
            "type",
            "source",
            "title",
            "context",
            "citations",
            "text",
            "tool_use_id",
            "content",
            "is_error",
        ];
        let [
            kind,
            source,
            title,
            context,
            citations,
            text,
            tool_use_id,
            content,
            is_error,
        ] = place.object(block)?.pick(keys);
        Ok(Self {
            kind: place.required("type", kind)?,
            source,
            title,
            context,
            citations,
            text,
            tool_use_id,
            content,
            is_error,
        })
    }
}

/// A text, an image or a document.
pub(super) fn part<'a>(
    block: &Block<'a>,
    place: &Place<'_>,
    parts: &mut Vec<Part<'a>>,
    dropped: &mut Dropped,
) -> Result<(), Invalid> {
    match block.kind {
        "text" => parts.push(Part::Text(place.required("text", block.text)?)),
        "image" => parts.push(image(block, place)?),
        "document" => document(block, place, parts, dropped)?,
        other => return Err(place.field("type").not_carried(other)),
    }
    Ok(())
}

fn result(
    block: &Block<'_>,
    place: &Place<'_>,
    body: &mut Body,
    dropped: &mut Dropped,
) -> Result<(), Invalid> {
    let id = place.required("tool_use_id", block.tool_use_id)?;
    let failed = block
        .is_error
        .map(|failed| place.field("is_error").flag(failed));
    let failed = failed.transpose()?.unwrap_or(false);
    let mut parts = Vec::new();
    if let Some(content) = block.content {
        let place = place.field("content");
        if let Some(text) = content.escaped() {
            parts.push(Part::Text(text));
        } else {
            for (n, block) in place.array(content)?.elements().enumerate() {
                let place = place.at(n);
                part(&Block::read(block, &place)?, &place, &mut parts, dropped)?;
            }
        }
    }
    body.result(id, &parts, failed);
    Ok(())
}

/// What the model said.
fn assistant(content: Raw<'_>, place: &Place<'_>, body: &mut Body) -> Result<(), Invalid> {
    body.end_turn();
    body.begin_turn();
    if let Some(text) = content.escaped() {
        body.text(text);
        return Ok(());
    }
    for (n, block) in content.elements().enumerate() {
        let place = place.at(n);
        let keys = [
            "type",
            "text",
            "id",
            "name",
            "input",
            "thinking",
            "signature",
            "data",
        ];
        let [kind, text, id, name, input, thought, signature, data] =
            place.object(block)?.pick(keys);
        match place.required("type", kind)? {
            "text" => body.text(place.required("text", text)?),
            "tool_use" => {
                let id = place.required("id", id)?;
                let name = place.required("name", name)?;
                let input = input.map(|input| place.field("input").object(input));
                let input = input.transpose()?.map_or("{}", Raw::text);
                body.call(id, &fitting(name), Arguments::Json(input));
            }
            "thinking" => {
                let thought = place.required("thinking", thought)?;
                let signature = signature.map(|s| place.field("signature").string(s));
                thinking(thought.as_bytes(), signature.transpose()?, body);
            }
            "redacted_thinking" => redacted(place.required("data", data)?, body),
            other => return Err(place.field("type").not_carried(other)),
        }
    }
    Ok(())
}

/// A signature of ours holds the details; another's says nothing to a free model.
fn thinking(text: &[u8], signature: Option<&str>, body: &mut Body) {
    let mut details = Vec::new();
    if let Some(unsealed) = signature.and_then(unseal) {
        unsealed.write(&mut details, text);
    }
    body.reasoning(text, &details);
}

fn redacted(data: &str, body: &mut Body) {
    let mut details = Vec::new();
    match unseal(data) {
        Some(unsealed) => unsealed.write(&mut details, b""),
        None => {
            let start = r#",{"type":"reasoning.encrypted","data":""#;
            for piece in [start, data, r#"","format":"anthropic-claude-v1"}"#] {
                details.extend_from_slice(piece.as_bytes());
            }
        }
    }
    body.reasoning(b"", &details);
}
