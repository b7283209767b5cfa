//! What an upstream can do wrong, what the client sees of it, and how long the model rests.
//!
//! One table. Each row is played twice, plain and streamed, to a proxy that knows the models `a`,
//! `b` and `c`, in this order; `a` meets the fault once, the others work. Hangs run over pipes and
//! a paused clock, everything else over real sockets.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use free_llm_proxy::clock::Now;
use free_llm_proxy::model::{ModelId, ProviderId, Subject, Whom};
use free_llm_proxy::registry::Standing;
use serde_json::{Value, json};
use simulator::{Greeting, Plan, PlanEnd, Script, Simulator, Step};
use tokio::net::TcpListener;

use crate::faults::*;
use crate::rig::{Answer, Rig, abc, ranking};
use crate::scripts::said;

/// What happened to one request.
struct Seen {
    what: String,
    rest: u64,
    took: Duration,
}

#[tokio::test]
async fn upstream_faults_over_sockets() {
    let rig = Rig::start(abc()).await;
    let mut table = Table::new("Faults of the upstream");
    // The dates come last, and are created when it is their turn.
    let waits = std::iter::once_with(waits).flatten();
    for row in transport().into_iter().chain(content()).chain(waits) {
        let mut seen = [None, None];
        for (at, body) in [Rig::hello(), Rig::hello_stream()].iter().enumerate() {
            seen[at] = match &row.1 {
                Fault::Steps(plain, stream) => match [plain, stream][at] {
                    Some(step) => Some(played(&rig, step, body).await),
                    None => None,
                },
                Fault::Greeting(greeting) => Some(greeted(*greeting, body).await),
                Fault::Refused => Some(refused(body).await),
                Fault::Pipes(..) | Fault::Stalled => None,
            };
        }
        if seen.iter().any(Option::is_some) {
            table.row(&row, &seen);
        }
    }
    println!("{}", table.text());
    table.is_right();
}

#[tokio::test(start_paused = true)]
async fn upstream_hangs_under_a_paused_clock() {
    let rig = Rig::paused(abc(), &[]).await;
    let mut table = Table::new("Hangs of the upstream (`took` is simulated time)");
    for row in transport() {
        let mut seen = [None, None];
        for (at, body) in [Rig::hello(), Rig::hello_stream()].iter().enumerate() {
            seen[at] = match &row.1 {
                Fault::Pipes(plain, stream) => match [plain, stream][at] {
                    Some(step) => Some(played(&rig, step, body).await),
                    None => None,
                },
                Fault::Stalled => Some(stalled(body).await),
                Fault::Steps(..) | Fault::Greeting(_) | Fault::Refused => None,
            };
        }
        if seen.iter().any(Option::is_some) {
            table.row(&row, &seen);
        }
    }
    println!("{}", table.text());
    table.is_right();
}

async fn played(rig: &Rig, step: &Step, body: &Value) -> Seen {
    rig.anew(abc().model("a:free", Plan::from(step.clone()).then(PlanEnd::Last)))
        .await;
    asked(rig, body).await
}

/// No connection is left from reading list, catalogue and key endpoint, unless it is meant to be a
/// stale one.
async fn greeted(greeting: Greeting, body: &Value) -> Seen {
    if matches!(greeting, Greeting::DieAfter(_)) {
        return asked(&Rig::start(abc().connections(greeting)).await, body).await;
    }
    let rig = Rig::start(abc().connections(Greeting::CloseAfter(1))).await;
    all_read(&rig).await;
    let greetings = Plan::from([greeting]).then(PlanEnd::Ok);
    rig.simulator.set_script(abc().connections(greetings));
    asked(&rig, body).await
}

async fn all_read(rig: &Rig) {
    // The key endpoint is read last.
    let key_read = |simulator: &Simulator| {
        let requests = simulator.requests();
        requests.iter().any(|seen| seen.path.ends_with("/key"))
    };
    rig.simulator
        .until(|simulator| simulator.open() == 0 && key_read(simulator))
        .await;
}

async fn refused(body: &Value) -> Seen {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/api/v1", free.local_addr().unwrap());
    drop(free);
    asked(
        &Rig::with(abc(), &[("UPSTREAM_BASE_URL", &base)]).await,
        body,
    )
    .await
}

