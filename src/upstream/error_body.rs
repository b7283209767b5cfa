//! What an error body of OpenRouter's names as the cause (`docs/upstream.md` §4-§6).
//!
//! Pure. Every field may be absent; what is not recognised names nothing, and then the status
//! decides.

use http::HeaderMap;

use super::answer::without_mark;
use super::verdict::FreeRequests;
use crate::json::{self, Kind, Raw};
use crate::model::{Capability, ModelId};

/// An error body, as far as it could be read.
pub(super) struct ErrorBody<'a> {
    /// Its `error` member.
    pub(super) error: Option<Raw<'a>>,
    metadata: Option<Raw<'a>>,
    /// Its message, in lower case.
    message: String,
}

/// A cause that a body can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// The account's free requests of the minute are used up.
    FreeMinute,
    /// Those of the day.
    FreeDay,
    /// The request itself is at fault.
    Request,
    /// The model is withdrawn, not free any more, or no model at all.
    Gone,
    /// The model cannot do this.
    Lacks(Capability),
    /// The prompt is too long for the model.
    TooLong,
    /// The model serves only coding agents.
    Harness,
    /// The model, its provider or the way there refuses; another may not.
    OtherModelMayDo,
}

impl<'a> ErrorBody<'a> {
    pub(super) fn read(body: &'a [u8]) -> Self {
        let error = Raw::parse(without_mark(body), json::MAX_DEPTH)
            .ok()
            .and_then(|body| body.get("error"));
        let text = |key| error.and_then(|e| e.get(key)).and_then(Raw::as_str);
        let message = text("message")
            .or_else(|| error.and_then(Raw::as_str))
            .unwrap_or_default();
        Self {
            error,
            metadata: error.and_then(|e| e.get("metadata")),
            message: message.to_lowercase(),
        }
    }

    /// The cause, if the body names one.
    pub(super) fn named(&self, model: &ModelId) -> Option<Named> {
        self.account()
            .or_else(|| self.request())
            .or_else(|| self.of_the_model())
            .or_else(|| self.other_model(model))
            .or_else(|| self.invalid())
    }

    /// The free quota, told by the limit's source or the message, never by headers alone.
    fn account(&self) -> Option<Named> {
        let source = self.meta("limit_source").unwrap_or_default();
        if source.contains("free_tier_per_minute") || self.says("free-models-per-min") {
            return Some(Named::FreeMinute);
        }
        let day = source.contains("free_tier") || self.says("free-models-per-");
        day.then_some(Named::FreeDay)
    }

    fn request(&self) -> Option<Named> {
        const TYPES: [&str; 12] = [
            "invalid_prompt",
            "content_policy_violation",
            "refusal",
            "invalid_image",
            "image_too_large",
            "image_too_small",
            "unsupported_image_format",
            "image_not_found",
            "image_download_failed",
            "precondition_failed",
            "payload_too_large",
            "unprocessable",
        ];
        let kind = self.error_type();
        let moderated = ["flagged_input", "reasons", "patterns"]
            .iter()
            .any(|key| self.has(key));
        (moderated || TYPES.contains(&kind.as_str())).then_some(Named::Request)
    }

    /// The vaguest of the types: it may stand beside words that name a cause of the model's.
    fn invalid(&self) -> Option<Named> {
        (self.error_type() == "invalid_request").then_some(Named::Request)
    }

    fn of_the_model(&self) -> Option<Named> {
        let availability = self.availability();
        if self.says("agentic harness") || self.step().contains("harness") {
            return Some(Named::Harness);
        }
        if self.error_type() == "context_length_exceeded" || self.is_too_long() {
            return Some(Named::TooLong);
        }
        let refused = [
            ("support tool use", Capability::Tools),
            ("support the provided 'tool_choice'", Capability::ToolChoice),
            ("support image input", Capability::Images),
        ];
        // The router's own words: a provider's, about what the client sent, are no lesson.
        if self.says("no endpoints found that")
            && let Some((_, capability)) = refused.into_iter().find(|(words, _)| self.says(words))
        {
            return Some(Named::Lacks(capability));
        }
        const GONE: [&str; 5] = [
            "model_not_found",
            "no_endpoints",
            "model_deprecated",
            "model_unavailable_upstream",
            "free_variant_ended",
        ];
        let gone = GONE.contains(&availability.as_str())
            || self.says("is not a valid model id")
            || self.says("unavailable for free")
            || self.says("no endpoints found for ");
        gone.then_some(Named::Gone)
    }

    fn other_model(&self, model: &ModelId) -> Option<Named> {
        let routed = !self.step().is_empty()
            || self.has("routing_funnel")
            || !self.availability().is_empty();
        let worded = [
            "reasoning is mandatory",
            "provider returned error",
            "no endpoints found",
            "no endpoints available",
            "endpoints out of",
            "no allowed providers",
        ];
        let about_it = self.says(&model.as_str().to_lowercase());
        (routed || about_it || worded.iter().any(|words| self.says(words)))
            .then_some(Named::OtherModelMayDo)
    }

    /// The account's free requests, where the limit headers tell them: those of the answer, or
    /// their copy in the body.
    pub(super) fn free_requests(&self, headers: &HeaderMap) -> Option<FreeRequests> {
        self.account()?;
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
            limit: number("x-ratelimit-limit")?,
            remaining: number("x-ratelimit-remaining").unwrap_or(0),
        })
    }

    fn says(&self, words: &str) -> bool {
        self.message.contains(words)
    }

    fn is_too_long(&self) -> bool {
        [
            "context length",
            "context window",
            "context limit",
            "prompt is too long",
            "too many tokens",
        ]
        .iter()
        .any(|words| self.says(words))
    }

    fn has(&self, key: &str) -> bool {
        self.metadata.and_then(|m| m.get(key)).is_some()
    }

    fn meta(&self, key: &str) -> Option<String> {
        let value = self.metadata?.get(key)?;
        (value.kind() == Kind::String)
            .then(|| value.as_str())?
            .map(|text| text.to_lowercase())
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
