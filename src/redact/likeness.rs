//! Whether a text in the wrong place is probably a key, which must not be repeated.

/// Whether a text that should be none is probably a key: it begins as keys do, or it is as long as one
/// and mixes letters and digits as no word does.
#[must_use]
pub fn looks_like_key(text: &str) -> bool {
    #[rustfmt::skip]
    const BEGINNINGS: [&str; 11] = [
        "sk_", "gsk_", "aiza", "nvapi-", "csk-", "hf_", "vck_", "pk_", "xai-", "eyj", "ghp_",
    ];
    const LONG: usize = 20;
    let text = text.trim().trim_start_matches(['"', '\'', '+', '-']);
    let lower = text.to_ascii_lowercase();
    let is_name = text.contains(['/', '.']) || !text.bytes().any(|b| b.is_ascii_digit());
    let begins = |beginning: &&str| lower.starts_with(*beginning) && !is_name;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let mixed = digits >= 4 && text.bytes().any(|b| b.is_ascii_alphabetic());
    lower.starts_with("sk-")
        || BEGINNINGS.iter().any(begins)
        || (text.len() >= LONG && text.bytes().all(plain) && mixed && !text.contains(".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s6_what_is_probably_a_key() {
        #[rustfmt::skip]
        let rows = [
            ("sk-or-v1-secret",                      true),
            (" gsk_0123456789",                      true),
            ("AIzaSyA0123456789",                    true),
            ("'nvapi-0123",                          true),
            ("0123456789abcdef0123456789abcdef",     true),
            ("+gsk_0123456789",                      true),
            ("groq",                                 false),
            ("99999",                                false),
            ("my-own-provider-at-home-2",            false),
            ("/run/secrets/groq_api_key",            false),
            ("hf_token.txt",                         false),
            ("hf_token",                             false),
            ("secrets/0123456789abcdef0123456789",   false),
            ("http://127.0.0.1:8080/v1",             false),
            ("a sentence of more than 20 characters", false),
        ];
        for (text, expected) in rows {
            assert_eq!(looks_like_key(text), expected, "{text:?}");
        }
    }
}
