//! §10.7: what is not known of an offer's abilities.

use serde_json::{Value, json};
use simulator::{Account, ProviderScript, Script, Step};

use crate::rig::{Rig, abc};
use crate::s2_3_catalogue::{catalogue, entry};
use crate::scripts::STALL;

const NEEDS: [fn(&mut Value); 3] = [
    |body| {
        body["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}])
    },
    |body| body["tool_choice"] = json!("required"),
    |body| body["response_format"] = json!({"type": "json_object"}),
];

fn asking(need: fn(&mut Value)) -> Value {
    let mut body = Rig::hello();
    need(&mut body);
    body
}

fn nvidia(catalogue: Step, step: Step) -> Script {
    let own = ProviderScript::new()
        .entries(["openai/gpt-oss-20b"])
        .others(step);
    abc().catalogue(catalogue).provider("nvidia", own)
}

const NVIDIA: &[(&str, usize)] = &[("nvidia", 1)];
const FILE: &str = "[providers.nvidia]\nmodels = ['openai/gpt-oss-20b']\n";

#[tokio::test]
async fn s10_7_while_the_catalogue_has_not_been_read_an_unknown_ability_is_tried() {
    for unread in [STALL, Step::status(500, &[], "")] {
        for need in NEEDS {
            let script = nvidia(unread.clone(), Step::fitting());
            let rig = Rig::with_providers(script, NVIDIA, &[("CONFIG_FILE", FILE)]).await;
            assert_eq!(rig.get("/ready").await.status, 200);
            let answer = rig.chat(&asking(need)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn s10_7_a_refusal_of_an_unknown_ability_is_remembered() {
    let lacks = json!({"error": {"message": "This model does not support tools"}});
    let script = nvidia(STALL, Step::status(400, &[], lacks));
    let rig = Rig::with_providers(script, NVIDIA, &[("CONFIG_FILE", FILE)]).await;
    let body = asking(NEEDS[0]);
    assert_eq!(rig.chat(&body).await.status, 400);
    assert_eq!(rig.asked(), "openai/gpt-oss-20b");
    rig.chat(&body).await.is_error(400, "no_capable_model");
    assert_eq!(rig.asked(), "");
}

#[tokio::test]
async fn s10_7_once_the_catalogue_is_known_what_it_does_not_say_is_not_tried() {
    let says =
        |parameters: &[&str]| catalogue([entry("openai/gpt-oss-20b", parameters, json!({}))]);
    #[rustfmt::skip]
    let rows = [
        // the catalogue                                        status
        (says(&["tools"]),                                      200),
        (says(&[]),                                             400),
        (catalogue([entry("other/model", &["tools"], json!({}))]), 400),
    ];
    for (catalogue, status) in rows {
        let script = nvidia(catalogue, Step::fitting());
        let rig = Rig::with_providers(script, NVIDIA, &[("CONFIG_FILE", FILE)]).await;
        rig.post("/admin/refresh", &Value::Null).await;
        let answer = rig.chat(&asking(NEEDS[0])).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
}

#[tokio::test]
async fn s10_7_at_a_provider_of_the_file_an_unknown_ability_counts_as_present() {
    let lacks = json!({"error": {"message": "This model does not support tools"}});
    let file = |model: &str| {
        format!(
            "[providers.my-box]\nbase_url = '{{base}}/providers/llm7/v1'\nkeys = []\nmodels = [{model}]\n"
        )
    };
    #[rustfmt::skip]
    let rows = [
        // in the file                           it answers                     status   asked, and asked again
        ("'m'",                                  Step::fitting(),               200,     ["m", "m"]),
        ("{ id = 'm', tools = true }",           Step::fitting(),               200,     ["m", "m"]),
        ("{ id = 'm', tools = false }",          Step::fitting(),               400,     ["", ""]),
        ("'m'",                                  Step::status(400, &[], lacks), 400,     ["m", ""]),
    ];
    for (model, step, status, asked) in rows {
        let keyless = Account::keyless("llm7");
        let own = ProviderScript::new()
            .account(keyless)
            .entries(["m"])
            .others(step);
        let script = abc()
            .catalogue(catalogue([entry("other/model", &[], json!({}))]))
            .provider("llm7", own);
        let file = file(model);
        let settings = [("CONFIG_FILE", &*file), ("PROVIDERS", "my-box")];
        let rig = Rig::with_providers(script, &[("llm7", 1)], &settings).await;
        rig.post("/admin/refresh", &Value::Null).await;
        rig.asked();
        for asked in asked {
            let answer = rig.chat(&asking(NEEDS[0])).await;
            assert_eq!(answer.status, status, "{model}: {answer:?}");
            assert_eq!(rig.asked(), asked, "{model}");
        }
    }
}
