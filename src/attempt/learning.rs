//! What an attempt teaches about its candidate (spec §11.1).

use std::time::Instant;

use crate::clock::Now;
use crate::learnt::{Evidence, Evidences, Parameters, Through};
use crate::model::Candidate;
use crate::registry::Snapshot;

/// One attempt, from its beginning to its end. If it is dropped before it has brought anything, it teaches
/// nothing: the client left, there was no connection, or the candidate was not what failed.
#[derive(Debug)]
pub(super) struct Learning {
    evidences: Evidences,
    index: usize,
    parameters: Parameters,
    began: Instant,
    is_silent: bool,
}

impl Learning {
    /// An attempt at a candidate of this snapshot begins.
    pub(super) fn begins(
        snapshot: Option<&Snapshot>,
        candidate: &Candidate,
        parameters: Parameters,
        began: Instant,
    ) -> Self {
        let evidences = snapshot.map(|snapshot| snapshot.evidences().clone());
        let learning = Self {
            evidences: evidences.unwrap_or_default(),
            index: candidate.index,
            parameters,
            began,
            is_silent: true,
        };
        learning.teach(|evidence, through, _| evidence.began(through, began));
        learning
    }

    /// Its stream has begun; the prompt had about this many tokens.
    pub(super) fn first_event(&mut self, prompt_tokens: u64) {
        self.is_silent = false;
        let (began, parameters) = (self.began, self.parameters);
        self.teach(|evidence, through, now| {
            evidence.first_event(through, began, prompt_tokens, &parameters, now);
        });
    }

    /// Its plain answer has arrived in full.
    pub(super) fn plain_answer(mut self) {
        self.is_silent = false;
        let (began, parameters) = (self.began, self.parameters);
        self.teach(|evidence, through, now| {
            evidence.plain_answer(through, began, &parameters, now);
        });
    }

    /// It failed before it brought anything, and its candidate is at fault.
    pub(super) fn failed(mut self) {
        self.is_silent = false;
        let (began, parameters) = (self.began, self.parameters);
        self.teach(|evidence, through, now| evidence.failed(through, began, &parameters, now));
    }

    /// The stream that had begun came to its proper end.
    pub(super) fn whole(self) {
        let parameters = self.parameters;
        self.teach(|evidence, through, now| evidence.whole(through, &parameters, now));
    }

    /// The stream that had begun broke off.
    pub(super) fn broke(self) {
        let parameters = self.parameters;
        self.teach(|evidence, through, now| evidence.broke(through, &parameters, now));
    }

    fn teach(&self, learn: impl Fn(&mut Evidence, Through, Now)) {
        let now = Now::read();
        self.evidences
            .teach(self.index, &self.parameters, now, |evidence, through| {
                learn(evidence, through, now);
            });
    }
}

impl Drop for Learning {
    fn drop(&mut self) {
        if self.is_silent {
            let began = self.began;
            self.teach(|evidence, through, _| evidence.left(through, began));
        }
    }
}
