//! What a file may say.

use std::time::Duration;

use super::*;
use crate::ledger::{Counted, Ends, Limit, Per, Unit};
use crate::model::Capability;
use crate::provider::row::{Auth, KeyTest, Means, Training};
use crate::provider::table;

mod clients;
mod mistakes;

/// On top of the built-in rows.
fn read(text: &[u8]) -> Result<ConfigFile, Vec<Mistake>> {
    super::read(text, table::built_in())
}

/// The file of spec §10.1.
const SAMPLE: &str = r#"[providers.gemini]                       # a known one
keys = [{ env = "GEMINI_API_KEY", account = "home" }, { env = "GEMINI_API_KEY_2", account = "work" }]
limits = [{ requests = 20, per = "day", of = "model", ends = "pacific" }]
models = ["gemini-3.5-flash"]            # only these
[providers.my-box]                       # an unknown one
base_url = "http://10.0.0.5:8000/v1"
keys = []                                # none needed
models = [{ id = "qwen3.8-27b", context = 131072, tools = true }]
remove = ["logit_bias"]                  # fields that it refuses
[[errors]]                               # teach an error without a release
provider = "groq"
status = 429                             # optional
match = "on tokens per day"              # part of the body, any case
means = "day-spent"
"#;

#[test]
fn s10_1_the_file_of_the_contract() {
    let file = read(SAMPLE.as_bytes()).unwrap();
    let names: Vec<&str> = file
        .providers
        .iter()
        .map(|p| p.provider.id.as_str())
        .collect();
    assert_eq!(names, ["gemini", "my-box", "groq"]);

    let gemini = file.get("gemini").unwrap();
    let row = table::find("gemini").unwrap();
    let from = |name: &str, account: &str| KeyRef {
        from: KeySource::Env(name.to_owned()),
        account: Some(account.to_owned()),
        line: 2,
    };
    let keys = [
        from("GEMINI_API_KEY", "home"),
        from("GEMINI_API_KEY_2", "work"),
    ];
    assert_eq!(gemini.keys.as_deref(), Some(&keys[..]));
    assert_eq!((gemini.line, gemini.address_line), (1, None));
    let limit = Limit {
        amount: 20,
        unit: Unit::Requests,
        per: Per::Day,
        of: Counted::Model,
        ends: Some(Ends::Pacific),
        models: Vec::new(),
        source: LimitSource::Set,
    };
    assert_eq!(gemini.provider.limits, [limit]);
    let only = gemini.provider.only.as_ref().unwrap();
    assert_eq!(
        only.iter().map(|o| o.id.as_str()).collect::<Vec<_>>(),
        ["gemini-3.5-flash"]
    );
    // What is built in and not named is unchanged, including what is known about its offers.
    assert_eq!(gemini.provider.models, row.models);
    assert_eq!(gemini.provider.fields, row.fields);
    assert_eq!(gemini.provider.base_url, row.base_url);

    let mine = file.get("my-box").unwrap();
    assert_eq!(
        (mine.keys.as_deref(), mine.address_line, mine.line),
        (Some(&[][..]), Some(6), 5)
    );
    assert!(mine.provider.custom && mine.provider.list.decides);
    assert_eq!(mine.provider.base_url, "http://10.0.0.5:8000/v1");
    assert_eq!(
        mine.provider.list_for(None).unwrap(),
        "http://10.0.0.5:8000/v1/models"
    );
    assert_eq!(mine.provider.fields.remove, ["logit_bias"]);
    assert_eq!(mine.provider.training, Training::Unknown);
    let offer = &mine.provider.only.as_ref().unwrap()[0];
    assert_eq!(
        (offer.id.as_str(), offer.context, offer.output),
        ("qwen3.8-27b", Some(131_072), None)
    );
    assert_eq!(offer.capabilities.get(Capability::Tools), Some(true));
    assert_eq!(offer.capabilities.get(Capability::Images), None);

    let groq = file.get("groq").unwrap();
    let built_in = table::find("groq").unwrap();
    assert_eq!((groq.keys.as_deref(), groq.line), (None, 10));
    let taught = crate::provider::ErrorRow {
        status: Some(429),
        code: None,
        matches: Some("on tokens per day".to_owned()),
        means: Means::DaySpent,
    };
    assert_eq!(groq.provider.errors.first(), Some(&taught));
    assert_eq!(groq.provider.errors.len(), built_in.errors.len() + 1);
}

