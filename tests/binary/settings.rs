//! §6, §8: settings from flags, environment and `.env`; what is wrong with them is reported at
//! once.

use free_llm_proxy::config::{Group, Preset, SETTINGS};
use serde_json::json;
use simulator::Script;
use tokio::net::TcpListener;

use crate::program::{PROXY_KEY, Program, Ran, Serving, UPSTREAM_KEY};
use crate::upstream::Outside;

/// A value of each setting that cannot be intended.
#[rustfmt::skip]
const WRONG: &[(&str, &str)] = &[
    ("OPENROUTER_API_KEY",         "sk-or-v1-two words"),
    ("PROXY_API_KEY",              "hush-hush,,"),
    ("PROVIDERS",                  "nobody"),
    ("TRAINING",                   "never"),
    ("CONFIG_FILE",                "/gone/for/good.toml"),
    ("STATE",                      "disk"),
    ("LOCAL_BASE_URL",             "127.0.0.1:11434"),
    ("LOCAL_CONCURRENCY",          "0"),
    ("LOCAL_TIMEOUT_SEC",          "0"),
    ("MODEL_ORDER",                "best first"),
    ("MODELS_LIST_URL",            "ftp://host/list"),
    ("MODELS_REFRESH_SEC",         "0"),
    ("UPSTREAM_BASE_URL",          "openrouter.ai"),
    ("MAX_FALLBACK_ATTEMPTS",      "0"),
    ("WORKER_THREADS",             "0"),
    ("REQUEST_BUDGET_SEC",         "nan"),
    ("CONNECT_TIMEOUT_SEC",        "-1"),
    ("UPSTREAM_TIMEOUT_SEC",       "inf"),
    ("STREAM_IDLE_TIMEOUT_SEC",    "30s"),
    ("PLAIN_TIMEOUT_SEC",          "1e3"),
    ("STREAM_KEEPALIVE_SEC",       "never"),
    ("ROUTING",                    "fastest"),
    ("WAIT_SEC",                   "-1"),
    ("RANK_WORTH_SEC",             "-2"),
    ("LEARN_HALF_LIFE_SEC",        "0"),
    ("LEARN_HALF_LIFE_MAX_SEC",    "0"),
    ("LEARN_SLOW_SEC",             "nan"),
    ("LEARN_SLOW_FAILURE_SEC",     "inf"),
    ("LEARN_SLOW_EVERY_SEC",       "1e30"),
    ("LEARN_PRIOR_TTFT_SEC",       "0"),
    ("LEARN_FAILURE_SEC",          "-0.1"),
    ("LEARN_TIGHT_SEC",            "NaN"),
    ("LEARN_BREAK_SEC",            "-inf"),
    ("LEARN_BREAK_HALF_LIFE_SEC",  "0.0"),
    ("LEARN_STICKY_SEC",           "a lot"),
    ("LEARN_STICKY_ACCOUNT_SEC",   "1,5"),
    ("LEARN_STICKY_FOR_SEC",       "10m"),
    ("LEARN_FIRST_REST_SEC",       "1000000000000000000000000000000"),
    ("LEARN_LIMIT_MIN_SEC",        "-5"),
    ("RATE_LIMIT_COOLDOWN_SEC",    "-0.5"),
    ("GENERIC_ERROR_COOLDOWN_SEC", "a minute"),
    ("LONG_WAIT_SEC",              "soon"),
    ("OPENROUTER_REFERER",         "при\nвет"),
    ("OPENROUTER_TITLE",           "a\r\nb"),
    ("LOG_LEVEL",                  "verbose"),
    ("HOST",                       "my-laptop"),
    ("PORT",                       "99999"),
    ("MODEL_FIELD",                "best"),
    ("MODEL_ALIASES",              "gpt-5"),
    ("FALLBACK_ROUTER",            "maybe"),
    ("ALLOW_PAID",                 "yes"),
    ("DRAIN_TIMEOUT_SEC",          "0"),
    ("METRICS_ADDR",               "9090"),
    ("METRICS_AUTH",               "2"),
    ("CORS_ALLOW_ORIGINS",         "chat.example/path"),
    ("MAX_BODY_BYTES",             "32 MiB"),
    ("MAX_JSON_DEPTH",             "0"),
    ("HEADER_TIMEOUT_SEC",         "0"),
    ("BODY_IDLE_TIMEOUT_SEC",      "x"),
    ("IDLE_TIMEOUT_SEC",           "1,5"),
    ("MAX_CONNECTIONS",            "many"),
    ("MAX_LIST_BYTES",             "0"),
    ("MAX_CATALOGUE_BYTES",        "-1"),
    ("MAX_EVENT_BYTES",            "1.5"),
    ("MAX_ANSWER_BYTES",           "many"),
    ("MAX_HELD_BYTES",             "99999999999999999999"),
    ("HTTPS_PROXY",                "socks4://127.0.0.1:1"),
    ("HTTP_PROXY",                 "http://"),
    ("ALL_PROXY",                  "not a proxy"),
];

