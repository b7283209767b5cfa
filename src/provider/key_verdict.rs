//! What the answer to a key test says about the key (reference §3).
//!
//! Pure. No connection means no answer, and so no verdict: reporting that is up to the caller.

use super::case::says_that_the_key_is_dead;
use super::row::{Means, Provider};
use super::said::ErrorSaid;
use crate::answer::{Said, read};
use crate::request::Endpoint;

/// The result of a key test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyVerdict {
    /// The key is accepted.
    Accepted,
    /// It is refused.
    Refused,
    /// Undecided: a limit, an outage, another error.
    Unknown,
}

/// The verdict on an answer to the row's key test. Only a 401, a 403 or a 400 refuses a key, and
/// the last two only if row or body say so: a status alone misleads.
#[must_use]
pub fn key_verdict(row: &Provider, status: u16, body: &[u8]) -> KeyVerdict {
    let said = ErrorSaid::read(body);
    match status {
        200..=299 if is_error(body) => KeyVerdict::Unknown,
        200..=299 => KeyVerdict::Accepted,
        400 | 401 | 403 => refusal(row, status, &said),
        _ => KeyVerdict::Unknown,
    }
}

fn refusal(row: &Provider, status: u16, said: &ErrorSaid<'_>) -> KeyVerdict {
    let fits = row.errors.iter().find(|row| row.fits(Some(status), said));
    let is_refused = match fits {
        Some(fits) => fits.means == Means::KeyDead && (fits.has_words() || said.is_json),
        None => match status {
            401 => true,
            403 if row.speaks_openrouter(None) => true,
            _ => says_that_the_key_is_dead(said),
        },
    };
    if is_refused {
        KeyVerdict::Refused
    } else {
        KeyVerdict::Unknown
    }
}

/// Whether a body that came with a 200 is nevertheless an error.
fn is_error(body: &[u8]) -> bool {
    matches!(read(body, Endpoint::Chat), Ok(Said::Error(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProviderId;
    use crate::provider::find;

    #[test]
    fn s10_8_what_a_key_test_says() {
        use KeyVerdict::{Accepted, Refused, Unknown};
        #[rustfmt::skip]
        let rows = [
            ("openrouter", 200, r#"{"data":{}}"#,                                    Accepted),
            ("openrouter", 401, r#"{"error":{"message":"User not found.","code":401}}"#, Refused),
            ("openrouter", 403, "",                                                  Refused),
            ("groq",       200, r#"{"object":"list","data":[]}"#,                    Accepted),
            ("groq",       204, "",                                                  Accepted),
            ("groq",       401, r#"{"error":{"message":"Invalid API Key","type":"invalid_request_error","code":"invalid_api_key"}}"#, Refused),
            ("groq",       401, "",                                                  Refused),
            ("groq",       400, r#"{"error":{"message":"x","code":"organization_restricted"}}"#, Refused),
            ("groq",       400, r#"{"error":{"message":"x"}}"#,                      Unknown),
            ("groq",       403, r#"{"error":{"message":"Forbidden"}}"#,              Unknown),
            ("groq",       403, "<html>Blocked</html>",                              Unknown),
            ("groq",       429, r#"{"error":{"message":"Invalid API Key","code":"invalid_api_key"}}"#, Unknown),
            ("groq",       500, r#"{"error":{"code":"invalid_api_key"}}"#,           Unknown),
            ("groq",       302, "",                                                  Unknown),
            ("groq",       404, "",                                                  Unknown),
            ("gemini",     400, r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]"#, Refused),
            ("gemini",     400, r#"[{"error":{"code":400,"message":"API key expired. Please renew the API key."}}]"#, Refused),
            ("gemini",     400, r#"[{"error":{"code":400,"message":"User location is not supported for the API use."}}]"#, Unknown),
            ("nvidia",     403, r#"{"status":403,"title":"Forbidden","detail":"Authorization failed"}"#, Refused),
            ("nvidia",     401, r#"{"status":401,"title":"Unauthorized","detail":"Authentication failed"}"#, Refused),
            ("nvidia",     402, "",                                                  Unknown),
            ("ovh",        403, r#"{"message":"Authentication Failed"}"#,            Refused),
            ("cloudflare", 403, r#"{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}"#, Refused),
            ("cloudflare", 403, r#"{"success":false,"errors":[{"code":9109,"message":"Unauthorized to access requested resource"}]}"#, Unknown),
            ("cloudflare", 200, r#"{"success":false,"errors":[{"code":1000,"message":"Invalid"}]}"#, Unknown),
            ("cloudflare", 200, r#"{"success":true,"errors":[],"messages":[],"result":{"status":"active"}}"#, Accepted),
            ("kilo",       401, r#"{"error":{"code":"PROMOTION_MODEL_LIMIT_REACHED","message":"Sign up"},"error_type":"promotion_limit_reached"}"#, Unknown),
            ("mistral",    401, r#"{"detail":"Unauthorized"}"#,                      Refused),
            ("mistral",    403, r#"{"message":"Model x is not available in your subscription tier"}"#, Unknown),
            ("my-box",     401, "",                                                  Refused),
            ("my-box",     200, "",                                                  Accepted),
        ];
        for (name, status, body, expected) in rows {
            let custom = || Provider::unknown(ProviderId::try_from(name).unwrap(), true);
            let row = find(name).map_or_else(custom, |row| Provider::clone(row));
            assert_eq!(
                key_verdict(&row, status, body.as_bytes()),
                expected,
                "{name} {status} {body}"
            );
        }
    }
}
