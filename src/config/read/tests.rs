use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::config::{AllowOrigins, Group, LogLevel, ModelField, SETTINGS};
use crate::learnt::{Order, Parameters};
use crate::model::ModelOrder;

type Set = &'static [(&'static str, &'static str)];

const KEY: &str = "sk-or-v1-0123456789abcdef";

#[test]
fn s6_the_table_and_the_reader_know_the_same_names() {
    let asked = RefCell::new(BTreeSet::new());
    let read = Config::read(|name| {
        asked.borrow_mut().insert(name.to_owned());
        keys(name)
    });
    assert!(read.is_ok());
    let names = SETTINGS.iter().map(|s| s.name.to_owned());
    let keys = accounts::plain_names().map(str::to_owned);
    assert_eq!(asked.into_inner(), names.chain(keys).collect());
}

#[test]
fn s6_defaults() {
    let config = Config::read(keys).unwrap();
    let sec = Duration::from_secs;
    assert_eq!(config.upstream_key.expose(), KEY);
    assert_eq!(config.clients.keys().count(), 1);
    assert_eq!(
        config.models_list_url,
        "https://shir-man.com/api/free-llm/top-models"
    );
    assert_eq!(config.models_refresh, sec(3600));
    assert_eq!(config.upstream_base_url, "https://openrouter.ai/api/v1");
    assert_eq!(config.max_fallback_attempts, 5);
    assert_eq!(config.request_budget, sec(120));
    assert_eq!(config.connect_timeout, sec(10));
    assert_eq!(config.upstream_timeout, sec(30));
    assert_eq!(config.stream_idle_timeout, sec(30));
    assert_eq!(config.plain_timeout, None);
    assert_eq!(config.stream_keepalive, Some(sec(15)));
    assert_eq!(config.long_wait, Some(sec(300)));
    assert_eq!(config.routing, Order::Balanced);
    assert_eq!(config.wait, Some(sec(20)));
    assert_eq!(config.learning, Parameters::default());
    assert_eq!(config.rate_limit_cooldown, sec(300));
    assert_eq!(config.generic_error_cooldown, sec(60));
    assert_eq!(config.referer, "https://github.com/promsoft/free-llm-proxy");
    assert_eq!(config.title, "free-llm-proxy");
    assert_eq!(config.log_level, LogLevel::Info);
    assert_eq!(
        (config.host.to_string().as_str(), config.port),
        ("0.0.0.0", 8080)
    );
    assert_eq!(config.model_field, ModelField::Ignore);
    assert!(config.fallback_router);
    assert!(!config.allow_paid);
    assert_eq!(config.drain_timeout, sec(30));
    let labels = config.accounts.iter().map(|account| account.id.to_string());
    assert_eq!(labels.collect::<Vec<_>>(), ["openrouter"]);
    assert_eq!(config.model_order, ModelOrder::default());
    assert_eq!(config.metrics_addr, None);
    assert!(!config.metrics_auth);
    assert_eq!(config.cors_allow_origins, AllowOrigins::Any);
    assert_eq!(config.outbound_proxy, OutboundProxy::default());
    let limits = config.limits;
    assert_eq!(
        (limits.max_body_bytes, limits.max_json_depth),
        (32 << 20, 128)
    );
    assert_eq!(
        (limits.header_timeout, limits.body_idle_timeout),
        (sec(30), sec(30))
    );
    assert_eq!(limits.idle_timeout, sec(75));
    assert_eq!(limits.max_connections, 10_000);
    assert_eq!(
        (limits.max_list_bytes, limits.max_catalogue_bytes),
        (8 << 20, 16 << 20)
    );
    assert_eq!(
        (limits.max_event_bytes, limits.max_answer_bytes),
        (16 << 20, 64 << 20)
    );
    assert_eq!(limits.max_held_bytes, 1 << 20);
}

