//! What a chat request asks for, parsed only as far as the answer needs, and a fitting answer.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::answers::{Answer, ToolCall};
use crate::clock::{Now, unix_seconds};
use crate::failures::Failure;
use crate::providers::{Odd, Provider};
use crate::said::Said;
use crate::schema::example;
use crate::step::Step;

/// The fields of a chat request that shape the answer. The rest is skipped.
#[derive(Debug, Deserialize)]
pub(super) struct Asked<'a> {
    /// It was sent to the legacy endpoint, `/completions`.
    #[serde(skip)]
    pub(super) legacy: bool,
    /// The provider it was sent to, if that is not OpenRouter.
    #[serde(skip)]
    foreign: Option<&'static Provider>,
    #[serde(borrow, default)]
    pub(super) model: Cow<'a, str>,
    #[serde(default)]
    pub(super) stream: Option<bool>,
    #[serde(borrow, default)]
    messages: Option<&'a RawValue>,
    #[serde(borrow, default)]
    prompt: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tools: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_choice: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response_format: Option<&'a RawValue>,
    #[serde(borrow, default)]
    stream_options: Option<&'a RawValue>,
    #[serde(borrow, default)]
    max_tokens: Option<&'a RawValue>,
    #[serde(borrow, default)]
    max_completion_tokens: Option<&'a RawValue>,
}

fn tree(raw: Option<&RawValue>) -> Value {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}

impl<'a> Asked<'a> {
    /// Reads a body; the error is OpenRouter's answer to it.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Failure> {
        let asked: Self = serde_json::from_slice(body).map_err(|_| Failure::NoTokens)?;
        match (asked.messages, asked.prompt) {
            (None, None) => Err(Failure::InputRequired),
            (Some(_), _) | (_, Some(_)) => Ok(asked),
        }
    }

    pub(super) fn at_the_legacy_endpoint(mut self) -> Self {
        self.legacy = true;
        self
    }

    /// The same, at this provider.
    pub(super) fn to(mut self, provider: &'static Provider) -> Self {
        self.foreign = (provider.name != "openrouter").then_some(provider);
        self
    }

    /// The maximum length of the answer, in tokens, if the request sets one.
    pub(super) fn max_tokens(&self) -> Option<u64> {
        let told = [self.max_completion_tokens, self.max_tokens];
        told.into_iter().find_map(|told| tree(told).as_u64())
    }

    /// Whether a stream is to report its usage.
    fn wants_usage(&self) -> bool {
        !self.streamed() || tree(self.stream_options)["include_usage"] == true
    }

    pub(super) fn streamed(&self) -> bool {
        self.stream == Some(true)
    }

    /// The step that a task has reached with this request. None: a fitting answer.
    pub(super) fn turn_of<'s>(&self, task: &'s [Step]) -> Option<&'s Step> {
        let messages = tree(self.messages);
        let called = |message: &&Value| {
            let calls = message["tool_calls"].as_array();
            message["role"] == "assistant" && calls.is_some_and(|calls| !calls.is_empty())
        };
        let turns = messages.as_array().into_iter().flatten();
        let turn = turns.filter(called).count();
        let step = task.get(turn).or(task.last())?;
        let tools = tree(self.tools);
        let offered = |call: &ToolCall| {
            let names = tools.as_array().into_iter().flatten();
            names
                .map(|tool| &tool["function"]["name"])
                .any(|name| *name == *call.name)
        };
        step.calls().iter().all(offered).then_some(step)
    }

    /// The final answer for this request. `number` makes its id unique.
    pub(super) fn settle<'s>(
        &'s self,
        answer: &'s Answer,
        number: u64,
        prompt_bytes: usize,
        now: Now,
    ) -> Said<'s> {
        let created = unix_seconds(now.wall);
        let mut tool_calls = answer.tool_calls.clone();
        let mut text = answer.text.clone();
        if text.is_none() && tool_calls.is_empty() {
            tool_calls.extend(self.forced_call());
            if tool_calls.is_empty() {
                text = Some(self.document().unwrap_or_else(|| self.sentence()));
            }
        }
        let mut odds = answer.odd.clone();
        odds.extend(self.foreign.into_iter().flat_map(|p| &p.odd));
        let mut reasoning = answer.reasoning.clone();
        if odds.contains(&Odd::ThinkTags)
            && let Some(thought) = reasoning.take()
        {
            text = text.map(|text| format!("<think>\n{thought}\n</think>\n\n{text}"));
        }
        let most = self.foreign.and_then(|provider| provider.cuts_at_tokens);
        let most = most.filter(|_| self.max_tokens().is_none());
        let cut = most.zip(text.as_ref()).and_then(|(most, text)| {
            let end = text.char_indices().nth(most.saturating_mul(4))?.0;
            Some(text.split_at(end).0.to_owned())
        });
        let is_cut = cut.is_some();
        Said {
            answer,
            foreign: self.foreign.is_some(),
            tells_usage: self.wants_usage() || !odds.contains(&Odd::UsageWhenAsked),
            odds,
            reasoning,
            is_cut,
            legacy: self.legacy,
            id: format!("gen-{created}-sim{number:017}"),
            created,
            model: answer.model.as_deref().unwrap_or(&self.model),
            text: cut.or(text),
            tool_calls,
            prompt_tokens: prompt_bytes.div_ceil(4).max(1),
        }
    }

    /// The call that `tool_choice` forces: the named tool; with several, the one that ends an
    /// agent's turn, if there is one; else the first.
    fn forced_call(&self) -> Option<ToolCall> {
        let choice = tree(self.tool_choice);
        if choice.is_null() || choice == "auto" || choice == "none" {
            return None;
        }
        let tools = tree(self.tools);
        let functions = || {
            tools
                .as_array()
                .into_iter()
                .flatten()
                .map(|tool| &tool["function"])
        };
        let wanted = choice["function"]["name"].as_str();
        let chosen = match wanted {
            Some(_) => functions().find(|function| function["name"].as_str() == wanted),
            None => functions()
                .find(|function| {
                    function["name"]
                        .as_str()
                        .is_some_and(|n| n.starts_with("final"))
                })
                .or_else(|| functions().next()),
        }?;
        let fitting = example(&chosen["parameters"]);
        let arguments = if fitting.is_null() {
            json!({})
        } else {
            fitting
        };
        Some(ToolCall::new(chosen["name"].as_str()?, arguments))
    }

    /// The document that `response_format` asks for.
    fn document(&self) -> Option<String> {
        let format = tree(self.response_format);
        match format["type"].as_str()? {
            "json_schema" => Some(example(&format["json_schema"]["schema"]).to_string()),
            "json_object" => Some(json!({"answer": "ok"}).to_string()),
            _ => None,
        }
    }

    fn sentence(&self) -> String {
        let messages = tree(self.messages);
        let asked = |message: &Value| message["role"] == "user";
        let last = messages
            .as_array()
            .and_then(|all| all.iter().rfind(|message| asked(message)));
        let content = last.map(|message| &message["content"]);
        let question = content.map_or(Cow::default(), |content| match content.as_str() {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(parts(content)),
        });
        letters(&question)
            .unwrap_or_else(|| format!("Hello! This is {}, played by the simulator.", self.model))
    }
}

