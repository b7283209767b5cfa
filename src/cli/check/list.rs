//! What the ranking is worth today. Pure.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use serde_json::Value;

use super::{Finding, when};
use crate::clock::rfc3339;
use crate::model::ModelId;

/// It is made once a day; two hours are grace.
const STALE: Duration = Duration::from_secs(26 * 3600);

/// Judges the answer of `MODELS_LIST_URL`. `usable` says whether a model with this id may be
/// used at all.
#[must_use]
pub fn judge_list(
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
    usable: impl Fn(&ModelId) -> bool,
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
    let Ok(list) = serde_json::from_slice::<Value>(body) else {
        return vec![Finding::bad(
            "MODELS_LIST_URL answers with something that is not JSON",
        )];
    };
    let Some(entries) = list.get("models").and_then(Value::as_array) else {
        return vec![Finding::bad(
            "MODELS_LIST_URL answers with JSON that has no list of models",
        )];
    };
    let ids = entries.iter().filter_map(|entry| entry.get("id")?.as_str());
    let ids: Vec<ModelId> = ids.filter_map(|id| ModelId::try_from(id).ok()).collect();
    let count = ids.iter().filter(|id| usable(id)).count();
    let mut findings = vec![counted(count)];
    if ids.len() < entries.len() {
        let skipped = entries.len() - ids.len();
        findings.push(Finding::warn(format!(
            "entries of the ranking without a valid id: {skipped}"
        )));
    }
    if count < ids.len() {
        let left_out = ids.len() - count;
        findings.push(Finding::warn(format!(
            "models of the ranking left out because they could be billed: {left_out} (see ALLOW_PAID)"
        )));
    }
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
        let hours = age.as_secs() / 3600;
        Finding::warn(format!(
            "the ranking is stale: made {hours} h ago, at {}",
            rfc3339(updated)
        ))
    })
}
