//! `input`: the items of a conversation become its messages.

use super::tools::joined;
use crate::json::Raw;
use crate::surface::chat::{Arguments, Body, Part, Url, unseal};
use crate::surface::place::{Invalid, Place};

/// Carries `input` over: a string, or a list of items.
pub(super) fn carry(input: Raw<'_>, body: &mut Body) -> Result<(), Invalid> {
    let place = Place::top("input");
    if let Some(text) = input.escaped() {
        body.user(&[Part::Text(text)]);
        return Ok(());
    }
    if input.kind() != crate::json::Kind::Array {
        return Err(place.must_be("a string or a list of items"));
    }
    for (n, item) in input.elements().enumerate() {
        carry_item(item, &place.at(n), body)?;
    }
    Ok(())
}

/// An item, as far as any kind of item is read.
struct Item<'a> {
    role: Option<Raw<'a>>,
    content: Option<Raw<'a>>,
    call_id: Option<Raw<'a>>,
    name: Option<Raw<'a>>,
    namespace: Option<Raw<'a>>,
    arguments: Option<Raw<'a>>,
    input: Option<Raw<'a>>,
    output: Option<Raw<'a>>,
    summary: Option<Raw<'a>>,
    sealed: Option<Raw<'a>>,
}

fn carry_item(item: Raw<'_>, place: &Place<'_>, body: &mut Body) -> Result<(), Invalid> {
    let keys = [
        "type",
        "role",
        "content",
        "call_id",
        "name",
        "namespace",
        "arguments",
        "input",
        "output",
        "summary",
        "encrypted_content",
    ];
    let [
        kind,
        role,
        content,
        call_id,
        name,
        namespace,
        arguments,
        input,
        output,
        summary,
        sealed,
    ] = place.object(item)?.pick(keys);
    let item = Item {
        role,
        content,
        call_id,
        name,
        namespace,
        arguments,
        input,
        output,
        summary,
        sealed,
    };
    let kind = match kind {
        Some(kind) => place.field("type").string(kind)?,
        None => "message",
    };
    match kind {
        "message" => item.message(place, body),
        "function_call" | "custom_tool_call" => item.call(kind, place, body),
        "function_call_output" | "custom_tool_call_output" => item.output(place, body),
        "reasoning" => item.reasoning(place, body),
        other => Err(place.field("type").not_carried(other)),
    }
}

impl Item<'_> {
    fn message(&self, place: &Place<'_>, body: &mut Body) -> Result<(), Invalid> {
        let role = place.required("role", self.role)?;
        let inside = place.field("content");
        let content = self.content.ok_or_else(|| inside.missing())?;
        match role {
            "user" => body.user(&parts(content, &inside)?),
            "system" | "developer" => body.system(texts(content, &inside)?),
            "assistant" => said(content, &inside, body)?,
            _ => {
                let expected = "user, assistant, system or developer";
                return Err(place.field("role").must_be(expected));
            }
        }
        Ok(())
    }

    fn call(&self, kind: &str, place: &Place<'_>, body: &mut Body) -> Result<(), Invalid> {
        let id = place.required("call_id", self.call_id)?;
        let name = place.required("name", self.name)?;
        let namespace = self
            .namespace
            .map(|namespace| place.field("namespace").string(namespace))
            .transpose()?;
        let arguments = if kind == "custom_tool_call" {
            Arguments::Input(place.required("input", self.input)?)
        } else {
            Arguments::Text(place.required("arguments", self.arguments)?)
        };
        body.call(id, &joined(namespace, name), arguments);
        Ok(())
    }

    /// A result whose call is not there is passed on: histories are cut, and the upstream must
    /// judge.
    fn output(&self, place: &Place<'_>, body: &mut Body) -> Result<(), Invalid> {
        let id = place.required("call_id", self.call_id)?;
        let place = place.field("output");
        let output = self.output.ok_or_else(|| place.missing())?;
        body.result(id, &parts(output, &place)?, false);
        Ok(())
    }

    /// What the model thought: sealed details of ours as they were, and the text that was shown.
    fn reasoning(&self, place: &Place<'_>, body: &mut Body) -> Result<(), Invalid> {
        let mut text = Vec::new();
        for (name, list) in [("content", self.content), ("summary", self.summary)] {
            let place = place.field(name);
            // The two say the same, one of them in short.
            let Some(list) = list.filter(|_| text.is_empty()) else {
                continue;
            };
            for (n, part) in place.array(list)?.elements().enumerate() {
                let place = place.at(n);
                let piece = place.required("text", place.object(part)?.get("text"))?;
                if !text.is_empty() {
                    text.extend_from_slice(br"\n\n");
                }
                text.extend_from_slice(piece.as_bytes());
            }
        }
        let mut details = Vec::new();
        if let Some(sealed) = self.sealed {
            let sealed = place.field("encrypted_content").string(sealed)?;
            if let Some(unsealed) = unseal(sealed) {
                unsealed.write(&mut details, &text);
            }
        }
        // A new thought begins a new turn; details alone belong to the one that they came with.
        if !text.is_empty() && body.turn_has_text() && !body.turn_has_calls() {
            body.end_turn();
        }
        body.reasoning(&text, &details);
        Ok(())
    }
}