#[tokio::test]
async fn s6_what_is_required_and_missing_is_said_in_one_message() {
    for command in ["", "serve", "check", "serve --port 1"] {
        let ran = Program::new(command).run().await;
        refuses(&ran, &["OPENROUTER_API_KEY", "PROXY_API_KEY"]);
        assert!(
            ran.stderr.contains("https://openrouter.ai/settings/keys"),
            "what to do"
        );
    }
}

#[tokio::test]
async fn s6_everything_wrong_is_listed_at_once() {
    let all = WRONG
        .iter()
        .fold(Program::new(""), |program, (name, value)| {
            program.env(name, value)
        });
    let ran = all.run().await;
    let names: Vec<_> = WRONG.iter().map(|(name, _)| *name).collect();
    refuses(&ran, &names);
    // Any value of these is read; what is wrong with a trace file shows when it is opened.
    let any = ["NO_PROXY", "LOCAL_API_KEY", "TRACE_FILE"];
    for setting in SETTINGS
        .iter()
        .filter(|setting| !any.contains(&setting.name))
    {
        assert!(names.contains(&setting.name), "{} has a row", setting.name);
    }
}

#[tokio::test]
async fn s6_each_wrong_value_is_named_with_its_setting() {
    let (_held, port) = taken().await;
    for (name, value) in WRONG {
        let program = Program::with_keys("").env("PORT", &port).env(name, value);
        let ran = program.run().await;
        refuses(&ran, &[name]);
        let shown = ran.stderr.contains(value.split('\n').next().unwrap());
        let is_key = name.ends_with("_KEY");
        assert!(
            shown != is_key || value.contains(['\r', '\n']),
            "{}",
            ran.stderr
        );
    }
}

#[tokio::test]
async fn s6_an_empty_value_is_wrong_unless_there_is_no_default() {
    let (_held, port) = taken().await;
    for setting in SETTINGS {
        let program = Program::with_keys("")
            .env("PORT", &port)
            .env(setting.name, "");
        let ran = program.run().await;
        match setting.preset {
            Preset::None if setting.name == "PROVIDERS" => refuses(&ran, &["PROVIDERS"]),
            Preset::None => assert_eq!(ran.code, Some(1), "{}: {ran:?}", setting.name),
            Preset::Required(_) | Preset::Text(_) | Preset::Same(_) => {
                refuses(&ran, &[setting.name]);
            }
        }
    }
}

