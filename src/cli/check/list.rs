//! Whether the ranking is usable today. Pure.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use serde_json::Value;

use super::Finding;
use crate::cli::when;
use crate::clock::rfc3339;
use crate::list::{Ranking, RankingError, Skipped};
use crate::units::length;

/// It is made once a day; two hours are grace.
const STALE: Duration = Duration::from_secs(26 * 3600);

/// Judges the answer of `MODELS_LIST_URL`, read as `serve` reads it; `any_id` says whether models
/// whose id does not end in `:free` may be used.
#[must_use]
pub fn judge_list(
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
    any_id: bool,
    now: SystemTime,
) -> Vec<Finding> {
    if status != 200 {
        let hint = if (300..400).contains(&status) {
            ", a redirect, which is not followed"
        } else {
            ""
        };
        return vec![Finding::bad(format!(
            "MODELS_LIST_URL answers HTTP {status}{hint}"
        ))];
    }
    let mut findings = match Ranking::read(body, any_id) {
        Ok(ranking) => {
            let skipped = left_out(&ranking.skipped);
            [Some(counted(ranking.models.len())), skipped]
                .into_iter()
                .flatten()
                .collect()
        }
        Err(RankingError::Json(_)) => {
            return vec![Finding::bad(
                "MODELS_LIST_URL answers with something that is not JSON",
            )];
        }
        Err(RankingError::Shape) => {
            return vec![Finding::bad(
                "MODELS_LIST_URL answers with JSON that has no list of models",
            )];
        }
        Err(RankingError::NoUsableModel { .. }) => vec![counted(0)],
    };
    let list: Value = serde_json::from_slice(body).unwrap_or_default();
    findings.extend(age(&list, now));
    if headers
        .get("x-free-llm-seed")
        .is_some_and(|seed| seed.as_bytes().eq_ignore_ascii_case(b"true"))
    {
        findings.push(Finding::warn(
            "the ranking is a canned one (X-Free-LLM-Seed): the service has lost its data for now",
        ));
    }
    findings
}

/// How many entries were left out, and why the first of them was.
fn left_out(skipped: &[Skipped]) -> Option<Finding> {
    let first = skipped.first()?;
    let count = skipped.len();
    let reason = first.reason;
    Some(Finding::warn(match count {
        1 => format!("1 entry of the ranking is left out: {reason}"),
        _ => format!("{count} entries of the ranking are left out; of the first, {reason}"),
    }))
}

fn counted(count: usize) -> Finding {
    match count {
        0 => Finding::bad("the ranking has no model that can be used"),
        1 => Finding::ok("the ranking has 1 model that can be used"),
        _ => Finding::ok(format!("the ranking has {count} models that can be used")),
    }
}

fn age(list: &Value, now: SystemTime) -> Option<Finding> {
    let updated = list
        .get("updatedAt")
        .and_then(Value::as_str)
        .and_then(when::parse_rfc3339)?;
    let age = now.duration_since(updated).unwrap_or_default();
    (age > STALE).then(|| {
        Finding::warn(format!(
            "the ranking is stale: it was made {} ago, at {}",
            length(age.as_secs()),
            rfc3339(updated)
        ))
    })
}
