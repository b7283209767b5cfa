//! A line of a trace.

use serde::{Deserialize, Serialize};

/// An attempt of a request, or a request for which nobody could be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// [`VERSION`](super::VERSION); it comes first.
    #[serde(rename = "trace")]
    pub version: u32,
    /// The run of the proxy: request numbers and sessions of different runs have nothing to do with each
    /// other.
    pub run: String,
    /// The request's number within its run.
    pub request: u64,
    /// When the request came: milliseconds since 1970.
    pub at_ms: u64,
    /// Its session, as a hash under a secret that ends with the run; none under which nothing told one.
    pub session: Option<String>,
    /// A stream was asked for.
    pub stream: bool,
    /// The request named a model, and that counted.
    pub named: bool,
    /// What a model must be able to do for it.
    pub needs: Vec<String>,
    /// Tokens of its prompt, guessed by its length.
    pub prompt_tokens: u64,
    /// How the attempt ended.
    pub ended: Ended,
    /// The attempt; none where nobody could be asked.
    pub asked: Option<Asked>,
}

/// An attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Its number within the request, from 1.
    pub number: u32,
    /// Milliseconds from the request's arrival to its beginning.
    pub after_ms: u64,
    /// The model's public id.
    pub offer: String,
    /// The provider.
    pub provider: String,
    /// The account's label.
    pub account: String,
    /// The tier: 0 is asked first.
    pub tier: u32,
    /// How many models stand before it there.
    pub place: u32,
    /// The largest prompt and answer that it takes, in tokens, if that is known.
    pub context: Option<u64>,
    /// How near its account's quotas were to their limits, 0 to 1.
    pub tight: f64,
    /// What was left of its account's day, 0 to 1, where that is known.
    pub day_left: Option<f64>,
    /// Milliseconds to the first useful event of a stream; none of a plain answer.
    pub first_ms: Option<u64>,
    /// Milliseconds to its end.
    pub total_ms: u64,
    /// Tokens of the prompt, as the provider counted them.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer, as the provider counted them.
    pub output_tokens: Option<u64>,
    /// The upstream's status, where one came with a failure.
    pub status: Option<u16>,
    /// What exactly went wrong, in the words of the log.
    pub cause: Option<String>,
    /// Whom the failure concerns.
    pub scope: Option<Whom>,
    /// Whether it says something of how well the candidate is (spec §11.1).
    pub teaches: bool,
    /// It was ended because its first token took too long (spec §11.3).
    pub by_limit: bool,
    /// What rest follows from the failure.
    pub rests: Rests,
    /// Milliseconds of that rest, as the upstream told them or, where it did not, at most.
    pub wait_ms: Option<u64>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// With a whole answer.
    Whole,
    /// In the middle of an answer.
    Broken,
    /// Before there was an answer.
    Failed,
    /// Before that, and the request is what was wrong: for all, or for this model.
    Refused,
    /// The client left, or the proxy had to stop.
    Left,
    /// It never was: nobody could be asked.
    Unasked,
}

/// Whom a failure concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whom {
    /// The request: anybody would say the same.
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

/// What rest follows from a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rests {
    /// None.
    #[default]
    No,
    /// As long as the upstream told.
    Told,
    /// Nothing told how long.
    Unadvised,
    /// It is gone until the next list.
    Gone,
}

#[cfg(test)]
mod tests {
    use super::super::{BEGINS, VERSION};
    use super::*;

    #[test]
    fn s11_8_a_line_begins_as_a_trace_does_and_is_read_as_it_was_written() {
        let line = Line {
            version: VERSION,
            run: "00c0ffee".to_owned(),
            request: 7,
            at_ms: 1_795_622_400_042,
            session: Some("0123456789abcdef".to_owned()),
            stream: true,
            named: false,
            needs: vec!["tools".to_owned()],
            prompt_tokens: 8_000,
            ended: Ended::Unasked,
            asked: None,
        };
        let text = serde_json::to_string(&line).unwrap();
        assert!(text.as_bytes().starts_with(BEGINS), "{text}");
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
    }
}
