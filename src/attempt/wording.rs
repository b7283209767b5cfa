//! A whole answer in the words of the client's API, before the walk is over: an answer that cannot
//! be translated is the model's failure, and the next one is asked.

use bytes::Bytes;

use super::opened::{Opened, PlainAnswer};
use super::walk::Walker;
use crate::surface::{BadAnswer, Ids, LARGE, Reply};
use crate::verdict::{Cause, Failure};

/// How a whole answer is put.
#[derive(Clone, Debug)]
pub struct Wording {
    /// In which words.
    pub reply: Reply,
    /// What the answer is called.
    pub ids: Ids,
}

impl Walker {
    /// Puts a plain answer into other words, where there are others.
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
                    // What came in pieces is put together, and what was a string may be JSON now.
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
