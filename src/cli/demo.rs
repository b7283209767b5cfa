//! `demo`: the proxy on top of the built-in simulator, which plays three providers with small
//! quotas; needs no key and no network.

use std::net::{Ipv4Addr, SocketAddr};

use simulator::{DemoKeys, Script, Simulator, addresses};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{Exit, say, serve};
use crate::config::{Group, Source, Sources, reachable};

/// The demo's own key: it opens nothing but the demo.
const KEY: &str = "demo-key";

/// They open nothing but the simulator.
const KEYS: DemoKeys<'static> = DemoKeys {
    openrouter: "sk-or-v1-simulated-0123456789",
    groq: "gsk_simulated-0123456789",
    gemini: "AIza-simulated-0123456789",
};

/// Groq's requests a minute, and Gemini's a day.
const GROQ: u64 = 4;
const GEMINI: u64 = 20;

/// Serves until a signal.
pub async fn run(sources: &Sources) -> Exit {
    let simulator = match TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await {
        Ok(listener) => listener,
        Err(error) => {
            say::problem(format_args!("the simulator cannot listen: {error}"));
            return Exit::Fault;
        }
    };
    let simulated = match simulator.local_addr() {
        Ok(address) => format!("http://{address}"),
        Err(error) => {
            say::problem(format_args!("the simulator has no address: {error}"));
            return Exit::Fault;
        }
    };
    let demo = sources
        .with(settings(sources, &simulated))
        .with_file(&providers(&simulated));
    let config = match demo.config() {
        Ok(config) => config,
        Err(error) => {
            say::problem(error);
            return Exit::Settings;
        }
    };
    let listener = match listen(
        (config.host, config.port).into(),
        sources.get("PORT").is_some(),
    )
    .await
    {
        Ok(listener) => listener,
        Err(ending) => return ending,
    };
    let address = listener
        .local_addr()
        .map_or((config.host, config.port).into(), reachable);
    let script = Script::demo(&KEYS, GROQ, GEMINI);
    let mut beside = JoinSet::new();
    beside.spawn(async move { Simulator::new(script).serve(simulator).await });
    let greet = || introduce(address, &simulated);
    // Its settings are its own: no file changes them.
    serve::on(listener, config, None, greet).await
}

/// The settings of the demo, which override the user's.
fn settings(sources: &Sources, simulated: &str) -> Vec<(&'static str, String)> {
    let mut own = vec![
        ("OPENROUTER_API_KEY", KEYS.openrouter.to_owned()),
        ("GROQ_API_KEY", KEYS.groq.to_owned()),
        ("GEMINI_API_KEY", KEYS.gemini.to_owned()),
        ("PROXY_API_KEY", KEY.to_owned()),
        (
            "MODELS_LIST_URL",
            format!("{simulated}{}", Simulator::LIST_PATH),
        ),
        (
            "UPSTREAM_BASE_URL",
            format!("{simulated}{}", Simulator::UPSTREAM_PATH),
        ),
        ("TRAINING", "allow".to_owned()),
        ("LOCAL_BASE_URL", String::new()),
        ("CONFIG_FILE", String::new()),
    ];
    // A flag is meant for this demo; everything else may be meant for the real proxy.
    if sources.source_of("PROVIDERS") != Some(Source::Flag) {
        own.push(("PROVIDERS", "openrouter,groq,gemini".to_owned()));
    }
    // What the simulator teaches is of no use to the real proxy.
    if sources.source_of("STATE") != Some(Source::Flag) {
        own.push(("STATE", "memory".to_owned()));
    }
    // The simulator is on this machine, so no outbound proxy is needed.
    own.extend(
        Group::Outbound
            .settings()
            .map(|setting| (setting.name, String::new())),
    );
    if sources.get("HOST").is_none() {
        own.push(("HOST", Ipv4Addr::LOCALHOST.to_string()));
    }
    own
}

/// Used instead of `CONFIG_FILE`: where the simulated providers are, and the quotas that the
/// simulator enforces.
fn providers(simulated: &str) -> String {
    let base = |provider| addresses(simulated, provider).map_or_else(String::new, |at| at.base_url);
    let (groq, gemini) = (base("groq"), base("gemini"));
    format!(
        r#"
[providers.groq]
base_url = "{groq}"
limits = [{{ requests = {GROQ}, per = "minute", of = "account" }}]
[providers.gemini]
base_url = "{gemini}"
limits = [{{ requests = {GEMINI}, per = "day", of = "account", ends = "pacific" }}]
"#
    )
}

/// Listens; if this port was not asked for explicitly, a free one will do.
async fn listen(address: SocketAddr, asked: bool) -> Result<TcpListener, Exit> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if !asked && error.kind() == std::io::ErrorKind::AddrInUse => {
            serve::bind((address.ip(), 0).into(), "PORT").await
        }
        Err(_) => serve::bind(address, "PORT").await,
    }
}

fn introduce(address: SocketAddr, simulated: &str) {
    say::line(format_args!(
        r#"
free-llm-proxy demo: OpenRouter, Groq and Gemini, every model simulated, each account with a small quota.

  Address   http://{address}/v1   (also http://{address}/api/v1)
  Page      http://{address}/ui
  Key       {KEY}

Try it:

  curl -sN http://{address}/v1/chat/completions \
    -H "Authorization: Bearer {KEY}" -H "Content-Type: application/json" \
    -d '{{"model":"auto","stream":true,"messages":[{{"role":"user","content":"Hello!"}}]}}'

The best model is rate-limited now and then, and the account at OpenRouter is out after 6 requests a
minute: ask ten times and see on the page, or in the log lines below, who takes over.
GET {simulated}/requests shows what the simulated models were asked;
PUT {simulated}/script changes what they do. Ctrl-C ends it.
"#
    ));
}
