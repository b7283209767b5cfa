//! Which answer a request gets: the routes, the key, the record, and the simulator's own controls.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use serde_json::{Value, json};

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
use crate::record::Seen;
use crate::script::{Recording, Script};
use crate::step::Step;
use crate::wire::Request;

/// An answer ready to be played.
pub(super) struct Answered {
    pub(super) acts: Arc<[Act]>,
    /// Its number in the record, if it is kept.
    pub(super) seen: Option<u64>,
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
        let now = Now::read();
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
            };
        }
        let chat = match (method, request.path()) {
            ("POST", "/api/v1/chat/completions") => Some(Asked::read(&request.body)),
            ("POST", "/api/v1/completions") => {
                Some(Asked::read(&request.body).map(Asked::at_the_legacy_endpoint))
            }
            _ => None,
        };
        let model = chat
            .as_ref()
            .and_then(|chat| chat.as_ref().ok())
            .map(|asked| &*asked.model);
        let seen = self.keep(&program, request, model, connection, now);
        let acts = match chat {
            Some(asked) => self.chat(&program, request, asked, now),
            None => {
                let played = document(&program, method, request, now);
                settled(request, played).into()
            }
        };
        Answered { acts, seen }
    }

    fn keep(
        &self,
        program: &Program,
        request: &Request,
        model: Option<&str>,
        connection: u64,
        now: Now,
    ) -> Option<u64> {
        let body = match program.script.record {
            Recording::All => request.body.clone(),
            Recording::Heads => Bytes::new(),
            Recording::Off => return None,
        };
        Some(self.shared.record.push(Seen {
            model: model.map(str::to_owned),
            method: request.method.clone(),
            path: request.path().to_owned(),
            headers: request.headers.clone(),
            body,
            connection,
            at: now,
            closed_early: false,
            finished: false,
        }))
    }

    fn chat(
        &self,
        program: &Program,
        request: &Request,
        asked: Result<Asked<'_>, Failure>,
        now: Now,
    ) -> Arc<[Act]> {
        if let Some(refused) = refused(program, request) {
            return finished(request, refused).into();
        }
        let asked = match asked {
            Ok(asked) => asked,
            Err(failure) => return finished(request, recorded(failure)).into(),
        };
        let number = self.shared.answers.fetch_add(1, Ordering::Relaxed);
        let subject = Subject::Chat {
            asked: &asked,
            number,
            prompt_bytes: request.body.len(),
        };
        let Some(step) = program.model(&asked.model) else {
            return finished(request, subject.good(&Answer::default(), now)).into();
        };
        let make = || settled(request, subject.meets(step, now));
        match step {
            Step::Ok(answer)
                if program.script.record == Recording::Off
                    && !asked.legacy
                    && request.is_1_1
                    && request.keep_alive
                    && (answer.text.is_some() || !answer.tool_calls.is_empty()) =>
            {
                program.cached(step, &asked.model, asked.streamed(), make)
            }
            Step::Ok(_)
            | Step::ToolCall(_)
            | Step::Status(_)
            | Step::Failure(_)
            | Step::Stream(_)
            | Step::Stall(_)
            | Step::Close(_)
            | Step::Reset(_)
            | Step::Raw(_)
            | Step::Redirect(_)
            | Step::NextList
            | Step::Task(_) => make().into(),
        }
    }

    /// The simulator's own routes.
    fn control(&self, method: &str, request: &Request) -> Option<Reply> {
        Some(match (method, request.path()) {
            ("PUT", "/script") => match Script::from_json(&request.body) {
                Ok(script) => {
                    self.set_script(script);
                    Reply::json(200, &json!({"ok": true}))
                }
                Err(why) => Reply::error(400, &format!("the script cannot be read: {why}")),
            },
            ("GET", "/requests") => {
                let requests: Vec<Value> = self.requests().iter().map(Seen::told).collect();
                let connections = json!({"accepted": self.accepted(), "open": self.open()});
                Reply::json(
                    200,
                    &json!({"connections": connections, "requests": requests}),
                )
            }
            ("DELETE", "/requests") => {
                self.clear_requests();
                Reply::json(200, &json!({"ok": true}))
            }
            ("GET", "/") => Reply::json(200, &json!({"name": "free-llm-proxy simulator"})),
            (_, "/script" | "/requests") => Reply::error(405, "Method Not Allowed"),
            _ => return None,
        })
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

/// The list that was read last, or the sample if that was none.
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

/// The acts of an answer, as this request can take it.
fn finished(request: &Request, mut reply: Reply) -> Vec<Act> {
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