async fn stalled(body: &Value) -> Seen {
    let rig = Rig::paused(abc().connections(Greeting::CloseAfter(1)), &[]).await;
    all_read(&rig).await;
    rig.simulator.set_script(abc().connections(Greeting::Stall));
    asked(&rig, body).await
}

async fn asked(rig: &Rig, body: &Value) -> Seen {
    let begun = tokio::time::Instant::now();
    let answer = tokio::time::timeout(Duration::from_secs(600), rig.chat(body))
        .await
        .expect("every wait has a bound");
    let took = begun.elapsed();
    let rest = rest(rig);
    // One line for it, and no panic. (`Rig::line` reads all lines each time.)
    let id = answer.header("x-request-id");
    let mut lines = rig.log.all();
    let panicked = lines.iter().any(|line| line.contains("handler_panicked"));
    lines.retain(|line| line.contains(id));
    assert!(lines.len() == 1 && !panicked, "{lines:#?}");
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["event"], "request_done", "{line}");
    assert_eq!(line["status"], answer.status, "{line}");
    let what = what(&answer, body["stream"] == true);
    Seen { what, rest, took }
}

fn openrouters(id: &str) -> Subject {
    let id = ModelId::try_from(id).unwrap();
    Subject::new(Whom::Model(ProviderId::openrouter(), id))
}

/// How long the model that failed rests from now on, in whole seconds (the last one, if all did).
fn rest(rig: &Rig) -> u64 {
    let now = Now::read();
    let left = |id| match rig
        .app
        .registry()
        .with_rests(|rests| rests.standing(&openrouters(id), now))
    {
        Standing::Resting(wake) => wake.left(now),
        Standing::Awake | Standing::Probing => Duration::ZERO,
    };
    let longest = ["a:free", "b:free", "c:free"].map(left).into_iter().max();
    longest.unwrap_or_default().as_secs_f64().ceil() as u64
}

/// The client's side, in the words of the table. Whatever it is, it must be well-formed.
fn what(answer: &Answer, streamed: bool) -> String {
    if answer.status != 200 {
        let code = answer.code();
        let own = if code.is_empty() { "" } else { " " };
        return format!("{}{own}{code}", answer.status);
    }
    let comment = ": x-free-llm-proxy-model: ";
    let named = answer.header("x-free-llm-proxy-model").to_owned();
    let text = answer.text();
    let aloud = text.lines().find_map(|line| line.strip_prefix(comment));
    let model = aloud.unwrap_or(&named);
    if text.len() > 1 << 20 {
        assert!(text.contains(&"x".repeat(10 << 20)), "10 MB come whole");
    }
    if !streamed {
        assert!(!said(answer).is_empty(), "{text}");
        assert_eq!(model == "b:free", said(answer) == B, "{text}");
        return served(model, false);
    }
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let mut events = answer.events();
    assert_eq!(events.pop().as_deref(), Some("[DONE]"), "it ends in [DONE]");
    assert!(!events.contains(&"[DONE]".to_owned()), "and in one");
    // Every other event is JSON; the error frame, if there is one, is the last and the only one.
    let parsed: Vec<Value> = events
        .iter()
        .map(|event| serde_json::from_str(event).unwrap())
        .collect();
    let errors: Vec<_> = parsed
        .iter()
        .filter(|event| event.get("error").is_some())
        .collect();
    assert!(errors.len() <= 1, "{text}");
    if let Some(error) = errors.first() {
        assert!(parsed.last().unwrap().get("error").is_some(), "{text}");
        let code = error["error"]["code"].as_str().unwrap();
        let second = code != "all_models_unavailable" && text.contains("b:free");
        assert!(!second, "never a second model: {text}");
        return match code {
            "upstream_error" => FRAME.to_owned(),
            code => format!("{FRAME} {code}"),
        };
    }
    if model == "b:free" {
        assert_eq!(answer.content(), B, "nothing of a's");
    }
    served(model, aloud.is_some())
}

fn served(model: &str, aloud: bool) -> String {
    match (model, aloud) {
        ("a:free", false) => SERVED.to_owned(),
        ("b:free", false) => NEXT.to_owned(),
        ("b:free", true) => ALOUD.to_owned(),
        (other, _) => format!("200 from {other}"),
    }
}

