//! The table, printed for people: the generated part of `docs/providers.md`.
//!
//! Run the tests with `UPDATE=1` to rewrite it.

use std::borrow::Cow;

use super::row::{Provider, Training};
use super::table;
use crate::ledger::{Counted, Ends, Limit, Per, Unit};

/// A row for each provider, and below it what to know about each.
#[must_use]
pub fn page() -> String {
    let rows: String = table::built_in().iter().map(|row| line(row)).collect();
    let notes: Vec<String> = table::built_in().iter().map(|row| note(row)).collect();
    format!(
        "| provider | key | gives | day ends | trains on prompts |\n\
         | --- | --- | --- | --- | --- |\n{rows}\n{}",
        notes.join("\n")
    )
}

fn line(row: &Provider) -> String {
    let (id, name, sign_up) = (&row.id, &row.name, &row.sign_up);
    let keys = keys(row);
    let (gives, training) = (&row.gives, training(row.training));
    let day = day_end(row.day_ends);
    format!("| `{id}` ([{name}]({sign_up})) | {keys} | {gives} | {day} | {training} |\n")
}

fn note(row: &Provider) -> String {
    let counted = match row.limits.as_slice() {
        [] => "nothing; what its answers state counts".to_owned(),
        limits => self::limits(limits),
    };
    let with_key = row.limits_with_key.as_deref();
    let with_key = with_key.map(|limits| format!("; under a key: {}", self::limits(limits)));
    let with_key = with_key.unwrap_or_default();
    format!(
        "### `{}`: {}\n\n{}\n\n- counted by default: {counted}{with_key}\n- offers: {}\n- read: {}\n",
        row.id,
        row.name,
        row.caveats,
        offers(row),
        row.source
    )
}

/// The variables that may contain its key.
fn keys(row: &Provider) -> String {
    let named = |name: &String| match row.shared_names.contains(name) {
        true => format!("`{name}`\u{b9}"),
        false => format!("`{name}`"),
    };
    let mut keys: Vec<String> = row.key_names.iter().map(named).collect();
    if let Some(account) = &row.account_id_name {
        keys.push(format!("with `{account}`"));
    }
    let keys = keys.join(", ");
    match (row.keyless, row.billed) {
        (false, _) => keys,
        (true, false) => format!("none needed; {keys}"),
        (true, true) => format!("none; {keys} is billed (`ALLOW_PAID`)"),
    }
}

/// What decides which models are offered.
fn offers(row: &Provider) -> String {
    let ids: Vec<String> = row
        .models
        .iter()
        .map(|offer| format!("`{}`", offer.id))
        .collect();
    let ids = ids.join(", ");
    match (row.list.decides, row.list.priced) {
        (true, true) => "what its list prices at zero".to_owned(),
        (true, false) => "the chat models of its list".to_owned(),
        (false, _) => format!("of its list these only: {ids}"),
    }
}

/// Limits in words, grouped by models: `30 requests a minute, 1,000 requests a day of each model`.
#[must_use]
pub fn limits(limits: &[Limit]) -> String {
    let of_the_same = |a: &Limit, b: &Limit| a.of == b.of && a.models == b.models;
    let groups = limits.chunk_by(of_the_same).map(|group| {
        let amounts: Vec<String> = group.iter().map(amount).collect();
        let whose = group.first().map(whose).unwrap_or_default();
        format!("{}{whose}", amounts.join(", "))
    });
    groups.collect::<Vec<_>>().join("; ")
}

fn whose(limit: &Limit) -> String {
    let of = match limit.of {
        Counted::Account => "",
        Counted::Model => " of each model",
        Counted::Address => " from one address",
    };
    match limit.models.as_slice() {
        [] => of.to_owned(),
        ids => format!("{of} (`{}`)", ids.join("`, `")),
    }
}

fn amount(limit: &Limit) -> String {
    let amount = grouped(limit.amount);
    let unit = match (limit.unit, limit.amount) {
        (Unit::Requests, 1) | (Unit::AtOnce, 1) => "request",
        (Unit::Requests, _) | (Unit::AtOnce, _) => "requests",
        (Unit::Tokens, _) => "tokens",
        (Unit::TokensIn, _) => "tokens of the prompt",
        (Unit::TokensOut, _) => "tokens of the answer",
        (Unit::Neurons, _) => "neurons",
    };
    let per = if limit.per == Per::Moment {
        " at a time".into()
    } else {
        each(limit.per)
    };
    format!("{amount} {unit}{per}")
}