#[test]
fn s6_every_problem_is_reported_at_once() {
    let lookup = |name: &str| {
        let value = match name {
            "PORT" => "99999",
            "LOG_LEVEL" => "loud",
            "UPSTREAM_TIMEOUT_SEC" => "nan",
            "HTTPS_PROXY" => "ftp://me:secret@proxy",
            _ => return None,
        };
        Some(value.to_owned())
    };
    assert_eq!(
        Config::read(lookup).unwrap_err().to_string(),
        "OPENROUTER_API_KEY is required: create one at https://openrouter.ai/settings/keys, or set another \
         provider's (GEMINI_API_KEY, GROQ_API_KEY, NVIDIA_API_KEY, CLOUDFLARE_API_TOKEN, ZAI_API_KEY, \
         REQUESTY_API_KEY, MISTRAL_API_KEY, COHERE_API_KEY, LLM7_API_KEY, HUGGINGFACE_API_KEY, \
         AI_GATEWAY_API_KEY, CEREBRAS_API_KEY, OLLAMA_API_KEY, SILICONFLOW_API_KEY, MODELSCOPE_API_KEY); \
         `free-llm-proxy providers` says where to get them\n\
         PROXY_API_KEY is required: make one up, or let `free-llm-proxy init` do it\n\
         PORT=\"99999\": must be a whole number from 0 to 65535\n\
         UPSTREAM_TIMEOUT_SEC=\"nan\": must be a number of seconds above 0 and at most \
         315360000, such as 30 or 2.5\n\
         LOG_LEVEL=\"loud\": must be DEBUG, INFO, WARNING or ERROR\n\
         HTTPS_PROXY=\"ftp://***@proxy\": must be an http, https, socks5 or socks5h URL, such as \
         http://127.0.0.1:3128"
    );
}

#[test]
fn s6_a_key_is_never_shown() {
    for bad in [
        "hush hush",
        "hush\u{7f}hush",
        "тише-hush",
        "<hush>",
        "\"hush\"",
    ] {
        for name in ["OPENROUTER_API_KEY", "PROXY_API_KEY"] {
            let error = Config::read(with(&[(name, bad)]));
            let Err(error) = error else { continue };
            assert!(!error.to_string().contains("hush"), "{error}");
            assert!(error.to_string().starts_with(name), "{error}");
        }
    }
}

#[test]
fn s6_an_empty_value_is_malformed_or_none() {
    for setting in SETTINGS {
        for empty in ["", "  "] {
            let read = Config::read(with(&[(setting.name, empty)]));
            if setting.name == "PROVIDERS" {
                let error = read.unwrap_err().to_string();
                assert!(error.starts_with("PROVIDERS is empty: "), "{error}");
                continue;
            }
            match setting.preset {
                Preset::None => assert!(read.is_ok(), "{}", setting.name),
                Preset::Required(_) | Preset::Text(_) | Preset::Same(_) => {
                    let error = read.unwrap_err();
                    assert_eq!(error.problems().len(), 1, "{error}");
                    assert!(error.to_string().starts_with(setting.name), "{error}");
                }
            }
        }
    }
}

#[test]
fn s11_1_the_figures_behind_the_order_are_decimal_seconds() {
    for setting in Group::Learning.settings() {
        let read = |text| Config::read(with(&[(setting.name, text)]));
        let usual = format!("{:?}", Parameters::default());
        let changed = format!("{:?}", read("7200.25").unwrap().learning);
        assert!(changed.contains("7200.25") && changed != usual, "{changed}");
        for absurd in ["-1", "nan", "inf", "1e30", "315360001", "two"] {
            let error = read(absurd).unwrap_err().to_string();
            assert!(error.starts_with(setting.name), "{error}");
        }
        let divides = setting.name.contains("HALF_LIFE") || setting.name.contains("PRIOR");
        assert_eq!(read("0").is_err(), divides, "{}", setting.name);
    }
    let half_lives = with(&[("LEARN_HALF_LIFE_SEC", "600")]);
    let learning = Config::read(half_lives).unwrap().learning;
    assert_eq!((learning.half_life, learning.half_life_max), (600.0, 600.0));
    assert_eq!(Config::read(with(&[("WAIT_SEC", "0")])).unwrap().wait, None);
    #[rustfmt::skip]
    let absurd = [
        ("ROUTING",  "fastest"), ("ROUTING",  "auto:fast"), ("ROUTING",  "rank,balanced"),
        ("WAIT_SEC", "-1"),      ("WAIT_SEC", "nan"),       ("WAIT_SEC", "inf"), ("WAIT_SEC", "1e30"),
    ];
    for (name, value) in absurd {
        let error = Config::read(with(&[(name, value)]))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(name), "{name}={value}: {error}");
    }
    let by_rank = Config::read(with(&[("ROUTING", "rank")])).unwrap();
    assert_eq!(by_rank.routing, Order::Rank);
}

