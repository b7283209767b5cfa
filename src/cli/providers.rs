//! `providers`: every known provider, whether it is on and why not, what it offers and where to get
//! a key (spec §10.1). It sends no request, and works without any key.

use serde_json::{Value, json};

use super::{Exit, say};
use crate::config::{Off, Sources, Standing};
use crate::ledger::{Counted, Ends, Limit, Unit};
use crate::provider::page::each;
use crate::provider::{Provider, Training};

/// The widest line.
const WIDTH: usize = 100;

/// Where the second column begins: no built-in name is longer than `siliconflow`, but a user's may
/// be.
const INDENT: usize = 13;

/// Prints them as a person or a program reads them.
#[must_use]
pub fn run(sources: &Sources, as_json: bool) -> Exit {
    let (standings, problems) = sources.providers();
    if as_json {
        let rows: Vec<_> = standings.iter().map(as_value).collect();
        say::json(&json!({ "providers": rows }));
    } else {
        say::line(table(&standings));
    }
    for problem in &problems {
        say::problem(problem);
    }
    if problems.is_empty() {
        Exit::Fine
    } else {
        Exit::Settings
    }
}

/// A paragraph for each: name and state, what it offers, the terms, where to get a key.
fn table(standings: &[Standing]) -> String {
    let mut out = String::new();
    for standing in standings {
        let row = &standing.provider;
        let on = if standing.off.is_none() { "on" } else { "off" };
        let mut lines = vec![format!("{on}: {}", why(standing))];
        // The file's `limits` are instead of the row's, and clear its words (spec §10.1).
        lines.extend(Some(row.gives.clone()).filter(|gives| !gives.is_empty()));
        lines.extend(own_limits(row));
        lines.push(terms(row));
        lines.extend(get_one(row));
        let name = row.id.as_str();
        for (nth, line) in lines.iter().enumerate() {
            let name = if nth == 0 { name } else { "" };
            paragraph(&mut out, name, line);
        }
    }
    out += "\nA key in .env puts its provider on: `free-llm-proxy key add PROVIDER` asks for one. PROVIDERS=+kilo\n\
            puts one on that needs none. What each is good for, and its caveats: docs/providers.md.";
    out
}

/// A text after its name, wrapped to the width.
fn paragraph(out: &mut String, name: &str, text: &str) {
    let mut line = format!("{name:<INDENT$}");
    if !name.is_empty() && !line.ends_with(' ') {
        line.push(' ');
    }
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            *out += line.trim_end();
            out.push('\n');
            line = " ".repeat(INDENT + 2);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line += word;
        is_empty = false;
    }
    *out += line.trim_end();
    out.push('\n');
}

/// Why it is on or off, and which variable decides.
pub(super) fn why(standing: &Standing) -> String {
    let row = &standing.provider;
    let name = row.key_name().map_or("", String::as_str);
    let found = || {
        let all = standing.variables.iter();
        let all: Vec<_> = all
            .map(|variable| format!("{} in {}", variable.name, variable.place))
            .collect();
        all.join(", ")
    };
    match &standing.off {
        None if standing.variables.is_empty() => "it needs no key".to_owned(),
        None => found(),
        Some(Off::NoKey) if name.is_empty() => "no key".to_owned(),
        Some(Off::NoKey) => {
            let id = row.account_id_name.as_ref();
            let also = id.map_or(String::new(), |id| format!(" and {id}"));
            let named = match row.shared_names.iter().any(|shared| shared == name) {
                true => format!(" and PROVIDERS=+{}", row.id),
                false => String::new(),
            };
            format!("no key: set {name}{also}{named}")
        }
        Some(Off::Unnamed) => format!(
            "needs no key, and is on if PROVIDERS names it (+{})",
            row.id
        ),
        Some(Off::Shared(names)) => format!(
            "{} is used by other programs too, and counts only if PROVIDERS names it (+{})",
            names.join(", "),
            row.id
        ),
        Some(Off::Elsewhere(names)) => format!(
            "{} from the environment counts if PROXY_API_KEY is set there too, or PROVIDERS names it (+{})",
            names.join(", "),
            row.id
        ),
        Some(Off::Barred) if standing.variables.is_empty() => "PROVIDERS leaves it out".to_owned(),
        Some(Off::Barred) => format!("PROVIDERS leaves it out ({})", found()),
        Some(Off::Billed) => format!("{} is billed, and ALLOW_PAID is off", found()),
        Some(Off::Trains) => "it may train on prompts, and TRAINING is refuse".to_owned(),
        Some(Off::NoAddress) => "set LOCAL_BASE_URL".to_owned(),
        Some(Off::Mistake) => "its settings are wrong".to_owned(),
    }
}

