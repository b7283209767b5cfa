//! The request: as a chat completion, or why it cannot be one.

use bytes::Bytes;

use super::reply::Reply;
use super::{blocks, count, tools};
use crate::json::{Kind, Raw};
use crate::request::Dropped;
use crate::request::MAX_STOPS;
use crate::surface::chat::{Body, write_schema};
use crate::surface::fields::Fields;
use crate::surface::place::{Invalid, Place};
use crate::surface::{self, Translated};

/// Chat completions, or an upstream, have these under the same name.
const SAME: [&str; 5] = ["model", "max_tokens", "temperature", "top_p", "top_k"];

/// These change nothing here: hints to Anthropic's own servers, which would only make the same
/// answer cheaper, quicker or come from elsewhere.
const IGNORED: [&str; 7] = [
    "cache_control",
    "context_management",
    "diagnostics",
    "inference_geo",
    "service_tier",
    "speed",
    "betas",
];

/// Translates a body of at most `max_depth` levels.
///
/// # Errors
/// The first thing that makes it an invalid request, or one that cannot be carried over.
pub fn read(bytes: &Bytes, max_depth: usize) -> Result<Translated, Invalid> {
    let mut fields = Fields::read(bytes, max_depth)?;
    let mut body = Body::default();
    let mut dropped = Dropped::default();
    refuse(&mut fields)?;
    let model = fields.peek("model").and_then(Raw::escaped);
    let streamed = fields.peek("stream").and_then(Raw::as_bool) == Some(true);
    let prompt = if streamed {
        count::estimate(&fields)
    } else {
        0
    };

    if let Some(system) = fields.take("system") {
        let texts = blocks::texts(system, &Place::top("system"))?;
        body.system(without_billing(texts));
    }
    let messages = fields.take("messages");
    let messages = messages.ok_or_else(|| Place::top("messages").missing())?;
    let more = blocks::carry(messages, &mut body, &mut dropped)?;
    let renamed = tools::carry(&mut fields, &more, &mut body, &mut dropped)?;

    for name in SAME {
        if let Some(value) = fields.take(name) {
            body.field(name, value.text());
        }
    }
    let stops = stop_sequences(&mut fields, &mut body)?;
    if let Some(metadata) = fields.take("metadata") {
        let place = Place::top("metadata");
        if let Some(user) = place.object(metadata)?.get("user_id") {
            body.field("user", user.text());
        }
    }
    let thinking = carry_thinking(fields.take("thinking"), &mut body)?;
    carry_output(&mut fields, &mut body, &mut dropped)?;
    let reply = Reply::new(thinking, model, stops, renamed).estimated(prompt);
    let reply = surface::Reply::Messages(reply);
    surface::finish(fields, &IGNORED, body, dropped, reply)
}

/// Removes the first line, in which Claude Code tells Anthropic's servers whom to bill: it differs
/// with each call, and no host could cache the beginning of such a prompt.
fn without_billing(mut texts: Vec<&str>) -> Vec<&str> {
    if let Some(first) = texts.first_mut()
        && first.starts_with("x-anthropic-billing-header:")
    {
        *first = first.split_once(r"\n").map_or("", |(_, rest)| rest);
    }
    texts
}

/// What Anthropic's servers would do for the model, and nothing does here.
fn refuse(fields: &mut Fields<'_>) -> Result<(), Invalid> {
    if let Some(servers) = fields.take("mcp_servers")
        && !servers.is_empty()
    {
        let why = "would have this proxy call MCP servers, which it does not";
        return Err(Place::top("mcp_servers").cannot(why));
    }
    match fields.take("container") {
        None => Ok(()),
        Some(_) => {
            Err(Place::top("container").cannot("asks for a machine to run code on; there is none"))
        }
    }
}

fn stop_sequences(fields: &mut Fields<'_>, body: &mut Body) -> Result<Vec<String>, Invalid> {
    let Some(stops) = fields.take("stop_sequences") else {
        return Ok(Vec::new());
    };
    let place = Place::top("stop_sequences");
    if place.array(stops)?.is_empty() {
        return Ok(Vec::new());
    }
    body.field("stop", stops.text());
    let each = place.each(stops, MAX_STOPS);
    each.map(|stop| stop.and_then(|(place, stop)| place.string(stop).map(str::to_owned)))
        .collect()
}

/// Whether reasoning is to be shown. `enabled` is carried over, with its budget if it has one, and
/// then only models that can reason are asked. `adaptive` leaves it to the model, and narrows
/// nothing: Claude Code always sends it.
fn carry_thinking(thinking: Option<Raw<'_>>, body: &mut Body) -> Result<bool, Invalid> {
    let Some(thinking) = thinking else {
        return Ok(false);
    };
    let place = Place::top("thinking");
    let [kind, budget] = place.object(thinking)?.pick(["type", "budget_tokens"]);
    match place.required("type", kind)? {
        "enabled" => {
            let reasoning = match budget {
                None => r#"{"enabled":true}"#.to_owned(),
                Some(budget) if budget.kind() == Kind::Number => {
                    format!("{{\"max_tokens\":{}}}", budget.text())
                }
                Some(_) => return Err(place.field("budget_tokens").must_be("a number")),
            };
            body.field("reasoning", reasoning);
            Ok(true)
        }
        "adaptive" => Ok(true),
        "disabled" => Ok(false),
        _ => Err(place.field("type").must_be("enabled, adaptive or disabled")),
    }
}

/// The output's format is carried over. Its effort is a hint that Claude Code always sends;
/// carrying it would rule out every model that cannot reason.
fn carry_output(
    fields: &mut Fields<'_>,
    body: &mut Body,
    dropped: &mut Dropped,
) -> Result<(), Invalid> {
    let config = fields.take("output_config");
    let config = config.map(|config| Place::top("output_config").object(config));
    let inside = config.transpose()?.and_then(|config| config.get("format"));
    let outer = Place::top("output_config");
    let (place, format) = match (inside, fields.take("output_format")) {
        (Some(format), _) => (outer.field("format"), format),
        (None, Some(format)) => (Place::top("output_format"), format),
        (None, None) => return Ok(()),
    };
    let [kind, schema] = place.object(format)?.pick(["type", "schema"]);
    match place.required("type", kind)? {
        "json_schema" => {
            let place = place.field("schema");
            let schema = place.object(schema.ok_or_else(|| place.missing())?)?;
            let named =
                br#"{"type":"json_schema","json_schema":{"name":"output","strict":true,"schema":"#;
            let mut format = named.to_vec();
            write_schema(schema, &mut format, dropped);
            format.extend_from_slice(b"}}");
            body.field("response_format", format);
            Ok(())
        }
        other => Err(place.field("type").not_carried(other)),
    }
}
