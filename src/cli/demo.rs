//! `demo`: the proxy on top of the built-in simulator; no key and no network needed.

use std::net::{Ipv4Addr, SocketAddr};

use simulator::{Script, Simulator};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{Ending, say, serve};
use crate::config::{Group, Sources, reachable};

/// The demo's own key: it opens nothing but the simulator.
const KEY: &str = "demo-key";

/// Serves until a signal.
pub async fn run(sources: &Sources) -> Ending {
    let simulator = match TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await {
        Ok(listener) => listener,
        Err(error) => {
            say::problem(format_args!("the simulator cannot listen: {error}"));
            return Ending::Fault;
        }
    };
    let simulated = match simulator.local_addr() {
        Ok(address) => format!("http://{address}"),
        Err(error) => {
            say::problem(format_args!("the simulator has no address: {error}"));
            return Ending::Fault;
        }
    };
    let mut own = vec![
        (
            "OPENROUTER_API_KEY",
            "sk-or-v1-simulated-0123456789".to_owned(),
        ),
        ("PROXY_API_KEY", KEY.to_owned()),
        (
            "MODELS_LIST_URL",
            format!("{simulated}{}", Simulator::LIST_PATH),
        ),
        (
            "UPSTREAM_BASE_URL",
            format!("{simulated}{}", Simulator::UPSTREAM_PATH),
        ),
    ];
    // No other provider plays along, whatever the user's settings say.
    own.extend([
        ("PROVIDERS", "openrouter".to_owned()),
        ("TRAINING", "allow".to_owned()),
        ("LOCAL_BASE_URL", String::new()),
        ("CONFIG_FILE", String::new()),
    ]);
    // The simulator is on this machine: no proxy leads there.
    own.extend(
        Group::Outbound
            .settings()
            .map(|setting| (setting.name, String::new())),
    );
    if sources.get("HOST").is_none() {
        own.push(("HOST", Ipv4Addr::LOCALHOST.to_string()));
    }
    let config = match sources.with(own).config() {
        Ok(config) => config,
        Err(error) => {
            say::problem(error);
            return Ending::Settings;
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
    introduce(address, &simulated);
    let mut beside = JoinSet::new();
    beside.spawn(async move { Simulator::new(Script::demo()).serve(simulator).await });
    serve::on(listener, config).await
}

/// Listens; where nobody asked for this very port, a free one will do.
async fn listen(address: SocketAddr, asked: bool) -> Result<TcpListener, Ending> {
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
free-llm-proxy demo: every model here is simulated.

  Address   http://{address}/v1   (also http://{address}/api/v1)
  Page      http://{address}/ui
  Key       {KEY}

Try it:

  curl -sN http://{address}/v1/chat/completions \
    -H "Authorization: Bearer {KEY}" -H "Content-Type: application/json" \
    -d '{{"model":"auto","stream":true,"messages":[{{"role":"user","content":"Hello!"}}]}}'

The best model is rate-limited now and then: ask a few times and see in the log lines below
which models were tried. GET {simulated}/requests shows what the simulated models were
asked; PUT {simulated}/script changes what they do. Ctrl-C ends it.
"#
    ));
}
