//! The state as lines for people. Pure.

mod accounts;
mod clients;

pub(super) use accounts::news as news_of_account;

use serde_json::Value;

use super::look::{Line, Tone, line};
use crate::cli::Local;
use crate::cli::say::clean;
use crate::cli::when::parse_rfc3339;
use crate::cli::words;
use crate::units::{length, wait};

/// How many models are shown, and how many requests.
const MODELS: usize = 30;
const REQUESTS: usize = 8;

/// All of it, for this many columns: banner, proxy, accounts, models, last requests.
pub(super) fn table(state: &Value, local: Local, columns: usize) -> Vec<Line> {
    let mut lines = banner(&state["condition"]);
    lines.push(proxy(state));
    lines.extend(unkept(&state["state"]));
    lines.extend(settings(&state["settings"]));
    lines.extend(accounts::lines(state, local));
    lines.extend(clients::lines(state, local));
    lines.extend(next(state));
    lines.extend(waiting(&state["waiting"]));
    lines.push(Line::new());
    lines.extend(models(state, columns));
    let requests = array(&state["requests"]);
    if !requests.is_empty() {
        lines.push(Line::new());
        let title = format!("last requests ({})", local.whose());
        lines.push(vec![(Tone::Faint, title)]);
    }
    let requests = requests.iter().take(REQUESTS);
    let with = (accounts::are_many(state), clients::are_many(state));
    lines.extend(requests.map(|each| request(each, with, local)));
    lines
}

/// Whether requests are answered, in one sentence, and the next step if they are not.
fn banner(condition: &Value) -> Vec<Line> {
    let tone = match condition["tone"].as_str() {
        Some("good") => Tone::Good,
        Some("warn") => Tone::Waiting,
        _ => Tone::Bad,
    };
    let sentence = vec![(tone, text(&condition["sentence"]))];
    let next = condition["next_step"]
        .as_str()
        .map(|next| line(clean(next)));
    [Some(sentence), next].into_iter().flatten().collect()
}

fn proxy(state: &Value) -> Line {
    let up = length(number(&state["uptime_sec"]));
    let streams = number(&state["open_streams"]);
    let list = &state["list"];
    let list = match list["models"].as_u64() {
        Some(models) => format!(
            "{} of {models} models available, {} read {} ago",
            number(&list["available"]),
            text(&list["source"]),
            length(number(&list["age_sec"])),
        ),
        None => "no list yet".to_owned(),
    };
    let version = text(&state["version"]);
    line(format!(
        "free-llm-proxy {version}, up {up}; {streams} streaming; {list}"
    ))
}

/// Why what is known will not outlive the process, if it should.
fn unkept(kept: &Value) -> Option<Line> {
    let problem = clean(kept["problem"].as_str()?);
    let path = text(&kept["path"]);
    let said = format!("what is known is not being saved: {path} {problem}");
    Some(vec![(Tone::Waiting, said)])
}

/// Why the settings as they are written now do not count, and what waits for a restart.
fn settings(settings: &Value) -> Vec<Line> {
    let words = |list: &Value| array(list).iter().map(text).collect::<Vec<_>>();
    let refused = words(&settings["refused"]);
    let waits = words(&settings["needs_restart"]);
    let refused = (!refused.is_empty()).then(|| {
        let why = refused.join("; ");
        (
            Tone::Bad,
            format!("the settings were changed, and that does not count: {why}"),
        )
    });
    let waits = (!waits.is_empty()).then(|| {
        let names = waits.join(", ");
        (Tone::Waiting, format!("a restart is needed for: {names}"))
    });
    [refused, waits]
        .into_iter()
        .flatten()
        .map(|told| vec![told])
        .collect()
}

/// Who would be asked next, and why: what a request would cost there. Nothing in the ranking's order, where
/// nothing is weighed.
fn next(state: &Value) -> Option<Line> {
    let next = array(&state["next"]).first()?;
    let (cost, seconds) = (next["cost"].as_str()?, next["cost_sec"].as_f64()?);
    let account = next["account"].as_str();
    let account = account.filter(|_| accounts::are_many(state));
    let account = account.map_or(String::new(), |account| format!(" ({})", clean(account)));
    let model = text(&next["model"]);
    let said = format!("next: {model}{account}, at {seconds:.1} s: {}", clean(cost));
    Some(line(said))
}

/// How many requests wait, if any do, and for how long at least.
fn waiting(waiting: &Value) -> Option<Line> {
    let said = words::waiting(waiting)?;
    Some(vec![(Tone::Waiting, said)])
}