#[tokio::test]
async fn s6_odd_values_that_are_fine() {
    let (_held, port) = taken().await;
    #[rustfmt::skip]
    let rows = [
        ("LOG_LEVEL",               "warning"),
        ("LOG_LEVEL",               "Debug"),
        ("MODELS_REFRESH_SEC",      "0.5"),
        ("RATE_LIMIT_COOLDOWN_SEC", "0"),
        ("STREAM_KEEPALIVE_SEC",    "0"),
        ("FALLBACK_ROUTER",         "OFF"),
        ("ALLOW_PAID",              "1"),
        ("PROXY_API_KEY",           " a , b "),
        ("OPENROUTER_API_KEY",      "  sk-or-v1-0123456789  "),
        ("UPSTREAM_BASE_URL",       "http://127.0.0.1:1/api/v1/"),
        ("MODELS_LIST_URL",         "http://[::1]:1/list?x=1"),
        ("CONNECT_TIMEOUT_SEC",     "3600"),
        ("METRICS_ADDR",            "localhost:0"),
        ("HOST",                    "localhost"),
        ("NO_PROXY",                "*, a.test"),
        ("HTTPS_PROXY",             "127.0.0.1:1"),
        ("SOMETHING_ELSE",          "at all"),
    ];
    for (name, value) in rows {
        let program = Program::with_keys("").env("PORT", &port).env(name, value);
        let ran = program.run().await;
        // Up to the port, which is taken: the settings are valid.
        assert_eq!(ran.code, Some(1), "{name}={value}: {ran:?}");
    }
}

#[tokio::test]
async fn s6_a_bad_flag_ends_with_2_and_a_key_is_not_a_flag() {
    #[rustfmt::skip]
    let rows = [
        "--nonsense", "nonsense", "--port", "--port x", "serve --port 99999", "--models-refresh-sec 0",
        "--openrouter-api-key hush-hush", "--openrouter-api-key=hush-hush", "--proxy-api-key hush-hush",
        "--proxy-api-key=hush-hush", "--https-proxy http://a:hush-hush@b", "demo --port x", "health --port x",
        "completions", "completions tcsh", "check extra",
    ];
    for arguments in rows {
        let ran = Program::with_keys(arguments).run().await;
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (Some(2), ""),
            "{arguments}: {ran:?}"
        );
        assert!(!ran.stderr.is_empty(), "{arguments}");
        calm(&ran);
    }
}

#[tokio::test]
async fn s6_flags_win_over_the_environment_and_that_over_the_file() {
    #[rustfmt::skip]
    let rows = [
        // flags               PORT           .env             asked
        ("--port 1001",        Some("1002"),  "PORT=1003",     "127.0.0.1:1001"),
        ("--port=1001",        None,          "",              "127.0.0.1:1001"),
        ("",                   Some("1002"),  "PORT=1003",     "127.0.0.1:1002"),
        ("",                   None,          "PORT=1003",     "127.0.0.1:1003"),
        ("",                   None,          "PORT='1003' # why not\r\n", "127.0.0.1:1003"),
        ("",                   None,          "export PORT=1003", "127.0.0.1:1003"),
        ("",                   None,          "",              "127.0.0.1:8080"),
        ("--host 127.0.0.2",   Some("1002"),  "HOST=127.0.0.3", "127.0.0.2:1002"),
    ];
    for (flags, variable, file, asked) in rows {
        // There is no listener, unless it is 8080: in any case it says what it asked.
        let file = format!("PROXY_API_KEY=marks-it-as-ours\n{file}");
        let mut program = Program::new(&format!("health {flags}")).file(".env", &file);
        if let Some(port) = variable {
            program = program.env("PORT", port);
        }
        let ran = program.run().await;
        let told = ran.stdout + &ran.stderr;
        assert!(
            told.contains(&format!("http://{asked}/health")),
            "{flags}, {file}: {told}"
        );
    }
}

