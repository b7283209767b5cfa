//! Limits (spec §10.1, §10.5). Pure.

use super::mistake::Mistake;
use super::tree::{Member, Node, What};
use super::{Whose, models};
use crate::ledger::{Counted, Ends, Limit, Per, Unit};

/// More than any provider gives, and far below what would overflow.
const MOST: u64 = 1_000_000_000_000_000;
/// A year.
const MOST_HOURS: u64 = 366 * 24;

const UNITS: &[(&str, Unit)] = &[
    ("requests", Unit::Requests),
    ("tokens", Unit::Tokens),
    ("tokens_in", Unit::TokensIn),
    ("tokens_out", Unit::TokensOut),
    ("neurons", Unit::Neurons),
    ("at_once", Unit::AtOnce),
];

const WINDOWS: &[(&str, Per)] = &[
    ("second", Per::Second),
    ("minute", Per::Minute),
    ("hour", Per::Hour),
    ("day", Per::Day),
    ("week", Per::Week),
    ("month", Per::Month),
];

const COUNTED: &[(&str, Counted)] = &[
    ("account", Counted::Account),
    ("model", Counted::Model),
    ("address", Counted::Address),
];

pub(super) const ENDS: &[(&str, Ends)] = &[
    ("utc", Ends::Utc),
    ("pacific", Ends::Pacific),
    ("shanghai", Ends::Shanghai),
];

const MEMBERS: &[&str] = &[
    "requests",
    "tokens",
    "tokens_in",
    "tokens_out",
    "neurons",
    "at_once",
    "per",
    "of",
    "ends",
    "models",
];

/// One limit: exactly one unit, a window unless it counts concurrent requests, and what shares it
/// (the account by default).
pub(super) fn limit(node: &Node, whose: Whose<'_>) -> Result<Limit, Mistake> {
    let wrong = |sentence: &str| Mistake::new(node.line, "limits", sentence);
    let (mut amount, mut per, mut of, mut ends) = (None, None, Counted::Account, None);
    let mut ids = Vec::new();
    for member in node.members("limits")? {
        if let Some((_, unit)) = UNITS.iter().find(|(name, _)| *name == member.name) {
            if amount.replace((member.count(MOST)?, *unit)).is_some() {
                return Err(member.wrong("is a second unit: a limit has exactly one"));
            }
            continue;
        }
        match member.name.as_str() {
            "per" => per = Some((window(member)?, member)),
            "of" => of = member.word(COUNTED)?,
            "ends" => ends = Some((member.word(ENDS)?, member)),
            "models" => {
                let patterns = member.list()?.iter().map(models::pattern);
                ids = patterns.collect::<Result<_, _>>()?;
            }
            _ => return Err(member.unknown("a limit", MEMBERS)),
        }
    }
    let (amount, unit) = amount.ok_or_else(|| {
        wrong("needs one of requests, tokens, tokens_in, tokens_out, neurons, at_once")
    })?;
    let per = match (unit, per) {
        (Unit::AtOnce, None) => Per::Moment,
        (Unit::AtOnce, Some((_, member))) => {
            return Err(member.wrong("is not for at_once, which counts what is under way"));
        }
        (_, Some((per, _))) => per,
        (_, None) => return Err(wrong("needs its window: per = \"day\", for example")),
    };
    if let Some((_, member)) = ends
        && !matches!(per, Per::Day | Per::Week | Per::Month)
    {
        return Err(member.wrong("is for a day, a week or a month; other windows roll"));
    }
    Ok(Limit {
        amount,
        unit,
        per,
        of,
        ends: ends.map(|(ends, _)| ends),
        models: ids,
        source: whose.source(),
    })
}

/// A limit of a client (spec §13): over all its requests, whoever answers them.
pub(super) fn of_client(node: &Node, whose: Whose<'_>) -> Result<Limit, Mistake> {
    for member in node.members("limits")? {
        if matches!(member.name.as_str(), "of" | "models" | "neurons") {
            let rule = "is not for the limits of a client, which count all its requests";
            return Err(Mistake::new(member.line, member.name.as_str(), rule));
        }
    }
    limit(node, whose)
}

fn window(member: &Member) -> Result<Per, Mistake> {
    let What::Members(members) = &member.node.what else {
        return member.word(WINDOWS);
    };
    match members.as_slice() {
        [hours] if hours.name == "hours" => {
            let hours = hours.count(MOST_HOURS)?;
            Ok(Per::Hours(u32::try_from(hours).unwrap_or(u32::MAX)))
        }
        [other] => Err(other.unknown("a window", &["hours"])),
        _ => Err(member.wrong("must be a window such as \"day\" or { hours = 5 }")),
    }
}
