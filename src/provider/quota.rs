//! Which quota an error says is used up: its window, its unit, its amount (reference §6, spec
//! §10.5).
//!
//! Pure. A text is only read for it if its beginning says that it is about a limit: after that the
//! provider speaks for itself.

use super::said::{ErrorSaid, MOST_ELEMENTS};
use crate::json::Raw;
use crate::ledger::{Counted, Per, Stated, Unit};

/// A quota, as named in an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Quota {
    /// Its window.
    pub(super) per: Option<Per>,
    /// What it counts.
    pub(super) unit: Option<Unit>,
    /// What shares it.
    pub(super) of: Option<Counted>,
    /// How much it is; never zero.
    pub(super) amount: Option<u64>,
    /// How much of that is used.
    pub(super) used: Option<u64>,
    /// It is zero: the model is not free there.
    pub(super) is_nothing: bool,
}

/// How messages about a limit begin, in lower case.
const BEGINNINGS: [&str; 22] = [
    "rate limit",
    "rate-limit",
    "ratelimit",
    "requests rate limit",
    "tokens rate limit",
    "too many requests",
    "request too large for model",
    "you exceeded your current quota",
    "you have exceeded",
    "you've exceeded",
    "you have used up",
    "you have reached",
    "you are using a trial key",
    "you (",
    "quota exceeded",
    "resource has been exhausted",
    "resource exhausted",
    "tokens per",
    "requests per",
    "daily ",
    "limit ",
    "free model usage limit",
];

/// Words for a window, with the unit if they imply one.
const WINDOWS: [(&str, Per); 28] = [
    ("per second", Per::Second),
    ("/ second", Per::Second),
    ("/second", Per::Second),
    ("per minute", Per::Minute),
    ("/ minute", Per::Minute),
    ("/minute", Per::Minute),
    ("(rpm)", Per::Minute),
    ("(tpm)", Per::Minute),
    ("per hour", Per::Hour),
    ("/ hour", Per::Hour),
    ("/hour", Per::Hour),
    ("hourly", Per::Hour),
    ("session usage", Per::Hours(5)),
    ("per day", Per::Day),
    ("/ day", Per::Day),
    ("/day", Per::Day),
    ("(rpd)", Per::Day),
    ("(tpd)", Per::Day),
    ("daily", Per::Day),
    ("per-day", Per::Day),
    ("per week", Per::Week),
    ("/ week", Per::Week),
    ("weekly", Per::Week),
    ("per month", Per::Month),
    ("/ month", Per::Month),
    ("/month", Per::Month),
    ("monthly", Per::Month),
    ("included credits", Per::Month),
];

/// Words for what is counted.
const UNITS: [(&str, Unit); 6] = [
    ("input tokens", Unit::TokensIn),
    ("output tokens", Unit::TokensOut),
    ("tokens", Unit::Tokens),
    ("requests", Unit::Requests),
    ("calls", Unit::Requests),
    ("neurons", Unit::Neurons),
];

/// Whether a message in lower case is about a limit, judging by its beginning.
pub(super) fn is_about_a_limit(message: &str) -> bool {
    BEGINNINGS.iter().any(|words| message.starts_with(words))
}

/// The quota that an error names, as far as it does.
pub(super) fn named(said: &ErrorSaid<'_>) -> Quota {
    violated(said)
        .or_else(|| is_about_a_limit(&said.message).then(|| in_words(&said.message)))
        .unwrap_or_default()
}

/// Google's `QuotaFailure`: the longest of several windows, to which its short wait does not apply.
fn violated(said: &ErrorSaid<'_>) -> Option<Quota> {
    let violations = said
        .details()
        .filter_map(|detail| detail.get("violations"))
        .flat_map(|list| list.elements().take(MOST_ELEMENTS))
        .map(violation);
    let mut is_nothing = is_nothing(&said.message);
    let longest = violations
        .inspect(|quota| is_nothing |= quota.is_nothing)
        .max_by_key(|quota| quota.per.map(Per::length));
    longest.map(|quota| Quota {
        is_nothing,
        ..quota
    })
}

