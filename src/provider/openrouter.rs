//! The cause named in an OpenRouter error body (`docs/upstream.md` §4-§6).
//!
//! Pure. Every field may be absent; what is not recognised names nothing, and then the status
//! decides. A text may quote what the caller sent, so a cause is read from its field, or at the
//! beginning of the message (after the model's own id, if it starts with that): what a caller
//! writes must not be able to incriminate a model.

mod table;

use http::HeaderMap;

use super::bound::Bound;
use super::retry_after::told_reset;
use super::ruling::date;
use super::said::ErrorSaid;
use super::size::{self, TooLong};
use crate::answer::without_mark;
use crate::clock::Now;
use crate::json::{self, Raw};
use crate::ledger::{Ends, Per, Stated};
use crate::model::{Capability, ModelId};
use crate::verdict::{AccountLimit, FreeRequests};

pub(super) use table::Usual;

/// An error body, as far as it could be parsed.
pub(super) struct ErrorBody<'a> {
    /// Its `error` member.
    pub(super) error: Option<Raw<'a>>,
    metadata: Option<Raw<'a>>,
    /// Its message, in lower case.
    message: String,
    /// Which of the account's free requests are used up, if it says so: the minute's, or the day's.
    account: Option<AccountLimit>,
}

/// A cause that a body can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// The account's free requests are used up.
    FreeRequests,
    /// The request itself is at fault.
    Request,
    /// The model is withdrawn, no longer free, or not a model at all.
    Gone,
    /// The model cannot do this.
    Lacks(Capability),
    /// The prompt is too long for the model, whose window it may name.
    TooLong(Option<u64>),
    /// The model serves only coding agents.
    Harness,
    /// The provider behind the model refuses what it was sent; another may not.
    Provider,
    /// The model or the route to it refuses; another may not.
    OtherModelMayDo,
}

impl<'a> ErrorBody<'a> {
    pub(super) fn read(body: &'a [u8]) -> Self {
        let error = Raw::parse(without_mark(body), json::MAX_DEPTH)
            .ok()
            .and_then(|body| body.get("error"));
        let members = error.map(|error| error.pick(["message", "metadata"]));
        let [message, metadata] = members.unwrap_or_default();
        let message = message
            .and_then(Raw::as_str)
            .or_else(|| error.and_then(Raw::as_str))
            .unwrap_or_default();
        let message = message.trim().to_lowercase();
        Self {
            error,
            metadata,
            account: used_up(metadata, &message),
            message,
        }
    }

    /// The cause, if the body names one.
    pub(super) fn named(&self, model: &ModelId) -> Option<Named> {
        let account = self.account.map(|_| Named::FreeRequests);
        account
            .or_else(|| self.request())
            .or_else(|| self.of_the_model(model))
            .or_else(|| self.provider())
            .or_else(|| self.other_model(model))
            .or_else(|| self.vague())
    }

    fn request(&self) -> Option<Named> {
        const TYPES: [&str; 9] = [
            "invalid_prompt",
            "content_policy_violation",
            "refusal",
            "invalid_image",
            "image_too_large",
            "image_too_small",
            "unsupported_image_format",
            "image_not_found",
            "image_download_failed",
        ];
        let kind = self.error_type();
        let moderated = ["flagged_input", "reasons", "patterns"]
            .iter()
            .any(|key| self.has(key));
        (moderated || TYPES.contains(&kind.as_str())).then_some(Named::Request)
    }

    /// The vaguest of the types: they may appear beside words that name a cause concerning the
    /// model, or beside the provider that reported it.
    fn vague(&self) -> Option<Named> {
        const TYPES: [&str; 4] = [
            "invalid_request",
            "precondition_failed",
            "payload_too_large",
            "unprocessable",
        ];
        TYPES
            .contains(&self.error_type().as_str())
            .then_some(Named::Request)
    }

    fn of_the_model(&self, model: &ModelId) -> Option<Named> {
        let availability = self.availability();
        let about = self.about(model).unwrap_or_default();
        if about.starts_with("is only available on agentic harnesses")
            || self.step().contains("harness")
        {
            return Some(Named::Harness);
        }
        if let Some(TooLong { window }) = self.too_long() {
            return Some(Named::TooLong(window));
        }
        const REFUSED: [(&str, Capability); 3] = [
            ("tool use", Capability::Tools),
            ("the provided 'tool_choice'", Capability::ToolChoice),
            ("image input", Capability::Images),
        ];
        // Only the router's own words: a provider's words, about what the client sent, teach
        // nothing.
        if let Some(what) = self
            .message
            .strip_prefix("no endpoints found that support ")
            && let Some((_, capability)) = REFUSED.iter().find(|(words, _)| what.starts_with(words))
        {
            return Some(Named::Lacks(*capability));
        }
        const GONE: [&str; 5] = [
            "model_not_found",
            "no_endpoints",
            "model_deprecated",
            "model_unavailable_upstream",
            "free_variant_ended",
        ];
        let withdrawn = || {
            let whose = self.message.strip_prefix("no endpoints found for ")?;
            let rest = names(model).find_map(|name| whose.strip_prefix(name.as_str()))?;
            matches!(rest.bytes().next(), None | Some(b'.' | b' ')).then_some(())
        };
        let gone = GONE.contains(&availability.as_str())
            || about.trim_end_matches('.') == "is not a valid model id"
            || self.begins("this model is unavailable for free")
            || withdrawn().is_some();
        gone.then_some(Named::Gone)
    }

