//! `POST /admin/clear`: ends a rest early.

use std::sync::Arc;

use http::Response;
use serde::Serialize;

use super::still_out::{StillOut, still_out};
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

const NO_ACCOUNT: InvalidRequest = InvalidRequest::WrongType {
    field: "account",
    expected: "the label of an account, or true for all of them",
};

/// What is to be cleared.
enum Target {
    Model(String),
    Account(String),
    Accounts,
    All,
}

#[derive(Serialize)]
struct Cleared<'a> {
    model: ModelView<'a>,
    still_out: Vec<StillOut<'a>>,
}

#[derive(Serialize)]
struct StateAfter<'a> {
    #[serde(flatten)]
    state: StateView<'a>,
    still_out: Vec<StillOut<'a>>,
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
            let mut accounts = app.walker.accounts();
            let account = accounts.find(|account| *account.label == *label);
            let account = account.ok_or_else(|| ProxyError::Invalid(NO_ACCOUNT.into()))?;
            app.registry.clear(&subjects_of(app, account));
            tell_state(app)
        }
        Target::Accounts => {
            let accounts = app.walker.accounts();
            let subjects = accounts.flat_map(|account| subjects_of(app, account));
            app.registry.clear(&subjects.collect::<Vec<_>>());
            tell_state(app)
        }
        Target::All => {
            app.registry.clear_all();
            tell_state(app)
        }
    }
}

/// What may keep an account at rest: itself, its keys, its provider.
fn subjects_of(app: &App, account: &Arc<AccountId>) -> Vec<Subject> {
    let own = [
        Subject::account(account),
        Subject::provider(&account.provider),
    ];
    let facts = app.accounts.get(account);
    let keys = facts.iter().flat_map(|facts| facts.subjects()).cloned();
    own.into_iter().chain(keys).collect()
}

fn tell_state(app: &App) -> Result<Response<ReplyBody>, ProxyError> {
    let state = State::read(app);
    let next = state.next(app);
    super::json(&StateAfter {
        state: StateView::of(app, &state, &next),
        still_out: still_out(&state),
    })
}

fn tell_model(app: &App, id: &ModelId) -> Result<Response<ReplyBody>, ProxyError> {
    let state = State::read(app);
    let mut models = state.list.iter().flat_map(|list| &list.models);
    // A new list may have arrived in between.
    let model = models
        .find(|state| state.offer.public_id == *id)
        .ok_or(ProxyError::ModelNotFound)?;
    super::json(&Cleared {
        model: ModelView::of(&app.traffic, model, state.now),
        still_out: still_out(&state),
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
    // `false` is the same as absent.
    let meant = |value: &Raw<'_>| value.as_bool() != Some(false);
    match (model, account.filter(meant), all.filter(meant)) {
        (Some(id), None, None) => {
            id.as_str()
                .map(|id| Target::Model(id.into_owned()))
                .ok_or(InvalidRequest::WrongType {
                    field: "model",
                    expected: "the id of a model",
                })
        }
        (None, Some(account), None) if account.as_bool() == Some(true) => Ok(Target::Accounts),
        (None, Some(account), None) => account
            .as_str()
            .map(|label| Target::Account(label.into_owned()))
            .ok_or(NO_ACCOUNT),
        (None, None, Some(all)) if all.as_bool() == Some(true) => Ok(Target::All),
        (None, None, Some(_)) => Err(InvalidRequest::WrongType {
            field: "all",
            expected: "true",
        }),
        (model, account, all) => Err(InvalidRequest::NotOne {
            of: "\"model\", \"account\" and \"all\"",
            found: [model, account, all].iter().flatten().count(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_one_model_or_an_account_or_all_is_cleared() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"model":"a:free"}"#,                "model a:free"),
            (r#"{"model":"a\u003afree","all":false}"#, "model a:free"),
            (r#"{"account":true}"#,                  "every account"),
            (r##"{"account":"groq#2"}"##,            "account groq#2"),
            (r#"{"account":"","all":false}"#,        "account "),
            (r#"{"account":false}"#,                 "0 of them"),
            (r#"{"account":7}"#,                     "\"account\" must be the label of an account, or true for all of them"),
            (r#"{"account":"groq","model":"a"}"#,    "2 of them"),
            (r#"{"all":true,"model":null}"#,         "all"),
            (r#"{}"#,                                "0 of them"),
            (r#"{"model":7}"#,                       "\"model\" must be the id of a model"),
            (r#"{"model":"a","all":true}"#,          "2 of them"),
            (r#"{"account":true,"all":true}"#,       "2 of them"),
            (r#"{"all":true,"account":1,"model":2}"#, "3 of them"),
            (r#"{"all":"true"}"#,                    "\"all\" must be true"),
            (r#"[]"#,                                "the body must be a JSON object"),
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
                Ok(Target::Accounts) => "every account".to_owned(),
                Ok(Target::All) => "all".to_owned(),
                Err(InvalidRequest::Json(_)) => "no JSON".to_owned(),
                Err(InvalidRequest::Duplicate(field)) => format!("{field} twice"),
                Err(InvalidRequest::DuplicateUnknown) => "a field twice".to_owned(),
                Err(InvalidRequest::NotOne { found, .. }) => format!("{found} of them"),
                Err(other) => other.to_string(),
            };
            assert_eq!(got, expected, "{body}");
        }
    }
}
