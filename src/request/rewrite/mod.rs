//! The body for a provider other than OpenRouter: the client's, with the changes that the
//! provider's row requires, and only where the request has something to change (spec §10.6).
//!
//! Pure. The body is processed as slices and never rebuilt; everything not named here stays byte
//! for byte. Each level is read a fixed number of times, and the output exceeds the input by at
//! most a constant per member.

mod calls;
mod messages;
mod roles;
mod schema;
mod texts;

use bytes::Bytes;

use super::body::{REMOVED, UpstreamBody};
use super::policy::{Fields, is_form};
use super::{Dropped, Endpoint, FieldName};
use crate::json::{self, Cuts, Kind, Member, Members, Patch, Raw, write};
use crate::model::{Capabilities, Capability, Offer};

/// Names of a limit on the answer's length.
const LENGTHS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

/// A body being rewritten.
struct Rewrite<'a> {
    patch: Patch<'a>,
    fields: &'a Fields,
    dropped: Dropped,
}

/// The body for an offer with the capabilities `able`, and what was left out of it; `refused` are
/// fields that it was found to refuse.
pub(super) fn rewrite(
    bytes: &Bytes,
    endpoint: Endpoint,
    offer: &Offer,
    able: Capabilities,
    fields: &Fields,
    refused: &[FieldName],
) -> (UpstreamBody, Dropped) {
    let members = top_level(bytes);
    let plan = Plan {
        members: &members,
        endpoint,
        offer,
        able,
        fields,
        refused,
    };
    let mut rewrite = Rewrite {
        patch: Patch::new(bytes),
        fields,
        dropped: Dropped::default(),
    };
    plan.carry_out(&mut rewrite);
    (UpstreamBody::of(rewrite.patch.parts()), rewrite.dropped)
}

/// The members of a body that has been checked before.
pub(super) fn top_level(bytes: &Bytes) -> Vec<Member<'_>> {
    let mut found = Vec::new();
    if let Ok(Some(mut members)) = Members::open(bytes, json::MAX_DEPTH) {
        while let Ok(Some(member)) = members.next() {
            found.push(member);
        }
    }
    found
}

/// Whether a field says what would be the case without it, in a request with or without tools.
pub(super) fn is_default(name: &str, value: Raw<'_>, with_tools: bool) -> bool {
    match name {
        "n" => value.as_integer() == Some(1),
        "logprobs" => value.as_bool() == Some(false),
        "response_format" => value.get("type").and_then(Raw::as_str).as_deref() == Some("text"),
        "tools" => value.kind() == Kind::Array && value.is_empty(),
        "tool_choice" => match value.as_str().as_deref() {
            Some("auto") => true,
            Some("none") => !with_tools,
            Some(_) | None => false,
        },
        _ => false,
    }
}

/// Whether a request with these members has tools.
pub(super) fn has_tools(members: &[Member<'_>]) -> bool {
    let mut tools = members.iter().filter(|member| member.key == "tools");
    tools.any(|tools| !tools.value.is_null() && !is_default("tools", tools.value, false))
}

/// What happens to a field.
enum Fate<'a> {
    Stays,
    /// It is removed, and nothing is lost.
    Goes,
    /// It is removed, and that is reported.
    Lost,
    Renamed(&'a str),
}

/// What is known before anything is changed.
struct Plan<'a> {
    members: &'a [Member<'a>],
    endpoint: Endpoint,
    offer: &'a Offer,
    able: Capabilities,
    fields: &'a Fields,
    refused: &'a [FieldName],
}

impl<'a> Plan<'a> {
    fn carry_out(&self, rewrite: &mut Rewrite<'_>) {
        let mut cuts = Cuts::default();
        let mut taken: Vec<&str> = Vec::new();
        let mut has_model = false;
        for member in self.members {
            let name = member.key.as_ref();
            let fate = self.fate(name, member.value, &taken);
            if matches!(fate, Fate::Lost) {
                rewrite.dropped.note(name);
            }
            if matches!(fate, Fate::Goes | Fate::Lost) {
                cuts.cut(&mut rewrite.patch, member.start, member.end);
                continue;
            }
            cuts.keep(&mut rewrite.patch, member.start);
            let mut name = name;
            if let Fate::Renamed(new) = fate {
                let colon = member.start..member.value_start;
                let mut key = Vec::new();
                write::string(&mut key, new);
                key.push(b':');
                rewrite.patch.replace(colon, &key);
                taken.push(new);
                name = new;
            }
            match name {
                "model" => {
                    has_model = true;
                    let mut id = Vec::new();
                    write::string(&mut id, self.offer.id.as_str());
                    let place = member.value_start..member.end;
                    rewrite.patch.replace(place, &id);
                }
                "messages" => rewrite.messages(member.value),
                "tools" | "functions" => rewrite.tools(member.value),
                name if LENGTHS.contains(&name) => self.cap(member, rewrite),
                _ => {}
            }
            cuts.kept(member.end);
        }
        let mut more = Vec::new();
        if !has_model {
            more.push(entry("model", |out| {
                write::string(out, self.offer.id.as_str())
            }));
        }
        more.extend(self.defaults());
        let end = self.members.last().map_or(1, |member| member.end);
        cuts.end(&mut rewrite.patch, end, more.iter().map(Vec::as_slice));
    }

