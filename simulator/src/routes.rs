//! Which answer a request gets: the routes, the key, the record, and the simulator's own controls.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use serde_json::Value;

use crate::Simulator;
use crate::act::{Act, Framing, Reply};
use crate::answers::Answer;
use crate::asked::Asked;
use crate::clock::Now;
use crate::failed::Failed;
use crate::failures::Failure;
use crate::list;
use crate::play::{Played, Subject};
use crate::program::Program;
use crate::providers::{Outcome, Place, Running};
use crate::record::Seen;
use crate::script::Recording;
use crate::step::Step;
use crate::wire::Request;

/// An answer ready to be played.
pub(super) struct Answered {
    pub(super) acts: Arc<[Act]>,
    /// Its number in the record, if it is kept.
    pub(super) seen: Option<u64>,
    /// The request counts as in progress while this lives.
    pub(super) _running: Option<Running>,
}

const LIST_HEADERS: &[(&str, &str)] = &[
    ("Content-Type", "application/json; charset=utf-8"),
    ("Access-Control-Allow-Origin", "*"),
    ("X-Free-LLM-Seed", "false"),
];
const CATALOGUE_HEADERS: &[(&str, &str)] = &[(
    "Cache-Control",
    "public, max-age=120, stale-while-revalidate=3600, stale-if-error=3600",
)];

impl Simulator {
    /// The answer to a request on the connection with this number.
    pub(super) fn answer(&self, request: &Request, connection: u64) -> Answered {
        let now = self.read_clock();
        let program = self.shared.program.load_full();
        let method = if request.method == "HEAD" {
            "GET"
        } else {
            request.method.as_str()
        };
        if let Some(reply) = self.control(method, request) {
            return Answered {
                acts: finished(request, reply).into(),
                seen: None,
                _running: None,
            };
        }
        let place = Place::of(request.path(), method, &program.script);
        let chat = match (method, request.path(), &place) {
            ("POST", "/api/v1/chat/completions", _) => Some(Asked::read(&request.body)),
            ("POST", "/api/v1/completions", _) => {
                Some(Asked::read(&request.body).map(Asked::at_the_legacy_endpoint))
            }
            (_, _, Some(place)) => place.asked(&request.body),
            _ => None,
        };
        let model = chat
            .as_ref()
            .and_then(|chat| chat.as_ref().ok())
            .map(|asked| asked.model.to_string());
        let provider = match (&place, request.path()) {
            (Some(place), _) => Some(&*place.provider.name),
            (None, path) => path.starts_with("/api/v1/").then_some("openrouter"),
        };
        let outcome = match (&place, chat) {
            (Some(place), chat) => self.provided(&program, place, request, chat, now),
            (None, Some(asked)) => self.chat(&program, request, asked, now),
            (None, None) => {
                let played = document(&program, method, request, now);
                Outcome::new(request, None, None, played)
            }
        };
        if let (Some(provider), true) = (provider, model.is_some()) {
            self.shared.record.count(provider, &outcome);
        }
        let seen = self.keep(&program, request, connection, now, |seen| Seen {
            model,
            provider: provider.map(str::to_owned),
            account: outcome.account.clone(),
            status: outcome.status,
            why: outcome.why.clone(),
            ..seen
        });
        Answered {
            acts: outcome.acts,
            seen,
            _running: outcome.running,
        }
    }

    fn keep(
        &self,
        program: &Program,
        request: &Request,
        connection: u64,
        now: Now,
        told: impl FnOnce(Seen) -> Seen,
    ) -> Option<u64> {
        let body = match program.script.record {
            Recording::All => request.body.clone(),
            Recording::Heads => Bytes::new(),
            Recording::Off => return None,
        };
        Some(self.shared.record.push(told(Seen {
            model: None,
            provider: None,
            account: None,
            status: None,
            why: None,
            method: request.method.clone(),
            path: request.path().to_owned(),
            headers: request.headers.clone(),
            body,
            connection,
            at: now,
            closed_early: false,
            finished: false,
        })))
    }