fn models(state: &Value, columns: usize) -> Vec<Line> {
    /// The columns beside the id, at their narrowest.
    const BESIDE: usize = "  1    success    ttft  tok/s  awake".len();
    let all = array(&state["models"]);
    let widest = |name: fn(&Value) -> String| {
        let widths = all.iter().map(|model| name(model).chars().count());
        widths.max().unwrap_or_default()
    };
    let at = all.first().map(provider_of);
    let are_many = all.iter().map(provider_of).any(|each| Some(each) != at);
    // With one provider its name adds nothing.
    let provider = are_many.then(|| widest(provider_of).max("provider".len()));
    let beside = BESIDE + provider.map_or(0, |wide| "  ".len() + wide);
    let name = if widest(id) + beside <= columns {
        id
    } else {
        short_id
    };
    let width = widest(name);
    let head = match provider {
        Some(wide) => format!("  {:wide$}", "provider"),
        None => String::new(),
    };
    let head = format!(
        "  #  {:width$}{head}  success    ttft  tok/s  state",
        "model"
    );
    let mut lines = vec![vec![(Tone::Faint, head)]];
    lines.extend(
        all.iter()
            .take(MODELS)
            .map(|model| self::model(state, model, (&name(model), width), provider)),
    );
    let more = all.len().saturating_sub(MODELS);
    if more > 0 {
        lines.push(line(format!("     and {more} more (--json shows all)")));
    }
    lines
}

fn id(model: &Value) -> String {
    text(&model["id"])
}

/// The id without its vendor and its price.
fn short_id(model: &Value) -> String {
    let id = id(model);
    let own = id.rsplit('/').next().unwrap_or_default();
    own.strip_suffix(":free").unwrap_or(own).to_owned()
}

fn provider_of(model: &Value) -> String {
    text(&model["provider"])
}

/// The id in this many columns, and the provider likewise if it is shown.
fn model(state: &Value, model: &Value, (id, width): (&str, usize), at: Option<usize>) -> Line {
    let rank = match model["rank"].as_i64() {
        Some(rank) => rank.to_string(),
        None => "-".to_owned(),
    };
    // The hour says more about now; without data for it, the day is better than nothing.
    let hour = &model["hour"];
    let figures = if hour.is_null() { &model["day"] } else { hour };
    // Rounded down: a model with a failure is never at 100%.
    let percent = |share: f64| format!("{:.0}%", (share * 100.0).floor());
    let success = figures["success_rate"]
        .as_f64()
        .map_or("-".to_owned(), percent);
    let ttft = figures["ttft_p50_ms"]
        .as_u64()
        .map_or("-".to_owned(), millis);
    let speed = figures["tokens_per_second"].as_f64();
    let speed = speed.map_or("-".to_owned(), |speed| format!("{speed:.1}"));
    let provider = at.map_or(String::new(), |wide| {
        format!("  {:wide$}", provider_of(model))
    });
    let (tone, standing) = standing(state, model);
    vec![
        (
            Tone::Plain,
            format!("{rank:>3}  {id:width$}{provider}  {success:>7}  {ttft:>6}  {speed:>5}  "),
        ),
        (tone, standing),
    ]
}

fn standing(state: &Value, model: &Value) -> (Tone, String) {
    match model["state"].as_str() {
        Some("awake") if model["available"] == false => {
            (Tone::Waiting, accounts::missing(state, model))
        }
        Some("awake") => (Tone::Good, "awake".to_owned()),
        Some("probing") => (Tone::Waiting, "being probed after a rest".to_owned()),
        _ => {
            let left = wait(number(&model["resting_sec"]));
            let why = text(&model["reason"]);
            (Tone::Waiting, format!("rests {left} more: {why}"))
        }
    }
}

/// With the account of each attempt, and with the client, if there are several.
fn request(request: &Value, (with_account, with_client): (bool, bool), local: Local) -> Line {
    let outcome = text(&request["outcome"]);
    let tone = match outcome.as_str() {
        "answered" => Tone::Good,
        "broken" | "failed" => Tone::Bad,
        _ => Tone::Waiting,
    };
    let trail = array(&request["attempts"]).iter().map(|attempt| {
        let status = attempt["status"].as_u64();
        let status = status.map_or(String::new(), |status| format!(" {status}"));
        let account = attempt["account"].as_str().filter(|_| with_account);
        let account = account.map_or(String::new(), |account| format!(" ({})", clean(account)));
        format!(
            "{}{account} {}{status}",
            text(&attempt["model"]),
            text(&attempt["outcome"])
        )
    });
    let trail = trail.collect::<Vec<_>>().join(" > ");
    let code = request["code"].as_str().map_or(trail.clone(), |code| {
        let code = clean(code);
        if trail.is_empty() {
            code
        } else {
            format!("{code}: {trail}")
        }
    });
    let at = request["at"].as_str().and_then(parse_rfc3339);
    let at = at.map_or("--:--:--".to_owned(), |at| local.clock(at, true));
    let took = millis(number(&request["duration_ms"]));
    let client = request["client"].as_str().filter(|_| with_client);
    let client = client.map_or(String::new(), |client| format!("{}  ", clean(client)));
    vec![
        (Tone::Plain, format!("  {at}  ")),
        (tone, format!("{outcome:<12}")),
        (
            Tone::Plain,
            format!(" {}  {took:>7}  {client}{code}", number(&request["status"])),
        ),
    ]
}

fn millis(ms: u64) -> String {
    if ms < 1000 {
        format!("{ms} ms")
    } else {
        format!("{:.1} s", ms as f64 / 1000.0)
    }
}

fn text(value: &Value) -> String {
    clean(value.as_str().unwrap_or_default())
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests;
