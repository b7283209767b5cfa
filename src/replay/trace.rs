//! A trace as read: requests, and the outcomes of their attempts.

use std::collections::HashMap;
use std::io::{self, BufRead, Read as _};
use std::time::{Duration, SystemTime};

use super::{Failure, Rest};
use crate::model::{AccountId, Candidate, Capability, ModelId, Offer, ProviderId, Wish};
use crate::trace::{Asked, Ended, LONGEST, Line, Rests, VERSION, Whom};

/// The most lines that are read; four full files have fewer.
const MOST_LINES: usize = 2_000_000;

/// The most candidates that are told apart.
const MOST_CANDIDATES: usize = 1_000;

/// The most attempts of one request that are read.
const MOST_TRIES: usize = 1_000;

/// The longest duration in a trace, in milliseconds: a day.
const LONGEST_MS: u64 = 86_400_000;

/// The latest moment in a trace, in milliseconds since 1970: the end of the year 9999.
const LAST_MS: u64 = 253_402_300_799_999;

/// What was read, and what was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Lines that are valid.
    pub lines: usize,
    /// Lines that are not: foreign, of another version, torn, or duplicates.
    pub skipped: usize,
    /// Lines beyond the most that are read.
    pub beyond: usize,
    /// Requests that are not replayed.
    pub left_out: LeftOut,
}

/// Requests that cannot be replayed, although their attempts still count as observations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// They named the model they wanted.
    pub named: usize,
    /// Their client left, or the proxy stopped.
    pub left: usize,
    /// The request itself was refused.
    pub refused: usize,
    /// Some of their lines are missing.
    pub torn: usize,
}

/// The requests of a trace, by time, and the candidates they asked.
#[derive(Debug, Default)]
pub struct Trace {
    pub(super) requests: Vec<Recorded>,
    pub(super) candidates: Vec<Candidate>,
    /// The account of each candidate.
    pub(super) accounts: Vec<usize>,
    began_ms: u64,
    read: Read,
    runs: HashMap<String, u32>,
    sessions: HashMap<(u32, String), u32>,
    known: HashMap<(AccountId, ModelId), usize>,
    known_accounts: HashMap<AccountId, usize>,
    found: HashMap<(u32, u64), usize>,
}

/// A request of a trace. Times are in seconds from the start of the trace.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    at_ms: u64,
    pub(super) at: f64,
    pub(super) session: Option<u32>,
    pub(super) stream: bool,
    pub(super) wish: Wish,
    pub(super) needs: u16,
    pub(super) prompt_tokens: u64,
    /// In the order in which they were made.
    pub(super) tries: Vec<Try>,
    named: bool,
    /// Its client left while no attempt was under way.
    is_left: bool,
    /// A line without an attempt tells its end.
    is_told: bool,
    /// It can be replayed.
    pub(super) counts: bool,
}

impl Recorded {
    /// No candidate could be asked when it came: it waited, or gave up.
    pub(super) fn found_none(&self) -> bool {
        /// A request that need not wait makes its first attempt within less.
        const AT_ONCE: f64 = 0.5;
        let first = self.tries.iter().find(|one| one.number == 1);
        self.tries.is_empty() || first.is_some_and(|first| first.after > AT_ONCE)
    }
}

/// An attempt of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Try {
    number: u32,
    pub(super) candidate: usize,
    /// Seconds from the request's arrival to the start of the attempt.
    pub(super) after: f64,
    pub(super) tier: u32,
    pub(super) place: u32,
    pub(super) context: Option<u64>,
    pub(super) tight: f64,
    pub(super) day_left: Option<f64>,
    pub(super) output_tokens: Option<u64>,
    /// Seconds to the first token of a stream.
    pub(super) first: Option<f64>,
    /// Seconds to its end.
    pub(super) total: f64,
    pub(super) end: End,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Answered {
        breaks: bool,
    },
    /// With a failure before there was an answer.
    Failed(Failure),
    OfAccount(f64),
    /// The client left; if there was no answer yet, how it would have ended is unknown.
    Left {
        had_begun: bool,
    },
}

