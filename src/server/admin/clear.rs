//! `POST /admin/clear`: ends a rest before its time.

use http::Response;
use serde::Serialize;

use super::view::{ModelView, StateView};
use crate::json::{self, Members, Raw};
use crate::model::{AccountId, ModelId, Subject};
use crate::request::{InvalidRequest, Names};
use crate::server::body::Sent;
use crate::server::error::ProxyError;
use crate::server::phases::Phases;
use crate::server::reply::ReplyBody;
use crate::server::state::State;
use crate::server::{App, chat, models};

/// What is to be cleared.
enum Target {
    Model(String),
    /// The account of this label.
    Account(String),
    Accounts,
    All,
}

#[derive(Serialize)]
struct Cleared<'a> {
    model: ModelView<'a>,
}

pub(super) async fn clear(
    app: &App,
    sent: Sent,
    phases: &Phases,
) -> Result<Response<ReplyBody>, ProxyError> {
    let bytes = chat::body_of(app, sent, phases).await?;
    match read(&bytes, app.limits.max_json_depth).map_err(|e| ProxyError::Invalid(e.into()))? {
        Target::Model(id) => {
            let snapshot = models::snapshot(app)?;
            let candidates = snapshot.candidates().iter();
            let own = candidates.filter(|candidate| candidate.offer.public_id.as_str() == id);
            let id = own.clone().next().map(|one| one.offer.public_id.clone());
            let id = id.ok_or(ProxyError::ModelNotFound)?;
            let subjects = own.flat_map(|candidate| candidate.subjects());
            app.registry
                .clear(subjects.filter(|subject| !subject.is_shared()));
            tell_model(app, &id)
        }
        Target::Account(label) => {
            let is_it = |account: &AccountId| *account.label == *label;
            if !clear_accounts(app, is_it) {
                return Err(ProxyError::Invalid(no_account().into()));
            }
            super::json(&StateView::of(app, &State::read(app)))
        }
        Target::Accounts => {
            clear_accounts(app, |_| true);
            super::json(&StateView::of(app, &State::read(app)))
        }
        Target::All => {
            app.registry.clear_all();
            super::json(&StateView::of(app, &State::read(app)))
        }
    }
}

/// Ends the rests of these accounts and of their providers; `false` if there is none of them.
fn clear_accounts(app: &App, which: impl Fn(&AccountId) -> bool) -> bool {
    let accounts = app.walker.accounts().filter(|account| which(account));
    let subjects = accounts.flat_map(|account| {
        [
            Subject::account(account),
            Subject::provider(&account.provider),
        ]
    });
    let subjects: Vec<_> = subjects.collect();
    app.registry.clear(&subjects);
    !subjects.is_empty()
}

fn no_account() -> InvalidRequest {
    InvalidRequest::WrongType {
        field: "account",
        expected: "the label of an account, as /admin/state has it, or true for all",
    }
}

fn tell_model(app: &App, id: &ModelId) -> Result<Response<ReplyBody>, ProxyError> {
    let state = State::read(app);
    let mut models = state.list.iter().flat_map(|list| &list.models);
    // A new list may have come in between.
    let model = models
        .find(|state| state.offer.public_id == *id)
        .ok_or(ProxyError::ModelNotFound)?;
    super::json(&Cleared {
        model: ModelView::of(&app.traffic, model, state.now),
    })
}

fn read(bytes: &[u8], max_depth: usize) -> Result<Target, InvalidRequest> {
    let faulty = |e: json::Error| InvalidRequest::unreadable(e, max_depth);
    let mut members = Members::open(bytes, max_depth)
        .map_err(faulty)?
        .ok_or(InvalidRequest::NotAnObject)?;
    let [mut model, mut account, mut all] = [None; 3];
    let mut names = Names::default();
    while let Some(member) = members.next().map_err(faulty)? {
        let field = match member.key.as_ref() {
            "model" => Some(("model", &mut model)),
            "account" => Some(("account", &mut account)),
            "all" => Some(("all", &mut all)),
            _ => None,
        };
        names.add(member.key, field.as_ref().map(|(name, _)| *name))?;
        if let Some((_, field)) = field {
            *field = Some(member.value).filter(|value| !value.is_null());
        }
    }
    let is_true = |value: Option<Raw<'_>>| value.and_then(Raw::as_bool) == Some(true);
    if let (None, Some(account), false) = (model, account, is_true(all))
        && account.as_bool().is_none()
    {
        let label = account.as_str().ok_or_else(no_account)?;
        return Ok(Target::Account(label.into_owned()));
    }
    match (model, is_true(account), is_true(all)) {
        (Some(id), false, false) if account.is_none_or(|value| value.as_bool().is_some()) => id
            .as_str()
            .map(|id| Target::Model(id.into_owned()))
            .ok_or(InvalidRequest::WrongType {
                field: "model",
                expected: "the id of a model",
            }),
        (None, true, false) => Ok(Target::Accounts),
        (None, false, true) => Ok(Target::All),
        (_, _, _) => Err(InvalidRequest::WrongType {
            field: "model",
            expected: "the id of a model, unless it is \"account\": a label or true, or \"all\": true",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_one_model_or_the_account_or_all_is_cleared() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"model":"a:free"}"#,                "model a:free"),
            (r#"{"model":"a\u003afree","all":false}"#, "model a:free"),
            (r#"{"account":true}"#,                  "accounts"),
            (r#"{"account":"groq#2"}"#,              "account groq#2"),
            (r#"{"account":"groq\u00232","all":null}"#, "account groq#2"),
            (r#"{"account":7}"#,                     "invalid"),
            (r#"{"account":["groq"]}"#,              "invalid"),
            (r#"{"account":false}"#,                 "invalid"),
            (r#"{"account":"groq","all":true}"#,     "invalid"),
            (r#"{"account":"groq","model":"a"}"#,    "invalid"),
            (r#"{"all":true,"model":null}"#,         "all"),
            (r#"{}"#,                                "invalid"),
            (r#"{"model":7}"#,                       "invalid"),
            (r#"{"model":"a","all":true}"#,          "invalid"),
            (r#"{"account":true,"all":true}"#,       "invalid"),
            (r#"{"all":"true"}"#,                    "invalid"),
            (r#"[]"#,                                "invalid"),
            (r#"{"model":"a","model":"b"}"#,         "model twice"),
            (r#"{"model":"a","\u006dodel":"a"}"#,    "model twice"),
            (r#"{"all":null,"all":true}"#,           "all twice"),
            (r#"{"all":true,"x":1,"x":2}"#,          "a field twice"),
            (r#"{"#,                                 "no JSON"),
            ("",                                     "no JSON"),
        ];
        for (body, expected) in rows {
            let got = match read(body.as_bytes(), 128) {
                Ok(Target::Model(id)) => format!("model {id}"),
                Ok(Target::Account(label)) => format!("account {label}"),
                Ok(Target::Accounts) => "accounts".to_owned(),
                Ok(Target::All) => "all".to_owned(),
                Err(InvalidRequest::Json(_)) => "no JSON".to_owned(),
                Err(InvalidRequest::Duplicate(field)) => format!("{field} twice"),
                Err(InvalidRequest::DuplicateUnknown) => "a field twice".to_owned(),
                Err(_) => "invalid".to_owned(),
            };
            assert_eq!(got, expected, "{body}");
        }
    }
}
