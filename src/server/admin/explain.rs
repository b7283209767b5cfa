//! `POST /admin/explain`: what would happen to a request now, and why.

use std::collections::HashMap;
use std::sync::Arc;

use http::Response;
use http::header::RETRY_AFTER;
use serde::Serialize;
use serde_json::value::RawValue;

use super::awake::{AwakeView, WaitingView};
use super::view::{AccountView, BecauseView, accounts};
use crate::attempt::Explanation;
use crate::clock::{Now, rfc3339};
use crate::config::{Client, ModelField};
use crate::learnt::Caller;
use crate::ledger::{BucketId, BucketView, Counted, Per};
use crate::model::{Candidate, Capability, ModelId, ProviderId};
use crate::request::{Asked, ChatRequest};
use crate::select::LeftOut;
use crate::server::body::Sent;
use crate::server::error::ProxyError;
use crate::server::phases::Phases;
use crate::server::reply::ReplyBody;
use crate::server::state::{AccountState, RestState, State, ThroughState};
use crate::server::{App, chat};
use crate::surface::Surface;
use crate::units::{wait, whole_seconds};

pub(super) async fn explain(
    app: &App,
    (client, caller): (&Arc<Client>, Caller),
    sent: Sent,
    phases: &Phases,
) -> Result<Response<ReplyBody>, ProxyError> {
    let entered = chat::enter(app, Surface::Chat, sent, phases, "").await?;
    let request = entered.request;
    let snapshot = app.registry.snapshot();
    let session = chat::session_of(app, caller, None, &request);
    let (known, in_line, now) = app.registry.copy();
    let walker = &app.walker;
    let explained = walker.explain(
        snapshot.as_deref(),
        &request,
        (Arc::clone(client), session),
        (&known, &in_line),
        now,
    );
    let state = State::of(app, snapshot, (known, in_line), false, now);
    super::json(&View::of(app, &request, &explained, &state))
}

#[derive(Serialize)]
struct View<'a> {
    needs: NeedsView,
    model_field: &'static str,
    model_asked_for: Option<&'a str>,
    wish: &'static str,
    selection: &'static str,
    waits_sec: Option<u64>,
    max_attempts: usize,
    candidates: Vec<&'a ModelId>,
    through: Vec<AwakeView<'a>>,
    left_out: Vec<LeftOutView<'a>>,
    accounts: Vec<AccountView<'a>>,
    waiting: WaitingView,
    would_answer: Option<AnswerView>,
}

#[derive(Serialize)]
struct NeedsView {
    capabilities: Vec<&'static str>,
    stream: bool,
    prompt_tokens_at_least: u64,
}

#[derive(Serialize)]
struct LeftOutView<'a> {
    model: &'a ModelId,
    provider: &'a ProviderId,
    account: &'a str,
    why: &'static str,
    reason: String,
    until: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lacks: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    needs_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resting_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resting_sec: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<BecauseView<'a>>,
}

#[derive(Serialize)]
struct AnswerView {
    status: u16,
    retry_after_sec: Option<u64>,
    body: Option<Box<RawValue>>,
}

impl<'a> View<'a> {
    fn of(
        app: &App,
        request: &'a ChatRequest,
        explained: &'a Explanation,
        state: &'a State,
    ) -> Self {
        let needs = request.needs.capabilities();
        let candidates = explained.candidates.iter();
        let through = candidates.clone().map(AwakeView::of);
        let candidates = candidates.map(|awake| &awake.candidate.offer.public_id);
        let models = state.list.iter().flat_map(|list| &list.models);
        let models: HashMap<_, _> = models
            .map(|state| (Arc::as_ptr(&state.offer), state))
            .collect();
        let left_out = explained.left_out.iter().map(|(candidate, why)| {
            let is_it = |one: &&ThroughState| one.account == candidate.account;
            let model = models.get(&Arc::as_ptr(&candidate.offer));
            let through = model.and_then(|state| state.through.iter().find(is_it));
            let rest = through.and_then(|through| through.rest.as_ref());
            let bucket = |id| state.known.ledger.bucket_view(id, state.now);
            let is_its = |one: &&AccountState| one.account == candidate.account;
            let account = state.accounts.iter().find(is_its);
            left_out(candidate, why, (rest, account), state.now, bucket)
        });
        Self {
            needs: NeedsView {
                capabilities: needs.iter().map(|need| need.as_str()).collect(),
                stream: request.stream,
                prompt_tokens_at_least: request.needs.prompt_tokens(),
            },
            model_field: match explained.model_field {
                ModelField::Ignore => "ignore",
                ModelField::Prefer => "prefer",
                ModelField::Pin => "pin",
            },
            model_asked_for: match &request.asked {
                Asked::Wish(_) => None,
                Asked::Named(name) => Some(name),
            },
            wish: request.asked.wish().as_str(),
            selection: explained.selection,
            waits_sec: explained.waits.map(whole_seconds),
            max_attempts: explained.max_attempts,
            candidates: candidates.collect(),
            through: through.collect(),
            left_out: left_out.collect(),
            accounts: accounts(app, state),
            waiting: WaitingView::of(&state.in_line, state.now),
            would_answer: explained
                .refusal
                .clone()
                .map(|refusal| AnswerView::of(&app.refused(refusal))),
        }
    }
}

