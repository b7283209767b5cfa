//! The one table of what makes each client show an error.

use crate::surface::Surface;

/// A client whose handling of errors is known.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// What it calls itself.
    pub name: &'static str,
    /// The API it speaks.
    pub surface: Surface,
    /// How its `User-Agent` begins.
    pub user_agent: &'static str,
    /// The statuses at which it shows the sentence at once.
    pub speaks_on: &'static [u16],
    /// The one of these that replaces any other.
    pub sent_as: u16,
    /// What makes it retry if found anywhere in an answer, message included. In lower case.
    pub silenced_by: &'static [&'static str],
    /// The error frame that makes it show the sentence, once a stream is open.
    pub frame: Frame,
    /// What it does with a 503 and a `Retry-After` of hours.
    pub otherwise: &'static str,
}

/// How an error ends a stream that has carried nothing but signs of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// As the surface writes any error.
    Plain,
    /// After an empty block that has begun and ended: Claude Code retries, this time without
    /// streaming, unless a block of the answer is complete.
    BehindABlock,
}

/// Every client whose behaviour is known. aider cannot be distinguished from openai-python, and
/// needs no row: it shows each error before it retries.
pub const TABLE: &[Known] = &[
    Known {
        name: "Qwen Code",
        surface: Surface::Chat,
        user_agent: "QwenCode/",
        speaks_on: &[400, 401, 402, 403, 404],
        sent_as: 402,
        silenced_by: &[],
        frame: Frame::Plain,
        otherwise: "a spinner for as long as `Retry-After` says",
    },
    Known {
        name: "opencode",
        surface: Surface::Chat,
        user_agent: "opencode/",
        speaks_on: &[400, 401, 402, 403],
        sent_as: 402,
        silenced_by: OPENCODE_ASKS_AGAIN,
        frame: Frame::Plain,
        otherwise: "`opencode run`: nothing, for as long as `Retry-After` says",
    },
    Known {
        name: "Codex",
        surface: Surface::Responses,
        user_agent: "codex",
        speaks_on: &[400],
        sent_as: 400,
        silenced_by: &[],
        frame: Frame::Plain,
        otherwise: "nothing for as long as `Retry-After` says; a 401 after five more requests and 7 s",
    },
    Known {
        name: "Claude Code",
        surface: Surface::Messages,
        user_agent: "claude-cli/",
        // On a 400 it removes fields from the request, and retries five times more.
        speaks_on: &[402],
        sent_as: 402,
        silenced_by: &[],
        frame: Frame::BehindABlock,
        otherwise: "the sentence; but a 401 after twelve requests and 214 s",
    },
];

/// opencode searches an error's message, and the whole body, for these. As in its 1.18; its
/// patterns for whole words are here without word boundaries.
const OPENCODE_ASKS_AGAIN: &[&str] = &[
    "429",
    "500",
    "502",
    "503",
    "504",
    "524",
    "rate increased too quickly",
    "rate limit",
    "rate-limit",
    "rate_limit",
    "too many requests",
    "too_many_requests",
    "overloaded",
    "unavailable",
    "exhausted",
    "internal error",
    "internal_error",
    "internal server error",
    "server error",
    "server_error",
    "server-error",
    "provider returned error",
    "provider_returned_error",
    "provider-returned-error",
    "terminated",
    "fetch failed",
    "failed to fetch",
    "network error",
    "network-error",
    "network_error",
    "upstream connect",
    "connection error",
    "connection refused",
    "connection lost",
    "connection was closed",
    "socket hang up",
    "reset before headers",
    "getaddrinfo",
    "enotfound",
    "eai_again",
    "econnrefused",
    "econnreset",
    "etimedout",
    " timeout",
    " timed out",
    " time out",
    "try your request again",
    "retry your request",
    "resource exhausted",
    "resource_exhausted",
    "try again later",
    "try again in",
    "currently at capacity",
    "temporarily at capacity",
];
