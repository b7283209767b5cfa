//! Which candidate last served each session.

use std::collections::HashMap;

use super::Request;

/// How long a provider's prompt cache remembers a session, in seconds.
const CACHE_FOR: f64 = 300.0;

/// The candidate and time of each session's last answer.
#[derive(Clone, Debug, Default)]
pub struct Sessions(HashMap<u32, (usize, f64)>);

impl Sessions {
    fn last(&self, request: &Request) -> Option<(usize, f64)> {
        self.0.get(&request.session?).copied()
    }

    /// Whether the candidate has read this session's prompt recently.
    #[must_use]
    pub fn is_warm(&self, request: &Request, candidate: usize, now: f64) -> bool {
        let last = self.last(request);
        last.is_some_and(|(last, at)| last == candidate && now - at < CACHE_FOR)
    }

    /// Whether an answer by this candidate is a change for the session.
    #[must_use]
    pub fn switched(&self, request: &Request, candidate: usize) -> bool {
        self.last(request)
            .is_some_and(|(last, _)| last != candidate)
    }

    /// The candidate answers.
    pub fn served(&mut self, request: &Request, candidate: usize, now: f64) {
        if let Some(session) = request.session {
            self.0.insert(session, (candidate, now));
        }
    }
}