impl Trace {
    /// Adds all lines, however long they are.
    ///
    /// # Errors
    /// When they cannot be read to the end.
    pub fn take_all(&mut self, mut lines: impl BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let most = LONGEST as u64 + 2;
            if lines.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            self.take(&line);
            if !line.ends_with(b"\n") && line.len() as u64 == most {
                // The rest of a line that is too long.
                lines.skip_until(b'\n')?;
            }
        }
    }

    /// Adds a line. One that is invalid is counted and otherwise ignored.
    pub fn take(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        if self.read.lines >= MOST_LINES {
            self.read.beyond += 1;
            return;
        }
        let read = (line.len() <= LONGEST)
            .then(|| serde_json::from_slice::<Line>(line).ok())
            .flatten();
        match read.and_then(|line| self.takes(line)) {
            Some(()) => self.read.lines += 1,
            None => self.read.skipped += 1,
        }
    }

    fn takes(&mut self, line: Line) -> Option<()> {
        if line.version != VERSION || line.at_ms > LAST_MS {
            return None;
        }
        let needs = bits(&line.needs)?;
        let wish = line.wish.as_deref().map_or(Some(Wish::Auto), wish)?;
        let one = match &line.asked {
            Some(asked) => Some(self.attempt(asked, line.ended)?),
            None if matches!(line.ended, Ended::Unasked | Ended::Left) => None,
            None => return None,
        };
        let runs = u32::try_from(self.runs.len()).ok()?;
        let run = *self.runs.entry(line.run).or_insert(runs);
        let sessions = u32::try_from(self.sessions.len()).ok()?;
        let session = line
            .session
            .map(|session| *self.sessions.entry((run, session)).or_insert(sessions));
        let next = self.requests.len();
        let place = *self.found.entry((run, line.request)).or_insert(next);
        if place == next {
            self.requests.push(Recorded {
                at_ms: line.at_ms,
                at: 0.0,
                session,
                stream: line.stream,
                wish,
                needs,
                prompt_tokens: line.prompt_tokens.min(u64::from(u32::MAX)),
                tries: Vec::new(),
                named: line.named,
                is_left: false,
                is_told: false,
                counts: false,
            });
        }
        let request = self.requests.get_mut(place)?;
        match one {
            Some(one) => {
                let is_new = request.tries.len() < MOST_TRIES
                    && (request.tries.iter()).all(|other| other.number != one.number);
                is_new.then(|| request.tries.push(one))
            }
            None => {
                request.is_left |= line.ended == Ended::Left;
                let is_new = !std::mem::replace(&mut request.is_told, true);
                is_new.then_some(())
            }
        }
    }

    fn attempt(&mut self, asked: &Asked, ended: Ended) -> Option<Try> {
        let provider = ProviderId::try_from(asked.provider.as_str()).ok()?;
        let account = AccountId::new(provider, asked.account.as_str());
        let offer = ModelId::written(&asked.offer).ok()?;
        let candidate = self.candidate(account, offer)?;
        let first = asked.first_ms.map(seconds);
        let total = seconds(asked.total_ms);
        let wait = asked.wait_ms.map_or(0.0, seconds);
        let end = match ended {
            Ended::Whole => End::Answered { breaks: false },
            Ended::Broken => End::Answered { breaks: true },
            Ended::Left => End::Left {
                had_begun: first.is_some(),
            },
            Ended::Refused => End::Failed(Failure::Refused),
            Ended::Failed if asked.by_limit => End::Failed(Failure::Late),
            Ended::Failed => match (asked.scope, asked.rests) {
                (Some(Whom::Account | Whom::Key | Whom::Provider), _) => End::OfAccount(wait),
                (_, Rests::Gone) => End::Failed(Failure::Gone),
                _ if !asked.teaches => End::Failed(Failure::Refused),
                (_, rests) => End::Failed(Failure::Model {
                    rest: match rests {
                        Rests::Told => Rest::Told(wait),
                        Rests::Unadvised => Rest::Unadvised {
                            is_limited: asked.status == Some(429),
                        },
                        Rests::No | Rests::Gone => Rest::No,
                    },
                }),
            },
            Ended::Unasked => return None,
        };
        Some(Try {
            number: asked.number,
            candidate,
            after: seconds(asked.after_ms),
            tier: asked.tier,
            place: asked.place.min(1_000_000),
            context: asked.context,
            tight: asked.tight.clamp(0.0, 1.0),
            day_left: asked.day_left.map(|left| left.clamp(0.0, 1.0)),
            output_tokens: asked.output_tokens,
            first: first.map(|first| first.min(total)),
            total,
            end,
        })
    }

    /// The candidate a line is about; `None` beyond the most that are told apart.
    fn candidate(&mut self, account: AccountId, id: ModelId) -> Option<usize> {
        let key = (account, id);
        if let Some(known) = self.known.get(&key) {
            return Some(*known);
        }
        let next = self.candidates.len();
        if next >= MOST_CANDIDATES {
            return None;
        }
        let (account, id) = key.clone();
        let of_account = self.known_accounts.len();
        let place = *(self.known_accounts.entry(account.clone())).or_insert(of_account);
        let offer = Offer::at(account.provider.clone(), id);
        self.candidates
            .push(Candidate::new(offer.into(), account.into(), true));
        self.accounts.push(place);
        self.known.insert(key, next);
        Some(next)
    }

    /// To be called when all lines were added: sorts the requests by time, and decides which can be replayed.
    #[must_use]
    pub fn ordered(mut self) -> Self {
        self.requests.sort_by_key(|request| request.at_ms);
        self.began_ms = self.requests.first().map_or(0, |request| request.at_ms);
        for request in &mut self.requests {
            request.at = Duration::from_millis(request.at_ms - self.began_ms).as_secs_f64();
            request.tries.sort_by_key(|one| one.number);
            let left_out = &mut self.read.left_out;
            let numbers = request.tries.iter().map(|one| one.number);
            let is_whole = numbers.eq((1..).take(request.tries.len()));
            let last = request.tries.last().map(|last| last.end);
            let why = if request.named {
                &mut left_out.named
            } else if request.is_left || matches!(last, Some(End::Left { .. })) {
                &mut left_out.left
            } else if matches!(last, Some(End::Failed(Failure::Refused))) {
                &mut left_out.refused
            } else if !is_whole {
                &mut left_out.torn
            } else {
                request.counts = true;
                continue;
            };
            *why += 1;
        }
        self
    }

    /// What was read.
    #[must_use]
    pub fn read(&self) -> Read {
        self.read
    }

    /// How many requests can be replayed.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.iter().filter(|one| one.counts).count()
    }

    /// How many candidates it mentions.
    #[must_use]
    pub fn candidates(&self) -> usize {
        self.candidates.len()
    }

    /// How many accounts it mentions.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.known_accounts.len()
    }

    /// When its first request came.
    #[must_use]
    pub fn began(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.began_ms)
    }

    /// The time from its first request to its last.
    #[must_use]
    pub fn lasted(&self) -> Duration {
        let last = self.requests.last().map_or(0.0, |request| request.at);
        Duration::try_from_secs_f64(last).unwrap_or_default()
    }
}

fn seconds(millis: u64) -> f64 {
    Duration::from_millis(millis.min(LONGEST_MS)).as_secs_f64()
}

/// The needs as a bit set; `None` if one of them is unknown.
fn bits(needs: &[String]) -> Option<u16> {
    let known = |need: &String| Capability::ALL.into_iter().find(|one| one.as_str() == need);
    needs
        .iter()
        .try_fold(0, |all, need| Some(all | bit(known(need)?)))
}

/// A wish by its name as it is written in a trace; `None` for any other.
fn wish(name: &str) -> Option<Wish> {
    Wish::ALL.into_iter().find(|wish| wish.as_str() == name)
}

fn bit(need: Capability) -> u16 {
    let place = Capability::ALL.iter().position(|one| *one == need);
    1 << place.unwrap_or_default()
}

/// Whether needs include tools.
pub(super) fn has_tools(needs: u16) -> bool {
    needs & bit(Capability::Tools) != 0
}
