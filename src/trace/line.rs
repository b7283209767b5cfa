//! A line of a trace.

use serde::{Deserialize, Serialize};

/// An attempt of a request, or the end of a request that no attempt tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// [`VERSION`](super::VERSION); it comes first.
    #[serde(rename = "trace")]
    pub version: u32,
    /// The run of the proxy: request numbers and sessions of different runs are unrelated.
    pub run: String,
    /// The request's number within its run.
    pub request: u64,
    /// When the request came: milliseconds since 1970.
    pub at_ms: u64,
    /// Its session, as a hash under a secret that is dropped with the run; `None` if it has none.
    pub session: Option<String>,
    /// The request asked for a stream.
    pub stream: bool,
    /// The request named a model, and that was respected.
    pub named: bool,
    /// Its wish for another order (spec §11.6), if that is not `auto`.
    pub wish: Option<String>,
    /// What a model must be able to do for it.
    pub needs: Vec<String>,
    /// Tokens of its prompt, estimated from its length.
    pub prompt_tokens: u64,
    /// How the attempt ended, or the request.
    pub ended: Ended,
    /// The attempt; `None` if the request ended without one, or waited after its last and then ended.
    pub asked: Option<Asked>,
}

/// An attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Its number within the request, from 1.
    pub number: u32,
    /// Milliseconds from the request's arrival to the start of the attempt.
    pub after_ms: u64,
    /// The model's public id.
    pub offer: String,
    /// The provider.
    pub provider: String,
    /// The account's label.
    pub account: String,
    /// The tier: 0 is asked first.
    pub tier: u32,
    /// How many models are ahead of it there.
    pub place: u32,
    /// Its context window, in tokens, if known.
    pub context: Option<u64>,
    /// How near its account's quotas were to their limits, 0 to 1.
    pub tight: f64,
    /// The share left of its account's daily quota, 0 to 1, if known.
    pub day_left: Option<f64>,
    /// Milliseconds to the first useful event of a stream; `None` for a plain answer.
    pub first_ms: Option<u64>,
    /// Milliseconds to the end of the attempt.
    pub total_ms: u64,
    /// Tokens of the prompt, as the provider counted them.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer, as the provider counted them.
    pub output_tokens: Option<u64>,
    /// The upstream's status, if a failure came with one.
    pub status: Option<u16>,
    /// What exactly went wrong, in the words of the log.
    pub cause: Option<String>,
    /// What the failure concerns.
    pub scope: Option<Whom>,
    /// Whether it counts as evidence about the candidate (spec §11.1).
    pub teaches: bool,
    /// The limit on its first token ended it (spec §11.3).
    pub by_limit: bool,
    /// The rest that follows from the failure.
    pub rests: Rests,
    /// The length of that rest in milliseconds, as the upstream stated it; otherwise the longest it can be.
    pub wait_ms: Option<u64>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// With a complete answer.
    Whole,
    /// In the middle of an answer.
    Broken,
    /// Before there was an answer.
    Failed,
    /// Before there was an answer, because of the request: it is wrong for all models, or for this one.
    Refused,
    /// The client left, or the proxy had to stop.
    Left,
    /// No candidate could be asked, at once or after a wait.
    Unasked,
}

/// What a failure concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whom {
    /// The request: any upstream would refuse it.
    Request,
    /// The offer through this account.
    Candidate,
    /// The offer.
    Model,
    /// The account, whatever it is asked for.
    Account,
    /// The account's key.
    Key,
    /// The provider.
    Provider,
}

/// The kind of rest that follows from a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rests {
    /// None.
    #[default]
    No,
    /// As long as the upstream said.
    Told,
    /// Of unstated length.
    Unadvised,
    /// Until the next list: the model is gone.
    Gone,
}

#[cfg(test)]
mod tests {
    use super::super::{BEGINS, VERSION};
    use super::*;

    #[test]
    fn s11_8_a_line_begins_like_a_trace_and_reads_back_as_written() {
        let line = Line {
            version: VERSION,
            run: "00c0ffee".to_owned(),
            request: 7,
            at_ms: 1_795_622_400_042,
            session: Some("0123456789abcdef".to_owned()),
            stream: true,
            named: false,
            wish: Some("auto:fast".to_owned()),
            needs: vec!["tools".to_owned()],
            prompt_tokens: 8_000,
            ended: Ended::Unasked,
            asked: None,
        };
        let text = serde_json::to_string(&line).unwrap();
        assert!(text.as_bytes().starts_with(BEGINS), "{text}");
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
        // Those of before wishes were traced have none.
        let before = text.replace("\"wish\":\"auto:fast\",", "");
        let wish = serde_json::from_str::<Line>(&before).unwrap().wish;
        assert_eq!((before.len() < text.len(), wish), (true, None));
    }
}