#[test]
fn s6_time_limits_depend_on_each_other() {
    #[rustfmt::skip]
    let rows: &[(Set, [u64; 3], Option<u64>)] = &[
        // set                                                           connect, upstream, idle, plain
        (&[],                                                            [10, 30, 30],      None),
        (&[("UPSTREAM_TIMEOUT_SEC", "60")],                              [10, 60, 60],      None),
        (&[("UPSTREAM_TIMEOUT_SEC", "5")],                               [5, 5, 5],         None),
        (&[("CONNECT_TIMEOUT_SEC", "40")],                               [30, 30, 30],      None),
        (&[("STREAM_IDLE_TIMEOUT_SEC", "7"), ("PLAIN_TIMEOUT_SEC", "90")], [10, 30, 7],     Some(90)),
        (&[("PLAIN_TIMEOUT_SEC", "")],                                   [10, 30, 30],      None),
    ];
    for (set, expected, plain) in rows {
        let c = Config::read(with(set)).unwrap();
        let got = [c.connect_timeout, c.upstream_timeout, c.stream_idle_timeout];
        assert_eq!(got.map(|d| d.as_secs()), *expected, "{set:?}");
        assert_eq!(c.plain_timeout.map(|d| d.as_secs()), *plain, "{set:?}");
    }
}

#[test]
fn s6_values_are_read_into_their_fields() {
    let config = Config::read(with(&[
        ("OPENROUTER_API_KEY", "  sk-or-v1-trimmed \r"),
        ("PROXY_API_KEY", "one, two"),
        ("HOST", "localhost"),
        ("PORT", "0"),
        ("MODEL_FIELD", "pin"),
        ("MODEL_ALIASES", "gpt-5=auto"),
        ("FALLBACK_ROUTER", "off"),
        ("ALLOW_PAID", "1"),
        ("STREAM_KEEPALIVE_SEC", "0"),
        ("RATE_LIMIT_COOLDOWN_SEC", "0"),
        ("GENERIC_ERROR_COOLDOWN_SEC", "0.25"),
        ("METRICS_ADDR", "localhost:9090"),
        ("LOG_LEVEL", "warning"),
        ("UPSTREAM_BASE_URL", "http://127.0.0.1:9001/v1/"),
        ("ALL_PROXY", "socks5h://127.0.0.1:1080"),
        ("NO_PROXY", "localhost,127.0.0.1"),
    ]))
    .unwrap();
    assert_eq!(config.upstream_key.expose(), "sk-or-v1-trimmed");
    assert_eq!(
        config
            .clients
            .keys()
            .map(|k| k.expose())
            .collect::<Vec<_>>(),
        ["one", "two"]
    );
    assert_eq!(
        (config.host.to_string().as_str(), config.port),
        ("127.0.0.1", 0)
    );
    assert_eq!(config.model_field, ModelField::Pin);
    assert_eq!((config.fallback_router, config.allow_paid), (false, true));
    assert_eq!(config.stream_keepalive, None);
    assert_eq!(config.rate_limit_cooldown, Duration::ZERO);
    assert_eq!(config.generic_error_cooldown, Duration::from_millis(250));
    assert_eq!(config.metrics_addr.unwrap().to_string(), "127.0.0.1:9090");
    assert_eq!(config.log_level, LogLevel::Warning);
    assert_eq!(config.upstream_base_url, "http://127.0.0.1:9001/v1");
    assert_eq!(
        config.outbound_proxy.all.as_deref(),
        Some("socks5h://127.0.0.1:1080")
    );
    assert_eq!(
        config.outbound_proxy.no.as_deref(),
        Some("localhost,127.0.0.1")
    );
}

