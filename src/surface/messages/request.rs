//! The request: what it asks for as a chat completion, or why it cannot be had.

use bytes::Bytes;

use super::reply::Reply;
use super::{blocks, tools};
use crate::json::{Kind, Raw};
use crate::request::MAX_STOPS;
use crate::surface::chat::{Body, write_schema};
use crate::surface::dropped::Dropped;
use crate::surface::fields::Fields;
use crate::surface::place::{Invalid, Place};
use crate::surface::{self, Translated};

/// Chat completions know these by the same name, or an upstream does.
const SAME: [&str; 5] = ["model", "max_tokens", "temperature", "top_p", "top_k"];

/// They change nothing here: hints to Anthropic's own servers, which would only make the same
/// answer cheaper, quicker or elsewhere.
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
/// The first thing that makes it no request, or one that cannot be carried.
pub fn read(bytes: &Bytes, max_depth: usize) -> Result<Translated, Invalid> {
    let mut fields = Fields::read(bytes, max_depth)?;
    let mut body = Body::default();
    let mut dropped = Dropped::default();
    refuse(&mut fields)?;
    let model = fields.peek("model").and_then(Raw::escaped);

    if let Some(system) = fields.take("system") {
        body.system(blocks::texts(system, &Place::top("system"))?);
    }
    let messages = fields.take("messages");
    let messages = messages.ok_or_else(|| Place::top("messages").missing())?;
    blocks::carry(messages, &mut body, &mut dropped)?;
    let renamed = tools::carry(&mut fields, &mut body, &mut dropped)?;

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
    let reply = surface::Reply::Messages(Reply::new(thinking, model, stops, renamed));
    surface::finish(fields, &IGNORED, body, dropped, reply)
}

/// What Anthropic's servers would do for the model, and nobody does here.
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

/// Whether what the model thinks is to be shown. A budget is carried, and then only models that
/// can reason are asked. `adaptive` leaves it to the model, and narrows nothing: Claude Code
/// always sends it.
fn carry_thinking(thinking: Option<Raw<'_>>, body: &mut Body) -> Result<bool, Invalid> {
    let Some(thinking) = thinking else {
        return Ok(false);
    };
    let place = Place::top("thinking");
    let [kind, budget] = place.object(thinking)?.pick(["type", "budget_tokens"]);
    match place.required("type", kind)? {
        "enabled" => {
            let place = place.field("budget_tokens");
            let budget = budget.ok_or_else(|| place.missing())?;
            if budget.kind() != Kind::Number {
                return Err(place.must_be("a number"));
            }
            body.field("reasoning", format!("{{\"max_tokens\":{}}}", budget.text()));
            Ok(true)
        }
        "adaptive" => Ok(true),
        "disabled" => Ok(false),
        _ => Err(place.field("type").must_be("enabled, adaptive or disabled")),
    }
}

/// The output's format is carried. Its effort is a hint that Claude Code always sends; carried, it
/// would keep every model out that cannot reason.
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
