//! `input`: the items of a conversation become its messages.
//!
//! Nothing in a history is refused: what is not an item, or lacks a required member, is left out
//! and named. What the user asks last has to be valid.

use super::foreign;
use super::parts::{asked, returned, texts};
use super::tools::joined;
use crate::json::{Kind, Raw};
use crate::request::Dropped;
use crate::request::MAX_MESSAGES;
use crate::surface::chat::{Arguments, Body, Part, unseal};
use crate::surface::place::{Invalid, Place};
use crate::surface::unfit::Unfit;

/// Carries `input` over: a string, or a list of items. Returns the lists of tools found in it: an
/// agent may add some as it goes.
pub(super) fn carry<'a>(
    input: Raw<'a>,
    body: &mut Body,
    dropped: &mut Dropped,
) -> Result<Vec<Raw<'a>>, Invalid> {
    let place = Place::top("input");
    if let Some(text) = input.escaped() {
        body.user(&[Part::Text(text)]);
        return Ok(Vec::new());
    }
    if input.kind() != Kind::Array {
        return Err(place.must_be("a string or a list of items"));
    }
    let mut tools = Vec::new();
    let mut unfit = Unfit::new(dropped);
    for item in place.each(input, MAX_MESSAGES) {
        let (place, item) = item?;
        match Item::read(item, &place) {
            Ok(item) => item.carry(&place, body, &mut tools, &mut unfit),
            Err(invalid) => {
                unfit.goes_on();
                unfit.refuse(item, invalid);
            }
        }
    }
    unfit.settle()?;
    Ok(tools)
}

/// An item, with the fields that any kind of item may have.
struct Item<'a> {
    whole: Raw<'a>,
    kind: &'a str,
    id: Option<Raw<'a>>,
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

impl<'a> Item<'a> {
    fn read(item: Raw<'a>, place: &Place<'_>) -> Result<Self, Invalid> {
        let keys = [
            "type",
            "id",
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
            id,
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
        Ok(Self {
            whole: item,
            kind: match kind {
                Some(kind) => place.field("type").string(kind)?,
                None => "message",
            },
            id,
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
        })
    }

    fn carry(
        &self,
        place: &Place<'_>,
        body: &mut Body,
        tools: &mut Vec<Raw<'a>>,
        unfit: &mut Unfit<'_>,
    ) {
        let role = self.role.and_then(Raw::escaped);
        if self.kind == "message" && matches!(role, Some("system" | "developer")) {
            if let Some(content) = self.content {
                body.system(texts(content, unfit));
            }
            return;
        }
        unfit.goes_on();
        match self.kind {
            "message" => self.message(place, body, unfit),
            "function_call" | "custom_tool_call" => self.call(body, unfit),
            "function_call_output" | "custom_tool_call_output" => {
                body.result(self.result_id(), &returned(self.output), false);
            }
            "reasoning" => self.reasoning(body),
            "additional_tools" => tools.extend(self.whole.get("tools")),
            // These ask OpenAI for something, if nothing follows them.
            "item_reference" | "compaction_trigger" | "mcp_approval_response" => {
                unfit.refuse(self.whole, place.field("type").not_carried(self.kind));
            }
            other => {
                if other == "tool_search_output" {
                    tools.extend(self.whole.get("tools"));
                }
                if !foreign::carry(other, self.whole, body) {
                    unfit.name(other);
                }
            }
        }
    }

    fn message(&self, place: &Place<'_>, body: &mut Body, unfit: &mut Unfit<'_>) {
        let inside = place.field("content");
        match (place.required("role", self.role), self.content) {
            (Ok("user"), Some(content)) => {
                let parts = asked(content, &inside, unfit);
                // A message of which nothing is left says nothing.
                if !parts.is_empty() || content.is_empty() {
                    body.user(&parts);
                }
            }
            (Ok("user"), None) => unfit.refuse(self.whole, inside.missing()),
            (Ok("assistant"), Some(content)) => said(content, body, unfit),
            (Ok("assistant"), None) => {}
            (Ok(_), _) => {
                let expected = "user, assistant, system or developer";
                unfit.refuse(self.whole, place.field("role").must_be(expected));
            }
            (Err(invalid), _) => unfit.refuse(self.whole, invalid),
        }
    }

    fn call(&self, body: &mut Body, unfit: &mut Unfit<'_>) {
        let text = |value: Option<Raw<'a>>| value.and_then(Raw::escaped);
        let Some(name) = text(self.name).filter(|name| !name.is_empty()) else {
            return unfit.name(self.kind);
        };
        let freeform = self.kind == "custom_tool_call";
        let given = if freeform { self.input } else { self.arguments };
        let arguments = match given.map(|given| (given, given.escaped())) {
            Some((_, Some(input))) if freeform => Arguments::Input(input),
            Some((_, Some(arguments))) => Arguments::Text(arguments),
            Some((given, None)) if given.kind() == Kind::Object => Arguments::Json(given.text()),
            Some((_, None)) | None => Arguments::Json("{}"),
        };
        let (id, own) = (text(self.call_id), text(self.id));
        let alias = own.filter(|_| id.is_none());
        let name = joined(text(self.namespace), name);
        body.call(id.unwrap_or_default(), alias, &name, arguments);
    }

    fn result_id(&self) -> &'a str {
        let id = self.call_id.or(self.id);
        id.and_then(Raw::escaped).unwrap_or_default()
    }

    /// The model's reasoning: sealed details of ours unchanged, and the text that was shown.
    fn reasoning(&self, body: &mut Body) {
        let mut text = Vec::new();
        // The two say the same, one of them abbreviated.
        for list in [self.content, self.summary].into_iter().flatten() {
            if !text.is_empty() {
                break;
            }
            for part in list.elements() {
                let Some(piece) = part.get("text").and_then(Raw::escaped) else {
                    continue;
                };
                if !text.is_empty() {
                    text.extend_from_slice(br"\n\n");
                }
                text.extend_from_slice(piece.as_bytes());
            }
        }
        let mut details = Vec::new();
        if let Some(unsealed) = self.sealed.and_then(Raw::escaped).and_then(unseal) {
            unsealed.write(&mut details, &text);
        }
        // New reasoning begins a new turn; details alone belong to the turn that they came with.
        if !text.is_empty() && body.turn_has_text() && !body.turn_has_calls() {
            body.end_turn();
        }
        body.reasoning(&text, &details);
    }
}

/// What the model said. Text after text is another turn, unless calls wait for their results.
fn said(content: Raw<'_>, body: &mut Body, unfit: &mut Unfit<'_>) {
    if body.turn_has_text() {
        if body.turn_has_calls() {
            body.text(r"\n\n");
        } else {
            body.end_turn();
        }
    }
    if let Some(text) = content.escaped() {
        return body.text(text);
    }
    for part in content.elements() {
        let [kind, text, refusal] = part.pick(["type", "text", "refusal"]);
        let kind = kind.and_then(Raw::escaped).unwrap_or_default();
        match (
            kind,
            text.and_then(Raw::escaped),
            refusal.and_then(Raw::escaped),
        ) {
            ("output_text" | "input_text" | "text", Some(text), _) => body.text(text),
            ("refusal", _, Some(refusal)) => body.refusal(refusal),
            _ => unfit.leave_out(part),
        }
    }
}
