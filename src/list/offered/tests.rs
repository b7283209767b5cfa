//! What each provider offers: the lists of reference "provider cases" §3, and what decides.

use std::time::{Duration, SystemTime};

use super::*;
use crate::model::Capability;
use crate::provider::find;

/// 2026-10-02
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_942_400)
}

fn list(entries: &str) -> ProviderList {
    let body = format!(r#"{{"data":[{entries}]}}"#);
    ProviderList::read(body.as_bytes(), true, now()).unwrap()
}

fn of_ids(ids: &[&str]) -> ProviderList {
    let entries: Vec<_> = ids.iter().map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
    list(&entries.join(","))
}

fn row(id: &str) -> OfferRow {
    OfferRow {
        id: ModelId::try_from(id).unwrap(),
        context: None,
        output: None,
        capabilities: Capabilities::default(),
    }
}

fn rows(ids: &[&str]) -> Vec<OfferRow> {
    ids.iter().map(|id| row(id)).collect()
}

fn rule(decides: bool, priced: bool) -> List {
    List {
        url: None,
        decides,
        with_key: true,
        priced,
    }
}

fn told((offered, not_offered): &(Vec<Offered>, Vec<NotOffered>)) -> String {
    let there: Vec<_> = offered.iter().map(|o| o.offer.id.to_string()).collect();
    let not = not_offered.iter().map(|n| match n.why {
        WhyNot::NotListed => format!(" -{}", n.id),
        WhyNot::Costs => format!(" ${}", n.id),
    });
    format!("{}{}", there.join(" "), not.collect::<String>())
}

#[test]
fn s10_7_what_each_provider_of_the_reference_offers() {
    let kilo = r#"{"id":"tencent/hy3:free","pricing":{"prompt":"0","completion":"0"}},
        {"id":"stepfun/step-3.7-flash:free","pricing":{"prompt":"0","completion":"0"}},
        {"id":"openai/gpt-5","pricing":{"prompt":"0.000001","completion":"0.000001"}},
        {"id":"evil/not-zero:free","pricing":{"prompt":"0.1","completion":"0.1"}}"#;
    let requesty = r#"{"id":"nvidia/nemotron-3-super-120b-a12b","input_price":0,"output_price":0},
        {"id":"openai/gpt-5","input_price":0.000001,"output_price":0.00001},{"id":"untold/price"}"#;
    #[rustfmt::skip]
    let rows = [
        ("groq",     rule(true, false),  &[][..], of_ids(&["openai/gpt-oss-120b", "qwen/qwen3.8-27b", "whisper-large-v3", "playai-tts"]), "openai/gpt-oss-120b qwen/qwen3.8-27b"),
        ("kilo",     rule(true, true),   &[],     list(kilo),     "tencent/hy3:free stepfun/step-3.7-flash:free"),
        ("requesty", rule(true, true),   &[],     list(requesty), "nvidia/nemotron-3-super-120b-a12b"),
        ("gemini",   rule(false, false), &["gemini-3.5-flash", "gemini-3.5-pro"], of_ids(&["models/gemini-3.5-flash", "models/gemini-embedding-001", "models/aqa"]), "gemini-3.5-flash -gemini-3.5-pro"),
        ("gemini",   rule(false, false), &["models/gemini-3.5-flash"], of_ids(&["models/gemini-3.5-flash"]), "gemini-3.5-flash"),
        ("ovh",      rule(true, false),  &[],     of_ids(&["gpt-oss-120b", "bge-m3", "Qwen3Guard-Gen-8B"]), "gpt-oss-120b"),
        ("local",    rule(true, false),  &[],     of_ids(&["qwen3:8b", "llama3.2:3b"]), "qwen3:8b llama3.2:3b"),
        ("nvidia",   rule(false, false), &["openai/gpt-oss-20b"], of_ids(&["openai/gpt-oss-20b", "nvidia/nv-embedqa-e5-v5", "some/never-heard-of-model"]), "openai/gpt-oss-20b"),
    ];
    for (provider, rule, row, list, expected) in rows {
        let provider = ProviderId::try_from(provider).unwrap();
        let row = super::tests::rows(row);
        let source = Source {
            provider: &provider,
            rule: &rule,
            row: &row,
            file: None,
            list: Some(&list),
            custom: false,
            named_free: false,
            lacks: Capabilities::default(),
        };
        assert_eq!(told(&offered(source, None, false)), expected, "{provider}");
    }
}

/// What names it, what the list has, and the result.
struct Case {
    decides: bool,
    priced: bool,
    named_free: bool,
    allow_paid: bool,
    row: &'static [&'static str],
    file: Option<&'static [&'static str]>,
    list: Option<&'static str>,
    expected: &'static str,
}

