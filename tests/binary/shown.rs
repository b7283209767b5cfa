//! What `providers` and `check` show of a mixed set, as docs/operating.md has it: the page is what the program
//! says, but for addresses and times.

use serde_json::Value;
use simulator::{Account, ProviderScript, Script, Step, TOP_MODELS, addresses};

use crate::program::{Program, UPSTREAM_KEY};
use crate::upstream::Outside;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operating.md");
const BEGIN: &str =
    "<!-- a mixed set: begin (written by `UPDATE=1 cargo test --test binary s10_8_the_page`) -->\n";
const END: &str = "<!-- a mixed set: end -->\n";

/// One that is good, one whose key is dead, half a pair, one that needs no key, and a server of one's own
/// under a key.
const KEYS: &str = "\
PROXY_API_KEY=door-key-0123456789
OPENROUTER_API_KEY=sk-or-v1-upstream-key-for-tests-WXYZ
GROQ_API_KEY=gsk_0123456789-of-last-year-DEAD
CLOUDFLARE_ACCOUNT_ID=0123456789abcdef
PROVIDERS=+kilo
LOCAL_API_KEY=key-of-my-own-box-MINE
";
/// Of the providers that are listed, these.
const LISTED: [&str; 5] = ["openrouter", "groq", "cloudflare", "kilo", "local"];

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test's own switch, no setting")]
async fn s10_8_the_page_shows_what_a_mixed_set_looks_like() {
    // Of no day: it would be staler with each that passes.
    let mut list: Value = serde_json::from_str(TOP_MODELS).unwrap();
    list.as_object_mut().unwrap().remove("updatedAt");
    let script = Script::new()
        .list(Step::status(200, &[], list))
        .upstream_key(UPSTREAM_KEY)
        .provider(
            "groq",
            ProviderScript::new().account(Account::new("groq", "gsk_another")),
        )
        .provider(
            "kilo",
            ProviderScript::new().account(Account::keyless("kilo")),
        );
    let outside = Outside::with(script).await;
    let list_url = outside.list_url();
    let base = list_url.trim_end_matches(simulator::Simulator::LIST_PATH);
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/free-llm-proxy");
    std::fs::create_dir_all(&folder).unwrap();
    let at = |provider| addresses(base, provider).unwrap().base_url;
    let [groq, kilo, local] = ["groq", "kilo", "local"].map(at);
    let file = format!(
        "[providers.groq]\nbase_url = \"{groq}\"\n[providers.kilo]\nbase_url = \"{kilo}\"\n"
    );
    std::fs::write(folder.join("config.toml"), file).unwrap();
    let ran = async |command: &str| {
        let program = Program::new(command)
            .file(".env", KEYS)
            .env("HOME", home.path().to_str().unwrap())
            .env("TZ", "UTC")
            .env("MODELS_LIST_URL", &list_url)
            .env("UPSTREAM_BASE_URL", &outside.base_url())
            .env("LOCAL_BASE_URL", &local);
        let ran = program.run().await;
        for secret in KEYS.lines().filter_map(|line| line.split_once('=')) {
            let is_shown = secret.0.ends_with("_KEY") && ran.stdout.contains(secret.1);
            assert!(!is_shown, "{ran:?}");
        }
        (ran.code, ran.stdout)
    };
    let (code, providers) = ran("providers").await;
    assert_eq!(code, Some(0));
    let (code, check) = ran("check").await;
    assert_eq!(code, Some(1), "{check}");
    let shown = format!(
        "{BEGIN}\n```console\n$ free-llm-proxy providers\n{}...\n$ free-llm-proxy check\n{}$ echo $?\n1\n```\n\n{END}",
        listed(&providers),
        at_an_hour(&check.replace(base, "http://127.0.0.1:11434")),
    );
    let old = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = old.split_once(BEGIN).expect("the first marker");
    let (_, after) = rest.split_once(END).expect("the second marker");
    let new = format!("{before}{shown}{after}");
    if std::env::var("UPDATE").is_ok() {
        std::fs::write(PAGE, &new).unwrap();
    } else {
        assert!(
            old == new,
            "{PAGE} is not what the program says: run with UPDATE=1\n{shown}"
        );
    }
}

/// The paragraphs of some providers.
fn listed(table: &str) -> String {
    let mut is_listed = false;
    let lines = table.lines().filter(|line| {
        if !line.starts_with(' ') {
            let name = line.split(' ').next().unwrap_or_default();
            is_listed = LISTED.contains(&name);
        }
        is_listed
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// A clock's time, and how long it is until then, at an hour of the page's own.
fn at_an_hour(text: &str) -> String {
    const LEFT: &str = " (your time), in ";
    let text = text.replace(" (UTC), in ", LEFT);
    let mut parts = text.split(LEFT);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.truncate(out.len() - "00:00".len());
        let end = part.find([';', '\n']).unwrap_or(part.len());
        out += &format!("00:00{LEFT}5 h{}", part.get(end..).unwrap_or_default());
    }
    out
}
