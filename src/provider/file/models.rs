//! Offers and patterns of ids (spec §10.1). Pure.

use super::mistake::{Mistake, shown};
use super::tree::{Node, What};
use crate::model::{Capabilities, Capability, ModelId};
use crate::provider::OfferRow;

/// No window is larger.
const MOST_TOKENS: u64 = 1_000_000_000;

const ABILITIES: &[(&str, Capability)] = &[
    ("tools", Capability::Tools),
    ("tool_choice", Capability::ToolChoice),
    ("json", Capability::ResponseFormat),
    ("schema", Capability::StructuredOutputs),
    ("seed", Capability::Seed),
    ("stop", Capability::Stop),
    ("reasoning", Capability::Reasoning),
    ("images", Capability::Images),
];

const MEMBERS: &[&str] = &[
    "id",
    "context",
    "output",
    "tools",
    "tool_choice",
    "json",
    "schema",
    "seed",
    "stop",
    "reasoning",
    "images",
];

/// Offers, each id once.
pub(super) fn offers(nodes: &[Node]) -> Result<Vec<OfferRow>, Mistake> {
    let mut offers: Vec<OfferRow> = Vec::with_capacity(nodes.len());
    let mut seen = std::collections::HashSet::new();
    for node in nodes {
        let offer = offer(node)?;
        if !seen.insert(offer.id.clone()) {
            let named = shown(offer.id.as_str());
            return Err(Mistake::new(node.line, named, "is in models twice"));
        }
        offers.push(offer);
    }
    Ok(offers)
}

/// An id, or `{ id, context, output, tools, ... }`.
fn offer(node: &Node) -> Result<OfferRow, Mistake> {
    let (mut found, mut context, mut output) = (None, None, None);
    let mut capabilities = Capabilities::default();
    match &node.what {
        What::Text(text) => found = Some(id(text, node.line)?),
        What::Members(members) => {
            for member in members {
                if let Some((_, ability)) = ABILITIES.iter().find(|(name, _)| *name == member.name)
                {
                    capabilities.set(*ability, Some(member.switch()?));
                    continue;
                }
                match member.name.as_str() {
                    "id" => found = Some(id(member.text()?, member.node.line)?),
                    "context" => context = Some(member.count(MOST_TOKENS)?),
                    "output" => output = Some(member.count(MOST_TOKENS)?),
                    _ => return Err(member.unknown("a model", MEMBERS)),
                }
            }
        }
        What::Whole(_) | What::Decimal(_) | What::Switch(_) | What::Date | What::List(_) => {}
    }
    if found.as_ref().is_some_and(|id| id.as_str().contains('*')) {
        let rule = "holds ids, and no patterns";
        return Err(Mistake::new(node.line, "models", rule));
    }
    let id = found.ok_or_else(|| {
        let rule =
            "holds ids in quotes, or tables such as { id = \"a\", context = 131072, tools = true }";
        Mistake::new(node.line, "models", rule)
    })?;
    Ok(OfferRow {
        id,
        context,
        output,
        capabilities,
    })
}

fn id(text: &str, line: usize) -> Result<ModelId, Mistake> {
    ModelId::try_from(text).map_err(|error| {
        Mistake::new(
            line,
            "models",
            format!("contains an invalid model id: {error}"),
        )
    })
}

/// An id in which `*` matches any characters.
pub(super) fn pattern(node: &Node) -> Result<String, Mistake> {
    let text = node.text("models")?;
    id(text, node.line).map(|_| text.to_owned())
}
