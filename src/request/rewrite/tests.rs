use super::*;
use crate::model::{Capabilities, ModelId, ProviderId};
use crate::provider::find;
use crate::request::ChatRequest;

mod messages;
mod whole;

fn offer(provider: &str) -> Offer {
    let provider = ProviderId::try_from(provider).unwrap();
    Offer::at(provider, ModelId::try_from("m").unwrap())
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn removing(list: &[&str]) -> Fields {
    Fields {
        remove: strings(list),
        ..Fields::default()
    }
}

/// A built-in row's fields, or those of a row that only exists here.
fn fields(provider: &str) -> Fields {
    match provider {
        "plain" => Fields::default(),
        "capped" => Fields {
            caps_max_tokens: true,
            ..Fields::default()
        },
        "thinker" => Fields {
            takes_reasoning: true,
            ..Fields::default()
        },
        "no-choice" => removing(&["tool_choice"]),
        "keywords" => Fields {
            schema_remove: strings(&["additionalProperties"]),
            ..removing(&["tools[].$schema"])
        },
        built_in => find(built_in).unwrap().fields.clone(),
    }
}

fn collected(body: UpstreamBody) -> String {
    use http_body_util::BodyExt as _;
    let declared = http_body::Body::size_hint(&body).exact().unwrap();
    let bytes = futures_util::FutureExt::now_or_never(body.collect())
        .unwrap()
        .unwrap()
        .to_bytes();
    assert_eq!(declared, bytes.len() as u64);
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn sent_to(offer: &Offer, fields: &Fields, refused: &[&str], body: &str) -> (String, String) {
    let request = ChatRequest::read(Bytes::copy_from_slice(body.as_bytes()), 1024).unwrap();
    let refused: Vec<_> = refused
        .iter()
        .filter_map(|name| FieldName::new(name))
        .collect();
    let (body, dropped) = request.body_for(offer, offer.capabilities, fields, &refused);
    let names: Vec<&str> = dropped.names().collect();
    (collected(body), names.join(","))
}

/// What is sent to a provider with these rows, and what is reported as left out.
fn sent(provider: &str, body: &str) -> (String, String) {
    sent_to(&offer(provider), &fields(provider), &[], body)
}

#[test]
fn s10_6_fields_of_the_top_level() {
    #[rustfmt::skip]
    let rows = [
        // Nothing to change but the model; OpenRouter's routing goes nowhere (spec §3.1).
        ("plain", r#" {"model" : "x","messages":[ ], "x":1.0e2} "#,      r#" {"model" : "m","messages":[ ], "x":1.0e2} "#, ""),
        ("plain", r#"{"messages":[]}"#,                                  r#"{"messages":[],"model":"m"}"#, ""),
        ("plain", r#"{"models":["a"],"messages":[],"route":"r","model":"x"}"#, r#"{"messages":[],"model":"m"}"#, ""),
        ("plain", r#"{"model":"x","messages":[],"n":2,"seed":null}"#,    r#"{"model":"m","messages":[],"n":2,"seed":null}"#, ""),
        // Refused.
        ("groq", r#"{"model":"x","temperature":0.70,"messages":[{"role":"user","content":"hi"}],"logit_bias":{"50256":-100}}"#,
                 r#"{"model":"m","temperature":0.70,"messages":[{"role":"user","content":"hi"}]}"#, "logit_bias"),
        ("gemini", r#"{"model":"x","min_p":0.1,"repetition_penalty":1.1,"temperature":0.70,"logit_bias":{"1":1},"messages":[]}"#,
                   r#"{"model":"m","temperature":0.70,"messages":[]}"#, "min_p,repetition_penalty,logit_bias"),
        ("mistral", r#"{"top_k":5,"min_p":0.1,"logit_bias":{"1":1},"model":"x","temperature":0.70,"messages":[]}"#,
                    r#"{"model":"m","temperature":0.70,"messages":[]}"#, "top_k,min_p,logit_bias"),
        // A provider that refuses every unknown name gets none, whoever invents it.
        ("gemini", r#"{"model":"x","messages":[],"invented_next_week":{"a":[1]},"reasoning_effort":"low","enable_thinking":null,"extra_body":{"google":{}}}"#,
                   r#"{"model":"m","messages":[],"reasoning_effort":"low","extra_body":{"google":{}}}"#, "invented_next_week"),
        ("mistral", r#"{"invented_next_week":1,"model":"x","messages":[],"stream":true,"stream_options":{"include_usage":true},"safe_prompt":true}"#,
                    r#"{"model":"m","messages":[],"stream":true,"safe_prompt":true}"#, "invented_next_week,stream_options"),
        ("cerebras", r#"{"model":"x","messages":[],"invented_next_week":1,"n":1,"user":"u"}"#,
                     r#"{"model":"m","messages":[],"n":1,"user":"u"}"#, "invented_next_week"),
        ("groq", r#"{"model":"x","messages":[],"invented_next_week":1}"#, r#"{"model":"m","messages":[],"invented_next_week":1}"#, ""),
        ("cohere", r#"{"model":"x","top_k":5,"messages":[],"logit_bias":{"1":1},"temperature":0.70}"#,
                   r#"{"model":"m","messages":[],"temperature":0.70}"#, "top_k,logit_bias"),
        ("groq", r#"{"model":"x","messages":[],"top_logprobs":null,"logit_bias":{}}"#, r#"{"model":"m","messages":[]}"#, "logit_bias"),
        // What changes the answer's form: the default is left out silently, anything else is not
        // ours to remove.
        ("groq", r#"{"model":"x","n":1,"messages":[],"logprobs":false}"#, r#"{"model":"m","messages":[]}"#, ""),
        ("groq", r#"{"model":"x","n":2,"messages":[],"logprobs":true}"#, r#"{"model":"m","n":2,"messages":[],"logprobs":true}"#, ""),
        ("kilo", r#"{"model":"x","messages":[],"response_format":{"type":"text"}}"#, r#"{"model":"m","messages":[]}"#, ""),
        ("kilo", r#"{"model":"x","messages":[],"response_format":{"type":"json_object"},"store":true}"#, r#"{"model":"m","messages":[],"response_format":{"type":"json_object"}}"#, "store"),
        ("no-choice", r#"{"model":"x","messages":[],"tool_choice":"none"}"#, r#"{"model":"m","messages":[]}"#, ""),
        ("no-choice", r#"{"model":"x","messages":[],"tools":[],"tool_choice":"none"}"#, r#"{"model":"m","messages":[],"tools":[]}"#, ""),
        ("plain", r#"{"model":"x","messages":[],"n":1,"logprobs":false}"#, r#"{"model":"m","messages":[],"n":1,"logprobs":false}"#, ""),
        // Renamed: not reported. If both are present, the one that already has the right name
        // counts.
        ("mistral", r#"{"model":"x","messages":[],"max_completion_tokens" : 55,"seed":7}"#, r#"{"model":"m","messages":[],"max_tokens":55,"random_seed":7}"#, ""),
        ("mistral", r#"{"model":"x","max_completion_tokens":55,"messages":[],"max_tokens":44}"#, r#"{"model":"m","messages":[],"max_tokens":44}"#, "max_completion_tokens"),
        ("mistral", r#"{"model":"x","max_tokens":null,"messages":[],"max_completion_tokens":55}"#, r#"{"model":"m","messages":[],"max_tokens":55}"#, ""),
        ("mistral", r#"{"model":"x","messages":[],"seed":null}"#,        r#"{"model":"m","messages":[]}"#, ""),
        // Nulls.
        ("cloudflare", r#"{"model":"x","stop":null,"messages":[],"tools":null,"max_tokens":1}"#, r#"{"model":"m","messages":[],"max_tokens":1}"#, ""),
        // Defaults.
        ("cloudflare", r#"{"model":"x","messages":[]}"#,                 r#"{"model":"m","messages":[],"max_tokens":8192}"#, ""),
        ("cloudflare", r#"{"messages":[]}"#,                             r#"{"messages":[],"model":"m","max_tokens":8192}"#, ""),
        ("cloudflare", r#"{"model":"x","max_tokens":null,"messages":[]}"#, r#"{"model":"m","messages":[],"max_tokens":8192}"#, ""),
        ("cloudflare", r#"{"model":"x","messages":[],"max_completion_tokens":5}"#, r#"{"model":"m","messages":[],"max_completion_tokens":5}"#, ""),
        ("cloudflare", r#"{"model":"x","messages":[],"max_tokens":99999}"#, r#"{"model":"m","messages":[],"max_tokens":99999}"#, ""),
    ];
    for (provider, body, expected, named) in rows {
        let expected = (expected.to_owned(), named.to_owned());
        assert_eq!(sent(provider, body), expected, "{provider} {body}");
    }
}

#[test]
fn s10_4_the_legacy_endpoint_keeps_its_own_fields_at_every_provider() {
    let body = r#"{"model":"x","prompt":"fn main() {","suffix":"}","echo":true,"best_of":1,"max_tokens":9}"#;
    let own = ["prompt", "suffix", "echo", "best_of", "max_tokens"];
    for row in crate::provider::built_in() {
        let offer = offer(row.id.as_str());
        let bytes = Bytes::from_static(body.as_bytes());
        let request = ChatRequest::read_for(Endpoint::Completions, bytes, 1024).unwrap();
        let (sent, dropped) = request.body_for(&offer, offer.capabilities, &row.fields, &[]);
        let sent: serde_json::Value = serde_json::from_str(&collected(sent)).unwrap();
        let lost = own.iter().filter(|name| sent.get(name).is_none());
        assert_eq!(lost.count(), 0, "{}: {sent}", row.id);
        assert_eq!(dropped.names().count(), 0, "{}", row.id);
        // What an answer of the offer has refused is left out there too.
        let refused: Vec<_> = FieldName::new("suffix").into_iter().collect();
        let (sent, dropped) = request.body_for(&offer, offer.capabilities, &row.fields, &refused);
        let is_left_out = !row.id.is_openrouter();
        assert_eq!(
            dropped.names().count(),
            usize::from(is_left_out),
            "{}",
            row.id
        );
        assert_ne!(
            collected(sent).contains("suffix"),
            is_left_out,
            "{}",
            row.id
        );
    }
    // In a chat they are fields like any other.
    let (sent, dropped) = sent("mistral", r#"{"messages":[],"model":"x","suffix":"}"}"#);
    assert_eq!(
        (sent.as_str(), dropped.as_str()),
        (r#"{"messages":[],"model":"m"}"#, "suffix")
    );
}

#[test]
fn s10_6_what_the_list_or_an_answer_refuses_is_left_out_and_named() {
    use Capability::{Reasoning, Seed, Stop};
    let body = r#"{"model":"x","messages":[],"seed":1,"stop":["a"],"reasoning_effort":"low","reasoning":{},"service_tier":"flex"}"#;
    #[rustfmt::skip]
    let rows: &[(&[Capability], &[&str], &str, &str)] = &[
        (&[],          &[],               r#","seed":1,"stop":["a"],"reasoning_effort":"low","reasoning":{},"service_tier":"flex""#, ""),
        (&[Seed],      &[],               r#","stop":["a"],"reasoning_effort":"low","reasoning":{},"service_tier":"flex""#, "seed"),
        (&[Stop],      &["service_tier"], r#","seed":1,"reasoning_effort":"low","reasoning":{}"#, "stop,service_tier"),
        (&[Reasoning], &["seed"],         r#","stop":["a"],"service_tier":"flex""#, "seed,reasoning_effort,reasoning"),
    ];
    for (lacks, refused, expected, named) in rows {
        let mut offer = offer("custom");
        for capability in *lacks {
            offer.capabilities.set(*capability, Some(false));
        }
        let expected = format!(r#"{{"model":"m","messages":[]{expected}}}"#);
        let got = sent_to(&offer, &Fields::default(), refused, body);
        assert_eq!(got, (expected, (*named).to_owned()));
    }
    // What is known of an offer at OpenRouter decides whether it is asked, not what is sent.
    let mut offer = offer("openrouter");
    offer.capabilities.set(Seed, Some(false));
    let (went, named) = sent_to(&offer, &removing(&["seed"]), &["service_tier"], body);
    assert_eq!(
        (went, named),
        (body.replace("\"x\"", "\"m\""), String::new())
    );
}

#[test]
fn s10_6_a_limit_above_the_offers_is_lowered_where_it_would_be_refused() {
    #[rustfmt::skip]
    let rows = [
        ("capped",     "\"max_tokens\":32000",            "\"max_tokens\":8000"),
        ("capped",     "\"max_completion_tokens\":1e30",  "\"max_completion_tokens\":8000"),
        ("capped",     "\"max_tokens\":8000",             "\"max_tokens\":8000"),
        ("capped",     "\"max_tokens\":\"many\"",         "\"max_tokens\":\"many\""),
        ("capped",     "\"max_tokens\":-1",               "\"max_tokens\":-1"),
        ("plain",      "\"max_tokens\":32000",            "\"max_tokens\":32000"),
        ("cloudflare", "\"x\":1",                         "\"x\":1,\"max_tokens\":8000"),
    ];
    for (provider, field, expected) in rows {
        let mut offer = offer(provider);
        offer.max_output = Some(8000);
        let body = format!(r#"{{"model":"x","messages":[],{field}}}"#);
        let expected = format!(r#"{{"model":"m","messages":[],{expected}}}"#);
        let got = sent_to(&offer, &fields(provider), &[], &body);
        assert_eq!(got, (expected, String::new()));
    }
}

#[test]
fn s10_6_tool_schemas_lose_refused_keywords_at_every_depth() {
    let tool = |schema: &str| {
        format!(
            r#"{{"model":"m","messages":[],"tools":[{{"type":"function","function":{{"name":"f","parameters":{schema}}}}}]}}"#
        )
    };
    #[rustfmt::skip]
    let rows = [
        ("cohere", r#"{"$schema":"http://s","type":"object","properties":{"$schema":{"type":"string","additionalProperties":false},"additionalProperties":{"type":"object","additionalProperties":{"type":"string"}}},"additionalProperties":false,"required":["$schema"]}"#,
                   r#"{"type":"object","properties":{"$schema":{"type":"string"},"additionalProperties":{"type":"object"}},"required":["$schema"]}"#,
                   "tools[].$schema,tools[].additionalProperties"),
        ("gemini", r#"{"properties":{"n":{"type":"integer","exclusiveMinimum":0,"minimum":1}},"$schema":"s","title":"t"}"#,
                   r#"{"properties":{"n":{"type":"integer","minimum":1}},"title":"t"}"#, "tools[].exclusiveMinimum,tools[].$schema"),
        ("cohere", r#"{"anyOf":[{"additionalProperties":false},{"items":{"allOf":[{"not":{"additionalProperties":{}}}]}}],"$defs":{"additionalProperties":{"additionalProperties":true,"type":"null"}}}"#,
                   r#"{"anyOf":[{},{"items":{"allOf":[{"not":{}}]}}],"$defs":{"additionalProperties":{"type":"null"}}}"#, "tools[].additionalProperties"),
        // Data and odd shapes are not schemas.
        ("cohere", r#"{"enum":[{"$schema":1}],"const":{"$schema":1},"default":{"additionalProperties":1},"x":{"$schema":1},"properties":[{"$schema":{"$schema":1}}]}"#,
                   r#"{"enum":[{"$schema":1}],"const":{"$schema":1},"default":{"additionalProperties":1},"x":{"$schema":1},"properties":[{"$schema":{}}]}"#, "tools[].$schema"),
        ("keywords", r#"{"$schema":"s","items":{"additionalProperties":1,"$schema":"s"}}"#, r#"{"items":{}}"#, "tools[].$schema,tools[].additionalProperties"),
        ("cohere", "7", "7", ""),
        ("groq",   r#"{"$schema":"s","additionalProperties":false}"#, r#"{"$schema":"s","additionalProperties":false}"#, ""),
    ];
    for (provider, schema, expected, named) in rows {
        let expected = (tool(expected), named.to_owned());
        assert_eq!(sent(provider, &tool(schema)), expected, "{schema}");
    }
    // A body may nest this deep, and no worker's stack is larger.
    let deep = |inner: &str| format!("{}{inner}{}", r#"{"items":"#.repeat(1000), "}".repeat(1000));
    let worker = std::thread::Builder::new().stack_size(2 << 20);
    let walk = worker.spawn(move || {
        assert_eq!(
            sent("cohere", &tool(&deep(r#"{"$schema":1}"#))).0,
            tool(&deep("{}"))
        )
    });
    walk.unwrap().join().unwrap();
}

#[test]
fn s10_6_what_an_offer_lacks_because_its_provider_refuses_it() {
    use Capability::{
        Logprobs, NoCalls, OtherFormat, ResponseFormat, Several, StructuredOutputs, ToolChoice,
        Tools,
    };
    #[rustfmt::skip]
    let rows: [(&str, &[Capability], &[Capability]); 5] = [
        ("groq",    &[Several, Logprobs],                 &[Tools, ResponseFormat]),
        ("mistral", &[Logprobs],                          &[Several, Tools]),
        ("kilo",    &[ResponseFormat, StructuredOutputs, OtherFormat], &[Tools, ToolChoice, NoCalls, Several]),
        ("no-choice", &[ToolChoice, NoCalls],             &[Tools, OtherFormat]),
        ("plain",   &[],                                  &[Tools, Several, Logprobs]),
    ];
    for (provider, lacks, keeps) in rows {
        let able: Capabilities = Capability::ALL.into_iter().collect();
        let bound = fields(provider).bound(able);
        let known = |list: &[Capability]| list.iter().map(|c| bound.get(*c)).collect::<Vec<_>>();
        assert!(
            known(lacks).iter().all(|known| *known == Some(false)),
            "{provider}"
        );
        assert!(
            known(keeps).iter().all(|known| *known == Some(true)),
            "{provider}"
        );
        let id = ProviderId::try_from(provider).unwrap();
        let needs = |field: &str| {
            let body = format!(r#"{{"messages":[],{field}}}"#);
            ChatRequest::read(body.into(), 9).unwrap().needs
        };
        assert_eq!(
            needs("\"n\":2").met_at(&id, bound),
            !lacks.contains(&Several),
            "{provider}"
        );
        assert_eq!(
            needs("\"logprobs\":true").met_at(&id, bound),
            !lacks.contains(&Logprobs)
        );
        assert_eq!(
            needs("\"response_format\":{\"type\":\"grammar\"}").met_at(&id, bound),
            !lacks.contains(&OtherFormat)
        );
        assert_eq!(
            needs("\"tools\":[{}],\"tool_choice\":\"none\"").met_at(&id, bound),
            !lacks.contains(&NoCalls)
        );
        assert!(
            needs("\"tool_choice\":\"none\",\"n\":1,\"logprobs\":false,\"response_format\":{\"type\":\"text\"}")
                .met_at(&id, bound)
        );
        assert!(
            needs("\"seed\":1,\"stop\":\"a\",\"reasoning_effort\":\"high\"")
                .met_at(&id, fields(provider).bound(Capabilities::default()))
        );
    }
}

#[test]
fn s10_6_which_field_of_the_request_an_answer_refuses() {
    let mistral = |name: &str| {
        format!(r#"{{"detail":[{{"type":"extra_forbidden","loc":["body","{name}"]}}]}}"#)
    };
    let request = ChatRequest::read(
        Bytes::from_static(
            br#"{"messages":[],"seed":1,"service_tier":null,"logprobs":true,"n":1,"x":{}}"#,
        ),
        9,
    )
    .unwrap();
    #[rustfmt::skip]
    let rows = [
        // The request's name for it, and what the offer lacks if it refuses it.
        ("random_seed",  Some(("seed", None))),
        ("seed",         Some(("seed", None))),
        ("service_tier", Some(("service_tier", None))),
        ("logprobs",     Some(("logprobs", Some(Capability::Logprobs)))),
        ("top_k",        None),
        ("n",            None),
        ("messages",     None),
    ];
    for (name, expected) in rows {
        let found = request.refused_field(422, mistral(name).as_bytes(), &fields("mistral"));
        let told = found.map(|name| (name.to_string(), request.lost_without(name)));
        assert_eq!(
            told,
            expected.map(|(name, lost)| (name.to_owned(), lost)),
            "{name}"
        );
    }
    assert_eq!(
        request.refused_field(429, mistral("seed").as_bytes(), &fields("mistral")),
        None
    );
}