/// ` a day`: the window of a limit, behind what it counts; nothing of what has none.
#[must_use]
pub fn each(per: Per) -> Cow<'static, str> {
    match per {
        Per::Moment => "".into(),
        Per::Second => " a second".into(),
        Per::Minute => " a minute".into(),
        Per::Hour => " an hour".into(),
        Per::Day => " a day".into(),
        Per::Week => " a week".into(),
        Per::Month => " a month".into(),
        Per::Hours(hours) => format!(" in {hours} hours").into(),
    }
}

/// When a day ends, in words.
#[must_use]
pub fn day_end(ends: Option<Ends>) -> &'static str {
    match ends {
        Some(Ends::Utc) => "00:00 UTC",
        Some(Ends::Pacific) => "midnight Pacific",
        Some(Ends::Shanghai) => "midnight in China",
        None => "no fixed end",
    }
}

/// Whether prompts may be used for training, in a word.
#[must_use]
pub fn training(training: Training) -> &'static str {
    match training {
        Training::No => "no",
        Training::May => "may",
        Training::Unknown => "unknown: counts as may",
    }
}

/// 1000000 as `1,000,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::LimitSource;

    const BEGIN: &str =
        "<!-- providers: begin (written by `UPDATE=1 cargo test s10_1_the_page`) -->\n\n";
    const END: &str = "\n<!-- providers: end -->\n";

    /// With `UPDATE` set the page is rewritten from the table.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own switch, no setting")]
    fn s10_1_the_page_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/providers.md");
        let old = std::fs::read_to_string(path).unwrap();
        let (before, rest) = old.split_once(BEGIN).expect("the first marker");
        let (_, after) = rest.split_once(END).expect("the second marker");
        let new = format!("{before}{BEGIN}{}{END}{after}", page());
        if std::env::var("UPDATE").is_ok() {
            std::fs::write(path, &new).unwrap();
        } else {
            assert!(
                old == new,
                "{path} is not what the table says: run with UPDATE=1"
            );
        }
    }

    #[test]
    fn s10_1_limits_in_words() {
        let of = |amount, unit, per, of, models: &[&str]| Limit {
            amount,
            unit,
            per,
            of,
            ends: None,
            models: models.iter().map(|id| (*id).to_owned()).collect(),
            source: LimitSource::Default,
        };
        #[rustfmt::skip]
        let rows = [
            (of(30, Unit::Requests, Per::Minute, Counted::Model, &[]),          "30 requests a minute of each model"),
            (of(1, Unit::Requests, Per::Second, Counted::Account, &[]),         "1 request a second"),
            (of(1, Unit::AtOnce, Per::Moment, Counted::Account, &[]),           "1 request at a time"),
            (of(2, Unit::AtOnce, Per::Moment, Counted::Model, &[]),             "2 requests at a time of each model"),
            (of(1_000_000, Unit::Tokens, Per::Month, Counted::Account, &["a", "b-*"]), "1,000,000 tokens a month (`a`, `b-*`)"),
            (of(200, Unit::Requests, Per::Hour, Counted::Address, &[]),         "200 requests an hour from one address"),
            (of(7000, Unit::TokensIn, Per::Hours(5), Counted::Account, &[]),    "7,000 tokens of the prompt in 5 hours"),
            (of(999, Unit::TokensOut, Per::Week, Counted::Account, &[]),        "999 tokens of the answer a week"),
            (of(10_000, Unit::Neurons, Per::Day, Counted::Account, &[]),        "10,000 neurons a day"),
        ];
        for (given, expected) in rows {
            assert_eq!(limits(&[given]), expected);
        }
        let together = [
            of(5, Unit::Requests, Per::Minute, Counted::Model, &["a"]),
            of(20, Unit::Requests, Per::Day, Counted::Model, &["a"]),
            of(9, Unit::Requests, Per::Day, Counted::Model, &["b"]),
            of(7, Unit::Tokens, Per::Day, Counted::Account, &["b"]),
        ];
        assert_eq!(
            limits(&together),
            "5 requests a minute, 20 requests a day of each model (`a`); \
             9 requests a day of each model (`b`); 7 tokens a day (`b`)"
        );
    }
}
