//! How an error says that a request is too large for a model, and which window it names (spec §10.4).
//!
//! Pure. A message may quote the request, so it is read from its beginning: the phrases below leave no
//! room for a quotation. Only they name a window.

use super::said::ErrorSaid;

/// A request that is too large for the model that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong {
    /// The window that it is too large for, in tokens, if the error names it.
    pub(super) window: Option<u64>,
}

/// What an error has in its own field.
const MARKS: [&str; 4] = [
    "context_length_exceeded",
    "exceed_context_size_error",
    "max_tokens_exceeded",
    "string_above_max_length",
];

/// How messages begin, in lower case. `#` stands for a number, `@` for the one that is the window.
const BEGINNINGS: [&str; 28] = [
    // OpenAI, vLLM, OpenRouter.
    "this model's maximum context length is @",
    "this endpoint's maximum context length is @",
    "the maximum context length is @",
    "maximum context length is @",
    "'max_tokens' or 'max_completion_tokens' is too large: #. this model's maximum context length is @",
    "the decoder prompt (length #) is longer than the maximum model length of @",
    "the prompt (length #) is longer than the maximum model length of @",
    "your input exceeds the context window of this model",
    "input tokens exceed the configured limit of @",
    "request too large for model",
    // Anthropic.
    "prompt is too long: # tokens > @",
    "prompt is too long: # > @",
    "prompt is too long",
    // Google.
    "the input token count (#) exceeds the maximum number of tokens allowed (@)",
    "the input token count exceeds the maximum number of tokens allowed",
    "input token count (#) exceeds the maximum number of tokens allowed (@)",
    "input token count",
    // Cohere, Cerebras, Groq, Mistral, Z.ai.
    "too many tokens: total number of tokens in the prompt cannot exceed @",
    "too many tokens",
    "please reduce the length of the messages or completion. current length is # while limit is @",
    "please reduce the length of the messages",
    "prompt contains # tokens and # draft tokens, too large for model with @ maximum context length",
    "prompt exceeds max length",
    // llama.cpp, SGLang, Ollama.
    "request (# tokens) exceeds the available context size (@ tokens)",
    "the input (# tokens) is longer than the model's context length (@ tokens)",
    "the request exceeds the available context size",
    "input length exceeds the context length",
    "the input length exceeds the context length",
];

/// Words of other messages that are about the size, if a number of tokens is beside them.
const WORDS: [&str; 6] = [
    "context length",
    "context window",
    "context limit",
    "context size",
    "maximum model length",
    "maximum number of tokens",
];

/// How far into another message its own words are looked for, in bytes.
const OWN_WORDS: usize = 200;

/// Whether an error says that the request is too large, and for which window.
pub(super) fn too_long(said: &ErrorSaid<'_>) -> Option<TooLong> {
    in_words(&said.message).or_else(|| said.is_any_of(&MARKS).then_some(TooLong { window: None }))
}

/// Whether an error that a client gets says so: by its code, or in words. `text` is its message, or the body that
/// the provider behind a router sent.
#[must_use]
pub fn says_too_long(code: &str, text: &str) -> bool {
    let is_marked = MARKS.iter().any(|mark| mark.eq_ignore_ascii_case(code));
    is_marked || too_long(&ErrorSaid::read(text.as_bytes())).is_some()
}

/// The same of a message alone, in lower case.
pub(super) fn in_words(message: &str) -> Option<TooLong> {
    let beginning = BEGINNINGS.iter().find_map(|words| begins(message, words));
    let vague = || speaks_of_tokens(message).then_some(TooLong { window: None });
    beginning.or_else(vague)
}

/// Whether a message begins like this.
fn begins(message: &str, pattern: &str) -> Option<TooLong> {
    let mut rest = message;
    let mut window = None;
    for part in pattern.split_inclusive(['#', '@']) {
        let words = part.trim_end_matches(['#', '@']);
        rest = rest.strip_prefix(words)?;
        if words.len() < part.len() {
            let (number, behind) = number(rest)?;
            if part.ends_with('@') {
                window = number;
            }
            rest = behind;
        }
    }
    Some(TooLong {
        window: window.filter(|window| is_plausible(*window)),
    })
}