/// The text of content given in parts.
fn parts(content: &Value) -> String {
    let texts = content
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|part| part["text"].as_str());
    texts.collect::<Vec<_>>().join(" ")
}

/// The answer to «Сколько букв р в слове трансфорррмер?» and similar questions.
fn letters(question: &str) -> Option<String> {
    let mut words = question
        .split_whitespace()
        .skip_while(|word| *word != "букв")
        .skip(1);
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    let letter = bare(words.next()?);
    let word = bare(words.skip_while(|word| *word != "слове").nth(1)?);
    let wanted = letter.chars().next()?;
    let count = word.chars().filter(|c| *c == wanted).count();
    Some(format!("В слове «{word}» букв «{letter}»: {count}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letters_of_a_word_are_counted() {
        let answer = letters("Сколько букв р в слове трансфорррмер?");
        assert_eq!(
            answer.as_deref(),
            Some("В слове «трансфорррмер» букв «р»: 5.")
        );
        assert_eq!(letters("hello"), None);
    }

    #[test]
    fn the_answer_is_what_the_request_needs() {
        let body = |more: &str| {
            format!(
                r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],
                "tools":[{{"type":"function","function":{{"name":"a","parameters":{{"type":"object","properties":{{"p":{{"type":"string"}}}},"required":["p"]}}}}}},
                         {{"type":"function","function":{{"name":"b"}}}}]{more}}}"#
            )
        };
        #[rustfmt::skip]
        let rows = [
            ("",                                                                            "Hello! This is m, played by the simulator."),
            (r#","tool_choice":"auto""#,                                                    "Hello! This is m, played by the simulator."),
            (r#","tool_choice":"required""#,                                                r#"a {"p":"ok"}"#),
            (r#","tool_choice":{"type":"function","function":{"name":"b"}}"#,               "b {}"),
            (r#","response_format":{"type":"json_object"}"#,                                r#"{"answer":"ok"}"#),
            (r#","response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}}}"#, r#"{"n":0}"#),
        ];
        for (more, expected) in rows {
            let body = body(more);
            let asked = Asked::read(body.as_bytes()).unwrap();
            let answer = Answer::default();
            let said = asked.settle(&answer, 1, body.len(), Now::read());
            let calls: Vec<_> = said
                .tool_calls
                .iter()
                .map(|c| format!("{} {}", c.name, c.arguments()))
                .collect();
            assert_eq!(said.text.unwrap_or(calls.join("")), expected, "{more}");
        }
    }
}
