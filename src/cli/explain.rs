//! `explain`: asks the running proxy what would happen to a request, and why.

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use super::running::Running;
use super::say::{self, clean};
use super::{Exit, words};
use crate::config::Sources;
use crate::units::wait;

/// Reads a request's body from `file`, or else from stdin, and says what would happen to it; with
/// `json`, as the proxy's own JSON.
pub async fn run(sources: &Sources, file: Option<&Path>, json: bool) -> Exit {
    let running = match Running::of(sources) {
        Ok(running) => running,
        Err(trouble) => return trouble.end(),
    };
    let body = match read(file) {
        Ok(body) => body,
        Err(error) => {
            let name = file.map_or("stdin".into(), |file| file.display().to_string());
            say::problem(format_args!("{name} cannot be read: {error}"));
            return Exit::Fault;
        }
    };
    match running.ask(Method::POST, "/admin/explain", body).await {
        Ok(told) => {
            if json {
                say::json(&told);
            } else {
                say::line(in_words(&told));
            }
            Exit::Fine
        }
        Err(trouble) => trouble.end(),
    }
}

fn read(file: Option<&Path>) -> std::io::Result<Bytes> {
    if let Some(file) = file {
        return std::fs::read(file).map(Bytes::from);
    }
    if std::io::stdin().is_terminal() {
        say::problem("Type the request's body (Ctrl-D ends it):");
    }
    let mut body = Vec::new();
    std::io::stdin().lock().read_to_end(&mut body)?;
    Ok(body.into())
}

/// The proxy's explanation, for people.
fn in_words(told: &Value) -> String {
    let mut lines = vec![needs(told)];
    let candidates = strings(&told["candidates"]);
    let most = told["max_attempts"].as_u64().unwrap_or_default();
    lines.push(if candidates.is_empty() {
        without_candidates(told)
    } else if candidates.len() as u64 > most {
        format!("Would ask these in turn until one answers, {most} at most:")
    } else {
        "Would ask these in turn until one answers:".to_owned()
    });
    let are_many = told["accounts"].as_array().is_some_and(|all| all.len() > 1);
    let through = told["through"].as_array().map_or(&[][..], Vec::as_slice);
    let accounts: Vec<_> = through.iter().map(|one| text(&one["account"])).collect();
    let (width, beside) = (widest(candidates.iter()), widest(accounts.iter()));
    let numbered = candidates.iter().zip(1..);
    lines.extend(numbered.map(|(model, number)| {
        let mut line = format!("{number:>3}  {model:width$}");
        // With one account its name adds nothing.
        if let Some(account) = accounts.get(number - 1).filter(|_| are_many) {
            line += &format!("  {account:beside$}");
        }
        let one = through.get(number - 1).unwrap_or(&Value::Null);
        if let (Some(seconds), Some(cost)) = (one["cost_sec"].as_f64(), one["cost"].as_str()) {
            line += &format!("  {seconds:>5.1} s: {}", clean(cost));
        }
        if one["fallback"] == true {
            line += "  (the fallback: always last)";
        }
        line.trim_end().to_owned()
    }));
    lines.extend(words::waiting(&told["waiting"]));
    let left_out = told["left_out"].as_array().map_or(&[][..], Vec::as_slice);
    if !left_out.is_empty() {
        lines.push("Left out:".to_owned());
    }
    let column = |name: &str| {
        left_out
            .iter()
            .map(|out| text(&out[name]))
            .collect::<Vec<_>>()
    };
    let (models, accounts) = (column("model"), column("account"));
    let (width, beside) = (widest(models.iter()), widest(accounts.iter()));
    for ((out, model), account) in left_out.iter().zip(models).zip(accounts) {
        let account = if are_many {
            format!("  {account:beside$}")
        } else {
            String::new()
        };
        let left = out["resting_sec"].as_u64();
        let left = left.map_or(String::new(), |left| format!(", back in {}", wait(left)));
        lines.push(format!(
            "     {model:width$}{account}  {}{left}",
            text(&out["reason"])
        ));
    }
    lines.join("\n")
}

fn needs(told: &Value) -> String {
    let needs = &told["needs"];
    let mut parts = strings(&needs["capabilities"]);
    if parts.is_empty() {
        parts.push("nothing special".to_owned());
    }
    let tokens = needs["prompt_tokens_at_least"].as_u64().unwrap_or_default();
    if tokens > 0 {
        parts.push(format!("a context of at least {tokens} tokens"));
    }
    let mut line = format!("Needs: {}", parts.join(", "));
    if let Some(name) = told["model_asked_for"].as_str() {
        let name = clean(name);
        line += &match told["model_field"].as_str() {
            Some("prefer") => format!(". It prefers the model \"{name}\""),
            Some("pin") => format!(". It wants the model \"{name}\" alone"),
            _ => format!(". Its model \"{name}\" is ignored (MODEL_FIELD)"),
        };
    }
    if let Some(wish) = told["wish"].as_str().filter(|wish| *wish != "auto") {
        line += &format!("\nWish: {}", clean(wish));
    }
    line
}