impl AnswerView {
    fn of(error: &ProxyError) -> Self {
        let response = error.response();
        let retry_after = response.headers().get(RETRY_AFTER);
        let body = String::from_utf8_lossy(&error.body()).into_owned();
        Self {
            status: error.status(),
            retry_after_sec: retry_after.and_then(|value| value.to_str().ok()?.parse().ok()),
            body: RawValue::from_string(body).ok(),
        }
    }
}

fn left_out<'a>(
    candidate: &'a Candidate,
    why: &LeftOut,
    (rest, account): (Option<&'a RestState>, Option<&'a AccountState>),
    now: Now,
    bucket: impl Fn(BucketId) -> Option<BucketView>,
) -> LeftOutView<'a> {
    let view = |why, reason: String| LeftOutView {
        model: &candidate.offer.public_id,
        provider: &candidate.account.provider,
        account: &candidate.account.label,
        why,
        reason,
        until: None,
        lacks: Vec::new(),
        needs_tokens: None,
        context_length: None,
        resting_until: None,
        resting_sec: None,
        because: None,
    };
    match why {
        LeftOut::NotWanted => view(
            "not_wanted",
            "the request names another model, and MODEL_FIELD is pin".to_owned(),
        ),
        LeftOut::NotAllowed => view(
            "not_allowed",
            "the key's client may not ask it: CONFIG_FILE lists its models".to_owned(),
        ),
        LeftOut::Lacks(lacks) => {
            let lacks: Vec<_> = lacks.iter().copied().map(Capability::as_str).collect();
            LeftOutView {
                lacks: lacks.clone(),
                ..view("lacks", format!("cannot do: {}", lacks.join(", ")))
            }
        }
        LeftOut::TooSmall { needs, has } => LeftOutView {
            needs_tokens: Some(*needs),
            context_length: Some(*has),
            ..view(
                "too_small",
                format!("the prompt has at least {needs} tokens, the context holds {has}"),
            )
        },
        LeftOut::Tried => view("tried", "it has been asked already".to_owned()),
        LeftOut::Account(_) => {
            let rest = account.and_then(|account| account.rest.as_ref());
            let how = rest.map_or("is being probed".to_owned(), |rest| {
                format!("rests: {}", rest.reason())
            });
            let reason = format!("account {} {how}", candidate.account);
            resting(rest, view("account", reason))
        }
        LeftOut::Resting(_) => {
            let reason = rest.map(RestState::reason).unwrap_or_default();
            resting(rest, view("resting", reason))
        }
        LeftOut::Probing => view(
            "probing",
            "another request is finding out whether it has recovered".to_owned(),
        ),
        LeftOut::Spent {
            returns_in,
            bucket: id,
        } => {
            let returns = returns_in.map_or(String::new(), |left| {
                format!("; room again in {}", wait(whole_seconds(left)))
            });
            let quota = quota(candidate, bucket(*id));
            LeftOutView {
                until: returns_in.and_then(|left| Some(rfc3339(now.wall.checked_add(left)?))),
                ..view("quota", format!("{quota} is used up{returns}"))
            }
        }
        LeftOut::ShareUsed {
            returns_in,
            bucket: id,
        } => {
            let quota = quota(candidate, bucket(*id));
            let returns = wait(whole_seconds(*returns_in));
            LeftOutView {
                until: now.wall.checked_add(*returns_in).map(rfc3339),
                ..view(
                    "share",
                    format!(
                        "the client's share of {quota} is used up, and others ask too; room again in {returns}"
                    ),
                )
            }
        }
        LeftOut::Busy(id) => view(
            "busy",
            format!("{} is under way", quota(candidate, bucket(*id))),
        ),
        LeftOut::OverLimit(id) => view(
            "over_limit",
            format!(
                "the request by itself exceeds {}",
                quota(candidate, bucket(*id))
            ),
        ),
    }
}

/// The same with what is known of the rest.
fn resting<'a>(rest: Option<&'a RestState>, view: LeftOutView<'a>) -> LeftOutView<'a> {
    let until = rest.map(|rest| rfc3339(rest.until));
    LeftOutView {
        resting_until: until.clone(),
        until,
        resting_sec: rest.map(RestState::seconds_left),
        because: rest.map(|rest| BecauseView::of(&rest.because)),
        ..view
    }
}

/// A quota in words: how much of what, in which window, whose, and how it is known.
fn quota(candidate: &Candidate, bucket: Option<BucketView>) -> String {
    let account = &candidate.account;
    let Some(bucket) = bucket else {
        return format!("a quota of account {account}");
    };
    let whose = match bucket.of {
        Counted::Account => format!("account {account}"),
        Counted::Model => format!("this model through account {account}"),
        Counted::Address => format!("{} from this address", account.provider),
    };
    let window = if bucket.per == Per::Moment {
        String::new()
    } else {
        format!(" per {}", bucket.per.in_words())
    };
    format!(
        "the limit of {} {}{window} of {whose} ({})",
        bucket.limit,
        bucket.unit.as_str(),
        bucket.source.as_str(),
    )
}
