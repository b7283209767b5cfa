//! The request: as a chat completion, or why it cannot be one.

use bytes::Bytes;

use super::reply::{Echo, Reply};
use super::{items, parts, tools};
use crate::json::{Kind, Raw, write};
use crate::request::Dropped;
use crate::surface::chat::{Body, write_schema};
use crate::surface::fields::Fields;
use crate::surface::place::{Invalid, Place};
use crate::surface::unfit::Unfit;
use crate::surface::{self, Translated};

/// Chat completions, or an upstream, have these under the same name.
const SAME: [&str; 19] = [
    "model",
    "temperature",
    "top_p",
    "user",
    "metadata",
    "service_tier",
    "prompt_cache_key",
    "safety_identifier",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "seed",
    "stop",
    "top_k",
    "min_p",
    "repetition_penalty",
    "provider",
    "plugins",
    "session_id",
];

/// These change nothing here: hints to OpenAI's own servers, and names for its own logs.
const IGNORED: [&str; 8] = [
    "store",
    "background",
    "truncation",
    "client_metadata",
    "prompt_cache_retention",
    "prompt_cache_options",
    "stream_options",
    "max_tool_calls",
];

/// Translates a body of at most `max_depth` levels.
///
/// # Errors
/// The first thing that makes it an invalid request, or one that cannot be carried over.
pub fn read(bytes: &Bytes, max_depth: usize) -> Result<Translated, Invalid> {
    let mut fields = Fields::read(bytes, max_depth)?;
    refuse_state(&mut fields)?;
    let mut echo = Echo::default();
    let mut body = Body::default();
    let mut dropped = Dropped::default();
    echo.tool_choice(fields.peek("tool_choice"));
    echo.add("parallel_tool_calls", fields.peek("parallel_tool_calls"));
    if let Some(instructions) = fields.take("instructions") {
        if !matches!(instructions.kind(), Kind::String | Kind::Array) {
            return Err(Place::top("instructions").must_be("a string"));
        }
        body.system(parts::texts(instructions, &mut Unfit::new(&mut dropped)));
    }
    let input = fields.take("input");
    let input = input.ok_or_else(|| Place::top("input").missing())?;
    let more = items::carry(input, &mut body, &mut dropped)?;
    let special = tools::carry(&mut fields, &more, &mut body, &mut dropped)?;

    for name in SAME {
        if let Some(value) = fields.take(name) {
            body.field(name, value.text());
            echo.add(name, Some(value));
        }
    }
    if let Some(limit) = fields.take("max_output_tokens") {
        body.field("max_tokens", limit.text());
        echo.add("max_output_tokens", Some(limit));
    }
    let reasoning = fields.take("reasoning");
    let unasked = [("effort", "null"), ("summary", "null")];
    echo.add_object("reasoning", reasoning, &unasked);
    carry_reasoning(reasoning, &mut body)?;
    let text = fields.take("text");
    let unasked = [("format", r#"{"type":"text"}"#)];
    echo.add_object("text", text, &unasked);
    carry_text(text, &mut body, &mut dropped)?;
    let include = Include::read(fields.take("include"))?;
    let top_logprobs = fields.take("top_logprobs");
    if include.logprobs || top_logprobs.is_some() {
        body.field("logprobs", "true");
    }
    if let Some(top) = top_logprobs {
        body.field("top_logprobs", top.text());
    }
    let reply = surface::Reply::Responses(Reply::new(echo, special, include.encrypted));
    surface::finish(fields, &IGNORED, body, dropped, reply)
}

/// What only a server that stores conversations could honour.
fn refuse_state(fields: &mut Fields<'_>) -> Result<(), Invalid> {
    const NOTHING_IS_KEPT: &str = "asks for what is kept, and this proxy keeps nothing: send the whole conversation as \"input\", without it";
    for name in ["previous_response_id", "conversation"] {
        if fields.take(name).is_some() {
            return Err(Place::top(name).cannot(NOTHING_IS_KEPT));
        }
    }
    for name in ["store", "background"] {
        if let Some(value) = fields.peek(name)
            && Place::top(name).flag(value)?
        {
            let why = "must be false or absent: this proxy keeps nothing";
            return Err(Place::top(name).cannot(why));
        }
    }
    match fields.take("prompt") {
        None => Ok(()),
        Some(_) => Err(Place::top("prompt")
            .cannot("names a template stored at OpenAI, which this proxy cannot see")),
    }
}

/// An effort is carried over, and then only models that can reason are asked. Asking for summaries
/// alone does not count: agents always do, and reasoning is shown anyway.
fn carry_reasoning(reasoning: Option<Raw<'_>>, body: &mut Body) -> Result<(), Invalid> {
    let Some(reasoning) = reasoning else {
        return Ok(());
    };
    let [effort, summary] = Place::top("reasoning")
        .object(reasoning)?
        .pick(["effort", "summary"]);
    let Some(effort) = effort else {
        return Ok(());
    };
    let mut value = format!("{{\"effort\":{}", effort.text());
    if let Some(summary) = summary {
        value.push_str(",\"summary\":");
        value.push_str(summary.text());
    }
    value.push('}');
    body.field("reasoning", value);
    Ok(())
}

fn carry_text(
    text: Option<Raw<'_>>,
    body: &mut Body,
    dropped: &mut Dropped,
) -> Result<(), Invalid> {
    let Some(text) = text else {
        return Ok(());
    };
    let place = Place::top("text");
    let [format, verbosity] = place.object(text)?.pick(["format", "verbosity"]);
    if let Some(verbosity) = verbosity {
        body.field("verbosity", verbosity.text());
    }
    let Some(format) = format else {
        return Ok(());
    };
    let place = place.field("format");
    let kind = place.object(format)?.get("type");
    match place.required("type", kind)? {
        "text" => {}
        "json_object" => body.field("response_format", r#"{"type":"json_object"}"#),
        "json_schema" => {
            let mut value = br#"{"type":"json_schema","json_schema":{"#.to_vec();
            let inner = format.members().filter(|(key, _)| key != "type");
            for (n, (key, member)) in inner.enumerate() {
                if n > 0 {
                    value.push(b',');
                }
                write::string(&mut value, &key);
                value.push(b':');
                if key == "schema" {
                    write_schema(member, &mut value, dropped);
                } else {
                    value.extend_from_slice(member.text().as_bytes());
                }
            }
            value.extend_from_slice(b"}}");
            body.field("response_format", value);
        }
        other => return Err(place.field("type").not_carried(other)),
    }
    Ok(())
}

/// What `include` asks to have in the answer. Anything it names of tools that are not available
/// here does not count as left out.
#[derive(Default)]
struct Include {
    encrypted: bool,
    logprobs: bool,
}

impl Include {
    fn read(include: Option<Raw<'_>>) -> Result<Self, Invalid> {
        let mut asked = Self::default();
        if let Some(include) = include {
            for wish in Place::top("include").array(include)?.elements() {
                match wish.escaped() {
                    Some("reasoning.encrypted_content") => asked.encrypted = true,
                    Some("message.output_text.logprobs") => asked.logprobs = true,
                    Some(_) | None => {}
                }
            }
        }
        Ok(asked)
    }
}