#[test]
fn s10_1_every_member_counts() {
    let file = read(
        br#"
[providers.groq]
base_url = "http://127.0.0.1:9000/groq/"
auth = "X-Api-Key"
keys = [{ file = "/run/secrets/groq" }, { env = "GROQ_API_KEY_7", account = "a.b#2" }, { env = "MY_OWN_TOKEN" }]
limits = [
  { at_once = 2, of = "account" },
  { tokens_in = 5, per = { hours = 5 }, of = "address", models = ["openai/*"] },
  { tokens_out = 5, per = "week", ends = "utc" },
  { neurons = 5, per = "month", ends = "shanghai" },
  { tokens = 1000000000000000, per = "second" },
]
models = ["a", { id = "b", context = 1, output = 2, tools = true, tool_choice = false, json = true, schema = false, seed = true, stop = true, reasoning = false, images = true }]
remove = ["logit_bias", "top_k", "messages[].refusal", "tools[].$schema", "top_k"]
rename = { seed = "random_seed" }
defaults = { max_tokens = 8192, temperature = 0.5, stop = ["x"], extra = { a = true } }
training = "no"
billed = true
list = "https://lists.example/groq?x=1"
key_test = "chat"
timeout_sec = 2.5
connections = 4
[[errors]]
provider = "groq"
match = "one"
means = "minute-spent"
[[errors]]
provider = "groq"
match = "two"
means = "region"
[[errors]]
provider = "local"
match = "three"
means = "too-large"
"#,
    )
    .unwrap();
    let groq = file.get("groq").unwrap();
    let row = &groq.provider;
    assert_eq!(row.base_url, "http://127.0.0.1:9000/groq");
    assert_eq!(row.auth, Auth::Header("x-api-key".to_owned()));
    let keys: Vec<_> = groq
        .keys
        .iter()
        .flatten()
        .map(|key| (&key.from, key.account.as_deref()))
        .collect();
    assert_eq!(
        keys,
        [
            (&KeySource::File("/run/secrets/groq".to_owned()), None),
            (&KeySource::Env("GROQ_API_KEY_7".to_owned()), Some("a.b#2")),
            (&KeySource::Env("MY_OWN_TOKEN".to_owned()), None),
        ]
    );
    let limits: Vec<_> = row
        .limits
        .iter()
        .map(|l| (l.amount, l.unit, l.per, l.of, l.ends))
        .collect();
    #[rustfmt::skip]
    assert_eq!(limits, [
        (2, Unit::AtOnce, Per::Moment, Counted::Account, None),
        (5, Unit::TokensIn, Per::Hours(5), Counted::Address, None),
        (5, Unit::TokensOut, Per::Week, Counted::Account, Some(Ends::Utc)),
        (5, Unit::Neurons, Per::Month, Counted::Account, Some(Ends::Shanghai)),
        (1_000_000_000_000_000, Unit::Tokens, Per::Second, Counted::Account, None),
    ]);
    assert_eq!(row.limits[1].models, ["openai/*"]);
    let only = row.only.as_ref().unwrap();
    assert_eq!((only[1].context, only[1].output), (Some(1), Some(2)));
    let known: Vec<_> = Capability::ALL
        .iter()
        .map(|c| only[1].capabilities.get(*c))
        .collect();
    let expected = [true, false, false, true, true, true, false, true].map(Some);
    assert_eq!(known[..8], expected);
    assert!(known[8..].iter().all(Option::is_none));
    // It adds to what the row has, without duplicates.
    let of_the_row = &table::find("groq").unwrap().fields.remove;
    assert_eq!(row.fields.remove[..of_the_row.len()], of_the_row[..]);
    assert_eq!(
        row.fields.remove[of_the_row.len()..],
        ["top_k", "messages[].refusal", "tools[].$schema"]
    );
    assert_eq!(
        row.fields.rename,
        [("seed".to_owned(), "random_seed".to_owned())]
    );
    let defaults: Vec<_> = row
        .fields
        .defaults
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        defaults,
        [
            ("max_tokens", "8192"),
            ("temperature", "0.5"),
            ("stop", "[\"x\"]"),
            ("extra", "{\"a\":true}")
        ]
    );
    assert_eq!((row.training, row.billed), (Training::No, true));
    assert_eq!(
        row.list.url.as_deref(),
        Some("https://lists.example/groq?x=1")
    );
    assert_eq!(row.key_test, KeyTest::Chat);
    assert_eq!(
        (row.timeout, row.connections),
        (Some(Duration::from_millis(2500)), Some(4))
    );
    let taught: Vec<_> = row
        .errors
        .iter()
        .map(|error| error.matches.as_deref())
        .take(2)
        .collect();
    assert_eq!(taught, [Some("one"), Some("two")]);
    assert_eq!(file.get("local").unwrap().provider.errors.len(), 1);
}