    fn chat(
        &self,
        program: &Program,
        request: &Request,
        asked: Result<Asked<'_>, Failure>,
        now: Now,
    ) -> Outcome {
        let end = |why, played| Outcome::new(request, None, why, played);
        if let Some(refused) = refused(program, request) {
            return end(Some("key".to_owned()), Played::Reply(refused));
        }
        let asked = match asked {
            Ok(asked) => asked,
            Err(failure) => {
                let why = Some("malformed".to_owned());
                return end(why, Played::Reply(recorded(failure)));
            }
        };
        let number = self.shared.answers.fetch_add(1, Ordering::Relaxed);
        let subject = Subject::Chat {
            asked: &asked,
            number,
            prompt_bytes: request.body.len(),
        };
        let Some(step) = program.model(&asked.model) else {
            let good = subject.good(&Answer::default(), now);
            return end(None, Played::Reply(good));
        };
        match step {
            Step::Ok(answer)
                if program.script.record == Recording::Off
                    && !asked.legacy
                    && request.is_1_1
                    && request.keep_alive
                    && (answer.text.is_some() || !answer.tool_calls.is_empty()) =>
            {
                let make = || settled(request, subject.meets(step, now));
                Outcome {
                    acts: program.cached(step, &asked.model, asked.streamed(), make),
                    status: Some(200),
                    ..Outcome::default()
                }
            }
            Step::Ok(_)
            | Step::ToolCall(_)
            | Step::Status(_)
            | Step::Failure(_)
            | Step::Case(_)
            | Step::Stream(_)
            | Step::Stall(_)
            | Step::Close(_)
            | Step::Reset(_)
            | Step::Raw(_)
            | Step::Redirect(_)
            | Step::NextList
            | Step::Task(_) => end(step.in_words(), subject.meets(step, now)),
        }
    }
}

/// The routes that answer with a document.
fn document(program: &Program, method: &str, request: &Request, now: Now) -> Played {
    let (body, headers, step): (Bytes, &[(&str, &str)], _) = match (method, request.path()) {
        ("GET", "/api/free-llm/top-models") => {
            (list::TOP_MODELS.into(), LIST_HEADERS, program.list())
        }
        ("GET", "/api/v1/models") => {
            let catalogue = list::catalogue(&current_list(program));
            (
                catalogue.to_string().into(),
                CATALOGUE_HEADERS,
                program.catalogue(),
            )
        }
        ("GET", "/api/v1/key" | "/api/v1/auth/key") => {
            if let Some(refused) = refused(program, request) {
                return Played::Reply(refused);
            }
            (list::key().to_string().into(), &[], program.key())
        }
        (
            _,
            "/api/free-llm/top-models"
            | "/api/v1/chat/completions"
            | "/api/v1/completions"
            | "/api/v1/models"
            | "/api/v1/key",
        ) => {
            return Played::Reply(Reply::error(405, "Method Not Allowed"));
        }
        _ => return Played::Reply(recorded(Failure::NotFound)),
    };
    let subject = Subject::Document { body, headers };
    match step {
        Some(step) => subject.meets(step, now),
        None => Played::Reply(subject.good(&Answer::default(), now)),
    }
}

/// The list that was read last, or the sample if that was not a list.
fn current_list(program: &Program) -> Value {
    match program.listed() {
        Some(Step::Status(status)) if status.body["models"].is_array() => status.body.clone(),
        Some(Step::NextList) => serde_json::from_str(list::TOP_MODELS_NEXT).unwrap_or_default(),
        Some(_) | None => serde_json::from_str(list::TOP_MODELS).unwrap_or_default(),
    }
}

/// A failure that needs no script.
fn recorded(failure: Failure) -> Reply {
    Failed::from(failure).reply("", false, Now::read())
}

/// The 401 of a wrong key.
fn refused(program: &Program, request: &Request) -> Option<Reply> {
    let right = program.script.upstream_key.as_ref()?;
    let Some(given) = request.headers.get(http::header::AUTHORIZATION) else {
        return Some(recorded(Failure::NoCredentials));
    };
    let given = given
        .to_str()
        .ok()
        .and_then(|value| value.strip_prefix("Bearer "));
    (given != Some(right)).then(|| recorded(Failure::UserNotFound))
}

fn settled(request: &Request, played: Played) -> Vec<Act> {
    match played {
        Played::Reply(reply) => finished(request, reply),
        Played::Acts(acts) => acts,
    }
}

/// The acts of an answer, in a form that this request's client understands.
pub(super) fn finished(request: &Request, mut reply: Reply) -> Vec<Act> {
    if request.method == "HEAD" {
        reply = reply.without_body();
    } else if !request.is_1_1 && reply.framing == Framing::Chunked {
        reply.framing = Framing::UntilClose;
    }
    if !request.keep_alive {
        reply = reply.set("Connection", "close");
    }
    reply.compile()
}
