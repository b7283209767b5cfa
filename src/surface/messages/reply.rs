//! What the answer needs to know of the request, and what a whole message and a stream share.

use crate::json::write;
use crate::surface::Ids;
use crate::surface::chat::{Chunk, Finish, Usage};

/// What is kept of a request until it is answered. It holds nothing of the prompt.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Reasoning is to be shown; a client that did not ask for it may trip over it.
    pub(super) thinking: bool,
    /// The model that was asked for, escaped.
    model: Option<String>,
    /// The stop sequences, escaped.
    stops: Vec<String>,
    /// About how many tokens the prompt has: a stream begins before the upstream has counted.
    pub(super) prompt: u64,
    /// The names of tools that had to be cut: as sent upstream, and as given.
    renamed: Vec<(String, String)>,
}

/// How an answer ended, collected from its chunks.
#[derive(Clone, Debug, Default)]
pub(super) struct Stopped {
    finish: Option<Finish>,
    stopped_at: Option<String>,
    /// The provider says that it was a stop sequence, but not which.
    stopped: bool,
    pub(super) refused: bool,
    pub(super) called: bool,
    pub(super) usage: Usage,
}

impl Reply {
    pub(super) fn new(
        thinking: bool,
        model: Option<&str>,
        stops: Vec<String>,
        renamed: Vec<(String, String)>,
    ) -> Self {
        Self {
            thinking,
            model: model.map(str::to_owned),
            stops,
            renamed,
            prompt: 0,
        }
    }

    /// Sets the estimated number of tokens in the prompt.
    pub(super) fn estimated(self, prompt: u64) -> Self {
        Self { prompt, ..self }
    }

    /// The name of a tool as the client gave it.
    pub(super) fn given<'a>(&'a self, name: &'a str) -> &'a str {
        let cut = self.renamed.iter().find(|(up, _)| up == name);
        cut.map_or(name, |(_, given)| given)
    }

    /// The model that a message names. Claude Code sends reasoning back only to the model it asked
    /// for, so a client that asked for reasoning gets that name; all others get the name of the
    /// model that answered.
    pub(super) fn model<'a>(&'a self, answering: &'a str) -> &'a str {
        match &self.model {
            Some(asked) if self.thinking => asked,
            Some(_) | None => answering,
        }
    }

    /// The message up to its content.
    pub(super) fn write_head(&self, ids: &Ids, answering: &str, out: &mut Vec<u8>) {
        for piece in [
            r#"{"id":"msg_"#,
            &ids.id,
            r#"","type":"message","role":"assistant","model":""#,
            self.model(answering),
            r#"","content":["#,
        ] {
            out.extend_from_slice(piece.as_bytes());
        }
    }

    /// `stop_reason` and `stop_sequence`.
    pub(super) fn write_stop(&self, ending: &Stopped, out: &mut Vec<u8>) {
        let named = ending.stopped_at.as_deref();
        let met = match self.stops.as_slice() {
            [only] if ending.stopped => Some(only),
            stops => stops.iter().find(|stop| named == Some(stop.as_str())),
        };
        let done = matches!(ending.finish, None | Some(Finish::Done));
        let reason = match ending.finish {
            _ if ending.refused => "refusal",
            Some(Finish::Filtered) => "refusal",
            Some(Finish::Length) => "max_tokens",
            _ if ending.called => "tool_use",
            Some(Finish::Done) | None if met.is_some() => "stop_sequence",
            Some(Finish::Done) | None => "end_turn",
        };
        let met = met.filter(|_| done && reason == "stop_sequence");
        for piece in [r#""stop_reason":""#, reason, r#"","stop_sequence":"#] {
            out.extend_from_slice(piece.as_bytes());
        }
        match met {
            Some(stop) => {
                out.push(b'"');
                out.extend_from_slice(stop.as_bytes());
                out.push(b'"');
            }
            None => out.extend_from_slice(b"null"),
        }
    }
}

impl Stopped {
    /// The finish reason may be sent twice; the last one counts.
    pub(super) fn hear(&mut self, chunk: &Chunk<'_>) {
        self.finish = chunk.first.finish.or(self.finish);
        self.usage = chunk.usage.unwrap_or(self.usage);
        self.refused |= chunk.first.refusal.is_some();
        self.stopped |= chunk.first.native_finish == Some("stop_sequence");
        if let Some(stop) = chunk.first.stopped_at {
            self.stopped_at = Some(stop.to_owned());
        }
    }
}

/// Anthropic counts cached tokens separately.
pub(super) fn write_usage(usage: Usage, out: &mut Vec<u8>) {
    let apart = usage.cached.saturating_add(usage.cache_written);
    for (name, count) in [
        (r#"{"input_tokens":"#, usage.prompt.saturating_sub(apart)),
        (r#","cache_creation_input_tokens":"#, usage.cache_written),
        (r#","cache_read_input_tokens":"#, usage.cached),
        (r#","output_tokens":"#, usage.completion),
    ] {
        out.extend_from_slice(name.as_bytes());
        write::number(out, count);
    }
    out.push(b'}');
}
