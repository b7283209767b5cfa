//! How many tokens an answer took.

use crate::json::Raw;

/// A chat completion's `usage`, as far as the surfaces have names for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::surface) struct Usage {
    pub(in crate::surface) prompt: u64,
    pub(in crate::surface) completion: u64,
    pub(in crate::surface) total: u64,
    /// Of the prompt: read from a cache, and written to one.
    pub(in crate::surface) cached: u64,
    pub(in crate::surface) cache_written: u64,
    /// Of the completion.
    pub(in crate::surface) reasoning: u64,
}

impl Usage {
    pub(in crate::surface) fn read(usage: Raw<'_>) -> Self {
        let [
            prompt,
            completion,
            total,
            prompt_details,
            completion_details,
        ] = usage.pick([
            "prompt_tokens",
            "completion_tokens",
            "total_tokens",
            "prompt_tokens_details",
            "completion_tokens_details",
        ]);
        let count = |value: Option<Raw<'_>>| value.and_then(Raw::as_u64).unwrap_or(0);
        let detail = |details: Option<Raw<'_>>, key| count(details.and_then(|d| d.get(key)));
        let (prompt, completion) = (count(prompt), count(completion));
        Self {
            prompt,
            completion,
            total: total
                .and_then(Raw::as_u64)
                .unwrap_or(prompt.saturating_add(completion)),
            cached: detail(prompt_details, "cached_tokens"),
            cache_written: detail(prompt_details, "cache_write_tokens"),
            reasoning: detail(completion_details, "reasoning_tokens"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_counts_are_zero() {
        let read = |text: &str| Usage::read(Raw::parse(text.as_bytes(), 9).unwrap());
        let full = r#"{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"cost":0,
            "prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},
            "completion_tokens_details":{"reasoning_tokens":5,"image_tokens":0}}"#;
        let expected = Usage {
            prompt: 9,
            completion: 12,
            total: 21,
            cached: 4,
            cache_written: 2,
            reasoning: 5,
        };
        assert_eq!(read(full), expected);
        let (prompt, completion) = (9, 12);
        let counted =
            read(r#"{"prompt_tokens":9,"completion_tokens":12,"prompt_tokens_details":null}"#);
        assert_eq!(
            (counted.prompt, counted.completion, counted.total),
            (prompt, completion, 21)
        );
        assert_eq!(
            read(r#"{"prompt_tokens":-1,"completion_tokens":"x"}"#),
            Usage::default()
        );
        assert_eq!(read("7"), Usage::default());
    }
}
