//! Which keys a person has, asked at a terminal. A key that is pasted where a name belongs is taken, if
//! its variable or its beginning tells whose it is.

use std::io;

use super::super::{ask, say};
use super::usable;
use crate::config::{looks_like_key, meant_provider, pasted};
use crate::provider::{self, Provider};

/// A word of the answer to the first question.
#[derive(Debug)]
enum Word<'w> {
    /// A provider's name.
    Name(&'static Provider),
    /// A provider's key.
    Key(&'static Provider),
    /// A key, and anybody's.
    SomeKey,
    /// Neither.
    Unknown(&'w str),
}

/// Asks which keys the user has, and then for those: variables and values.
pub(super) fn asked(has_openrouters: bool) -> io::Result<Vec<(String, String)>> {
    let rows: Vec<&'static Provider> = provider::built_in()
        .iter()
        .map(AsRef::as_ref)
        .filter(|row| !row.key_names.is_empty() && row.id.as_str() != "local")
        .filter(|row| !(has_openrouters && row.id.is_openrouter()))
        .collect();
    let names: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
    say::line(format_args!(
        "Which of these do you have a key for? Type their names, separated by spaces, or just Enter for none;\n\
         `free-llm-proxy providers` tells what each offers and where to get a key.\n  {}",
        names.join(" ")
    ));
    let mut wanted: Vec<(&Provider, Option<String>)> = Vec::new();
    loop {
        let typed = ask::line(">")?;
        let mut is_clear = true;
        for word in typed
            .split([',', ' ', '\t'])
            .filter(|word| !word.is_empty())
        {
            let (row, key) = match understood(word, &rows) {
                Word::Name(row) => (row, None),
                Word::Key(row) => {
                    say::line(format_args!("That is a key of {}: taken.", row.name));
                    (row, Some(word.to_owned()))
                }
                Word::SomeKey => {
                    is_clear = false;
                    say::line(
                        "That is a key, and it does not tell whose: type the provider's name first, and the \
                         key is asked for next, without being shown.",
                    );
                    continue;
                }
                Word::Unknown(word) => {
                    is_clear = false;
                    let hint = meant_provider(word, names.iter().copied());
                    let word = say::clean(word);
                    say::line(format_args!("{word}: there is no such provider; {hint}"));
                    continue;
                }
            };
            match wanted.iter_mut().find(|(other, _)| other.id == row.id) {
                Some((_, typed)) => *typed = key.or(typed.take()),
                None => wanted.push((row, key)),
            }
        }
        if is_clear {
            break;
        }
        say::line("More names, or just Enter to go on:");
    }
    let mut keys = Vec::new();
    for (row, typed) in wanted {
        keys.extend(key_of(row, typed)?);
    }
    Ok(keys)
}

/// What was meant by a word where names are asked for.
fn understood<'w>(word: &'w str, rows: &[&'static Provider]) -> Word<'w> {
    /// Many providers copied this beginning of OpenAI's keys, so it tells nothing.
    const ANYBODYS: &str = "sk-";
    let lower = word.to_ascii_lowercase();
    if let Some(row) = rows.iter().find(|row| row.id.as_str() == lower) {
        return Word::Name(row);
    }
    let (variable, value) = word.split_once('=').unwrap_or(("", word));
    let value = value.trim_matches(['"', '\'', '`']);
    let named = rows
        .iter()
        .find(|row| row.key_names.iter().any(|name| name == variable));
    let begins = |row: &&&'static Provider| {
        let prefix = row.key_prefix.as_deref();
        prefix.is_some_and(|prefix| prefix != ANYBODYS && value.starts_with(prefix))
    };
    match named.or_else(|| rows.iter().find(begins)) {
        Some(row) if named.is_some() || looks_like_key(value) => Word::Key(row),
        Some(_) | None if looks_like_key(value) => Word::SomeKey,
        Some(_) | None => Word::Unknown(word),
    }
}

/// One provider's key, asked for unless it is here already, and the account id that goes with it.
fn key_of(row: &Provider, typed: Option<String>) -> io::Result<Vec<(String, String)>> {
    let Some(name) = row.key_name() else {
        return Ok(Vec::new());
    };
    let typed = match typed {
        Some(typed) => typed,
        None => {
            let question = format!("Key of {} (not shown; Enter to skip it):", row.name);
            let stopped = || io::Error::other("stopped");
            ask::secret(&question)?.ok_or_else(stopped)?
        }
    };
    if typed.is_empty() {
        return Ok(Vec::new());
    }
    // Whichever of the provider's variables it was copied with.
    let named = |name: &&String| typed.starts_with(name.as_str());
    let copied = row.key_names.iter().find(named).unwrap_or(name);
    let key = match pasted(&typed, copied, row.key_prefix.as_deref()) {
        Ok(key) if usable(key.expose()).is_some() => key,
        Ok(_) => {
            say::line(format_args!(
                "That has characters which .env files need quotes for, so it was skipped: `free-llm-proxy key \
                 add {}` takes it.",
                row.id
            ));
            return Ok(Vec::new());
        }
        Err(why) => {
            say::line(format_args!("That {why}; skipped."));
            return Ok(Vec::new());
        }
    };
    let mut keys = vec![(name.clone(), key.expose().to_owned())];
    if let Some(id_name) = &row.account_id_name {
        let id = ask::line(&format!("{id_name}, the account id that goes with it:"))?;
        keys.extend(usable(&id).map(|id| (id_name.clone(), id.to_owned())));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_1_a_key_typed_for_a_name_is_taken_if_it_tells_whose_it_is() {
        let rows: Vec<&'static Provider> = provider::built_in().iter().map(AsRef::as_ref).collect();
        #[rustfmt::skip]
        let cases = [
            // what is typed                            what it is
            ("groq",                                    "name groq"),
            ("GROQ",                                    "name groq"),
            ("gsk_0123456789abcdef",                    "key groq"),
            ("'gsk_0123456789abcdef'",                  "key groq"),
            ("GROQ_API_KEY=gsk_0123456789abcdef",       "key groq"),
            ("CLOUDFLARE_API_KEY=abc",                  "key cloudflare"),
            ("sk-or-v1-0123456789abcdef",               "key openrouter"),
            ("AIzaSyA0123456789",                       "key gemini"),
            ("nvapi-0123456789",                        "key nvidia"),
            // OpenAI's, SiliconFlow's, DeepSeek's and more begin like this.
            ("sk-0123456789abcdef",                     "a key"),
            ("0123456789abcdef0123456789abcdef",        "a key"),
            ("grok",                                    "unknown"),
            ("hf_token",                                "unknown"),
            ("PORT=8080",                               "unknown"),
        ];
        for (typed, expected) in cases {
            let told = match understood(typed, &rows) {
                Word::Name(row) => format!("name {}", row.id),
                Word::Key(row) => format!("key {}", row.id),
                Word::SomeKey => "a key".to_owned(),
                Word::Unknown(_) => "unknown".to_owned(),
            };
            assert_eq!(told, expected, "{typed}");
        }
    }
}