fn violation(of: Raw<'_>) -> Quota {
    let text = |key| {
        of.get(key)
            .and_then(Raw::as_str)
            .unwrap_or_default()
            .to_lowercase()
    };
    let (id, metric) = (text("quotaId"), text("quotaMetric"));
    let has = |part| id.contains(part);
    let per = [
        ("perday", Per::Day),
        ("permonth", Per::Month),
        ("perhour", Per::Hour),
        ("perminute", Per::Minute),
        ("persecond", Per::Second),
    ];
    let unit = if has("inputtoken") || metric.contains("input_token") {
        Some(Unit::TokensIn)
    } else if has("token") {
        Some(Unit::Tokens)
    } else {
        (has("request") || metric.ends_with("_requests")).then_some(Unit::Requests)
    };
    let value = of.get("quotaValue");
    let value = value.and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()));
    Quota {
        per: per
            .into_iter()
            .find_map(|(part, per)| has(part).then_some(per)),
        unit,
        of: has("permodel").then_some(Counted::Model),
        amount: value.filter(|value| Stated::is_plausible(*value)),
        used: None,
        is_nothing: value == Some(0),
    }
}

/// What a message about a limit says, given in lower case.
fn in_words(message: &str) -> Quota {
    let first = WINDOWS
        .iter()
        .filter_map(|(words, per)| Some((message.find(words)?, *per)))
        .min_by_key(|(at, _)| *at);
    let (before, behind) = first
        .and_then(|(at, _)| message.split_at_checked(at))
        .unwrap_or(("", message));
    // What is closest before the window, else closest after it; `input tokens` before `tokens`.
    let last = |(words, unit): &(&str, Unit)| Some((before.rfind(words)? + words.len(), *unit));
    let next = |(words, unit): &(&str, Unit)| Some((behind.find(words)?, *unit));
    let unit = (UNITS
        .iter()
        .filter_map(last)
        .rev()
        .max_by_key(|(end, _)| *end))
    .or_else(|| UNITS.iter().filter_map(next).min_by_key(|(at, _)| *at));
    let amount = amount(message);
    let is_of_the_account = ["you have", "you've", "you are", "you ("]
        .iter()
        .any(|words| message.starts_with(words));
    Quota {
        per: first.map(|(_, per)| per),
        unit: unit.map(|(_, unit)| unit),
        of: if message.contains(" for model `") {
            Some(Counted::Model)
        } else {
            is_of_the_account.then_some(Counted::Account)
        },
        amount,
        used: amount.and_then(|amount| used(message, amount)),
        is_nothing: is_nothing(message),
    }
}

/// The number after `limit`, `limit:`, `limited to` or `allocation of`.
fn amount(message: &str) -> Option<u64> {
    ["limit ", "limit: ", "limited to ", "allocation of "]
        .into_iter()
        .flat_map(|words| message.split(words).skip(1))
        .find_map(whole_number)
        .filter(|number| Stated::is_plausible(*number))
}

/// The number after `, used`, as Groq puts it: `Limit 8000, Used 7999, Requested 3619`.
fn used(message: &str, amount: u64) -> Option<u64> {
    let (_, behind) = message.split_once(", used ")?;
    // An answer may have gone beyond it.
    whole_number(behind).map(|used| used.min(amount))
}

/// The whole number at the beginning of a text in lower case: `8000`, `10,000`, `10k`, `2m`. What may mean
/// another is passed over: `10.000`, `10 000`, `1.5k`, `5s`.
fn whole_number(text: &str) -> Option<u64> {
    let length = text
        .bytes()
        .take_while(|b| b.is_ascii_digit() || *b == b',')
        .count();
    let number = text.get(..length)?.trim_end_matches(',');
    let mut groups = number.split(',');
    let first = groups.next()?;
    let is_grouped = number.contains(',');
    if is_grouped && (first.len() > 3 || groups.any(|group| group.len() != 3)) {
        return None;
    }
    let behind = text.get(number.len()..)?;
    let (times, behind) = match behind.bytes().next() {
        Some(b'k') => (1_000, behind.get(1..)?),
        Some(b'm') => (1_000_000, behind.get(1..)?),
        _ => (1, behind),
    };
    let mut next = behind.chars();
    let goes_on = match next.next() {
        Some(c) if c.is_alphanumeric() || "%_'’".contains(c) => true,
        Some(c) if c.is_whitespace() || ".,".contains(c) => {
            next.next().is_some_and(|c| c.is_ascii_digit())
        }
        _ => false,
    };
    let number: u64 = number.replace(',', "").parse().ok()?;
    number.checked_mul(times).filter(|_| !goes_on)
}