/// What the model said. A text after a text is another turn, unless calls wait for their results.
fn said(content: Raw<'_>, place: &Place<'_>, body: &mut Body) -> Result<(), Invalid> {
    if body.turn_has_text() {
        if body.turn_has_calls() {
            body.text(r"\n\n");
        } else {
            body.end_turn();
        }
    }
    body.begin_turn();
    if let Some(text) = content.escaped() {
        body.text(text);
        return Ok(());
    }
    for (n, part) in place.array(content)?.elements().enumerate() {
        let place = place.at(n);
        let [kind, text, refusal] = place.object(part)?.pick(["type", "text", "refusal"]);
        match place.required("type", kind)? {
            "output_text" | "input_text" | "text" => body.text(place.required("text", text)?),
            "refusal" => body.refusal(place.required("refusal", refusal)?),
            other => return Err(place.field("type").not_carried(other)),
        }
    }
    Ok(())
}

/// What is not the model's: a string, or a list of parts.
fn parts<'a>(content: Raw<'a>, place: &Place<'_>) -> Result<Vec<Part<'a>>, Invalid> {
    if let Some(text) = content.escaped() {
        return Ok(vec![Part::Text(text)]);
    }
    let list = place.array(content)?.elements().enumerate();
    list.map(|(n, part)| read_part(part, &place.at(n)))
        .collect()
}

fn read_part<'a>(part: Raw<'a>, place: &Place<'_>) -> Result<Part<'a>, Invalid> {
    let [kind, text] = place.object(part)?.pick(["type", "text"]);
    match place.required("type", kind)? {
        "input_text" | "output_text" | "text" => Ok(Part::Text(place.required("text", text)?)),
        "input_image" => {
            let [url, file, detail] = part.pick(["image_url", "file_id", "detail"]);
            stored(file, place)?;
            let url = place.required("image_url", url)?;
            Ok(Part::Image {
                url: Url::read(url, &place.field("image_url"))?,
                // Chat has one word less.
                detail: match detail.and_then(Raw::escaped) {
                    Some("original") => Some("high"),
                    detail => detail.filter(|d| matches!(*d, "auto" | "low" | "high")),
                },
            })
        }
        "input_file" => {
            let keys = ["file_data", "file_url", "file_id", "filename"];
            let [data, url, file, name] = part.pick(keys);
            stored(file, place)?;
            let data = match (data, url) {
                (Some(data), _) => Url::Whole(place.field("file_data").string(data)?),
                (None, Some(url)) => {
                    let place = place.field("file_url");
                    Url::read(place.string(url)?, &place)?
                }
                (None, None) => return Err(place.field("file_data").missing()),
            };
            let name = name.map(|name| place.field("filename").string(name));
            Ok(Part::File {
                name: name.transpose()?,
                data,
            })
        }
        "input_audio" => {
            let audio = part.get("input_audio");
            let place = place.field("input_audio");
            let audio = place.object(audio.ok_or_else(|| place.missing())?)?;
            Ok(Part::Audio(audio.text()))
        }
        other => Err(place.field("type").not_carried(other)),
    }
}

fn stored(file: Option<Raw<'_>>, place: &Place<'_>) -> Result<(), Invalid> {
    match file {
        None => Ok(()),
        Some(_) => Err(place
            .field("file_id")
            .cannot("names a stored file, and nothing is stored here: send the data itself")),
    }
}

/// What a system says is text.
pub(super) fn texts<'a>(content: Raw<'a>, place: &Place<'_>) -> Result<Vec<&'a str>, Invalid> {
    let text = |(n, part)| match part {
        Part::Text(text) => Ok(text),
        Part::Image { .. } | Part::File { .. } | Part::Audio(_) => Err(place
            .at(n)
            .must_be("a text in a system or developer message")),
    };
    parts(content, place)?
        .into_iter()
        .enumerate()
        .map(text)
        .collect()
}