#[test]
fn s13_a_short_key_matters_where_others_can_try() {
    #[rustfmt::skip]
    let rows = [
        // HOST               PROXY_API_KEY                        how short
        ("0.0.0.0",           "7",                                 Some(1)),
        ("0.0.0.0",           "0123456789abcde",                   Some(15)),
        ("0.0.0.0",           "0123456789abcdef",                  None),
        ("::",                "0123456789abcdef, short",           Some(5)),
        ("192.168.1.2",       "short",                             Some(5)),
        ("127.0.0.1",         "7",                                 None),
        ("::1",               "7",                                 None),
        ("localhost",         "7",                                 None),
    ];
    for (host, key, expected) in rows {
        let config = Config::read(with(&[("HOST", host), ("PROXY_API_KEY", key)])).unwrap();
        assert_eq!(config.short_key(), expected, "{host} {key}");
    }
}

#[test]
fn s6_a_debug_print_shows_no_key_and_no_password() {
    let config = Config::read(with(&[("ALL_PROXY", "http://me:hush@proxy:1")])).unwrap();
    let debug = format!("{config:?}");
    assert!(!debug.contains("hush") && !debug.contains(KEY), "{debug}");
}

#[test]
fn s8_a_probe_needs_no_keys() {
    let lookup = |name: &str| (name == "PORT").then(|| "9000".to_owned());
    assert_eq!(listen_address(lookup).unwrap().to_string(), "0.0.0.0:9000");
    assert!(listen_address(|_| Some("x".to_owned())).is_err());
}

fn keys(name: &str) -> Option<String> {
    match name {
        "OPENROUTER_API_KEY" => Some(KEY.to_owned()),
        "PROXY_API_KEY" => Some("local-key".to_owned()),
        _ => None,
    }
}

fn with(set: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    move |name| {
        let given = set.iter().find(|(set, _)| *set == name);
        given
            .map(|(_, value)| (*value).to_owned())
            .or_else(|| keys(name))
    }
}

#[test]
fn s6_clients_find_the_proxy_where_it_listens_or_at_the_given_url() {
    #[rustfmt::skip]
    let rows: &[(Set, Option<&str>, &str)] = &[
        // settings                                       --url                         the base
        (&[],                                             None,                         "http://127.0.0.1:8080"),
        (&[("HOST", "::"), ("PORT", "81")],               None,                         "http://[::1]:81"),
        (&[("HOST", "10.0.0.7")],                         None,                         "http://10.0.0.7:8080"),
        (&[("PORT", "0")],                                Some("http://h:1"),           "http://h:1"),
        (&[],                                             Some("https://h/"),           "https://h"),
        (&[],                                             Some("https://h/v1/"),        "https://h"),
        (&[],                                             Some("https://h/api/v1"),     "https://h"),
        (&[],                                             Some("https://h/free/v1"),    "https://h/free"),
        (&[("PORT", "0")],                                None,                         "PORT is 0"),
        (&[("PORT", "x")],                                None,                         "PORT=\"x\": must be"),
        (&[],                                             Some("h:1"),                  "--url \"h:1\": must be"),
        (&[],                                             Some("http://me:hush@h"),     "--url \"http://***@h\": must hold no user"),
    ];
    for (set, url, expected) in rows {
        let lookup = |name: &str| match name {
            "PROXY_API_KEY" => Some("first, second".to_owned()),
            _ => set
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| (*value).to_owned()),
        };
        match door(lookup, &nothing_beside(), *url) {
            Ok(door) => assert_eq!(
                (door.base.as_str(), door.key.expose()),
                (*expected, "first")
            ),
            Err(error) => assert!(error.to_string().starts_with(expected), "{error}"),
        }
    }
    let error = door(|_| None, &nothing_beside(), Some("x")).unwrap_err();
    assert_eq!(error.problems().len(), 2, "{error}");
}

fn nothing_beside() -> Beside<'static> {
    static FILE: std::sync::LazyLock<crate::config::file::File> =
        std::sync::LazyLock::new(Default::default);
    Beside {
        layers: &[],
        read: &|_| Err("is not there".to_owned()),
        file: &FILE.says,
        file_is: &FILE.is,
    }
}
