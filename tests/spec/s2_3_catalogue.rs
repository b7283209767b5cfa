//! §2.3: the upstream's own catalogue: what it fills in, and the second source of models.

use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Plan, PlanEnd, Point, Raw, RawPart, Script, Step, Then};
use tokio::time::{Instant, sleep, sleep_until};

use crate::rig::Rig;
use crate::s2_list::{ids, reads};
use crate::scripts::ranking_with;

pub const CATALOGUE_PATH: &str = "/api/v1/models";
/// The names of each need: in the request, in the ranking, in the catalogue.
#[rustfmt::skip]
const NEEDS: [(&str, &str, &str); 7] = [
    (r#"{"tools":[{"type":"function","function":{"name":"f"}}]}"#, "supportsTools",             "tools"),
    (r#"{"tool_choice":"required"}"#,                              "supportsToolChoice",        "tool_choice"),
    (r#"{"response_format":{"type":"json_schema"}}"#,              "supportsStructuredOutputs", "structured_outputs"),
    (r#"{"response_format":{"type":"json_object"}}"#,              "supportsResponseFormat",    "response_format"),
    (r#"{"seed":7}"#,                                              "supportsSeed",              "seed"),
    (r#"{"stop":"END"}"#,                                          "supportsStop",              "stop"),
    (r#"{"reasoning":{"effort":"high"}}"#,                         "supportsReasoning",         "reasoning"),
];

/// A free model of the catalogue's with these parameters and changes.
pub fn entry(id: &str, parameters: &[&str], changes: Value) -> Value {
    let mut entry = json!({
        "id": id, "name": id, "context_length": 131_072,
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        "pricing": {"prompt": "0", "completion": "0"}, "supported_parameters": parameters,
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        entry[name] = value.clone();
    }
    entry
}

pub fn catalogue(entries: impl IntoIterator<Item = Value>) -> Step {
    let data: Vec<_> = entries.into_iter().collect();
    Step::status(200, &[], json!({ "data": data }))
}

/// A ranking of `a` and `b`, in which `a` lacks this flag.
pub fn open(flag: &str) -> Step {
    ranking_with(&["a:free", "b:free"], |list| {
        list["models"][0].as_object_mut().unwrap().remove(flag);
    })
}

pub fn asking(need: &str) -> Value {
    let mut body = Rig::hello();
    let need: Value = serde_json::from_str(need).unwrap();
    for (name, value) in need.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

pub fn stop() -> Value {
    asking(r#"{"stop":"END"}"#)
}

/// Late by this much.
pub fn delayed(step: Step, delay_ms: u64) -> Step {
    let Step::Status(mut status) = step else {
        panic!("it is a status")
    };
    status.delay_ms = delay_ms;
    Step::Status(status)
}

pub fn broken() -> Step {
    Step::status(500, &[], "")
}

pub fn read_of_catalogue(rig: &Rig) -> usize {
    let requests = rig.simulator.requests();
    requests
        .iter()
        .filter(|seen| seen.path == CATALOGUE_PATH)
        .count()
}

#[tokio::test(start_paused = true)]
async fn s2_3_a_flag_that_the_ranking_omits_is_what_the_catalogue_says() {
    for (need, flag, parameter) in NEEDS {
        let told = |value: Value| {
            ranking_with(&["a:free", "b:free"], |list| {
                list["models"][0][flag] = value
            })
        };
        let says = |parameters: &[&str]| catalogue([entry("a:free", parameters, Value::Null)]);
        #[rustfmt::skip]
        let rows = [
            // the ranking      the catalogue                                       asked
            (open(flag),        says(&["max_tokens", parameter]),                   "a"),
            (open(flag),        says(&["max_tokens"]),                              "b"),
            (open(flag),        says(&[]),                                          "b"),
            (open(flag),        catalogue([entry("c:free", &[parameter], Value::Null)]), "b"),
            (open(flag),        catalogue([entry("a", &[parameter], Value::Null)]), "b"),
            (open(flag),        broken(),                                           "b"),
            (told(Value::Null), says(&[parameter]),                                 "a"),
            (told(json!("yes")), says(&[parameter]),                                "a"),
            (told(json!(false)), says(&[parameter]),                                "b"),
            (told(json!(true)), says(&["max_tokens"]),                              "a"),
            (told(json!(true)), broken(),                                           "a"),
        ];
        for (at, (list, catalogue, asked)) in rows.into_iter().enumerate() {
            // A separate proxy, so that nothing of an earlier catalogue remains.
            let rig = Rig::paused(Script::new().list(list).catalogue(catalogue), &[]).await;
            assert_eq!(rig.chat(&asking(need)).await.status, 200);
            assert_eq!(rig.asked(), asked, "{need}, row {at}");
            assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
            assert_eq!(
                rig.asked(),
                "a",
                "what is not needed may be unknown: {need}, row {at}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s2_3_a_catalogue_that_cannot_be_read_costs_nothing_but_what_it_would_have_filled_in() {
    let huge = format!("{{\"data\":[\"{}\"]}}", "x".repeat(30_000));
    #[rustfmt::skip]
    let rows = [
        // the catalogue                                          the ranking waits for it, s
        (broken(),                                                0),
        (Step::status(404, &[], "{}"),                            0),
        (Step::Redirect("/elsewhere".into()),                     0),
        (Step::Reset(Point::BeforeHeaders),                       0),
        (Step::Close(Point::MidBody),                             0),
        (Step::status(200, &[], "<html>"),                        0),
        (Step::status(200, &[], "[]"),                            0),
        (Step::status(200, &[], json!({"data": {}})),             0),
        (Step::status(200, &[], huge.as_str()),                   0),
        (Step::Stall(Point::BeforeHeaders),                       1),
        (Step::Stall(Point::MidBody),                             1),
    ];
    for (step, waits) in rows {
        let script = Script::new()
            .list(open("supportsStop"))
            .catalogue(step.clone());
        let start = Instant::now();
        let rig = Rig::paused(script, &[("MAX_CATALOGUE_BYTES", "20000")]).await;
        let took = start.elapsed();
        assert!(
            took < Duration::from_millis(waits * 1000 + 50),
            "{took:?}: {step:?}"
        );
        assert_eq!(
            rig.get("/ready").await.json()["source"],
            "ranking",
            "{step:?}"
        );
        assert_eq!(ids(&rig).await, ["a:free", "b:free"], "{step:?}");
        rig.chat(&Rig::hello()).await;
        rig.chat(&stop()).await;
        assert_eq!(rig.asked(), "a b", "{step:?}");
        sleep(Duration::from_secs(20)).await;
        assert_eq!(
            reads(&rig).len(),
            0,
            "the ranking is in hand and not asked again: {step:?}"
        );
        assert_eq!(rig.log.of("snapshot_refresh_failed").len(), 0, "{step:?}");
        let told = rig.log.of("catalogue_refresh_failed");
        assert_eq!(
            (told.len(), &told[0]["level"]),
            (1, &json!("WARNING")),
            "{step:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s2_3_what_stays_unknown_counts_as_false() {
    let list = ranking_with(&["a:free"], |list| {
        list["models"] = json!([{"id": "a:free", "rank": 1}]);
    });
    let rig = Rig::paused(Script::new().list(list).catalogue(broken()), &[]).await;
    for (need, ..) in NEEDS {
        let answer = rig.chat(&asking(need)).await;
        answer.is_error(400, "no_capable_model");
    }
    assert_eq!(rig.asked(), "");
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn s2_3_a_slow_catalogue_holds_the_ranking_for_a_second_and_is_filled_in_when_it_comes() {
    #[rustfmt::skip]
    let rows = [
        // comes after, ms  ready after, ms
        (0,                 0),
        (700,               700),
        (5_000,             1_000),
        (14_000,            1_000),
    ];
    for (comes, ready) in rows {
        let known = catalogue([entry("a:free", &["stop"], Value::Null)]);
        let script = Script::new()
            .list(open("supportsStop"))
            .catalogue(delayed(known, comes));
        let start = Instant::now();
        let rig = Rig::paused(script, &[]).await;
        let took = start.elapsed().as_millis() as u64;
        assert!((ready..ready + 50).contains(&took), "{took} ms: {comes}");
        if comes > ready {
            rig.chat(&stop()).await;
            assert_eq!(rig.asked(), "b", "not known yet: {comes}");
            sleep_until(start + Duration::from_millis(comes + 100)).await;
        }
        rig.chat(&stop()).await;
        assert_eq!(rig.asked(), "a", "{comes}");
        assert_eq!(read_of_catalogue(&rig), 0, "read once: {comes}");
    }
}

#[tokio::test(start_paused = true)]
async fn s2_3_a_late_catalogue_leaves_rests_as_they_are() {
    let known = catalogue([
        entry("a:free", &["stop"], Value::Null),
        entry("b:free", &["stop"], Value::Null),
    ]);
    let script = Script::new()
        .list(open("supportsStop"))
        .catalogue(delayed(known, 5_000))
        .model("a:free", Step::from(simulator::Failure::NoEndpoints));
    let rig = Rig::paused(script, &[]).await;
    rig.chat(&Rig::hello()).await;
    sleep(Duration::from_secs(6)).await;
    rig.chat(&stop()).await;
    assert_eq!(rig.asked(), "a b b", "it is no new list");
}

#[tokio::test(start_paused = true)]
async fn s2_3_the_catalogue_is_read_with_each_read_of_the_list() {
    let with = || catalogue([entry("a:free", &["stop"], Value::Null)]);
    let without = || catalogue([entry("a:free", &["seed"], Value::Null)]);
    let list = || open("supportsStop");
    #[rustfmt::skip]
    let rows: [(Vec<Step>, Vec<Step>, &str); 6] = [
        // the ranking                 the catalogue                      who is asked with `stop` after each read
        (vec![list(); 3],              vec![without(), with(), without()], "b a b"),
        (vec![list(); 3],              vec![broken(), with(), broken()],   "b a a"),
        (vec![list(); 3],              vec![with(), broken(), without()],  "a a b"),
        (vec![list(), broken()],       vec![broken(), with()],             "b a"),
        (vec![list(), broken()],       vec![with(), without()],            "a b"),
        (vec![list(), broken()],       vec![with(), broken()],             "a a"),
    ];
    for (lists, catalogues, asked) in rows {
        let reads = lists.len();
        let script = Script::new()
            .list(Plan::from(lists).then(PlanEnd::Last))
            .catalogue(Plan::from(catalogues.clone()).then(PlanEnd::Last));
        let start = Instant::now();
        let rig = Rig::paused(script, &[("MODELS_REFRESH_SEC", "40")]).await;
        let mut seen = Vec::new();
        for read in 0..reads {
            sleep_until(start + Duration::from_secs(40 * read as u64 + 5)).await;
            assert_eq!(read_of_catalogue(&rig), 1, "{read}");
            rig.simulator.clear_requests();
            assert_eq!(rig.chat(&stop()).await.status, 200);
            seen.push(rig.asked());
        }
        assert_eq!(seen.join(" "), asked, "{catalogues:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s2_3_admin_refresh_reads_it_too() {
    let rig = Rig::paused(
        Script::new().list(open("supportsStop")).catalogue(broken()),
        &[],
    )
    .await;
    rig.chat(&stop()).await;
    rig.simulator
        .set_catalogue(catalogue([entry("a:free", &["stop"], Value::Null)]));
    assert_eq!(rig.post("/admin/refresh", &Value::Null).await.status, 200);
    rig.chat(&stop()).await;
    assert_eq!(rig.asked(), "b a");
}

#[tokio::test(start_paused = true)]
async fn s2_3_it_is_asked_for_without_a_key() {
    let rig = Rig::paused(Script::new(), &[]).await;
    let requests = rig.simulator.requests();
    let asked: Vec<_> = requests
        .iter()
        .filter(|seen| seen.path == CATALOGUE_PATH)
        .collect();
    assert_eq!((asked.len(), asked[0].method.as_str()), (1, "GET"));
    assert!(asked[0].headers.get("authorization").is_none());
}

#[tokio::test(start_paused = true)]
async fn s2_3_max_catalogue_bytes_bounds_it_packed_or_not() {
    let text =
        json!({"data": [entry("a:free", &["stop"], Value::Null)], "filler": "x".repeat(5000)})
            .to_string();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        packed.len()
    );
    let gzip = Step::Raw(Raw {
        send: vec![RawPart::Text(head), RawPart::Hex(packed.into())],
        then: Then::Keep,
    });
    let plain = Step::status(200, &[], text.as_str());
    for step in [plain, gzip] {
        for (limit, asked) in [(text.len(), "a"), (text.len() - 1, "b")] {
            let script = Script::new()
                .list(open("supportsStop"))
                .catalogue(step.clone());
            let rig = Rig::paused(script, &[("MAX_CATALOGUE_BYTES", &limit.to_string())]).await;
            rig.chat(&stop()).await;
            assert_eq!(rig.asked(), asked, "{limit}: {step:?}");
        }
    }
}
