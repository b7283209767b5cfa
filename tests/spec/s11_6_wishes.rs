//! §11.6: a request wishes for another order than the setting's.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Answer as Said, Plan, PlanEnd, Point, Script, Step};
use tokio::time::{Instant, sleep};

use crate::rig::{Answer, Rig, abc, ranking};
use crate::s2_list::WISHES;
use crate::scripts::STALL;

const CHAT: &str = "/v1/chat/completions";
const ALIASES: (&str, &str) = ("MODEL_ALIASES", "gpt-5=auto:fast, claude-haiku-*=auto:fast");

/// Its first token takes so many seconds.
fn slow(seconds: u64) -> Step {
    Step::from(Said {
        first_delay_ms: seconds * 1000,
        ..Said::text("hello")
    })
}

/// A proxy whose `a` has just taken so many seconds to its first token. Asked by rank, whatever the setting
/// is: so no limit has cut it short.
async fn a_took(seconds: u64, settings: &[(&str, &str)]) -> Rig {
    let plan = Plan::from([slow(seconds)]).then(PlanEnd::Ok);
    let rig = Rig::paused(abc().model("a:free", plan), settings).await;
    wishes(&rig, "auto:rank", "taught").await;
    assert_eq!(rig.asked(), "a");
    rig
}

/// A stream with this `model`, in this session.
async fn wishes(rig: &Rig, model: &str, session: &str) -> Answer {
    let mut body = Rig::hello_stream();
    body["model"] = model.into();
    body["session_id"] = session.into();
    rig.chat(&body).await
}

#[tokio::test(start_paused = true)]
async fn s11_6_a_wish_weighs_place_against_speed_whatever_the_setting() {
    #[rustfmt::skip]
    let rows = [
        // the first token of `a` took, s
        //         auto  auto:best  auto:fast  auto:rank
        (2,  "rank",     "a a a a"),
        (4,  "rank",     "a a b a"),
        (6,  "rank",     "a a b a"),
        (20, "rank",     "a b b a"),
        (2,  "balanced", "a a a a"),
        (4,  "balanced", "a a b a"),
        (6,  "balanced", "b a b a"),
        (20, "balanced", "b b b a"),
    ];
    for (seconds, routing, expected) in rows {
        let mut asked = Vec::new();
        for wish in WISHES {
            let rig = a_took(seconds, &[("ROUTING", routing)]).await;
            assert_eq!(wishes(&rig, wish, "1").await.status, 200);
            asked.push(rig.asked());
        }
        assert_eq!(asked.join(" "), expected, "{seconds} {routing}");
    }
}

