//! §2: the list, when it is read, and what becomes of it. Failed reads: `s2_failed_reads`.

use std::io::Write as _;
use std::time::Duration;

use crate::rig::{MODELS, Rig, UPSTREAM_KEY};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use simulator::{
    Answer, Plan, PlanEnd, Point, Raw, RawPart, Script, Simulator, Status, Step, Then, list_of,
};
use tokio::net::TcpListener;

#[tokio::test(start_paused = true)]
async fn s2_the_list_is_read_at_start_and_then_every_period() {
    #[rustfmt::skip]
    let rows: [(Settings, u64, &[u64]); 3] = [
        // settings                      watched    read at
        (&[],                            7_300,     &[0, 3600, 7200]),
        (&[("MODELS_REFRESH_SEC", "600")], 1_801,   &[0, 600, 1200, 1800]),
        (&[("MODELS_REFRESH_SEC", "2.5")], 8,       &[0, 3, 5, 8]),
    ];
    for (settings, watched, expected) in rows {
        let rig = Rig::paused(Script::new(), settings).await;
        pass(watched).await;
        assert_eq!(reads(&rig), expected, "{settings:?}");
        let lines = rig.log.of("snapshot_refreshed");
        assert_eq!(lines.len(), expected.len());
        for line in lines {
            assert_eq!(
                (line["level"].as_str(), &line["count"], &line["skipped"]),
                (Some("INFO"), &json!(6), &json!(0))
            );
            let url = format!("http://simulator.test{}", Simulator::LIST_PATH);
            assert_eq!(line["url"], url);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s2_a_new_list_is_followed_from_its_read_on() {
    let rig = Rig::paused(Script::new().list(days(&[&["a"], &["b"]])), HOURLY).await;
    assert_eq!(ids(&rig).await, ["a:free"]);
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    pass(3601).await;
    assert_eq!(ids(&rig).await, ["b:free"]);
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    assert_eq!(rig.simulator.models_asked(), ["a:free", "b:free"]);
}

#[tokio::test(start_paused = true)]
async fn s2_what_orders_the_models_is_their_rank_alone() {
    #[rustfmt::skip]
    let rows = [
        // entries                                                                       by rank
        (r#"{"rank":2,"id":"b:free"},{"rank":1,"id":"a:free"}"#,                         "a:free b:free"),
        (r#"{"rank":1,"id":"b:free"},{"rank":1,"id":"a:free"}"#,                         "b:free a:free"),
        (r#"{"rank":1,"id":"a:free","score":1,"latencyMs":9999,"healthStatus":"failed"},
            {"rank":2,"id":"b:free","score":9,"latencyMs":1,"healthStatus":"passed"}"#,  "a:free b:free"),
        (r#"{"rank":7,"id":"a:free"},{"rank":900,"id":"b:free"}"#,                       "a:free b:free"),
        (r#"{"rank":1,"id":"a:free"},{"rank":2,"id":"b:free"},{"rank":3,"id":"a:free"}"#, "a:free b:free"),
        (r#"{"rank":3,"id":"a:free"},{"rank":2,"id":"b:free"},{"rank":1,"id":"a:free"}"#, "a:free b:free"),
        (r#"{"rank":1,"id":"a:free"},{"rank":0,"id":"b:free"},{"rank":-5,"id":"c:free"}"#, "c:free b:free a:free"),
        (r#"{"rank":1,"id":"a:free","unknown":{"deep":[1,{"x":null}]}}"#,                "a:free"),
    ];
    for (entries, expected) in rows {
        let list = format!(r#"{{"models":[{entries}],"more":[]}}"#);
        let rig = Rig::paused(Script::new().list(listed(&list)), &[]).await;
        assert_eq!(ids(&rig).await.join(" "), expected, "{entries}");
        let first = rig.chat(&Rig::hello()).await;
        assert_eq!(
            Some(first.header("x-free-llm-proxy-model")),
            expected.split(' ').next()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s2_bad_entries_are_skipped_with_one_warning_and_cost_nothing_else() {
    let long = "x".repeat(200);
    let list = json!({"models": [
        7, null, "a:free", [], {}, {"rank": 1}, {"id": "none:free"},
        {"rank": "1", "id": "text-rank:free"}, {"rank": [0], "id": "zero:free"}, {"rank": {}, "id": "minus:free"},
        {"rank": 1.5, "id": "half:free"}, {"rank": null, "id": "null:free"}, {"rank": 1, "id": 7},
        {"rank": 1, "id": ""}, {"rank": 1, "id": "cr\r\nX-Evil: 1:free"}, {"rank": 1, "id": "nul\u{0}:free"},
        {"rank": 1, "id": "sp ace:free"}, {"rank": 1, "id": "ключ:free"}, {"rank": 1, "id": format!("{long}:free")},
        {"rank": 1, "id": "vendor/could-be-billed"},
        {"rank": 2, "id": "good/one:free"}, {"rank": 3, "id": "good/two:free"}, {"rank": 4, "id": "good/two:free"},
    ]});
    let rig = Rig::paused(Script::new().list(listed(&list.to_string())), &[]).await;
    assert_eq!(ids(&rig).await, ["good/one:free", "good/two:free"]);
    let answer = rig.chat(&Rig::hello()).await;
    assert_eq!(answer.header("x-free-llm-proxy-model"), "good/one:free");
    let lines = rig.log.all();
    let warnings: Vec<_> = lines.iter().filter(|l| l.contains("WARNING")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    let read = &rig.log.of("snapshot_refreshed")[0];
    assert_eq!((&read["count"], &read["skipped"]), (&json!(2), &json!(21)));
    assert!(!lines.join("").contains("X-Evil"), "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn s2_the_periodic_read_keeps_cooldowns() {
    let limited = Step::status(429, &[("Retry-After", "90")], "");
    let rig = Rig::paused(
        Script::new().model(MODELS[0], Plan::from(limited).then(PlanEnd::Last)),
        &[("MODELS_REFRESH_SEC", "30")],
    )
    .await;
    rig.chat(&Rig::hello()).await;
    assert_eq!(rig.simulator.models_asked(), MODELS[..2]);
    rig.simulator.set_model(MODELS[0], Step::fitting());
    #[rustfmt::skip]
    let rows = [
        // seconds later, reads since start, first model asked
        (1,      1,    MODELS[1]),
        (60,     3,    MODELS[1]),
        (28,     3,    MODELS[1]),
        (2,      4,    MODELS[0]),
    ];
    for (later, read, asked) in rows {
        pass(later).await;
        assert_eq!(reads(&rig).len(), read);
        rig.chat(&Rig::hello()).await;
        let last = rig.simulator.models_asked().pop();
        assert_eq!(last.as_deref(), Some(asked), "after {later} s more");
    }
}

#[tokio::test(start_paused = true)]
async fn s2_the_cooldown_of_a_model_that_left_the_list_is_forgotten() {
    let limited = Step::status(429, &[("Retry-After", "86400")], "");
    let script = Script::new()
        .list(days(&[&["a", "b"], &["b"], &["a", "b"]]))
        .model(
            "a:free",
            Plan::from([limited, Step::fitting()]).then(PlanEnd::Last),
        );
    let rig = Rig::paused(script, HOURLY).await;
    let first = async || {
        let answer = rig.chat(&Rig::hello()).await;
        answer.header("x-free-llm-proxy-model").to_owned()
    };
    assert_eq!(first().await, "b:free", "a is told to rest for a day");
    pass(3601).await;
    assert_eq!(first().await, "b:free", "a has left");
    pass(3600).await;
    assert_eq!(first().await, "a:free", "a is back, and new");
}

#[tokio::test(start_paused = true)]
async fn s2_a_request_under_way_keeps_the_list_it_began_with() {
    let slow = |text: &str, ms| {
        Step::from(Answer {
            chunks: 3,
            delay_ms: ms,
            ..Answer::text(text)
        })
    };
    let stalled = Step::Status(Status {
        status: 503,
        headers: Vec::new(),
        body: Value::Null,
        delay_ms: 29_000,
    });
    #[rustfmt::skip]
    let rows: [(&str, Step, Value, &[&str]); 2] = [
        // the first model           the body             asked, in that order
        ("speaks for a minute",      slow("one two three", 20_000), Rig::hello_stream(), &["a:free"]),
        ("fails after the new list", stalled,                       Rig::hello(),        &["a:free", "b:free"]),
    ];
    for (what, step, body, asked) in rows {
        let script = Script::new()
            .list(days(&[&["a", "b"], &["new"]]))
            .model("a:free", step);
        let rig = Rig::paused(script, &[("MODELS_REFRESH_SEC", "10")]).await;
        let answer = rig.chat(&body).await;
        assert_eq!(answer.status, 200, "{what}: {answer:?}");
        assert!(reads(&rig).len() > 2, "{what}: read while it ran");
        assert_eq!(ids(&rig).await, ["new:free"], "{what}");
        assert_eq!(rig.simulator.models_asked(), asked, "{what}");
        if body["stream"] == true {
            assert_eq!(answer.content(), "one two three");
            assert_eq!(answer.events().last().map(String::as_str), Some("[DONE]"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s2_no_request_waits_for_a_read() {
    let script = Script::new()
        .list(Plan::from([Step::fitting(), Step::Stall(Point::MidBody)]).then(PlanEnd::Last));
    let rig = Rig::paused(script, &[("MODELS_REFRESH_SEC", "10")]).await;
    pass(15).await;
    assert_eq!(reads(&rig), [0, 10], "the second read hangs");
    let begun = tokio::time::Instant::now();
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn s2_the_lists_own_addresses_move_nothing() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = format!("http://{}", elsewhere.local_addr().unwrap());
    let mut list = list_of(&["a:free"]);
    for name in ["baseUrl", "createKeyUrl", "url", "source"] {
        list[name] = json!(there);
        list["models"][0][name] = json!(there);
    }
    let rig = Rig::start(Script::new().list(listed(&list.to_string()))).await;
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    assert_eq!(rig.simulator.models_asked(), ["a:free"]);
    assert!(elsewhere.accept().now_or_never().is_none(), "nobody came");
}

#[tokio::test(start_paused = true)]
async fn s2_a_packed_list_is_read() {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer
        .write_all(list_of(&["packed:free"]).to_string().as_bytes())
        .unwrap();
    let packed = packer.finish().unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        packed.len()
    );
    let list = Step::Raw(Raw {
        send: vec![RawPart::Text(head), RawPart::Hex(packed.into())],
        then: Then::Keep,
    });
    let rig = Rig::paused(Script::new().list(list), &[]).await;
    assert_eq!(ids(&rig).await, ["packed:free"]);
}

#[tokio::test(start_paused = true)]
async fn s2_the_list_is_asked_without_a_key_and_completions_with_key_and_attribution() {
    let configured = [
        ("OPENROUTER_REFERER", "https://mine.example"),
        ("OPENROUTER_TITLE", "mine"),
        ("UPSTREAM_BASE_URL", "http://simulator.test/api/v1/"),
    ];
    #[rustfmt::skip]
    let rows: [(Settings, &str, &str); 2] = [
        // settings       HTTP-Referer                                    X-Title
        (&[],             "https://github.com/promsoft/free-llm-proxy",   "free-llm-proxy"),
        (&configured,     "https://mine.example",                         "mine"),
    ];
    for (settings, referer, title) in rows {
        let rig = Rig::paused(Script::new(), settings).await;
        rig.chat(&Rig::hello()).await;
        for seen in rig.simulator.requests() {
            let header = |name: &str| Some(seen.headers.get(name)?.to_str().unwrap().to_owned());
            if seen.path == Simulator::LIST_PATH {
                assert_eq!(header("authorization"), None);
            }
            if seen.model.is_some() {
                assert_eq!(seen.path, "/api/v1/chat/completions");
                let bearer = format!("Bearer {UPSTREAM_KEY}");
                assert_eq!(header("authorization"), Some(bearer));
                assert_eq!(header("http-referer").as_deref(), Some(referer));
                assert_eq!(header("x-title").as_deref(), Some(title));
            }
        }
    }
}

/// Names and values.
type Settings<'a> = &'a [(&'a str, &'a str)];

const HOURLY: Settings = &[("MODELS_REFRESH_SEC", "3600")];

/// One list per read, of these models (`:free` is appended to each name); the last one stays.
pub fn days(lists: &[&[&str]]) -> Plan<Step> {
    let list = |names: &&[&str]| {
        let ids: Vec<_> = names.iter().map(|name| format!("{name}:free")).collect();
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        listed(&list_of(&ids).to_string())
    };
    Plan::from(lists.iter().map(list).collect::<Vec<_>>()).then(PlanEnd::Last)
}

/// The ranking answers with this text.
pub fn listed(json: &str) -> Step {
    Step::status(200, &[("Content-Type", "application/json")], json)
}

/// Lets this many seconds pass.
pub async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// When the ranking was asked for, in seconds since the first time.
pub fn reads(rig: &Rig) -> Vec<u64> {
    let requests = rig.simulator.requests();
    let lists = requests
        .iter()
        .filter(|seen| seen.path == Simulator::LIST_PATH);
    let times: Vec<_> = lists.map(|seen| seen.at.steady).collect();
    let since = |at: &std::time::Instant| (*at - times[0]).as_secs_f64().round();
    times.iter().map(|at| since(at) as u64).collect()
}

/// The models of the snapshot, by rank: what is listed behind the wishes.
pub async fn ids(rig: &Rig) -> Vec<String> {
    let listed = rig.get("/v1/models").await.json();
    let ids = listed["data"].as_array().unwrap().iter();
    ids.map(|model| model["id"].as_str().unwrap().to_owned())
        .skip(WISHES.len())
        .collect()
}

/// What the list begins with (spec §11.6).
pub const WISHES: [&str; 4] = ["auto", "auto:best", "auto:fast", "auto:rank"];