    fn fate(&self, name: &str, value: Raw<'_>, taken: &[&str]) -> Fate<'a> {
        if REMOVED.contains(&name) {
            return Fate::Goes;
        }
        // The client's question and the model asked: without them it is not a request.
        if matches!(name, "model" | "messages" | "prompt") {
            return Fate::Stays;
        }
        let refused = self.refuses(name);
        let renamed = self.fields.renamed(name);
        if value.is_null() {
            let another_comes = renamed.is_some() || self.comes_anew(name);
            return if refused || another_comes || self.fields.no_nulls {
                Fate::Goes
            } else {
                Fate::Stays
            };
        }
        match renamed {
            _ if refused && !is_form(name) => Fate::Lost,
            _ if refused && is_default(name, value, has_tools(self.members)) => Fate::Goes,
            // Both are present: the one that already has the right name counts.
            Some(new) if self.has(new) || taken.contains(&new) => Fate::Lost,
            Some(new) => Fate::Renamed(new),
            None => Fate::Stays,
        }
    }

    /// Whether the provider's row, its list, or an answer of the offer has refused a field.
    fn refuses(&self, name: &str) -> bool {
        let needed = match name {
            "seed" => Some(Capability::Seed),
            "stop" => Some(Capability::Stop),
            "reasoning" | "reasoning_effort" => Some(Capability::Reasoning),
            _ => None,
        };
        let able = needed.and_then(|capability| self.able.get(capability));
        let refuses = if self.endpoint.has_of_its_own(name) {
            self.fields.removes(name)
        } else {
            self.fields.refuses(name)
        };
        refuses
            || able == Some(false)
            || self.refused.iter().any(|refused| refused.as_str() == name)
    }

    fn has(&self, name: &str) -> bool {
        let mut members = self.members.iter();
        members.any(|member| member.key == name && !member.value.is_null())
    }

    /// Whether a field that has another name now will be sent under this one.
    fn comes_anew(&self, name: &str) -> bool {
        let mut renames = self.fields.rename.iter();
        let mut defaults = self.fields.defaults.iter();
        renames.any(|(old, new)| new == name && self.has(old))
            || defaults.any(|(default, _)| default == name)
    }

    /// The fields that are sent although the request has none.
    fn defaults(&self) -> impl Iterator<Item = Vec<u8>> {
        let is_there = |name: &str| {
            // A length counts under either name.
            let twins = LENGTHS.iter().filter(|_| LENGTHS.contains(&name));
            let renamed = self.fields.rename.iter().filter(|(_, new)| new == name);
            let mut others = twins.copied().chain(renamed.map(|(old, _)| old.as_str()));
            name == "model" || self.has(name) || others.any(|other| self.has(other))
        };
        let rows = self.fields.defaults.iter();
        rows.filter(move |(name, _)| !is_there(name))
            .filter_map(|(name, json)| {
                let value = Raw::parse(json.as_bytes(), json::MAX_DEPTH).ok()?;
                let most = self
                    .offer
                    .max_output
                    .filter(|_| LENGTHS.contains(&name.as_str()));
                let most = most.filter(|most| exceeds(value, *most));
                Some(entry(name, |out| match most {
                    Some(most) => write::number(out, most),
                    None => out.extend_from_slice(value.text().as_bytes()),
                }))
            })
    }

    /// Lowers a limit on the answer's length to what the offer supports.
    fn cap(&self, member: &Member<'_>, rewrite: &mut Rewrite<'_>) {
        let most = self
            .offer
            .max_output
            .filter(|_| self.fields.caps_max_tokens);
        if let Some(most) = most.filter(|most| exceeds(member.value, *most)) {
            let place = member.value_start..member.end;
            rewrite.patch.write(place, |out| write::number(out, most));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a length that large is none")]
fn exceeds(value: Raw<'_>, most: u64) -> bool {
    value.as_f64().is_some_and(|asked| asked > most as f64)
}

/// A member.
fn entry(name: &str, value: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write::string(&mut out, name);
    out.push(b':');
    value(&mut out);
    out
}

#[cfg(test)]
mod tests;