/// A plain request at this door, with this `model`, and a session of its own.
fn through(path: &str, model: &str) -> Value {
    let hello = format!("{path} {model}");
    match path {
        "/v1/responses" => json!({"model": model, "input": hello}),
        "/v1/completions" => json!({"model": model, "prompt": hello}),
        _ => {
            let messages = json!([{"role": "user", "content": hello}]);
            json!({"model": model, "max_tokens": 9, "messages": messages})
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s11_6_a_wish_counts_at_every_door_whatever_model_field_says() {
    for field in ["ignore", "prefer", "pin"] {
        let settings = [("ROUTING", "balanced"), ("MODEL_FIELD", field), ALIASES];
        let rig = a_took(4, &settings).await;
        for path in [CHAT, "/v1/completions", "/v1/responses", "/v1/messages"] {
            #[rustfmt::skip]
            let rows = [
                // model             asks   by
                ("auto",             "a",   None),
                ("auto:fast",        "b",   Some("auto:fast")),
                ("gpt-5",            "b",   Some("auto:fast")),
                ("claude-haiku-4-5", "b",   Some("auto:fast")),
            ];
            for (model, asked, wish) in rows {
                let answer = rig.post(path, &through(path, model)).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                assert_eq!(rig.asked(), asked, "{field} {path} {model}");
                let line = rig.line(&answer);
                assert_eq!(line["wish"].as_str(), wish, "{field} {path} {model}");
                assert_eq!(line["model_ignored"], Value::Null, "{field} {model}");
                let header = answer.header("x-free-llm-proxy-wish");
                assert_eq!(header, wish.unwrap_or_default(), "{field} {path} {model}");
            }
        }
        let counted = through("/v1/messages", "auto:fast");
        let counted = rig.post("/v1/messages/count_tokens", &counted).await;
        assert_eq!(counted.status, 200, "{counted:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_6_what_is_nearly_a_wish_is_one_only_if_its_meaning_is_certain() {
    let not_found = "404 model_not_found";
    #[rustfmt::skip]
    let rows = [
        // model                   under ignore   prefer   pin
        ("Auto:Fast",              "b",           "b",     "b"),
        ("AUTO:FAST",              "b",           "b",     "b"),
        ("auto:fast:latest",       "b",           "b",     "b"),
        ("auto:fast:LATEST",       "b",           "b",     "b"),
        ("auto:latest",            "a",           "a",     "a"),
        // A provider's own, in the order of the setting.
        ("openrouter/auto",        "a ignored",   "a",     "a"),
        // Names, and nobody's.
        ("auto:slow",              "a ignored",   "a",     not_found),
        ("auto:",                  "a ignored",   "a",     not_found),
        ("openrouter/auto:fast",   "a ignored",   "a",     not_found),
        ("openai/auto:fast",       "a ignored",   "a",     not_found),
        (" auto:fast",             "a ignored",   "a",     not_found),
    ];
    for (place, field) in ["ignore", "prefer", "pin"].into_iter().enumerate() {
        for (model, ignore, prefer, pin) in rows {
            let settings = [("ROUTING", "balanced"), ("MODEL_FIELD", field)];
            let rig = a_took(4, &settings).await;
            let answer = wishes(&rig, model, model).await;
            let line = rig.line(&answer);
            let told = match answer.status {
                200 if line["model_ignored"] == true => format!("{} ignored", rig.asked()),
                200 => rig.asked(),
                status => format!("{status} {}", answer.code()),
            };
            assert_eq!(told, [ignore, prefer, pin][place], "{field} {model:?}");
        }
    }
}

#[tokio::test]
async fn s11_6_wishes_are_listed_first_and_each_is_found() {
    for field in ["ignore", "prefer", "pin"] {
        let rig = Rig::with(abc(), &[("MODEL_FIELD", field), ALIASES]).await;
        let list = rig.get("/v1/models").await.json();
        let data = list["data"].as_array().unwrap();
        let ids: Vec<_> = data
            .iter()
            .map(|model| model["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids[..4], WISHES, "{field}");
        assert_eq!(ids[4..], ["a:free", "b:free", "c:free"], "{field}");
        for wish in &data[..4] {
            assert_eq!(wish["context_length"], data[0]["context_length"]);
            assert!(wish["name"].is_string(), "{wish}");
        }
        #[rustfmt::skip]
        let rows = [
            // spelt                 found
            ("auto",                 Some("auto")),
            ("auto:best",            Some("auto:best")),
            ("auto%3Afast",          Some("auto:fast")),
            ("auto:rank",            Some("auto:rank")),
            ("Auto:Fast",            Some("auto:fast")),
            ("auto:latest",          Some("auto")),
            ("gpt-5",                Some("auto:fast")),
            ("claude-haiku-4-5",     Some("auto:fast")),
            ("auto:slow",            None),
            ("openrouter/auto:fast", None),
        ];
        for (spelt, found) in rows {
            let answer = rig.get(&format!("/v1/models/{spelt}")).await;
            match found {
                Some(id) => {
                    let place = WISHES.iter().position(|wish| *wish == id).unwrap();
                    assert_eq!(answer.json(), data[place], "{field} {spelt}");
                }
                None => answer.is_error(404, "model_not_found"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s11_6_rests_are_those_of_the_requests_own_order() {
    let fails = || Step::status(500, &[], "");
    #[rustfmt::skip]
    let rows = [
        // setting    wish         the rest of a failure, s   after a break in mid-stream
        ("balanced",  "auto",      "5",                       200),
        ("balanced",  "auto:best", "5",                       200),
        ("balanced",  "auto:fast", "5",                       200),
        ("balanced",  "auto:rank", "60",                      503),
        ("rank",      "auto",      "60",                      503),
        ("rank",      "auto:best", "5",                       200),
        ("rank",      "auto:fast", "5",                       200),
        ("rank",      "auto:rank", "60",                      503),
    ];
    for (routing, wish, rest, then) in rows {
        let alone = |step| {
            let plan = Plan::from([step]).then(PlanEnd::Ok);
            abc().list(ranking(&["a:free"])).model("a:free", plan)
        };
        let rig = Rig::paused(alone(fails()), &[("ROUTING", routing)]).await;
        let answer = wishes(&rig, wish, "1").await;
        assert_eq!(answer.header("retry-after"), rest, "{routing} {wish}");
        rig.anew(alone(Step::Close(Point::MidBody))).await;
        let broken = wishes(&rig, wish, "1").await;
        assert!(broken.text().contains("upstream_error"), "{broken:?}");
        let again = wishes(&rig, wish, "1").await;
        assert_eq!(again.status, then, "{routing} {wish}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_6_so_is_the_limit_on_the_first_token() {
    #[rustfmt::skip]
    let rows = [
        // setting    wish         asked   in, s
        ("balanced",  "auto",      "a b",  7),
        ("balanced",  "auto:rank", "a",    20),
        ("rank",      "auto",      "a",    20),
        ("rank",      "auto:best", "a b",  7),
        ("rank",      "auto:fast", "a b",  7),
    ];
    for (routing, wish, asked, took) in rows {
        let script = abc().model("a:free", slow(20));
        let rig = Rig::paused(script, &[("ROUTING", routing)]).await;
        let start = Instant::now();
        wishes(&rig, wish, "1").await;
        assert_eq!(start.elapsed().as_secs(), took, "{routing} {wish}");
        assert_eq!(rig.asked(), asked, "{routing} {wish}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_6_a_session_is_remembered_where_the_setting_or_the_wish_is_by_cost() {
    #[rustfmt::skip]
    let rows = [
        // setting    at first     which takes, s   then         in another session   in its own
        ("balanced",  "auto:rank", 6,               "auto",      "b",                 "a"),
        ("balanced",  "auto:best", 3,               "auto:fast", "b",                 "a"),
        ("rank",      "auto:best", 3,               "auto:fast", "b",                 "a"),
        ("rank",      "auto",      3,               "auto:fast", "b",                 "b"),
        ("rank",      "auto:best", 3,               "auto",      "a",                 "a"),
    ];
    for (routing, first, seconds, then, other, own) in rows {
        let plan = Plan::from([slow(seconds)]).then(PlanEnd::Ok);
        let rig = Rig::paused(abc().model("a:free", plan), &[("ROUTING", routing)]).await;
        wishes(&rig, first, "1").await;
        assert_eq!(rig.asked(), "a", "{routing} {first}");
        for (session, expected) in [("2", other), ("1", own)] {
            wishes(&rig, then, session).await;
            assert_eq!(rig.asked(), expected, "{routing} {first} {then} {session}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s11_6_who_has_waited_still_has_its_wish() {
    let settings = [("ROUTING", "rank"), ("WAIT_SEC", "20")];
    for (wish, expected) in [("auto", "a a"), ("auto:fast", "b b")] {
        let rig = a_took(4, &settings).await;
        let minute = Step::status(
            429,
            &[("Retry-After", "3")],
            json!({"error": {"code": 429, "message": "Rate limit exceeded: free-models-per-min. "}}),
        );
        rig.simulator
            .set_account(Plan::from([minute]).then(PlanEnd::Ok));
        let start = Instant::now();
        let answer = wishes(&rig, wish, "1").await;
        assert_eq!((answer.status, start.elapsed().as_secs()), (200, 3));
        assert_eq!(rig.asked(), expected, "{wish}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_6_the_wish_is_named_where_nothing_has_answered_yet() {
    let rig = Rig::paused(abc().model("a:free", slow(20)), &[]).await;
    let mut body = Rig::hello_stream();
    body["model"] = json!("auto:rank");
    let start = Instant::now();
    let response = rig.open("POST", CHAT, &[], body.to_string()).await;
    assert_eq!(
        start.elapsed(),
        Duration::from_secs(15),
        "the first keep-alive"
    );
    let wish = response.headers().get("x-free-llm-proxy-wish");
    assert_eq!(wish.unwrap(), "auto:rank");
    assert!(response.headers().get("x-free-llm-proxy-model").is_none());
    drop(response);
    let exposed = rig.get("/health").await;
    let exposed = exposed.header("access-control-expose-headers");
    assert!(exposed.contains("x-free-llm-proxy-wish"), "{exposed}");
}

#[tokio::test(start_paused = true)]
async fn s11_6_who_is_turned_away_is_logged_with_its_wish() {
    let script = Script::new().list(STALL).catalogue(STALL);
    let rig = Rig::paused_cold(script, &[]);
    let answer = wishes(&rig, "auto:fast", "1").await;
    answer.is_error(503, "not_ready");
    assert_eq!(rig.line(&answer)["wish"], "auto:fast");
}

#[tokio::test(start_paused = true)]
async fn s11_6_explain_shows_the_order_and_the_cost_of_a_wish() {
    let words = |place: &str| {
        let place = if place.is_empty() {
            String::new()
        } else {
            format!("{place} s for its place, ")
        };
        json!(format!(
            "{place}1.5 s to the first token, 0.1 s for failures"
        ))
    };
    let a = || json!("2.8 s to the first token");
    #[rustfmt::skip]
    let rows = [
        // model        its wish      who, at what cost
        ("auto:best",   "auto:best",  [("a", a()),             ("b", words("8.0")), ("c", words("16.0"))]),
        ("auto:fast",   "auto:fast",  [("b", words("0.5")),    ("c", words("1.0")), ("a", a())]),
        ("gpt-5",       "auto:fast",  [("b", words("0.5")),    ("c", words("1.0")), ("a", a())]),
        ("auto",        "auto",       [("a", a()),             ("b", words("2.0")), ("c", words("4.0"))]),
        ("auto:rank",   "auto:rank",  [("a", Value::Null),     ("b", Value::Null),  ("c", Value::Null)]),
        ("auto:slow",   "auto",       [("a", a()),             ("b", words("2.0")), ("c", words("4.0"))]),
    ];
    let rig = a_took(4, &[("ROUTING", "balanced"), ALIASES]).await;
    for (model, wish, expected) in rows {
        let mut body = Rig::hello_stream();
        body["model"] = model.into();
        body["session_id"] = model.into();
        let told = rig.post("/admin/explain", &body).await.json();
        assert_eq!(told["wish"], wish, "{model}");
        let asked_for = (model == "auto:slow").then_some(model);
        assert_eq!(told["model_asked_for"].as_str(), asked_for);
        let through = told["through"].as_array().unwrap().iter();
        let through: Vec<_> = through
            .map(|one| {
                let name = one["model"].as_str().unwrap().replace(":free", "");
                (name, one["cost"].clone())
            })
            .collect();
        let expected = expected.map(|(name, cost)| (name.to_owned(), cost));
        assert_eq!(through, expected, "{model}");
    }
    // As explained.
    for (model, asked) in [("auto:fast", "b"), ("auto:best", "a")] {
        wishes(&rig, model, model).await;
        assert_eq!(rig.asked(), asked, "{model}");
    }
    sleep(Duration::from_secs(3600)).await;
    wishes(&rig, "auto:fast", "an hour later").await;
    assert_eq!(rig.asked(), "a", "what was learnt is forgotten");
}
