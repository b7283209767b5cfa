//! Names of accounts, as upstreams put them into their errors (reference §6, §7): ids of
//! organisations, accounts and projects, and names of users. They concern only the owner of the
//! account.
//!
//! Each is cut only within the upstream's own wording, so that a text which quotes a request keeps
//! what the request said.

use bytes::Bytes;

/// No id and no name is longer, in bytes.
const LONGEST: usize = 128;

/// A place where a name occurs.
struct Place {
    /// What precedes it, in lower case.
    before: &'static [u8],
    /// The characters it is made of.
    of: fn(u8) -> bool,
    /// Its minimum length, in bytes.
    least: usize,
    /// What must follow it.
    behind: &'static [u8],
    /// How much of what precedes it is cut too: the prefix is part of an id.
    beginning: usize,
}

const PLACES: [Place; 12] = [
    // Groq.
    place(b"organization `", is_word, 1, b"`", 0),
    place(b"organization ", is_word, 8, b" ", 0),
    place(b"org_", u8_is_alphanumeric, 8, b"", 4),
    place(b"org-", u8_is_alphanumeric, 8, b"", 4),
    // NVIDIA.
    place(b"account '", is_name, 1, b"'", 0),
    // Ollama.
    place(b"you (", is_name, 1, b")", 0),
    // OpenRouter.
    place(b"user_id\":\"user_", is_word, 1, b"", 5),
    place(b"user_id\": \"user_", is_word, 1, b"", 5),
    place(b"user_id\\\":\\\"user_", is_word, 1, b"", 5),
    // Google, Cloudflare.
    place(b"project_number:", u8_is_digit, 1, b"", 0),
    place(b"projects/", is_word, 1, b"", 0),
    place(b"project ", u8_is_digit, 6, b"", 0),
];

const fn place(
    before: &'static [u8],
    of: fn(u8) -> bool,
    least: usize,
    behind: &'static [u8],
    beginning: usize,
) -> Place {
    Place {
        before,
        of,
        least,
        behind,
        beginning,
    }
}

fn u8_is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

fn u8_is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Anything in quotes or parentheses, including letters of any script.
fn is_name(byte: u8) -> bool {
    byte >= b' ' && !matches!(byte, b'\'' | b'"' | b'(' | b')')
}

/// The text with each of them redacted.
pub(super) fn without_names(text: Bytes) -> Bytes {
    let lower = text.to_ascii_lowercase();
    let mut found: Vec<(usize, usize)> = PLACES
        .iter()
        .flat_map(|place| places(&lower, place))
        .collect();
    if found.is_empty() {
        return text;
    }
    found.sort_unstable();
    let mut clean = Vec::with_capacity(text.len());
    let mut copied = 0;
    for (start, end) in found {
        // A name may be found by two rules.
        if end <= copied {
            continue;
        }
        if start >= copied {
            clean.extend_from_slice(text.get(copied..start).unwrap_or_default());
            clean.extend_from_slice(b"***");
        }
        copied = end;
    }
    clean.extend_from_slice(text.get(copied..).unwrap_or_default());
    clean.into()
}

/// The ranges of the names in such a place.
fn places<'a>(lower: &'a [u8], place: &'a Place) -> impl Iterator<Item = (usize, usize)> + 'a {
    memchr::memmem::find_iter(lower, place.before).filter_map(move |at| {
        // Part of another word is not an id.
        let is_within = |at: usize| lower.get(at).copied().is_some_and(is_word);
        if at.checked_sub(1).is_some_and(is_within) {
            return None;
        }
        let start = at + place.before.len();
        let name = lower.get(start..)?.iter().take(LONGEST + 1);
        let length = name.take_while(|byte| (place.of)(**byte)).count();
        let end = start + length;
        let fits = (place.least..=LONGEST).contains(&length)
            && lower.get(end..)?.starts_with(place.behind);
        fits.then_some((start - place.beginning, end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn s10_6_account_names_are_cut() {
        #[rustfmt::skip]
        let rows = [
            ("model `m` in organization `org_01jx8kq2vd3nw7` service tier",    "model `m` in organization `***` service tier"),
            ("in organization org_01jx8kq2vd3nw7 on tokens",                   "in organization *** on tokens"),
            ("for org-01jx8kq2vd3nw7.",                                        "for ***."),
            ("Function 'x': Not found for account 'acct7Qm2Zr9'",              "Function 'x': Not found for account '***'"),
            ("you (jane_doe42) have reached your weekly usage limit",          "you (***) have reached your weekly usage limit"),
            ("You (Jané O. Doe) have reached",                                 "You (***) have reached"),
            (r#"{"a":[{"user_id":"user_2pXk9Qa7"}]}"#,                         r#"{"a":[{"user_id":"***"}]}"#),
            (r#"{"raw":"{\"user_id\":\"user_2pXk9Qa7\"}"}"#,                   r#"{"raw":"{\"user_id\":\"***\"}"}"#),
            ("consumer 'project_number:123456789012'",                         "consumer 'project_number:***'"),
            ("projects/my-project-1/locations/global",                         "projects/***/locations/global"),
            ("API has not been used in project 123456789012 before",           "API has not been used in project *** before"),
            // What a request may be about is kept.
            ("invalid tool name 'org_chart'",                                  "invalid tool name 'org_chart'"),
            ("bad value for my_org_0123456789",                                "bad value for my_org_0123456789"),
            ("project 12 of the organization is done",                         "project 12 of the organization is done"),
            ("messages.0.user_id is not allowed",                              "messages.0.user_id is not allowed"),
            ("you (",                                                          "you ("),
            ("account '",                                                      "account '"),
            ("",                                                               ""),
        ];
        for (text, expected) in rows {
            let clean = without_names(Bytes::copy_from_slice(text.as_bytes()));
            assert_eq!(String::from_utf8_lossy(&clean), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn s10_6_no_text_is_too_odd_for_it(pieces in prop::collection::vec(
            prop::sample::select(vec!["you (", ")", "org_", "organization `", "`", "account '", "'", "user_id\":\"user_", "projects/", "project ", "1234567890", "é", "\\", " "]),
            0..20,
        )) {
            let text = pieces.concat();
            let clean = without_names(Bytes::copy_from_slice(text.as_bytes()));
            prop_assert!(std::str::from_utf8(&clean).is_ok());
        }

        #[test]
        fn s10_6_a_json_error_stays_json(name in "[A-Za-z0-9_-]{1,30}") {
            for message in [
                format!("in organization `{name}`"), format!("account '{name}'"),
                format!("you ({name}) have"), format!("projects/{name}"),
            ] {
                let body = serde_json::json!({"error": {"message": message}, "n": 12345678}).to_string();
                let clean = without_names(Bytes::from(body));
                let read: serde_json::Value = serde_json::from_slice(&clean).unwrap();
                let message = read["error"]["message"].as_str().unwrap();
                prop_assert!(message.contains("***") && read["n"] == 12_345_678);
            }
        }
    }
}