#[tokio::test]
async fn s6_the_file_alone_is_enough() {
    let outside = Outside::with(Script::new()).await;
    let file = format!(
        "OPENROUTER_API_KEY={UPSTREAM_KEY}\nPROXY_API_KEY={PROXY_KEY}\nHOST=127.0.0.1\nPORT=0\n\
         MODELS_LIST_URL={}\nUPSTREAM_BASE_URL={}\n",
        outside.list_url(),
        outside.base_url()
    );
    let serving = Program::new("").file(".env", &file).ready().await;
    let answer = serving.chat(&json!({"messages": []})).await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn s6_a_line_of_the_file_that_is_wrong_is_named_and_not_shown() {
    #[rustfmt::skip]
    let rows = [
        // .env                                            named
        ("ALLOW_PAID=1\nhush-hush hush\n",                 ".env line 2"),
        ("PORT=1\n\nPROXY_API_KEY=\"hush-hush\n",          ".env line 3"),
        ("PROXY_API_KEY=hush-hush hush\n",                 ".env line 1"),
    ];
    for (file, named) in rows {
        let ran = Program::with_keys("").file(".env", file).run().await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        assert!(ran.stderr.contains(named), "{ran:?}");
        calm(&ran);
    }
}

#[tokio::test]
async fn s6_an_address_that_cannot_be_had_is_said_with_the_setting_that_changes_it() {
    let (_held, port) = taken().await;
    let metrics = format!("127.0.0.1:{port}");
    #[rustfmt::skip]
    let rows = [
        ("PORT",         port.as_str(),     "PORT"),
        ("METRICS_ADDR", metrics.as_str(),  "METRICS_ADDR"),
        ("HOST",         "203.0.113.7",     "203.0.113.7"),
    ];
    for (name, value, named) in rows {
        let ran = Program::with_keys("").env(name, value).run().await;
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (Some(1), ""),
            "{name}: {ran:?}"
        );
        assert!(
            ran.stderr.contains(named) && ran.stderr.contains(value),
            "{ran:?}"
        );
        assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
        calm(&ran);
    }
}

#[tokio::test]
async fn s6_metrics_at_an_address_of_their_own() {
    let outside = Outside::with(Script::new()).await;
    // Taken and released: if something else takes it in the meantime, another one is tried.
    let (serving, metrics) = loop {
        let (held, port) = taken().await;
        drop(held);
        let metrics = format!("127.0.0.1:{port}");
        let program = || outside.program("").env("METRICS_ADDR", &metrics);
        if let Some(serving) = Serving::quietly(program).await {
            break (serving, metrics);
        }
    };
    assert_eq!(
        serving.get("/metrics").await.status(),
        401,
        "as any unknown path is"
    );
    let there = Serving::client().get(format!("http://{metrics}/metrics"));
    let there = there.send().await.unwrap().text().await.unwrap();
    assert!(there.contains("freellm_active_models 6"), "{there}");
}

#[test]
fn s6_only_keys_and_outbound_proxies_have_no_flag() {
    for setting in SETTINGS {
        let expected = !matches!(setting.group, Group::Keys | Group::Outbound);
        assert_eq!(setting.flag().is_some(), expected, "{}", setting.name);
    }
}

/// Exit 2 and one line for each of these settings, in the table's order or not.
#[track_caller]
fn refuses(ran: &Ran, names: &[&str]) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    let lines: Vec<_> = ran.stderr.lines().collect();
    for name in names {
        let about = |line: &&&str| {
            line.starts_with(&format!("{name} ")) || line.starts_with(&format!("{name}="))
        };
        assert_eq!(
            lines.iter().filter(about).count(),
            1,
            "{name} in {}",
            ran.stderr
        );
    }
    assert_eq!(lines.len(), names.len(), "nothing else: {}", ran.stderr);
    calm(ran);
}

/// No panic, and no key.
#[track_caller]
fn calm(ran: &Ran) {
    for never in [
        "panicked",
        "RUST_BACKTRACE",
        UPSTREAM_KEY,
        PROXY_KEY,
        "two words",
        "hush-hush",
    ] {
        assert!(!ran.stderr.contains(never), "{never:?} in {}", ran.stderr);
    }
}

/// A port that is in use.
async fn taken() -> (TcpListener, String) {
    let held = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    (held, port)
}