/// The whole number at the beginning of a text, with or without commas, and what is behind it. `None`
/// in place of one that is too large.
fn number(text: &str) -> Option<(Option<u64>, &str)> {
    let is_part = |c: char| c.is_ascii_digit() || c == ',';
    let behind = text.trim_start_matches(is_part);
    let digits = text.strip_suffix(behind)?.replace(',', "");
    (!digits.is_empty()).then(|| (digits.parse().ok(), behind))
}

/// No model has a smaller window, or a larger one.
fn is_plausible(window: u64) -> bool {
    (256..=100_000_000).contains(&window)
}

/// Whether what comes before any quotation speaks of the size and of a number of tokens.
fn speaks_of_tokens(message: &str) -> bool {
    let own = own_words(message);
    let has_number = || {
        let mut runs = own.split(|c: char| !c.is_ascii_digit() && c != ',');
        runs.any(|run| run.len() >= 3)
    };
    WORDS.iter().any(|words| own.contains(words)) && has_number()
}

/// The message up to its first quotation. An apostrophe within a word is none.
fn own_words(message: &str) -> &str {
    let mut before = ' ';
    let end = message.char_indices().find(|(at, c)| {
        let quotes = matches!(c, '"' | '`' | '“' | '«')
            || (matches!(c, '\'' | '‘' | '’') && !before.is_alphanumeric());
        before = *c;
        quotes || *at >= OWN_WORDS
    });
    end.and_then(|(at, _)| message.get(..at)).unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_4_what_says_that_a_request_is_too_large_and_for_which_window() {
        const NO: Option<Option<u64>> = None;
        const YES: Option<Option<u64>> = Some(None);
        let of = |window| Some(Some(window));
        #[rustfmt::skip]
        let rows = [
            ("This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.", of(8192)),
            ("This endpoint's maximum context length is 131072 tokens. However, you requested about 200000 tokens", of(131_072)),
            ("This model's maximum context length is 131,072 tokens.",              of(131_072)),
            ("maximum context length is 8",                                         YES),
            ("maximum context length is 99999999999999999999999",                   YES),
            ("maximum context length is -8192",                                     YES),
            ("prompt is too long: 208310 tokens > 200000 maximum",                  of(200_000)),
            ("prompt is too long: 9 > 8",                                           YES),
            ("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", of(1_048_576)),
            ("too many tokens: total number of tokens in the prompt cannot exceed 4081 - prompt is too long", of(4081)),
            ("Prompt exceeds max length",                                           YES),
            ("Prompt contains 65673 tokens and 0 draft tokens, too large for model with 32768 maximum context length", of(32_768)),
            ("request (5004 tokens) exceeds the available context size (4096 tokens), try increasing it", of(4096)),
            ("The decoder prompt (length 5004) is longer than the maximum model length of 4096.", of(4096)),
            ("'max_tokens' or 'max_completion_tokens' is too large: 100. This model's maximum context length is 4096 tokens", of(4096)),
            ("Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192", of(8192)),
            ("Please reduce the length of the messages or completion.",             YES),
            ("litellm.ContextWindowExceededError: the context window of this model is 8192 tokens", YES),
            ("Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens", YES),
            // What a request may have said.
            ("Invalid tool 'trim': description 'keeps the context window small'",   NO),
            ("Invalid tool 'trim': description 'keeps the context window below 8192 tokens'", NO),
            ("Invalid role: \"maximum context length is 8192 tokens\"",             NO),
            ("Invalid role `This model's maximum context length is 8192 tokens`",   NO),
            ("Tool description keeps the context window small",                     NO),
            ("Invalid role: prompt is too long",                                    NO),
            ("The model's context window",                                          NO),
            ("Invalid parameter",                                                   NO),
            ("",                                                                    NO),
        ];
        for (message, expected) in rows {
            let read = in_words(&message.to_lowercase());
            assert_eq!(read.map(|too_long| too_long.window), expected, "{message}");
        }
        let far = format!("{} context window of 8192 tokens", "x".repeat(OWN_WORDS));
        assert_eq!(in_words(&far), None);
    }

    #[test]
    fn s10_4_a_mark_says_so_in_its_field() {
        let code = r#"{"error":{"message":"No","code":"context_length_exceeded"}}"#;
        let said = ErrorSaid::read(code.as_bytes());
        assert_eq!(too_long(&said), Some(TooLong { window: None }));
    }
}