#[test]
fn s10_1_addresses_of_a_known_one_move_with_its_base() {
    let moved = |text: &str| {
        let file = read(text.as_bytes()).unwrap();
        let row = &file.providers[0].provider;
        (
            row.list_for(Some("a1")).unwrap(),
            row.key_test_for(Some("a1")).unwrap(),
        )
    };
    #[rustfmt::skip]
    let rows: &[(&str, &str, &[&str])] = &[
        ("[providers.groq]\nbase_url = 'http://h:1/g'\n",
            "http://h:1/g/models", &["http://h:1/g/models"]),
        ("[providers.openrouter]\nbase_url = 'http://h:1'\n",
            "http://h:1/models", &["http://h:1/key"]),
        ("[providers.huggingface]\nbase_url = 'http://h:1/hf/v1'\n",
            "http://h:1/hf/v1/models", &["http://h:1/api/whoami-v2"]),
        ("[providers.cloudflare]\nbase_url = 'http://h:1/cf/{account_id}/v1'\n",
            "http://h:1/client/v4/accounts/a1/ai/models/search?per_page=1000",
            &["http://h:1/client/v4/user/tokens/verify", "http://h:1/client/v4/accounts/a1/tokens/verify"]),
        // What the file itself sets stays, whichever comes first.
        ("[providers.groq]\nlist = 'https://l.example/x'\nbase_url = 'http://h:1/g'\n",
            "https://l.example/x", &["http://h:1/g/models"]),
        ("[providers.groq]\nkey_test = 'https://l.example/x'\nbase_url = 'http://h:1/g'\n",
            "http://h:1/g/models", &["https://l.example/x"]),
        ("[providers.local]\nbase_url = 'http://h:1/v1'\n",
            "http://h:1/v1/models", &["http://h:1/v1/models"]),
    ];
    for (text, list, test) in rows {
        let (found_list, found_test) = moved(text);
        assert_eq!(found_list, *list, "{text}");
        assert_eq!(found_test, *test, "{text}");
    }
}

#[test]
fn s10_1_the_users_limits_replace_the_rows_words_too() {
    for (text, is_left) in [("limits = []", false), ("timeout_sec = 9", true)] {
        let file = read(format!("[providers.groq]\n{text}\n").as_bytes()).unwrap();
        let row = &file.get("groq").unwrap().provider;
        assert_eq!(!row.gives.is_empty(), is_left, "{text}");
    }
}
