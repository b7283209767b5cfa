//! What the program's reader of errors makes of a refusal.

use std::time::Duration;

use free_llm_proxy::clock::Now;
use free_llm_proxy::ledger::{Counted, Limit, Per, Stated};
use free_llm_proxy::verdict::{AccountLimit, Cause, Failure, Lesson, Outcome, Rest, Scope};

use super::truth::Refused;

/// The verdict on a refusal of this provider's.
pub fn verdict(provider: &str, refused: &Refused, now: Now) -> Failure {
    let Limit {
        unit,
        per,
        of,
        amount,
        ends,
        ..
    } = refused.limit;
    // A day that rolls rests its account for RATE_LIMIT_COOLDOWN_SEC at least.
    let is_rolling_day = per == Per::Day && ends.is_none();
    let least = if is_rolling_day { 300.0 } else { 1.0 };
    let wait = Duration::from_secs_f64(refused.wait.max(least));
    let says_numbers = matches!(provider, "groq" | "gemini" | "openrouter");
    let stated = Stated {
        amount: says_numbers.then_some(amount),
        by_header: provider == "openrouter",
        used: (provider == "groq").then_some(amount.min(refused.used as u64)),
        unit: Some(unit),
        per,
        of,
        until: (!refused.too_large).then(|| now.plus(wait).wall),
        resets_at: None,
    };
    let limit = match per {
        Per::Minute => AccountLimit::Minute,
        Per::Day => AccountLimit::Day,
        Per::Moment | Per::Second | Per::Hour | Per::Hours(_) | Per::Week | Per::Month => {
            AccountLimit::Quota
        }
    };
    let (rest, lesson) = match refused.too_large {
        true => (Rest::None, Some(Lesson::OverLimit)),
        false => (Rest::For(wait), None),
    };
    Failure {
        outcome: Outcome::RateLimited,
        scope: match of {
            Counted::Model => Scope::Candidate,
            Counted::Account | Counted::Address => Scope::Account(limit),
        },
        rest,
        status: Some(429),
        cause: Cause::Status,
        lesson,
        owed: false,
        free_requests: None,
        quota: Some(Box::new(stated)),
        answer: None,
    }
}
