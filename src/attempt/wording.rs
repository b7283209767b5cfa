//! Translates a plain answer for the client's API before the walk is over: an answer that cannot be
//! translated is the model's failure, and the next one is asked.

use bytes::Bytes;

use super::opened::{Opened, PlainAnswer};
use super::walk::Walker;
use crate::surface::{BadAnswer, Ids, LARGE, Reply};
use crate::verdict::{Cause, Failure};

/// How a plain answer is translated.
#[derive(Clone, Debug)]
pub struct Wording {
    /// The API it is translated into.
    pub reply: Reply,
    /// The ids it gets.
    pub ids: Ids,
}

impl Walker {
    /// Translates a plain answer, if there is a `wording`.
    pub(super) async fn put(
        &self,
        opened: Opened,
        wording: Option<&Wording>,
    ) -> Result<Opened, Failure> {
        let (Opened::Plain(answer), Some(wording)) = (&opened, wording) else {
            return Ok(opened);
        };
        let translated = wording.translate(answer.body.clone()).await;
        let body = translated.map_err(|_| self.rules.broken(Some(200), Cause::NotACompletion))?;
        Ok(match opened {
            Opened::Plain(answer) => {
                let keys = self.keyring(&answer.candidate.account);
                Opened::Plain(PlainAnswer {
                    // Translating joins pieces and may turn a string into JSON, so a key can appear only now.
                    body: match keys {
                        Some(keys) => keys.first().without_key(body),
                        None => body,
                    },
                    ..answer
                })
            }
            Opened::Stream(stream) => Opened::Stream(stream),
        })
    }
}

impl Wording {
    async fn translate(&self, answer: Bytes) -> Result<Bytes, BadAnswer> {
        if answer.len() < LARGE {
            return self.reply.plain(&answer, &self.ids);
        }
        let Self { reply, ids } = self.clone();
        let translate = move || reply.plain(&answer, &ids);
        tokio::task::spawn_blocking(translate)
            .await
            .unwrap_or(Err(BadAnswer::NoChoice))
    }
}
