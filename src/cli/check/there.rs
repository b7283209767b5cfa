//! Whether the ranked models exist at the upstream, according to its own catalogue. Pure.

use bytes::Bytes;

use super::{Answer, Finding};
use crate::clock::Now;
use crate::condition::{Condition, Names};
use crate::config::Config;
use crate::list::{Catalogue, Ranking};

/// How many missing models are named.
const NAMED: usize = 3;

/// Judges the answer of `GET {base}/models` together with the ranking's. For an upstream without a
/// key endpoint, the catalogue proves that it is an upstream.
pub(super) fn judge(
    ranking: Option<Bytes>,
    catalogue: Result<Answer, String>,
    config: &Config,
    must_be_there: bool,
    now: Now,
) -> Vec<Finding> {
    let names = Names::of(config);
    let base = &names.base;
    let catalogue = match catalogue {
        Ok((200, _, body)) => Catalogue::read(&body, now.wall).map_err(|error| error.to_string()),
        Ok((status, _, _)) => Err(format!("the answer was HTTP {status}")),
        Err(error) => Err(error),
    };
    let catalogue = match catalogue {
        Ok(catalogue) => catalogue,
        Err(_) if must_be_there => {
            return vec![Finding::bad(format!(
                "UPSTREAM_BASE_URL={base} does not look like an OpenAI-compatible API: \
                 {base}/models lists no models"
            ))];
        }
        Err(error) => {
            return vec![Finding::warn(format!(
                "the catalogue at {base}/models cannot be read ({error}): whether the models \
                 exist there is unknown, and what the ranking leaves open counts as \"cannot\""
            ))];
        }
    };
    let mut findings = Vec::new();
    if must_be_there {
        findings.push(Finding::ok(format!(
            "the upstream at {base} lists its models"
        )));
    }
    let ranking = ranking.and_then(|body| Ranking::read(&body, config.takes_any_id()).ok());
    findings.extend(ranking.map(|ranking| compare(&ranking, &catalogue, config, &names, now)));
    findings
}

fn compare(
    ranking: &Ranking,
    catalogue: &Catalogue,
    config: &Config,
    names: &Names,
    now: Now,
) -> Finding {
    let all = ranking.models.len();
    let missing = ranking.models.iter().filter(|m| !catalogue.has(&m.id));
    let missing: Vec<_> = missing.map(|model| model.id.as_str()).collect();
    let there = all - missing.len();
    let fallback = ranking.fallback.as_ref().filter(|_| config.fallback_router);
    let router_is_there = fallback.is_some_and(|model| catalogue.has(&model.id));
    if there == 0 && !router_is_there {
        return Finding::of(&Condition::NoneThere { of: all }, names, now);
    }
    if missing.is_empty() {
        return Finding::ok(format!("{there} of {all} models exist there"));
    }
    let more = missing.len().saturating_sub(NAMED);
    let mut named = missing
        .into_iter()
        .take(NAMED)
        .collect::<Vec<_>>()
        .join(", ");
    if more > 0 {
        named += &format!(" and {more} more");
    }
    Finding::warn(format!("{there} of {all} models exist there; not {named}"))
}