#[test]
fn s10_7_list_row_and_file_decide_what_is_offered() {
    const LIST: Option<&str> = Some(r#"{"id":"a"},{"id":"b"},{"id":"c:free"}"#);
    const PRICED: Option<&str> = Some(
        r#"{"id":"a","pricing":{"prompt":"0"}},{"id":"b","pricing":{"prompt":"1"}},{"id":"c"}"#,
    );
    let usual = || Case {
        decides: true,
        priced: false,
        named_free: false,
        allow_paid: false,
        row: &["a", "r"],
        file: None,
        list: LIST,
        expected: "",
    };
    #[rustfmt::skip]
    let cases = [
        Case { expected: "a b c:free", ..usual() },
        Case { list: None, expected: "a r", ..usual() },
        Case { file: Some(&["b", "x"]), expected: "b -x", ..usual() },
        Case { file: Some(&["b", "x"]), list: None, expected: "b x", ..usual() },
        Case { file: Some(&[]), expected: "", ..usual() },
        // The list does not say what is free.
        Case { decides: false, expected: "a -r", ..usual() },
        Case { decides: false, list: None, expected: "a r", ..usual() },
        Case { decides: false, list: Some(""), expected: " -a -r", ..usual() },
        Case { decides: false, file: Some(&["b", "x"]), expected: "b -x", ..usual() },
        // It can bill: only what costs nothing.
        Case { priced: true, list: PRICED, expected: "a", ..usual() },
        Case { priced: true, list: PRICED, allow_paid: true, expected: "a b c", ..usual() },
        Case { priced: true, list: PRICED, file: Some(&["a", "b", "c", "x"]), expected: "a $b $c -x", ..usual() },
        Case { priced: true, list: PRICED, file: Some(&["b"]), allow_paid: true, expected: "b", ..usual() },
        Case { priced: true, list: None, expected: "a r", ..usual() },
        Case { priced: true, list: None, file: Some(&["a", "b"]), expected: "a $b", ..usual() },
        // A relay of OpenRouter.
        Case { named_free: true, expected: "c:free", ..usual() },
        Case { named_free: true, allow_paid: true, expected: "a b c:free", ..usual() },
        Case { named_free: true, file: Some(&["a", "c:free"]), expected: "c:free $a", ..usual() },
        // At Ollama `x` is `x:latest`, and the list's spelling is sent.
        Case { file: Some(&["x", "y:latest"]), list: Some(r#"{"id":"x:latest"},{"id":"y"}"#), expected: "x:latest y", ..usual() },
    ];
    let provider = ProviderId::try_from("some").unwrap();
    for (at, case) in cases.iter().enumerate() {
        let row = rows(case.row);
        let file = case.file.map(rows);
        let list = case.list.map(list);
        let source = Source {
            provider: &provider,
            rule: &rule(case.decides, case.priced),
            row: &row,
            file: file.as_deref(),
            list: list.as_ref(),
            custom: false,
            named_free: case.named_free,
            lacks: Capabilities::default(),
        };
        assert_eq!(
            told(&offered(source, None, case.allow_paid)),
            case.expected,
            "case {at}"
        );
    }
}

fn catalogue(entries: &str) -> Catalogue {
    Catalogue::read(format!(r#"{{"data":[{entries}]}}"#).as_bytes(), now()).unwrap()
}

/// `window by/output by, tools by`
fn facts(offered: &Offered) -> String {
    let number = |n: Option<u64>| n.map_or("?".to_owned(), |n| n.to_string());
    let Offered { offer, known } = offered;
    format!(
        "{} {}, {} {}, {:?} {}",
        number(offer.context_length),
        known.context_length.as_str(),
        number(offer.max_output),
        known.max_output.as_str(),
        offer.capabilities.get(Capability::Tools),
        known.capability(Capability::Tools).as_str(),
    )
}

#[test]
fn s10_7_the_closest_source_describes_a_model() {
    let row = |context, output, tools: Option<bool>| {
        let mut row = row("gpt-oss-120b");
        (row.context, row.output) = (context, output);
        row.capabilities.set(Capability::Tools, tools);
        vec![row]
    };
    let nothing = row(None, None, None);
    let all = row(Some(3), Some(30), Some(false));
    let bare = r#"{"id":"gpt-oss-120b"}"#;
    let telling = r#"{"id":"gpt-oss-120b","context_window":2,"max_completion_tokens":20,"supports_tools":true}"#;
    let twin = catalogue(
        r#"{"id":"openai/gpt-oss-120b","context_length":4,"top_provider":{"max_completion_tokens":40},"supported_parameters":["tools"]}"#,
    );
    #[rustfmt::skip]
    let cases = [
        ("some",  Some(row(Some(1), None, None)), Some(telling), &all,     "1 file, 20 list, Some(true) list"),
        ("some",  None,                           Some(telling), &all,     "2 list, 20 list, Some(true) list"),
        ("some",  None,                           Some(bare),    &all,     "3 row, 30 row, Some(false) row"),
        ("some",  None,                           Some(bare),    &nothing, "4 catalogue, 40 catalogue, Some(true) catalogue"),
        ("some",  Some(row(None, None, Some(false))), Some(bare), &nothing, "4 catalogue, 40 catalogue, Some(false) file"),
        // The user's own machine: what is unknown counts as present, and others' windows say
        // nothing.
        ("local", None,                           Some(bare),    &nothing, "? unknown, ? unknown, Some(true) unknown"),
        ("local", None,                           Some(telling), &nothing, "2 list, 20 list, Some(true) list"),
        ("local", Some(row(Some(1), None, Some(false))), Some(bare), &nothing, "1 file, ? unknown, Some(false) file"),
        ("local", None, Some(r#"{"id":"gpt-oss-120b","owned_by":"library"}"#), &nothing, "4096 unknown, ? unknown, Some(true) unknown"),
    ];
    for (provider, file, listed, row, expected) in cases {
        let provider = ProviderId::try_from(provider).unwrap();
        let list = listed.map(list);
        let source = Source {
            provider: &provider,
            rule: &rule(true, false),
            row,
            file: file.as_deref(),
            list: list.as_ref(),
            custom: false,
            named_free: false,
            lacks: Capabilities::default(),
        };
        let (offered, _) = offered(source, Some(&twin), false);
        assert_eq!(
            facts(&offered[0]),
            expected,
            "{provider} {listed:?} {file:?}"
        );
    }
    let provider = ProviderId::try_from("some").unwrap();
    let source = Source {
        provider: &provider,
        rule: &rule(false, false),
        row: &nothing,
        file: None,
        list: None,
        custom: false,
        named_free: false,
        lacks: Capabilities::default(),
    };
    let other = catalogue(r#"{"id":"other/model","supported_parameters":["tools"]}"#);
    #[rustfmt::skip]
    let rows = [
        // the catalogue  of the file  what is not known
        (Some(&other),    false,       "None unknown"),
        // While nobody could say, and where the user has put it, it is tried.
        (None,            false,       "Some(true) unknown"),
        (Some(&other),    true,        "Some(true) unknown"),
    ];
    for (catalogue, custom, expected) in rows {
        let (unknown, _) = offered(Source { custom, ..source }, catalogue, false);
        let expected = format!("? unknown, ? unknown, {expected}");
        assert_eq!(facts(&unknown[0]), expected, "{custom}");
    }
}

#[test]
fn s10_7_openrouter_offers_what_ranking_or_catalogue_say() {
    let ranking = Ranking::read(
        br#"{"models":[{"rank":1,"id":"a:free","contextLength":7},{"rank":2,"id":"b:free","supportsTools":false}],"fallback":{"id":"openrouter/free"}}"#,
        false,
    )
    .unwrap();
    let catalogue = catalogue(
        r#"{"id":"a:free","context_length":9,"supported_parameters":["tools"],"architecture":{"output_modalities":["text"]},"pricing":{"prompt":"0"}},
        {"id":"b:free","context_length":9,"supported_parameters":["tools"],"pricing":{"prompt":"0"}},{"id":"c:free"},{"id":"paid"},
        {"id":"openrouter/free","context_length":5}"#,
    );
    let (ranking, catalogue) = (Some(&ranking), Some(&catalogue));
    #[rustfmt::skip]
    let cases = [
        (ranking, catalogue, None,                               "a:free b:free"),
        (ranking, None,      None,                               "a:free b:free"),
        (None,    catalogue, None,                               "a:free"),
        (None,    None,      None,                               ""),
        (ranking, catalogue, Some(&["b:free", "c:free", "paid", "x:free"][..]), "b:free c:free $paid -x:free"),
        (None,    None,      Some(&["b:free"][..]),              "b:free"),
    ];
    let provider = ProviderId::try_from("openrouter").unwrap();
    let rule = rule(true, true);
    let source = Source {
        provider: &provider,
        rule: &rule,
        row: &[],
        file: None,
        list: None,
        custom: false,
        named_free: true,
        lacks: Capabilities::default(),
    };
    for (ranking, catalogue, file, expected) in cases {
        let file = file.map(rows);
        let source = Source {
            file: file.as_deref(),
            ..source
        };
        let offered = at_openrouter(source, ranking, catalogue, false);
        assert_eq!(told(&offered), expected);
    }
    let (offered, _) = at_openrouter(source, ranking, catalogue, false);
    let told: Vec<_> = offered.iter().map(facts).collect();
    assert_eq!(
        told,
        [
            "7 list, ? unknown, Some(true) catalogue",
            "9 catalogue, ? unknown, Some(false) list"
        ]
    );
    let router = fallback(source, ranking.unwrap(), catalogue).unwrap();
    assert_eq!(facts(&router), "5 catalogue, ? unknown, None unknown");
    assert_eq!(router.offer.public_id.as_str(), "openrouter/free");
}

/// The built-in rows, each with the list of reference "provider cases" §3.
#[test]
fn s10_7_the_built_in_rows_select_the_right_models_of_each_list() {
    const KILO: &str = r#"{"id":"stepfun/step-3.7-flash:free","canonical_slug":"x","context_length":131072,"pricing":{"prompt":"0","completion":"0"},"supported_parameters":["tools","response_format","structured_outputs"]},
        {"id":"openai/gpt-5","pricing":{"prompt":"0.000001","completion":"0"}},{"id":"evil/not-zero:free","pricing":{"prompt":"0.1","completion":"0.1"}},{"id":"kilo-auto/free","pricing":{"prompt":"0","completion":"0"}}"#;
    #[rustfmt::skip]
    let rows = [
        ("groq",     r#"{"id":"openai/gpt-oss-120b","active":true},{"id":"qwen/qwen3.8-27b","active":false},{"id":"whisper-large-v3"}"#, "openai/gpt-oss-120b"),
        ("kilo",     KILO, "stepfun/step-3.7-flash:free"),
        ("ovh",      r#"{"id":"gpt-oss-120b"},{"id":"bge-m3"},{"id":"stable-diffusion-xl-base-v10"}"#, "gpt-oss-120b"),
        ("local",    r#"{"id":"qwen3:8b"},{"id":"llama3.2:3b"},{"id":"nomic-embed-text:latest"}"#, "qwen3:8b llama3.2:3b"),
        ("requesty", r#"{"id":"nvidia/nemotron-3-super-120b-a12b","input_price":0,"output_price":0},{"id":"openai/gpt-5","input_price":1,"output_price":1}"#,
                     "nvidia/nemotron-3-super-120b-a12b"),
    ];
    for (name, entries, expected) in rows {
        let list = list(entries);
        let row = find(name).unwrap();
        let (there, not_there) = offered(Source::new(row, Some(&list), false), None, false);
        assert_eq!(told(&(there, Vec::new())), expected, "{name}");
        assert_eq!(not_there, [], "{name}");
    }
    // Where ids decide, what else the list has is not offered, and what it lacks is not either.
    #[rustfmt::skip]
    let rows = [
        ("gemini", r#"{"id":"models/gemini-3.5-flash"},{"id":"models/gemini-3.5-pro"},{"id":"models/aqa"}"#, "gemini-3.5-flash"),
        ("nvidia", r#"{"id":"openai/gpt-oss-20b"},{"id":"nvidia/nv-embedqa-e5-v5"},{"id":"some/never-heard-of-model"}"#, "openai/gpt-oss-20b"),
    ];
    for (name, entries, expected) in rows {
        let list = list(entries);
        let row = find(name).unwrap();
        let (there, not_there) = offered(Source::new(row, Some(&list), false), None, false);
        assert_eq!(told(&(there, Vec::new())), expected, "{name}");
        assert_eq!(not_there.len(), row.models.len() - 1, "{name}");
    }
    let cloudflare = ProviderList::read(
        br#"{"success":true,"errors":[],"messages":[],"result":[{"id":"u","name":"@cf/openai/gpt-oss-120b","task":{"name":"Text Generation"},"properties":[{"property_id":"context_window","value":"128000"},{"property_id":"function_calling","value":"true"}]}]}"#,
        false,
        now(),
    )
    .unwrap();
    let source = Source::new(find("cloudflare").unwrap(), Some(&cloudflare), false);
    let (there, _) = offered(source, None, false);
    assert_eq!(
        told(&(there.clone(), Vec::new())),
        "@cf/openai/gpt-oss-120b"
    );
    assert_eq!(facts(&there[0]), "128000 list, ? unknown, Some(true) list");
    // Every provider has offers before its list was ever read, except those for which only the list
    // decides.
    for row in crate::provider::built_in() {
        let (there, _) = offered(Source::new(row, None, false), None, false);
        assert_eq!(there.is_empty(), row.models.is_empty(), "{}", row.id);
    }
}

#[test]
fn s10_6_a_provider_that_refuses_an_undroppable_field_lacks_the_capability() {
    let listed = list(
        r#"{"id":"a:free","pricing":{"prompt":"0"},"supported_parameters":["tools","response_format","structured_outputs"]}"#,
    );
    let (there, _) = offered(
        Source::new(find("kilo").unwrap(), Some(&listed), false),
        None,
        false,
    );
    let able = |capability| there[0].offer.capabilities.get(capability);
    assert_eq!(able(Capability::Tools), Some(true));
    assert_eq!(able(Capability::ResponseFormat), Some(false));
    assert_eq!(able(Capability::StructuredOutputs), Some(false));
    assert_eq!(
        there[0].known.capability(Capability::ResponseFormat),
        ToldBy::Row
    );
}
