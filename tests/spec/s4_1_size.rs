//! §4.1: images and size are needs too.

use serde_json::{Value, json};
use simulator::{Failure, Script, Step};

use crate::rig::{Rig, ranking};
use crate::s2_3_catalogue::{catalogue, entry};
use crate::scripts::ranking_with;

const TEXT: &str = "text";
const VISION: &str = "text image";
const SOUND: &str = "text audio";
/// The catalogue does not say.
const SILENT: &str = "";

/// A proxy whose models `a`, `b`, `c` take these kinds of input, by the catalogue.
async fn seeing(kinds: [&str; 3]) -> Rig {
    let ids = ["a:free", "b:free", "c:free"];
    let entries = ids.iter().zip(kinds).map(|(id, kinds)| {
        let kinds: Vec<_> = kinds.split_whitespace().collect();
        entry(
            id,
            &["tools"],
            json!({"architecture": {"input_modalities": kinds, "output_modalities": ["text"]}}),
        )
    });
    Rig::paused(
        Script::new()
            .list(ranking(&ids))
            .catalogue(catalogue(entries)),
        &[],
    )
    .await
}

fn user(content: Value) -> Value {
    json!({"messages": [{"role": "user", "content": content}]})
}

fn image() -> Value {
    user(
        json!([{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "https://x.test/y.png"}}]),
    )
}

