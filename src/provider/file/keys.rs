//! Where keys are (spec §10.1): named by variable or by file, never in plain text. Pure.

use super::Whose;
use super::mistake::Mistake;
use super::tree::{Member, Node, What};
use crate::provider::row::Provider;
use crate::redact::looks_like_key;

/// Where one key of a provider is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRef {
    /// The source.
    pub from: KeySource,
    /// The name of its account; keys with the same label belong to one account.
    pub account: Option<String>,
    /// The line that names it.
    pub line: usize,
}

/// What a key is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A variable of this name.
    Env(String),
    /// A file at this path, as it was written.
    File(String),
}

const HOW: &str = "are named, not written here: put the key into a variable of .env and write \
                   keys = [{ env = \"SOME_API_KEY\" }], or into a file and write keys = [{ file = \"/path\" }]";
const MEMBERS: &[&str] = &["env", "file", "account"];
const HOW_OF_CLIENT: &str = "is named, not written here: put the key into a variable of .env and write \
                             key = { env = \"SOME_KEY\" }, or into a file and write key = { file = \"/path\" }";
/// Members under which people might put a key.
pub(super) const PLAIN: &[&str] = &[
    "key", "api_key", "apikey", "apiKey", "token", "secret", "value",
];

/// The keys of a provider.
pub(super) fn keys(
    member: &Member,
    provider: &Provider,
    whose: Whose<'_>,
) -> Result<Vec<KeyRef>, Mistake> {
    let What::List(nodes) = &member.node.what else {
        return Err(Mistake::new(member.node.line, "keys", HOW));
    };
    nodes
        .iter()
        .map(|node| key(node, provider, whose))
        .collect()
}

/// A member with a key in plain text, whatever else its name could mean.
pub(super) fn plain(member: &Member) -> Mistake {
    Mistake::new(member.line, "keys", HOW)
}

/// The same for a client.
pub(super) fn plain_of_client(member: &Member) -> Mistake {
    Mistake::new(member.line, "key", HOW_OF_CLIENT)
}

/// Where the keys of a client are (spec §13).
pub(super) fn of_client(member: &Member, whose: Whose<'_>) -> Result<KeySource, Mistake> {
    let What::Members(members) = &member.node.what else {
        return Err(plain_of_client(member));
    };
    let [from] = members.as_slice() else {
        return Err(member.wrong("must hold either env or file"));
    };
    match from.name.as_str() {
        "env" => {
            let (name, bare) = variable_name(from)?;
            if bare == "PROXY_API_KEY" {
                return Err(from.wrong("names PROXY_API_KEY, whose keys are clients by themselves"));
            }
            let is_its =
                |row: &&std::sync::Arc<Provider>| row.key_names.iter().any(|key| key == bare);
            match whose.rows().iter().find(is_its) {
                Some(row) => Err(from.wrong(format!("names {name}, which is {}'s", row.id))),
                None => Ok(KeySource::Env(name.to_owned())),
            }
        }
        "file" => path(from).map(KeySource::File),
        name if PLAIN.contains(&name) => Err(plain_of_client(from)),
        _ => Err(from.unknown("a client's key", &["env", "file"])),
    }
}

fn key(node: &Node, provider: &Provider, whose: Whose<'_>) -> Result<KeyRef, Mistake> {
    let What::Members(members) = &node.what else {
        return Err(Mistake::new(node.line, "keys", HOW));
    };
    let (mut from, mut account) = (None, None);
    for member in members {
        let found = match member.name.as_str() {
            "env" => KeySource::Env(variable(member, provider, whose)?),
            "file" => KeySource::File(path(member)?),
            "account" => {
                account = Some(label(member)?);
                continue;
            }
            name if PLAIN.contains(&name) => return Err(plain(member)),
            _ => return Err(member.unknown("a key", MEMBERS)),
        };
        if from.replace(found).is_some() {
            let rule = "hold either env or file each";
            return Err(Mistake::new(member.line, "keys", rule));
        }
    }
    let from = from.ok_or_else(|| Mistake::new(node.line, "keys", "hold env or file each"))?;
    Ok(KeyRef {
        from,
        account,
        line: node.line,
    })
}

/// A name that ends like a key's and is not another provider's, so that a file cannot send
/// arbitrary parts of the environment to arbitrary addresses.
fn variable(member: &Member, provider: &Provider, whose: Whose<'_>) -> Result<String, Mistake> {
    let (name, bare) = variable_name(member)?;
    if bare == "PROXY_API_KEY" {
        return Err(member.wrong("names PROXY_API_KEY, which is for clients of the proxy"));
    }
    let its = |row: &Provider| row.key_names.iter().any(|name| name == bare);
    let other = whose.rows().iter().find(|row| its(row));
    match other {
        Some(other) if !its(provider) => {
            Err(member.wrong(format!("names {name}, which is {}'s", other.id)))
        }
        _ => Ok(name.to_owned()),
    }
}

/// A name that ends like a key's, and the same without its number. Anything else may be a key, and is not
/// shown.
fn variable_name(member: &Member) -> Result<(&str, &str), Mistake> {
    let name = member.text()?;
    let bare = without_number(name);
    let fits = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    let is_name = name.len() <= 128
        && name.bytes().all(fits)
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if !is_name || !is_key_name(name) {
        return Err(member.wrong(
            "must name a variable that ends in _KEY or _TOKEN, perhaps with a number behind it",
        ));
    }
    Ok((name, bare))
}

/// Whether a variable of this name may be referred to as a key: it ends in `_KEY` or `_TOKEN`,
/// apart from a trailing number.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    let bare = without_number(name);
    bare.ends_with("_KEY") || bare.ends_with("_TOKEN")
}

/// `GROQ_API_KEY` for `GROQ_API_KEY_2` and `GROQ_API_KEY2`.
fn without_number(name: &str) -> &str {
    let cut = name.trim_end_matches(|c: char| c.is_ascii_digit());
    match cut.strip_suffix('_') {
        Some(bare) if cut.len() < name.len() => bare,
        _ => cut,
    }
}

fn path(member: &Member) -> Result<String, Mistake> {
    let path = member.text()?;
    if path.trim().is_empty() || path.len() > 4096 || path.chars().any(char::is_control) {
        return Err(member.wrong("must be the path of a file"));
    }
    if looks_like_key(path) {
        return Err(plain(member));
    }
    Ok(path.to_owned())
}

fn label(member: &Member) -> Result<String, Mistake> {
    let label = member.text()?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.#@".contains(&b);
    if !(1..=64).contains(&label.len()) || !label.bytes().all(fits) {
        return Err(member.wrong("must be 1 to 64 letters, digits or any of - _ . # @"));
    }
    // It appears in logs, metrics and pages.
    if looks_like_key(label) {
        return Err(plain(member));
    }
    Ok(label.to_owned())
}