/// The actual rows, and those that are wrong.
struct Table {
    begun: Instant,
    text: String,
    wrong: Vec<String>,
}

impl Table {
    fn new(title: &str) -> Self {
        let head = "| fault | plain | stream | rest | took |\n| --- | --- | --- | --- | --- |";
        Self {
            begun: Instant::now(),
            text: format!("\n### {title}\n\n{head}\n"),
            wrong: Vec::new(),
        }
    }

    fn row(&mut self, row: &Row, seen: &[Option<Seen>; 2]) {
        let Row(fault, _, plain, stream, rest) = row;
        let word = |seen: &Option<Seen>| {
            seen.as_ref()
                .map_or_else(|| NONE.to_owned(), |seen| seen.what.clone())
        };
        let words = [word(&seen[0]), word(&seen[1])];
        let known: Vec<&Seen> = seen.iter().flatten().collect();
        // The time the request took has passed; for a date (90 s) also the time until it was that
        // row's turn.
        let right = |seen: &&&Seen| {
            let slack = seen.took.as_secs() + if *rest == 90 { 3 } else { 0 };
            (rest.saturating_sub(slack)..=*rest).contains(&seen.rest)
        };
        let rests = if known.iter().all(|seen| right(&seen)) {
            lasting(*rest)
        } else {
            let rests: Vec<_> = known.iter().map(|seen| lasting(seen.rest)).collect();
            rests.join(" / ")
        };
        let took = known.iter().map(|seen| seen.took).max().unwrap_or_default();
        let took = match took.as_secs() {
            0 => "< 1 s".to_owned(),
            seconds => format!("{seconds} s"),
        };
        let (one, two) = (&words[0], &words[1]);
        writeln!(self.text, "| {fault} | {one} | {two} | {rests} | {took} |").unwrap();
        if words != [*plain, *stream] || rests != lasting(*rest) {
            let want = lasting(*rest);
            self.wrong.push(format!(
                "{fault}: {one} | {two} | {rests}, and not {plain} | {stream} | {want}"
            ));
        }
    }

    /// The table, printed even if a row was wrong.
    fn text(&self) -> String {
        format!("{}\n{:.1?} in all\n", self.text, self.begun.elapsed())
    }

    fn is_right(&self) {
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
    }
}

fn lasting(seconds: u64) -> String {
    match seconds {
        0 => "none".to_owned(),
        _ if seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        _ => format!("{seconds} s"),
    }
}

#[tokio::test]
async fn upstream_a_list_of_1000_models_is_walked_to_its_end_and_its_rests_are_known() {
    let ids: Vec<String> = (0..1000).map(|n| format!("vendor/m{n}:free")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let limited = Step::status(429, &[("Retry-After", "3600")], "");
    let script = Script::new()
        .list(ranking(&ids))
        .others(limited)
        .model("vendor/m999:free", Step::ok("the last one"));
    let rig = Rig::with(script, &[("MAX_FALLBACK_ATTEMPTS", "100")]).await;
    let begun = Instant::now();
    let mut body = Rig::hello();
    body["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]);
    body["seed"] = json!(1);
    // A hundred at a time, and none of them twice.
    for _ in 0..9 {
        rig.chat(&body)
            .await
            .is_error(503, "all_models_unavailable");
    }
    let tenth = rig.chat(&body).await;
    assert_eq!(said(&tenth), "the last one");
    assert_eq!(tenth.header("x-free-llm-proxy-attempts"), "100");
    assert_eq!(rig.simulator.models_asked(), ids, "each once, by rank");
    let walked = begun.elapsed();
    let begun = Instant::now();
    for body in [&body, &Rig::hello_stream()].repeat(100) {
        let answer = rig.chat(body).await;
        assert_eq!(answer.header("x-free-llm-proxy-attempts"), "1");
        assert_eq!(said(&answer), "the last one");
    }
    let each = begun.elapsed() / 200;
    println!(
        "\n1,000 models, 999 of them fail: {walked:.1?}; then 200 requests, {each:.1?} each\n"
    );
    assert!(walked < Duration::from_secs(30), "{walked:?}");
    assert!(each < Duration::from_millis(100), "{each:?}");
}