/// What happens if no model can be asked.
fn without_candidates(told: &Value) -> String {
    if let Some(left) = told["waits_sec"].as_u64() {
        let left = wait(left);
        return format!(
            "Would ask no model now, and wait at least {left} for the first to return."
        );
    }
    let answer = &told["would_answer"];
    let Some(status) = answer["status"].as_u64() else {
        return "No model is awake; it would wait for the outcome of a probe in progress."
            .to_owned();
    };
    let message = text(&answer["body"]["error"]["message"]);
    format!("Would ask no model, and answer {status} at once: {message}")
}

fn text(value: &Value) -> String {
    clean(value.as_str().unwrap_or_default())
}

fn widest<'t>(texts: impl Iterator<Item = &'t String>) -> usize {
    let widths = texts.map(|text| text.chars().count());
    widths.max().unwrap_or_default()
}

fn strings(value: &Value) -> Vec<String> {
    let values = value.as_array().map_or(&[][..], Vec::as_slice);
    values.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn s3_an_explanation_reads_like_one() {
        let told = json!({
            "needs": {"capabilities": ["tools"], "prompt_tokens_at_least": 125},
            "model_field": "ignore", "model_asked_for": "gpt\u{1b}[31m", "max_attempts": 5,
            "candidates": ["d:free", "e:free"],
            "left_out": [
                {"model": "a:free", "why": "resting", "reason": "rate limited (HTTP 429)", "resting_sec": 190},
                {"model": "bb:free", "why": "lacks", "reason": "cannot do: tools"},
            ],
        });
        let expected = "\
Needs: tools, a context of at least 125 tokens. Its model \"gpt[31m\" is ignored (MODEL_FIELD)
Would ask these in turn until one answers:
  1  d:free
  2  e:free
Left out:
     a:free   rate limited (HTTP 429), back in 3 min 10 s
     bb:free  cannot do: tools";
        assert_eq!(in_words(&told), expected);
        let mut several = told.clone();
        several["accounts"] =
            json!([{"label": "openrouter"}, {"label": "groq"}, {"label": "groq#2"}]);
        several["through"] = json!([
            {"model": "d:free", "provider": "openrouter", "account": "openrouter"},
            {"model": "e:free", "provider": "groq", "account": "groq#2"},
        ]);
        several["left_out"] = json!([
            {"model": "a:free", "account": "openrouter", "why": "resting", "reason": "rate limited (HTTP 429)", "resting_sec": 190},
            {"model": "groq/m", "account": "groq#2", "why": "quota", "reason": "1000 requests a day of account groq#2 is used up"},
        ]);
        let of_several = "\
Needs: tools, a context of at least 125 tokens. Its model \"gpt[31m\" is ignored (MODEL_FIELD)
Would ask these in turn until one answers:
  1  d:free  openrouter
  2  e:free  groq#2
Left out:
     a:free  openrouter  rate limited (HTTP 429), back in 3 min 10 s
     groq/m  groq#2      1000 requests a day of account groq#2 is used up";
        assert_eq!(in_words(&several), of_several);
        let weighed = json!({
            "needs": {"capabilities": []}, "candidates": ["e:free", "dd:free"], "left_out": [], "max_attempts": 1,
            "through": [
                {"model": "e:free", "account": "openrouter", "cost_sec": 3.56, "cost": "2.0 s for its place, 1.5 s to the first token"},
                {"model": "dd:free", "account": "openrouter", "cost_sec": 13.78, "cost": "13.8 s to the first token", "fallback": true},
            ],
            "waiting": {"requests": 2, "first_returns_sec": 8},
        });
        let expected = "\
Needs: nothing special
Would ask these in turn until one answers, 1 at most:
  1  e:free     3.6 s: 2.0 s for its place, 1.5 s to the first token
  2  dd:free   13.8 s: 13.8 s to the first token  (the fallback: always last)
2 requests wait; the first model or quota returns in 8 s at the earliest";
        assert_eq!(in_words(&weighed), expected);
        let waits = json!({
            "needs": {"capabilities": []}, "candidates": [], "left_out": [], "waits_sec": 8,
        });
        let expected = "Needs: nothing special\nWould ask no model now, and wait at least 8 s for the first to return.";
        assert_eq!(in_words(&waits), expected);
        let told = json!({
            "needs": {"capabilities": []}, "wish": "auto:fast", "candidates": [], "left_out": [],
            "would_answer": {"status": 503, "body": {"error": {"message": "Wait."}}},
        });
        let expected = "Needs: nothing special\nWish: auto:fast\nWould ask no model, and answer 503 at once: Wait.";
        assert_eq!(in_words(&told), expected);
    }
}
