//! Changes to a request: fields that are removed, renamed or have a default (spec §10.1, §10.6).
//! Pure.

use serde_json::{Map, Value};

use super::mistake::{Mistake, shown};
use super::tree::{Member, Node, What};

/// Without these it is not a request.
const NEEDED: &[&str] = &["messages", "model", "stream"];
/// More than any provider refuses.
const MOST: usize = 256;

/// Adds to the fields that are left out.
pub(super) fn remove(member: &Member, removed: &mut Vec<String>) -> Result<(), Mistake> {
    let nodes = member.list()?;
    if nodes.len() > MOST {
        return Err(member.wrong(format!("names more than {MOST} fields")));
    }
    for node in nodes {
        let name = field(node.text(&member.name)?, node.line, &member.name)?;
        if !removed.contains(&name) {
            removed.push(name);
        }
    }
    Ok(())
}

/// Old names and new ones.
pub(super) fn rename(member: &Member) -> Result<Vec<(String, String)>, Mistake> {
    let members = member.members()?;
    let renamed = members.iter().map(|field| {
        let old = top_level(&field.name, field.line, &member.name)?;
        let new = top_level(field.text()?, field.node.line, &member.name)?;
        Ok((old, new))
    });
    renamed.collect()
}

/// Names and the JSON that is sent if a request has none of them.
pub(super) fn defaults(member: &Member) -> Result<Vec<(String, String)>, Mistake> {
    let members = member.members()?;
    let defaults = members.iter().map(|field| {
        let name = top_level(&field.name, field.line, &member.name)?;
        let value = json(&field.node).ok_or_else(|| field.wrong("has no JSON for its value"))?;
        Ok((name, value.to_string()))
    });
    defaults.collect()
}

/// The name of a field, or of a member of messages or tools: `messages[].name`, `tools[].$schema`.
fn field(text: &str, line: usize, list: &str) -> Result<String, Mistake> {
    let below = ["messages[].", "tools[]."];
    let below = below.iter().find_map(|above| text.strip_prefix(above));
    match below {
        Some(name)
            if is_name(name)
                && !["role", "content", "tool_calls", "tool_call_id"].contains(&name) =>
        {
            Ok(text.to_owned())
        }
        Some(_) => Err(refused(text, line, list)),
        None => top_level(text, line, list),
    }
}

fn top_level(text: &str, line: usize, list: &str) -> Result<String, Mistake> {
    if is_name(text) && !NEEDED.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(refused(text, line, list))
    }
}

fn refused(text: &str, line: usize, list: &str) -> Mistake {
    let named = shown(text);
    Mistake::new(line, named, format!("is not a field that {list} can name"))
}

fn is_name(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"_-$".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

fn json(node: &Node) -> Option<Value> {
    Some(match &node.what {
        What::Text(text) => Value::from(text.as_str()),
        What::Whole(number) => Value::from(*number),
        What::Decimal(number) => serde_json::Number::from_f64(*number)?.into(),
        What::Switch(switch) => Value::from(*switch),
        What::Date => return None,
        What::List(nodes) => nodes.iter().map(json).collect::<Option<Vec<_>>>()?.into(),
        What::Members(members) => {
            let members = members
                .iter()
                .map(|member| Some((member.name.clone(), json(&member.node)?)));
            members.collect::<Option<Map<_, _>>>()?.into()
        }
    })
}
