//! What the pages of the manual show of the program: `providers` and `check` of a mixed set (docs/operating.md), who
//! is asked and why (docs/routing.md). A page is what the program says, but for addresses, times and figures.

use serde_json::{Value, json};
use simulator::{Account, ProviderScript, Script, Step, TOP_MODELS, addresses};

use crate::program::{Program, Serving, UPSTREAM_KEY};
use crate::upstream::{Outside, a_free_day};

const OPERATING: Page = Page {
    file: concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operating.md"),
    begin: "<!-- a mixed set: begin (written by `UPDATE=1 cargo test --test binary s10_8_the_page`) -->\n",
    end: "<!-- a mixed set: end -->\n",
};
const ROUTING: Page = Page {
    file: concat!(env!("CARGO_MANIFEST_DIR"), "/docs/routing.md"),
    begin: "<!-- the demo: begin (written by `UPDATE=1 cargo test --test binary s11_7_the_page`) -->\n",
    end: "<!-- the demo: end -->\n",
};

/// A place in a page that shows what the program says.
struct Page {
    file: &'static str,
    begin: &'static str,
    end: &'static str,
}

impl Page {
    /// The page shows this, as far as `essence` leaves it; `UPDATE=1` writes it.
    #[expect(clippy::disallowed_methods, reason = "a test's own switch, no setting")]
    fn shows(&self, text: &str, essence: impl Fn(&str) -> String) {
        let old = std::fs::read_to_string(self.file).unwrap();
        let (before, rest) = old.split_once(self.begin).expect("the first marker");
        let (shown, after) = rest.split_once(self.end).expect("the second marker");
        let new = format!("\n```console\n{text}```\n\n");
        if std::env::var("UPDATE").is_ok() {
            let (begin, end) = (self.begin, self.end);
            let page = format!("{before}{begin}{new}{end}{after}");
            std::fs::write(self.file, page).unwrap();
        } else {
            assert!(
                essence(shown) == essence(&new),
                "{} is not what the program says: run with UPDATE=1\n{new}",
                self.file
            );
        }
    }
}

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
async fn s10_8_the_page_shows_what_a_mixed_set_looks_like() {
    // Of no day: it would be staler with each that passes.
    let mut list: Value = serde_json::from_str(TOP_MODELS).unwrap();
    list.as_object_mut().unwrap().remove("updatedAt");
    let script = Script::new()
        .list(Step::status(200, &[], list))
        .upstream_key(UPSTREAM_KEY)
        .key(a_free_day())
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
        "$ free-llm-proxy providers\n{}...\n$ free-llm-proxy check\n{}$ echo $?\n1\n",
        listed(&providers),
        at_an_hour(&check.replace(base, "http://127.0.0.1:11434")),
    );
    OPERATING.shows(&shown, str::to_owned);
}

#[tokio::test]
async fn s11_7_the_page_shows_who_is_asked_in_the_demo_and_why() {
    const HELLO: &str = r#"{"messages":[{"role":"user","content":"Hello!"}]}"#;
    let demo = Program::new("demo").env("PORT", "0").ready().await;
    let port = demo.address.port().to_string();
    // As it is spelt, for the opening tells the session.
    let hello = HELLO.replacen('{', r#"{"model":"auto","stream":true,"#, 1);
    let url = format!("http://{}/v1/chat/completions", demo.address);
    for _ in 0..4 {
        let request = Serving::client().post(&url).bearer_auth("demo-key");
        let answer = request.body(hello.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap();
    }
    let asking = |command: &str| {
        Program::new(command)
            .env("PORT", &port)
            .env("PROXY_API_KEY", "demo-key")
    };
    let explained = asking("explain").typed(HELLO).await;
    assert_eq!(explained.code, Some(0), "{explained:?}");
    let status = asking("status").run().await;
    assert_eq!(status.code, Some(0), "{status:?}");
    let mut lines = explained.stdout.lines();
    let first: Vec<_> = lines.by_ref().take(5).collect();
    let left_out: Vec<_> = lines.skip_while(|line| *line != "Left out:").collect();
    let next = status
        .stdout
        .lines()
        .find(|line| line.starts_with("next: "));
    let logged = demo.stdout.find(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        (line["place"] == 1).then_some(line)
    });
    let logged = logged.await;
    let fields = ["chosen_model", "place", "session", "switched", "waited_ms"];
    let fields: Vec<_> = fields
        .map(|name| format!("{}:{}", json!(name), logged[name]))
        .into();
    let shown = [
        &[&*format!("$ echo '{HELLO}' | free-llm-proxy explain")],
        &*first,
        &["..."],
        &*left_out,
        &["$ free-llm-proxy status | grep ^next"],
        &[next.unwrap()],
        &["$ tail -1 demo.log | jq -c '{chosen_model, place, session, switched, waited_ms}'"],
        &[&*format!("{{{}}}", fields.join(","))],
    ];
    let shown = shown.concat().join("\n") + "\n";
    ROUTING.shows(&shown, without_figures);
}

/// The words alone: how long something takes is another each time, and how near a quota is to its end depends on
/// the time of day.
fn without_figures(text: &str) -> String {
    let lasts = text.split(", ");
    let lasts = lasts.filter(|part| !part.ends_with(" s for quota that runs low"));
    let lasts = lasts.collect::<Vec<_>>().join(", ");
    let is_figure = |c: char| c.is_ascii_digit() || c == '.' || c == ' ';
    lasts.split(is_figure).collect()
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