    /// In its own words, in those of the provider behind it, or by its type.
    fn too_long(&self) -> Option<TooLong> {
        let raw = self.raw();
        let typed = || self.error_type() == "context_length_exceeded";
        size::in_words(&self.message)
            .or_else(|| size::too_long(&ErrorSaid::read(raw.as_bytes())))
            .or_else(|| typed().then_some(TooLong { window: None }))
    }

    /// The provider behind the router said it about what it was sent.
    fn provider(&self) -> Option<Named> {
        let named = self.meta("provider_name").is_some_and(|p| !p.is_empty());
        let said = !self.raw().is_empty();
        (named || said || self.begins("provider returned error")).then_some(Named::Provider)
    }

    fn other_model(&self, model: &ModelId) -> Option<Named> {
        let routed = !self.step().is_empty()
            || self.has("routing_funnel")
            || !self.availability().is_empty();
        let worded = [
            "reasoning is mandatory",
            "no endpoints found",
            "no endpoints available",
            "no allowed providers",
        ];
        let counted = self
            .message
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .starts_with(" endpoints out of ");
        let about_it = self.about(model).is_some();
        (routed || about_it || counted || worded.iter().any(|words| self.begins(words)))
            .then_some(Named::OtherModelMayDo)
    }

    /// The account's free requests, if the limit headers give them: those of the answer, or their
    /// copy in the body.
    pub(super) fn free_requests(&self, headers: &HeaderMap, now: Now) -> Option<FreeRequests> {
        let of = bound(self.account?);
        let number = |name: &str| -> Option<u64> {
            let copied = || {
                let copies = self.metadata?.get("headers")?;
                let value = copies
                    .members()
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))?
                    .1;
                value
                    .as_u64()
                    .or_else(|| value.as_str()?.trim().parse().ok())
            };
            headers
                .get(name)
                .and_then(|v| v.to_str().ok()?.trim().parse().ok())
                .or_else(copied)
        };
        Some(FreeRequests {
            limit: number("x-ratelimit-limit").filter(|limit| Stated::is_plausible(*limit))?,
            remaining: number("x-ratelimit-remaining").unwrap_or(0),
            resets_at: told_reset(headers, self.error, of, now).and_then(|rest| date(rest, now)),
        })
    }

    /// Whether the message begins like this. The rest is never read: it may quote the request.
    fn begins(&self, words: &str) -> bool {
        self.message.starts_with(words)
    }

    /// What the message says about the model, if it begins with its id.
    fn about(&self, model: &ModelId) -> Option<&str> {
        let said = names(model).find_map(|name| self.message.strip_prefix(name.as_str()))?;
        said.strip_prefix(' ')
    }

    /// The provider's own text.
    fn raw(&self) -> String {
        let raw = self.metadata.and_then(|m| m.get("raw"));
        let text = raw.map(|raw| raw.as_str().unwrap_or_else(|| raw.text().into()));
        text.map(|text| text.to_lowercase()).unwrap_or_default()
    }

    fn has(&self, key: &str) -> bool {
        self.metadata.and_then(|m| m.get(key)).is_some()
    }

    fn meta(&self, key: &str) -> Option<String> {
        text(self.metadata?.get(key)?)
    }

    fn step(&self) -> String {
        self.meta("failed_routing_step").unwrap_or_default()
    }

    fn error_type(&self) -> String {
        let beside = || {
            self.error?
                .get("error_type")?
                .as_str()
                .map(|text| text.to_lowercase())
        };
        self.meta("error_type").or_else(beside).unwrap_or_default()
    }

    fn availability(&self) -> String {
        let code = || self.error?.get("availability")?.get("code")?.as_str();
        code().map(|code| code.to_lowercase()).unwrap_or_default()
    }
}

/// The quota of free requests that is used up, recognised by the limit's source or the message, never by headers alone.
fn used_up(metadata: Option<Raw<'_>>, message: &str) -> Option<AccountLimit> {
    let source = metadata.and_then(|metadata| text(metadata.get("limit_source")?));
    let source = source.unwrap_or_default();
    let words = message
        .strip_prefix("rate limit exceeded: ")
        .unwrap_or(message);
    if source.contains("free_tier_per_minute") || words.starts_with("free-models-per-min") {
        return Some(AccountLimit::Minute);
    }
    let day = source.contains("free_tier") || words.starts_with("free-models-per-");
    day.then_some(AccountLimit::Day)
}

/// What bounds a stated wait: the window of the quota that is used up.
fn bound(limit: AccountLimit) -> Option<Bound> {
    match limit {
        AccountLimit::Minute => Some(Bound::of(Per::Minute, None)),
        AccountLimit::Day => Some(Bound::of(Per::Day, Some(Ends::Utc))),
        AccountLimit::Quota | AccountLimit::Credit | AccountLimit::Key => None,
    }
}

/// A string in lower case.
fn text(value: Raw<'_>) -> Option<String> {
    value.as_str().map(|text| text.to_lowercase())
}

/// The names by which a message calls the model, in lower case.
fn names(model: &ModelId) -> impl Iterator<Item = String> {
    let id = model.as_str().to_lowercase();
    let bare = id.strip_suffix(":free").map(ToOwned::to_owned);
    std::iter::once(id).chain(bare)
}
