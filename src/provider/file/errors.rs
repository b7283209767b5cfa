//! `[[errors]]`: what an error means (spec §10.1). Pure.

use super::Whose;
use super::mistake::Mistake;
use super::tree::{Member, Node};
use crate::provider::{ErrorRow, Means};

/// What a user may teach.
const MEANINGS: &[(&str, Means)] = &[
    ("minute-spent", Means::MinuteSpent),
    ("day-spent", Means::DaySpent),
    ("account-out", Means::AccountOut),
    ("key-dead", Means::KeyDead),
    ("model-gone", Means::ModelGone),
    ("not-for-this-account", Means::NotForThisAccount),
    ("too-large", Means::TooLarge),
    ("overloaded", Means::Overloaded),
    ("region", Means::Region),
];
/// What a built-in row may say beside.
const MORE: &[(&str, Means)] = &[
    ("month-spent", Means::MonthSpent),
    ("busy", Means::Busy),
    ("failed", Means::Failed),
];
const MEMBERS: &[&str] = &["provider", "status", "match", "means"];

/// Whose error it is, and what it means.
pub(super) fn error<'n>(
    node: &'n Node,
    whose: Whose<'_>,
) -> Result<(&'n Member, ErrorRow), Mistake> {
    let needs = |what: &str| {
        let sentence = format!("needs {what}; each has provider, match and means, perhaps status");
        Mistake::new(node.line, "errors", sentence)
    };
    let mut meanings = MEANINGS.to_vec();
    if whose.is_ours() {
        meanings.extend(MORE);
    }
    let (mut provider, mut means) = (None, None);
    let (mut status, mut code, mut matches) = (None, None, None);
    for member in node.members("errors")? {
        match member.name.as_str() {
            "provider" => provider = Some(member),
            "status" => status = Some(self::status(member)?),
            "match" => matches = Some(mark(member)?),
            "code" if whose.is_ours() => code = Some(mark(member)?),
            "means" => means = Some(member.word(&meanings)?),
            _ => return Err(member.unknown("an error", MEMBERS)),
        }
    }
    if matches.is_none() && code.is_none() && (!whose.is_ours() || status.is_none()) {
        return Err(needs("match"));
    }
    let row = ErrorRow {
        status,
        code,
        matches,
        means: means.ok_or_else(|| needs("means"))?,
    };
    Ok((provider.ok_or_else(|| needs("provider"))?, row))
}

fn status(member: &Member) -> Result<u16, Mistake> {
    let status = member.count(599).ok().filter(|status| *status >= 100);
    let rule = || member.wrong("must be a status from 100 to 599");
    u16::try_from(status.ok_or_else(rule)?).map_err(|_| rule())
}

/// Part of a body: not so short that it is everywhere.
fn mark(member: &Member) -> Result<String, Mistake> {
    let text = member.line_of_text()?;
    if text.len() > 1000 {
        return Err(member.wrong("must be a part of the error, of 1000 bytes at most"));
    }
    Ok(text)
}
