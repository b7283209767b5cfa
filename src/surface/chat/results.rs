//! Which result answers which call, and where it goes. Strict hosts want every call answered once,
//! right after the message that makes it; but histories get cut and interrupted, and have user
//! messages in between.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::id::{Known, fits, known, made};
use super::turn::Settled;

/// The text sent in place of a missing result.
const NONE_KNOWN: &[u8] = b"No result of this call is known.";

/// The calls of a conversation, and their results.
#[derive(Debug, Default)]
pub(super) struct Results {
    calls: Vec<Call>,
    /// How many of the calls are in messages that have been written.
    placed: usize,
    /// The upstream ids of the current turn's calls.
    taken: HashSet<Box<str>>,
    /// The unanswered calls, by the ids they may be answered under. In each list, the first call of
    /// the last message that has any comes last.
    open: HashMap<Box<str>, Vec<usize>>,
    /// The contents of the results, escaped.
    contents: Vec<u8>,
    /// The upstream ids that the details of their turns have revealed.
    settled: HashMap<String, String>,
}

#[derive(Debug)]
struct Call {
    /// Escaped.
    id: Box<str>,
    /// Another id that a result may refer to it by.
    alias: Option<Box<str>>,
    /// Where the message that makes it ends.
    behind: usize,
    content: Option<Range<usize>>,
}

impl Results {
    /// Notes a call of the current turn, and returns the id it is sent under: a client may have
    /// given none, or one that strict hosts reject because another proxy made it.
    pub(super) fn expect(&mut self, id: &str, alias: Option<&str>) -> &str {
        let (mut id, mut alias): (Box<str>, Option<Box<str>>) = match (id, alias) {
            ("", Some(alias)) if !alias.is_empty() => (alias.into(), None),
            ("", _) => (
                format!("call_without_id_{}", self.calls.len()).into(),
                Some("".into()),
            ),
            (id, alias) => (id.into(), alias.map(Box::from)),
        };
        let up: Box<str> = match known(&id) {
            Known::As(up) => up.into(),
            Known::Digest(_) => id.clone(),
        };
        // An id that the upstream itself gave is acceptable to it.
        let is_fit = up != id || fits(&id);
        if !self.taken.insert(up) || !is_fit {
            let anew = made(&id, self.calls.len());
            alias = Some(std::mem::replace(&mut id, anew.into()));
        }
        self.calls.push(Call {
            id,
            alias,
            behind: 0,
            content: None,
        });
        self.calls.last().map_or("", |call| &call.id)
    }

    /// The turn's message has been written and ends here. `settled` has the upstream ids that it
    /// revealed.
    pub(super) fn place(&mut self, behind: usize, settled: Settled) {
        self.settled.extend(settled);
        let turn = self.calls.iter_mut().enumerate().skip(self.placed);
        for (at, call) in turn.rev() {
            call.behind = behind;
            self.open.entry(call.id.clone()).or_default().push(at);
            if let Some(alias) = call.alias.take() {
                self.open.entry(alias).or_default().push(at);
            }
        }
        self.placed = self.calls.len();
        self.taken.clear();
    }

    /// Takes the content of a result, which `write` writes, unless no call is waiting for it.
    pub(super) fn answer(&mut self, id: &str, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let waiting = self.open.get_mut(id);
        let calls = &mut self.calls;
        // A call with an alias may have been answered under that.
        let next = waiting.and_then(|waiting| {
            std::iter::from_fn(|| waiting.pop())
                .find(|at| calls.get(*at).is_some_and(|call| call.content.is_none()))
        });
        let Some(call) = next.and_then(|at| calls.get_mut(at)) else {
            return false;
        };
        let start = self.contents.len();
        write(&mut self.contents);
        call.content = Some(start..self.contents.len());
        true
    }

    /// Writes the messages from `start` on, each call's result after the message that makes it.
    pub(super) fn weave(&self, messages: &[u8], start: usize, out: &mut Vec<u8>) {
        let mut done = start;
        for call in self.calls.iter().take(self.placed) {
            if call.behind > done {
                out.extend_from_slice(messages.get(done..call.behind).unwrap_or_default());
                done = call.behind;
            }
            let content = call.content.clone();
            let content = content.and_then(|content| self.contents.get(content));
            out.extend_from_slice(br#",{"role":"tool","tool_call_id":""#);
            let id = match known(&call.id) {
                Known::As(own) => own,
                Known::Digest(_) => {
                    Cow::Borrowed(self.settled.get(&*call.id).map_or(&*call.id, |own| own))
                }
            };
            out.extend_from_slice(id.as_bytes());
            out.extend_from_slice(br#"","content":""#);
            out.extend_from_slice(content.unwrap_or(NONE_KNOWN));
            out.extend_from_slice(br#""}"#);
        }
        out.extend_from_slice(messages.get(done..).unwrap_or_default());
    }

    /// About how many bytes [`Results::weave`] adds.
    pub(super) fn len(&self) -> usize {
        const AROUND: usize = 96;
        self.contents.len() + self.placed * AROUND
    }
}