/// Google's way of saying that a model is not free at all.
fn is_nothing(message: &str) -> bool {
    let google = message.starts_with("you exceeded your current quota")
        || message.starts_with("quota exceeded for ");
    let none = |behind: &str| whole_number(behind) == Some(0) && !behind.starts_with("0.");
    google && message.split("limit: ").skip(1).any(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_5_which_quota_a_text_names() {
        use Counted::{Account, Model};
        use Unit::{Neurons, Requests, Tokens, TokensIn};
        let groq = |axis: &str| {
            format!(
                "Rate limit reached for model `openai/gpt-oss-120b` in organization `org_x` service tier `on_demand` on {axis}, Used 7999, Requested 3619. Please try again in 1.2s. Need more tokens?"
            )
        };
        #[rustfmt::skip]
        let rows = [
            (groq("tokens per minute (TPM): Limit 8000"),          Some(Per::Minute), Some(Tokens),   Some(Model),   Some(8000)),
            (groq("tokens per day (TPD): Limit 200000"),           Some(Per::Day),    Some(Tokens),   Some(Model),   Some(200_000)),
            (groq("requests per minute (RPM): Limit 30"),          Some(Per::Minute), Some(Requests), Some(Model),   Some(30)),
            (groq("requests per day (RPD): Limit 1000"),           Some(Per::Day),    Some(Requests), Some(Model),   Some(1000)),
            (groq("input tokens per minute (ITPM): Limit 7000"),   Some(Per::Minute), Some(TokensIn), Some(Model),   Some(7000)),
            (groq("tokens per minute (TPM): Limit 0"),             Some(Per::Minute), Some(Tokens),   Some(Model),   None),
            (groq("tokens per minute (TPM): Limit 99999999999999999999"), Some(Per::Minute), Some(Tokens), Some(Model), None),
            (groq("tokens per minute (TPM): Limit -5"),            Some(Per::Minute), Some(Tokens),   Some(Model),   None),
            ("you have used up your daily free allocation of 10,000 neurons, please upgrade".into(), Some(Per::Day), Some(Neurons), Some(Account), Some(10_000)),
            ("You are using a Trial key, which is limited to 20 API calls / minute. You can".into(), Some(Per::Minute), Some(Requests), Some(Account), Some(20)),
            ("You are using a Trial key, which is limited to 1000 API calls / month.".into(), Some(Per::Month), Some(Requests), Some(Account), Some(1000)),
            ("you (a) have reached your weekly usage limit, upgrade for higher limits".into(), Some(Per::Week), None, Some(Account), None),
            ("you (a) have reached your session usage limit".into(), Some(Per::Hours(5)), None,       Some(Account), None),
            ("Tokens per minute limit exceeded - too many tokens processed.".into(), Some(Per::Minute), Some(Tokens), None, None),
            ("Requests rate limit exceeded".into(),                None,              Some(Requests), None,          None),
            ("Too Many Requests".into(),                           None,              Some(Requests), None,          None),
            // Numbers as people write them; what may mean another is passed over.
            (groq("tokens per day (TPD): Limit 10k"),              Some(Per::Day),    Some(Tokens),   Some(Model),   Some(10_000)),
            (groq("tokens per day (TPD): Limit 2M"),               Some(Per::Day),    Some(Tokens),   Some(Model),   Some(2_000_000)),
            (groq("tokens per day (TPD): Limit 1,200,000"),        Some(Per::Day),    Some(Tokens),   Some(Model),   Some(1_200_000)),
            (groq("tokens per day (TPD): Limit 10.000"),           Some(Per::Day),    Some(Tokens),   Some(Model),   None),
            (groq("tokens per day (TPD): Limit 10 000"),           Some(Per::Day),    Some(Tokens),   Some(Model),   None),
            (groq("tokens per day (TPD): Limit 10'000"),           Some(Per::Day),    Some(Tokens),   Some(Model),   None),
            (groq("tokens per day (TPD): Limit 1.5k"),             Some(Per::Day),    Some(Tokens),   Some(Model),   None),
            (groq("tokens per day (TPD): Limit 10,00"),            Some(Per::Day),    Some(Tokens),   Some(Model),   None),
            (groq("tokens per day (TPD): Limit 99999999999999M"),  Some(Per::Day),    Some(Tokens),   Some(Model),   None),
            // Not about a limit, judging by its beginning: it may quote the request.
            ("Invalid role: 'tokens per day (TPD): Limit 5'".into(), None,            None,           None,          None),
        ];
        for (message, per, unit, of, amount) in rows {
            let body = serde_json::json!({"error": {"message": message}}).to_string();
            let quota = named(&ErrorSaid::read(body.as_bytes()));
            assert_eq!(
                (quota.per, quota.unit, quota.of, quota.amount),
                (per, unit, of, amount),
                "{message}"
            );
        }
    }

    #[test]
    fn s10_5_how_much_of_it_a_text_says_is_used() {
        #[rustfmt::skip]
        let rows = [
            // said behind "Rate limit reached for model `m` on tokens per day (TPD): "   used
            ("Limit 200000, Used 199000, Requested 3619. Please try again in 9m38.016s.", Some(199_000)),
            ("Limit 200,000, Used 199,000, Requested 3619.",                              Some(199_000)),
            ("Limit 200000, Used 0, Requested 300000.",                                   Some(0)),
            ("Limit 200000, Requested 3619.",                                             None),
            ("Limit 200000, Used 200001, Requested 3619.",                                Some(200_000)),
            // Absurd ones.
            ("Limit 200000, Used -5, Requested 3619.",                                    None),
            ("Limit 200000, Used 99999999999999999999, Requested 3619.",                  None),
            ("Limit 0, Used 0, Requested 3619.",                                          None),
        ];
        for (numbers, expected) in rows {
            let message =
                format!("Rate limit reached for model `m` on tokens per day (TPD): {numbers}");
            let body = serde_json::json!({"error": {"message": message}}).to_string();
            let quota = named(&ErrorSaid::read(body.as_bytes()));
            assert_eq!(quota.used, expected, "{numbers}");
        }
    }

    #[test]
    fn s10_5_of_googles_violations_the_longest_window_counts() {
        let violation =
            |id: &str, value: &str| serde_json::json!({"quotaId": id, "quotaValue": value});
        let day = violation("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "20");
        let minute = violation("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "5");
        let tokens = violation(
            "GenerateContentInputTokensPerModelPerMinute-FreeTier",
            "250000",
        );
        let nothing = violation("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "0");
        let odd = violation("x", "1e30");
        #[rustfmt::skip]
        let rows = [
            (vec![&minute, &day],     Some(Per::Day),    Some(Unit::Requests), Some(20),      false),
            (vec![&day, &minute],     Some(Per::Day),    Some(Unit::Requests), Some(20),      false),
            (vec![&minute, &tokens],  Some(Per::Minute), Some(Unit::TokensIn), Some(250_000), false),
            (vec![&nothing, &minute], Some(Per::Day),    Some(Unit::Requests), None,          true),
            (vec![&odd],              None,              None,                 None,          false),
        ];
        for (violations, per, unit, amount, is_nothing) in rows {
            let body = serde_json::json!([{"error": {"message": "You exceeded your current quota", "details": [{"violations": violations}]}}]);
            let quota = named(&ErrorSaid::read(body.to_string().as_bytes()));
            assert_eq!(
                (quota.per, quota.unit, quota.amount, quota.is_nothing),
                (per, unit, amount, is_nothing),
                "{body}"
            );
        }
    }
}
