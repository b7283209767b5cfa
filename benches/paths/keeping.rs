//! What outlives the process, written to its file.

#[path = "../../src/state/tests/used.rs"]
mod used;

use std::cell::RefCell;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use free_llm_proxy::config::{Config, LogLevel};
use free_llm_proxy::learnt::Through;
use free_llm_proxy::registry::Registry;
use free_llm_proxy::state::{Keeper, Opened};
use free_llm_proxy::telemetry::{Log, Metrics};
use free_llm_proxy::verdict::Rest;

use super::{Ready, id, now, ready};

/// How many accounts there are, and models at each.
const ACCOUNTS: [(&str, &str, usize); 3] = [
    ("groq", "GROQ_API_KEY", 10),
    ("mistral", "MISTRAL_API_KEY", 10),
    ("cerebras", "CEREBRAS_API_KEY", 5),
];
const MODELS: usize = 10;

/// How often each of them was asked.
const ASKED: u64 = 40;

fn config(folder: &std::path::Path) -> Config {
    let read = |name: &str| {
        let mut keys = ACCOUNTS.iter();
        let keys = keys.find(|(_, variable, _)| *variable == name);
        match (name, keys) {
            ("PROXY_API_KEY", _) => Some("a-key-of-the-proxy".to_owned()),
            ("STATE", _) => Some(format!("file:{}", folder.join("state").display())),
            (_, Some((_, _, count))) => {
                let keys: Vec<_> = (0..*count).map(|n| format!("{name}-{n:08}")).collect();
                Some(keys.join(","))
            }
            (_, None) => None,
        }
    };
    Config::read(read).expect("settings")
}

/// Every model of every account was asked, failed once, rests, and has taught.
fn registry(config: &Config) -> Arc<Registry> {
    let registry = Registry::with_limits_of(config.providers.clone(), config.learning);
    let registry = Arc::new(registry);
    let models = ACCOUNTS.iter().flat_map(|(provider, _, _)| {
        (0..MODELS).map(move |n| (*provider, id(&format!("maker/model-{n}-instruct"))))
    });
    let accounts = config.accounts.iter();
    let accounts = accounts.map(|account| Arc::new(account.id.clone()));
    used::list(&registry, models, accounts.collect());
    let snapshot = registry.snapshot().expect("it was published");
    for candidate in snapshot.candidates() {
        used::is_asked(&registry, &snapshot, candidate, ASKED);
        let (learning, now) = (config.learning, now());
        let evidences = snapshot.evidences();
        evidences.teach(candidate.index, &learning, now, |evidence, through| {
            evidence.began(through, now.steady);
            let soon = now.plus(Duration::from_millis(700));
            evidence.first_event(through, now.steady, 1000, &learning, soon);
            if through == Through::Its {
                evidence.whole(through, &learning, soon);
            }
        });
        let because = used::because(candidate, None, now);
        let rest = Rest::For(Duration::from_secs(3600));
        registry.rest(candidate.itself(), because, rest, now);
    }
    registry
}

/// 25 accounts of ten models each, all of it written and synced. Says how large the file is.
pub(super) fn keep() -> Ready {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path());
    let (log, _) = Log::memory(LogLevel::Error);
    let opened = Opened::of(&config.state, &log)
        .expect("a file")
        .expect("STATE is set");
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    let registry = registry(&config);
    let keeper = Keeper::begin(opened, &config.accounts, registry, log, metrics).expect("a file");
    let bytes = fs::metadata(folder.path().join("state"))
        .expect("a file")
        .len();
    // The folder lives as long as what writes there.
    let kept = RefCell::new((folder, keeper));
    ready(usize::try_from(bytes).ok(), move || {
        kept.borrow().1.write_now()
    })
}