/// The limits set by the user's file, if any.
fn own_limits(row: &Provider) -> Option<String> {
    let set = row
        .limits
        .iter()
        .filter(|limit| limit.source.as_str() == "set");
    let set: Vec<_> = set.map(limit_words).collect();
    (!set.is_empty()).then(|| format!("{} (set)", set.join(", ")))
}

fn terms(row: &Provider) -> String {
    let day = match row.day_ends {
        Some(ends) => format!("its day ends at {}", day_end(ends)),
        None => "its day has no fixed end".to_owned(),
    };
    format!("{day}; {}", training(row.training))
}

/// Midnight, in which time zone.
fn day_end(ends: Ends) -> &'static str {
    match ends {
        Ends::Utc => "00:00 UTC",
        Ends::Pacific => "midnight in California",
        Ends::Shanghai => "midnight in China",
    }
}

/// How prompts may be used.
pub(super) fn training(training: Training) -> &'static str {
    match training {
        Training::No => "does not train on prompts",
        Training::May => "may train on prompts",
        Training::Unknown => "whether it trains on prompts is not known",
    }
}

fn get_one(row: &Provider) -> Option<String> {
    let what = if row.key_names.is_empty() || row.id.as_str() == "local" {
        "more"
    } else {
        "a key"
    };
    (!row.sign_up.is_empty()).then(|| format!("{what}: {}", row.sign_up))
}

/// `20 requests a day of each model`.
pub(super) fn limit_words(limit: &Limit) -> String {
    let unit = match limit.unit {
        Unit::Requests => "requests",
        Unit::Tokens => "tokens",
        Unit::TokensIn => "tokens in",
        Unit::TokensOut => "tokens out",
        Unit::Neurons => "neurons",
        Unit::AtOnce => "at once",
    };
    let per = each(limit.per);
    let of = match limit.of {
        Counted::Account => "",
        Counted::Model => " of each model",
        Counted::Address => " from this address",
    };
    format!("{} {unit}{per}{of}", limit.amount)
}

fn as_value(standing: &Standing) -> Value {
    let row = &standing.provider;
    let limits = row.limits.iter().map(|limit| {
        json!({
            "text": limit_words(limit),
            "models": limit.models,
            "source": limit.source.as_str(),
        })
    });
    let variables = standing.variables.iter();
    let variables = variables.map(|found| json!({"name": found.name, "place": found.place}));
    json!({
        "provider": row.id,
        "name": row.name,
        "on": standing.off.is_none(),
        "why": why(standing),
        "variables": variables.collect::<Vec<_>>(),
        "key_names": row.key_names,
        "account_id_name": row.account_id_name,
        "needs_key": !(row.keyless || row.custom),
        "gives": row.gives,
        "limits": limits.collect::<Vec<_>>(),
        "day_ends": row.day_ends.map(day_end),
        "training": row.training.as_str(),
        "billed": row.billed,
        "base_url": row.base_url,
        "sign_up": row.sign_up,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{LimitSource, Per};

    #[test]
    fn s10_1_a_row_fits_the_width() {
        let (standings, _) = Sources::default().providers();
        let table = table(&standings);
        for line in table.lines() {
            let is_one_word = line.trim_start().split(' ').count() == 1;
            assert!(line.chars().count() <= WIDTH || is_one_word, "{line}");
        }
        for standing in &standings {
            let begins = format!("{:<INDENT$}o", standing.provider.id.as_str());
            assert!(
                table.lines().any(|line| line.starts_with(&begins)),
                "{begins}"
            );
            assert!(table.contains(&standing.provider.sign_up));
        }
    }

    #[test]
    fn s10_1_a_limit_in_words() {
        let limit = |amount, unit, per, of| Limit {
            amount,
            unit,
            per,
            of,
            ends: None,
            models: Vec::new(),
            source: LimitSource::Set,
        };
        #[rustfmt::skip]
        let rows = [
            (limit(20, Unit::Requests, Per::Day, Counted::Model),        "20 requests a day of each model"),
            (limit(200, Unit::Requests, Per::Hour, Counted::Address),    "200 requests an hour from this address"),
            (limit(1, Unit::AtOnce, Per::Moment, Counted::Account),      "1 at once"),
            (limit(9, Unit::Tokens, Per::Hours(5), Counted::Account),    "9 tokens in 5 hours"),
        ];
        for (limit, expected) in rows {
            assert_eq!(limit_words(&limit), expected);
        }
    }
}