#[tokio::test(start_paused = true)]
async fn s4_1_an_image_skips_the_models_that_are_known_to_take_none() {
    #[rustfmt::skip]
    let rows = [
        // a, b, c               asked
        ([TEXT, VISION, VISION], "b"),
        ([TEXT, SOUND, VISION],  "c"),
        ([VISION, TEXT, TEXT],   "a"),
        ([SILENT, VISION, TEXT], "a"),
        ([TEXT, SILENT, VISION], "b"),
        ([SILENT; 3],            "a"),
        ([TEXT, SOUND, TEXT],    ""),
    ];
    for (kinds, asked) in rows {
        for stream in [false, true] {
            let rig = seeing(kinds).await;
            let mut body = image();
            body["stream"] = stream.into();
            let answer = rig.chat(&body).await;
            assert_eq!(rig.asked(), asked, "{kinds:?}");
            if asked.is_empty() {
                answer.is_error(400, "no_capable_model");
                assert!(answer.text().contains("image"), "{answer:?}");
            } else {
                assert_eq!(answer.status, 200, "{kinds:?}");
            }
            assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
            assert_eq!(rig.asked(), "a", "{kinds:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_1_what_counts_as_an_image() {
    let url = json!({"url": "data:image/png;base64,AAAA"});
    #[rustfmt::skip]
    let rows = [
        // the messages                                                                              asked
        (image(),                                                                                    "b"),
        (user(json!([{"type": "image_url", "image_url": url}])),                                     "b"),
        (user(json!([{"type": "image_url", "image_url": "https://x.test/y.png"}])),                  "b"),
        (json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": url}]}, {"role": "assistant", "content": "A cat."}, {"role": "user", "content": "Sure?"}]}), "b"),
        (user(json!("Tell me of image_url and {\"type\":\"image_url\"}")),                           "a"),
        (user(json!([{"type": "text", "text": "{\"type\":\"image_url\",\"image_url\":{}}"}])),       "a"),
        (user(json!([{"type": "text", "text": "an image"}])),                                        "a"),
        (user(json!([])),                                                                            "a"),
        (json!({"messages": [{"role": "user", "content": "Hi"}], "image_url": url}),                 "a"),
        (json!({"messages": [{"role": "assistant", "content": null}, {"role": "user", "content": "Hi"}]}), "a"),
    ];
    let rig = seeing([TEXT, VISION, VISION]).await;
    for (body, asked) in rows {
        assert_eq!(rig.chat(&body).await.status, 200, "{body}");
        assert_eq!(rig.asked(), asked, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_1_a_model_of_which_it_is_unknown_refuses_once_and_is_then_passed_by() {
    let rig = seeing([SILENT, SILENT, VISION]).await;
    for id in ["a:free", "b:free"] {
        rig.simulator
            .set_model(id, Step::from(Failure::NoImageInput));
    }
    #[rustfmt::skip]
    let rows = [
        (image(),      "a b c"),
        (image(),      "c"),
        (image(),      "c"),
    ];
    for (body, asked) in rows {
        assert_eq!(rig.chat(&body).await.status, 200);
        assert_eq!(rig.asked(), asked);
    }
    rig.simulator.set_model("a:free", Step::fitting());
    rig.chat(&Rig::hello()).await;
    assert_eq!(rig.asked(), "a");
}

/// A proxy whose models have these contexts, by the ranking.
async fn holding(contexts: &[Value]) -> Rig {
    let ids: Vec<_> = ["a:free", "b:free", "c:free", "d:free"]
        .into_iter()
        .take(contexts.len())
        .collect();
    let list = ranking_with(&ids, |list| {
        for (at, context) in contexts.iter().enumerate() {
            list["models"][at]["contextLength"] = context.clone();
        }
    });
    let script = Script::new()
        .list(list)
        .catalogue(Step::status(500, &[], ""));
    Rig::paused(script, &[]).await
}

#[tokio::test(start_paused = true)]
async fn s4_1_a_prompt_of_more_text_bytes_than_eight_times_the_context_skips_the_model() {
    let contexts = |contexts: &[u64]| contexts.iter().map(|c| json!(c)).collect::<Vec<_>>();
    let unknown = vec![json!(100), Value::Null, json!(1000)];
    #[rustfmt::skip]
    let rows = [
        // contexts                            text bytes  asked
        (contexts(&[100, 1000]),               10,         "a"),
        (contexts(&[100, 1000]),               800,        "a"),
        (contexts(&[100, 1000]),               808,        "b"),
        (contexts(&[100, 50, 1000, 500]),      4000,       "c"),
        (contexts(&[100, 50, 500, 1000]),      4000,       "c"),
        (contexts(&[100, 50, 500, 1000]),      4008,       "d"),
        // All are ruled out: the largest is asked, and of several the best.
        (contexts(&[100, 50, 1000, 500]),      9000,       "c"),
        (contexts(&[100, 1000, 50, 1000]),     9000,       "b"),
        (contexts(&[100]),                     9000,       "a"),
        // What is unknown is asked.
        (unknown.clone(),                      900,        "b"),
        (unknown,                              90_000,     "b"),
    ];
    for (contexts, bytes, asked) in rows {
        let rig = holding(&contexts).await;
        for stream in [false, true] {
            let mut body = user("x".repeat(bytes).into());
            body["stream"] = stream.into();
            assert_eq!(rig.chat(&body).await.status, 200, "{contexts:?} {bytes}");
            assert_eq!(rig.asked(), asked, "{contexts:?} {bytes}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_1_what_counts_is_the_text_of_all_messages_and_nothing_else() {
    let text = |bytes: usize| "x".repeat(bytes);
    let part = |bytes| json!({"type": "text", "text": text(bytes)});
    let picture = json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", text(50_000))}});
    #[rustfmt::skip]
    let rows = [
        // the request                                                                          asked: `a` holds 800 bytes
        (json!({"messages": [{"role": "system", "content": text(500)}, {"role": "user", "content": text(500)}]}), "b"),
        (json!({"messages": [{"role": "system", "content": text(300)}, {"role": "user", "content": text(300)}]}), "a"),
        (user(json!([part(500), part(500)])),                                                   "b"),
        (user(json!([part(300), part(300)])),                                                   "a"),
        (user(json!([part(10), picture])),                                                      "a"),
        // Two bytes each in UTF-8, one written as an escape of six.
        (user("я".repeat(500).into()),                                                          "b"),
        (user("я".repeat(300).into()),                                                          "a"),
        (user("\u{1}".repeat(700).into()),                                                      "a"),
        (json!({"messages": [{"role": "user", "content": "Hi"}], "metadata": {"x": text(50_000)}}), "a"),
    ];
    let rig = holding(&[json!(100), json!(100_000)]).await;
    for (body, asked) in rows {
        assert_eq!(rig.chat(&body).await.status, 200);
        assert_eq!(rig.asked(), asked, "{:.200}", body.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn s4_1_a_context_that_the_ranking_omits_is_what_the_catalogue_says() {
    #[rustfmt::skip]
    let rows = [
        // the ranking    the catalogue                                                                  asked with 8,000 bytes
        (Value::Null,     json!({"context_length": 100}),                                                "b"),
        (Value::Null,     json!({"context_length": 2000, "top_provider": {"context_length": 100}}),      "b"),
        (Value::Null,     json!({"context_length": 2000}),                                               "a"),
        (Value::Null,     json!({"context_length": null}),                                               "a"),
        (json!(2000),     json!({"context_length": 100}),                                                "a"),
        (json!(100),      json!({"context_length": 2000}),                                               "b"),
    ];
    for (told, says, asked) in rows {
        let list = ranking_with(&["a:free", "b:free"], |list| {
            list["models"][0]["contextLength"] = told.clone();
        });
        let script = Script::new().list(list).catalogue(catalogue([entry(
            "a:free",
            &["tools"],
            says.clone(),
        )]));
        let rig = Rig::paused(script, &[]).await;
        rig.chat(&user("x".repeat(8_000).into())).await;
        assert_eq!(rig.asked(), asked, "{told} {says}");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_1_the_largest_is_found_among_those_that_can_do_the_rest() {
    let list = ranking_with(&["a:free", "b:free", "c:free"], |list| {
        for (at, context) in [100, 1000, 500].into_iter().enumerate() {
            list["models"][at]["contextLength"] = context.into();
        }
        list["models"][1]["supportsTools"] = false.into();
    });
    let rig = Rig::paused(Script::new().list(list), &[]).await;
    let mut body = user("x".repeat(50_000).into());
    rig.chat(&body).await;
    assert_eq!(rig.asked(), "b");
    body["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    rig.chat(&body).await;
    assert_eq!(rig.asked(), "c");
}
