//! What a file may say, and every mistake with its line.

use std::time::Duration;

use super::*;
use crate::ledger::{Counted, Ends, Limit, Per, Unit};
use crate::model::Capability;
use crate::provider::row::{Auth, KeyTest, Means, Training};
use crate::provider::table;

/// Beside the built-in rows.
fn read(text: &[u8]) -> Result<ConfigFile, Vec<Mistake>> {
    super::read(text, table::built_in())
}

fn mistakes(text: &[u8]) -> Vec<Mistake> {
    read(text).expect_err(&String::from_utf8_lossy(text))
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
    // What is built in and not named is as it was, and what is known of its offers too.
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
    // It adds to what the row has, each once.
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
        // What the file says itself stays, whichever comes first.
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

/// `provider-cases` §5, each with its exact text.
#[test]
fn s10_1_every_mistake_is_named_with_its_line() {
    #[rustfmt::skip]
    let rows: &[(&str, &str, &[usize])] = &[
        ("[providers.groq]\nmodels = [\"a\"]\nmodles = [\"b\"]\n",                                        "modles",    &[3]),
        ("[provider.groq]\nmodels = [\"a\"]\n",                                                           "provider",  &[1]),
        ("\n[providers.groq]\nlimits = [{ requests = 20, per = \"fortnight\", of = \"model\" }]\n",       "fortnight", &[3]),
        ("[providers.groq]\nlimits = [\n  { requests = 20, per = \"day\", of = \"model\", ends = \"martian\" },\n]\n", "martian", &[2, 3]),
        ("[providers.groq]\nlimits = [{ requests = 20, per = \"day\", of = \"planet\" }]\n",              "planet",    &[2]),
        ("[[errors]]\nprovider = \"groq\"\nmatch = \"x\"\nmeans = \"sleepy\"\n",                          "sleepy",    &[4]),
        ("[[errors]]\nprovider = \"grok\"\nmatch = \"x\"\nmeans = \"key-dead\"\n",                        "grok",      &[2]),
        ("[providers.grok]\nmodels = [\"a\"]\n",                                                          "grok",      &[1]),
        ("[providers.groq]\nmodels = [\"a\"\nlimits = 3\n",                                               "TOML",      &[2, 3]),
        ("[providers.groq]\nlimits = [{ requests = 0, per = \"day\", of = \"model\" }]\n",                "requests",  &[2]),
        ("[providers.groq]\nkeys = [\"gsk_Xw81PlainKey0123456789\"]\n",                                   "keys",      &[2]),
        ("[providers.box]\nbase_url = \"ftp://x/v1\"\nkeys = []\nmodels = [\"m\"]\n",                     "base_url",  &[2]),
    ];
    for (text, named, lines) in rows {
        let found = mistakes(text.as_bytes());
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        let mistake = &found[0];
        assert_eq!(mistake.named, *named, "{text}");
        assert!(lines.contains(&mistake.line), "{mistake}");
        let shown = mistake.to_string();
        assert!(
            shown.contains(named) && shown.starts_with("line "),
            "{shown}"
        );
        assert!(!shown.contains("Xw81"), "{shown}");
    }
}

/// Near misses: text, line, what is named, what the sentence holds.
#[test]
fn s10_1_near_misses() {
    #[rustfmt::skip]
    let rows: &[(&str, usize, &str, &str)] = &[
        // What it may have been meant for.
        ("[providers.groq]\nbaseurl = 'x'",                     2, "baseurl", "perhaps \"base_url\""),
        ("[provider.groq]",                                     1, "provider", "perhaps \"providers\""),
        ("[[error]]",                                           1, "error", "perhaps \"errors\""),
        ("[[clients]]\nname = 'a'",                             1, "clients", "providers"),
        ("[providers.grok]\nkeys = []",                         1, "grok", "perhaps \"groq\""),
        ("[providers.zzzzzz]\nkeys = []",                       1, "zzzzzz", "base_url"),
        ("[[errors]]\nprovider = 'grok'\nmatch = 'x'\nmeans = 'region'", 2, "grok", "perhaps \"groq\""),
        ("[[errors]]\nprovider = 'groq'\nmatch = 'x'\nmeans = 'day_spent'", 4, "day_spent", "perhaps \"day-spent\""),
        ("[providers.groq]\nlimits = [{ requests = 1, per = 'days' }]", 2, "days", "perhaps \"day\""),
        ("[providers.groq]\nlimits = [{ request = 1, per = 'day' }]",   2, "request", "perhaps \"requests\""),
        ("[providers.groq]\nmodels = [{ id = 'a', contxt = 1 }]",       2, "contxt", "perhaps \"context\""),
        // Kinds.
        ("providers = 3",                                       1, "providers", "table"),
        ("[[providers.groq]]",                                  1, "groq", "table"),
        ("[providers]\ngroq = 'x'",                             2, "groq", "table"),
        ("errors = { provider = 'groq' }",                      1, "errors", "list"),
        ("errors = ['x']",                                      1, "errors", "tables"),
        ("[providers.groq]\nbase_url = 3",                      2, "base_url", "text"),
        ("[providers.groq]\nmodels = 'a'",                      2, "models", "list"),
        ("[providers.groq]\nmodels = [3]",                      2, "models", "ids"),
        ("[providers.groq]\nlimits = { requests = 1 }",         2, "limits", "list"),
        ("[providers.groq]\nlimits = [3]",                      2, "limits", "tables"),
        ("[providers.groq]\nbilled = 'yes'",                    2, "billed", "true or false"),
        ("[providers.groq]\ntraining = 'often'",                2, "often", "no, may, unknown"),
        ("[providers.groq]\nauth = 'two words'",                2, "auth", "header"),
        ("[providers.groq]\nauth = 'Host'",                     2, "auth", "header"),
        ("[providers.groq]\nauth = ''",                         2, "auth", "header"),
        ("[providers.groq]\nkey_test = 'chats'",                2, "key_test", "http://"),
        ("[providers.groq]\nlist = '/models'",                  2, "list", "http://"),
        ("[providers.groq]\nname = 'Groq'",                     2, "name", "is nothing that a provider has"),
        ("[providers.groq]\nkey_names = ['X_KEY']",             2, "key_names", "is nothing that a provider has"),
        // Numbers.
        ("[providers.groq]\nlimits = [{ requests = -1, per = 'day' }]",   2, "requests", "whole number"),
        ("[providers.groq]\nlimits = [{ requests = 1e30, per = 'day' }]", 2, "requests", "whole number"),
        ("[providers.groq]\nlimits = [{ requests = 20.0, per = 'day' }]", 2, "requests", "whole number"),
        ("[providers.groq]\nlimits = [{ requests = nan, per = 'day' }]",  2, "requests", "whole number"),
        ("[providers.groq]\nlimits = [{ requests = '20', per = 'day' }]", 2, "requests", "whole number"),
        ("[providers.groq]\nlimits = [{ tokens = 1000000000000001, per = 'day' }]",    2, "tokens", "whole number"),
        ("[providers.groq]\nlimits = [{ tokens = 9223372036854775807, per = 'day' }]", 2, "tokens", "whole number"),
        ("[providers.groq]\nlimits = [{ tokens = 9223372036854775808, per = 'day' }]", 2, "TOML", ""),
        ("[providers.groq]\ntimeout_sec = 0",                   2, "timeout_sec", "above 0"),
        ("[providers.groq]\ntimeout_sec = -1",                  2, "timeout_sec", "above 0"),
        ("[providers.groq]\ntimeout_sec = 0.0",                 2, "timeout_sec", "above 0"),
        ("[providers.groq]\ntimeout_sec = 1e-30",               2, "timeout_sec", "above 0"),
        ("[providers.groq]\ntimeout_sec = 1e30",                2, "timeout_sec", "ten years"),
        ("[providers.groq]\ntimeout_sec = nan",                 2, "timeout_sec", "above 0"),
        ("[providers.groq]\ntimeout_sec = inf",                 2, "timeout_sec", "above 0"),
        ("[providers.groq]\ntimeout_sec = '30'",                2, "timeout_sec", "seconds"),
        ("[providers.groq]\ntimeout_sec = 315360001",           2, "timeout_sec", "ten years"),
        ("[providers.groq]\ntimeout_sec = 9223372036854775807", 2, "timeout_sec", "ten years"),
        ("[providers.groq]\nconnections = 10001",               2, "connections", "whole number"),
        ("[providers.groq]\nmodels = [{ id = 'a', context = 0 }]", 2, "context", "whole number"),
        ("[[errors]]\nprovider = 'groq'\nstatus = 99\nmatch = 'x'\nmeans = 'region'",    3, "status", "100 to 599"),
        ("[[errors]]\nprovider = 'groq'\nstatus = 65937\nmatch = 'x'\nmeans = 'region'", 3, "status", "100 to 599"),
        // Limits.
        ("[providers.groq]\nlimits = [{ per = 'day' }]",                          2, "limits", "needs one of"),
        ("[providers.groq]\nlimits = [{ requests = 1 }]",                         2, "limits", "window"),
        ("[providers.groq]\nlimits = [{ requests = 1, tokens = 2, per = 'day' }]", 2, "tokens", "exactly one"),
        ("[providers.groq]\nlimits = [{ at_once = 1, per = 'day' }]",             2, "per", "at_once"),
        ("[providers.groq]\nlimits = [{ requests = 1, per = 'hour', ends = 'utc' }]", 2, "ends", "a day"),
        ("[providers.groq]\nlimits = [{ requests = 1, per = { hours = 0 } }]",    2, "hours", "whole number"),
        ("[providers.groq]\nlimits = [{ requests = 1, per = { hours = 99999 } }]", 2, "hours", "whole number"),
        ("[providers.groq]\nlimits = [{ requests = 1, per = { days = 2 } }]",     2, "days", "hours"),
        ("[providers.groq]\nlimits = [{ requests = 1, per = {} }]",               2, "per", "window"),
        ("[providers.groq]\nlimits = [{ requests = 1, per = 'day', models = ['a b'] }]", 2, "models", "no id"),
        // Ids.
        ("[providers.groq]\nmodels = []",                       2, "models", "names none"),
        ("[providers.groq]\nmodels = ['']",                     2, "models", "no id"),
        ("[providers.groq]\nmodels = [\"a\\u0000b\"]",          2, "models", "no id"),
        ("[providers.groq]\nmodels = [\"a\\nb\"]",              2, "models", "no id"),
        ("[providers.groq]\nmodels = ['gpt-*']",                2, "models", "patterns"),
        ("[providers.groq]\nmodels = ['a',\n'b', 'a']",         3, "a", "twice"),
        ("[providers.groq]\nmodels = [{ context = 1 }]",        2, "models", "ids"),
        // Names.
        ("[providers.Groq]\nbase_url = 'http://a'",             1, "Groq", "a-z"),
        ("[providers.auto]\nbase_url = 'http://a'",             1, "auto", "cannot be one: a provider's name is"),
        ("[providers.\"\"]\nbase_url = 'http://a'",             1, "this", "a-z"),
        ("[providers.\"a\\nb\"]\nbase_url = 'http://a'",        1, "this", "a-z"),
        // Addresses.
        ("[providers.box]\nbase_url = 'http://me:pw@h/v1'",     2, "base_url", "user name"),
        ("[providers.box]\nbase_url = 'http://h/v1?a=b'",       2, "base_url", "?query"),
        ("[providers.box]\nbase_url = 'http://h/v1#a'",         2, "base_url", "#fragment"),
        ("[providers.box]\nbase_url = 'http://{account_id}/v1'", 2, "base_url", "braces"),
        ("[providers.box]\nbase_url = 'http://h/{account_id}/v1'", 2, "{account_id}", "no account ids"),
        ("[providers.groq]\nlist = 'http://h/{account_id}/v1'", 2, "{account_id}", "no account ids"),
        ("[providers.groq]\nkey_test = 'http://h/{key}/v1'",    2, "key_test", "braces"),
        ("[providers.box]\nbase_url = ''",                      2, "base_url", "http://"),
        // Fields.
        ("[providers.groq]\nremove = ['messages']",             2, "messages", "remove"),
        ("[providers.groq]\nremove = ['model']",                2, "model", "remove"),
        ("[providers.groq]\nremove = ['messages[].content']",   2, "messages[].content", "remove"),
        ("[providers.groq]\nremove = ['a.b']",                  2, "a.b", "remove"),
        ("[providers.groq]\nremove = [3]",                      2, "remove", "texts"),
        ("[providers.groq]\nrename = { messages = 'm' }",       2, "messages", "rename"),
        ("[providers.groq]\nrename = { seed = 'model' }",       2, "model", "rename"),
        ("[providers.groq]\nrename = { seed = 3 }",             2, "seed", "text"),
        ("[providers.groq]\ndefaults = { stream = true }",      2, "stream", "defaults"),
        ("[providers.groq]\ndefaults = { a = 2026-01-01 }",     2, "a", "JSON"),
        ("[providers.groq]\ndefaults = { a = inf }",            2, "a", "JSON"),
        // Errors.
        ("[[errors]]\nmatch = 'x'\nmeans = 'region'",           1, "errors", "needs provider"),
        ("[[errors]]\nprovider = 'groq'\nmeans = 'region'",     1, "errors", "needs match"),
        ("[[errors]]\nprovider = 'groq'\nmatch = 'x'",          1, "errors", "needs means"),
        ("[[errors]]\nprovider = 'groq'\nmatch = ''\nmeans = 'region'", 3, "match", "text"),
        ("[[errors]]\nprovider = 'groq'\nmatch = 'x'\ncode = 'y'\nmeans = 'region'", 4, "code", "is nothing that an error has"),
        ("[[errors]]\nprovider = 'groq'\nmatch = 'x'\nmeans = 'busy'", 4, "busy", "is one of"),
        // TOML itself.
        ("[providers.groq]\nbilled = true\nbilled = false",     3, "TOML", "duplicate key"),
        ("[providers.groq]\n[providers.box]\n[providers.groq]", 3, "TOML", "duplicate key"),
        ("[providers.groq",                                     1, "TOML", "not valid"),
    ];
    for (text, line, named, sentence) in rows {
        let found = mistakes(text.as_bytes());
        let mistake = &found[0];
        assert_eq!(
            (mistake.line, mistake.named.as_str()),
            (*line, *named),
            "{text}: {found:?}"
        );
        assert!(mistake.sentence.contains(sentence), "{text}: {mistake}");
        assert_eq!(found.len(), 1, "{text}: {found:?}");
    }
}

/// Where a key is written in plain text, the sentence says what to do and shows nothing of it.
#[test]
fn s10_1_keys_are_named_and_never_shown() {
    const KEY: &str = "gsk_Xw81PlainKey0123456789";
    #[rustfmt::skip]
    let rows: &[(String, usize, &str, &str)] = &[
        (format!("[providers.groq]\nkeys = ['{KEY}']"),                       2, "keys", "env ="),
        (format!("[providers.groq]\nkeys = '{KEY}'"),                         2, "keys", "env ="),
        ("[providers.groq]\nkeys = [\n 'GROQ_API_KEY']".to_owned(),             3, "keys", "env ="),
        (format!("[providers.groq]\nkeys = [{{ key = '{KEY}' }}]"),           2, "keys", "env ="),
        (format!("[providers.groq]\nkeys = [{{ env = '{KEY}' }}]"),           2, "env", "_KEY or _TOKEN"),
        (format!("[providers.groq]\nkeys = [{{ {KEY} = 'a' }}]"),             2, "this", "env, file"),
        (format!("[providers.groq]\nkeys = [{{ env = 'A_KEY', account = '{KEY} {KEY}' }}]"), 2, "account", "letters"),
        (format!("[providers.groq]\napi_key = '{KEY}'"),                      2, "keys", "env ="),
        (format!("[providers.groq]\nkey = '{KEY}'"),                          2, "keys", "env ="),
        (format!("[providers.groq]\n{KEY} = 1"),                              2, "this", "base_url"),
        (format!("[providers.groq]\ntraining = '{KEY}'"),                     2, "this", "may"),
        (format!("[providers.{KEY}]\nkeys = []"),                             1, "this", "a-z"),
        (format!("[providers.groq]\nauth = 'Bearer {KEY}'"),                  2, "auth", "bearer"),
        (format!("[providers.groq]\nkeys = [{{ env = '{KEY}"),                2, "TOML", ""),
        (format!("[providers.groq]\nkeys = [{KEY}]"),                         2, "TOML", ""),
        (format!("[providers.groq]\nremove = ['{KEY}{KEY}{KEY}']"),           2, "this", "remove"),
        (format!("[[errors]]\nprovider = '{KEY}'\nmatch = 'x'\nmeans = 'region'"), 2, "this", "no provider"),
        // Which variables may be named.
        ("[providers.groq]\nkeys = [{ env = 'HOME' }]".to_owned(),            2, "env", "_KEY or _TOKEN"),
        ("[providers.groq]\nkeys = [{ env = 'AWS_SECRET' }]".to_owned(),      2, "env", "_KEY or _TOKEN"),
        ("[providers.groq]\nkeys = [{ env = 'GROQ_API_KEYS' }]".to_owned(),   2, "env", "_KEY or _TOKEN"),
        ("[providers.groq]\nkeys = [{ env = 'groq_api_key' }]".to_owned(),    2, "env", "_KEY or _TOKEN"),
        ("[providers.groq]\nkeys = [{ env = '1_KEY' }]".to_owned(),           2, "env", "_KEY or _TOKEN"),
        ("[providers.groq]\nkeys = [{ env = '' }]".to_owned(),                2, "env", "_KEY or _TOKEN"),
        ("[providers.groq]\nkeys = [{ env = 'GEMINI_API_KEY' }]".to_owned(),  2, "env", "gemini's"),
        ("[providers.groq]\nkeys = [{ env = 'HF_TOKEN_3' }]".to_owned(),      2, "env", "huggingface's"),
        ("[providers.groq]\nkeys = [{ env = 'HF_TOKEN3' }]".to_owned(),       2, "env", "huggingface's"),
        ("[providers.box]\nbase_url = 'http://h'\nkeys = [{ env = 'OPENROUTER_API_KEY' }]".to_owned(), 3, "env", "openrouter's"),
        ("[providers.box]\nbase_url = 'http://h'\nkeys = [{ env = 'PROXY_API_KEY' }]".to_owned(),      3, "env", "PROXY_API_KEY"),
        ("[providers.box]\nbase_url = 'http://h'\nkeys = [{ env = 'PROXY_API_KEY_2' }]".to_owned(),    3, "env", "PROXY_API_KEY"),
        ("[providers.groq]\nkeys = [{ env = 'A_KEY', file = '/x' }]".to_owned(), 2, "keys", "either"),
        ("[providers.groq]\nkeys = [{ account = 'a' }]".to_owned(),           2, "keys", "env or file"),
        ("[providers.groq]\nkeys = [{ file = '' }]".to_owned(),               2, "file", "path"),
        ("[providers.groq]\nkeys = [{ file = \"a\\u0000\" }]".to_owned(),     2, "file", "path"),
        ("[providers.groq]\nkeys = [{ env = 'A_KEY', account = '' }]".to_owned(), 2, "account", "letters"),
    ];
    for (text, line, named, sentence) in rows {
        let found = mistakes(text.as_bytes());
        let mistake = &found[0];
        assert_eq!(
            (mistake.line, mistake.named.as_str()),
            (*line, *named),
            "{text}: {found:?}"
        );
        assert!(mistake.sentence.contains(sentence), "{text}: {mistake}");
        for mistake in &found {
            assert!(
                !format!("{mistake} {mistake:?}").contains("Xw81"),
                "{text}: {mistake}"
            );
        }
    }
    #[rustfmt::skip]
    let fine = [
        "GROQ_API_KEY", "GROQ_API_KEY_2", "GROQ_API_KEY_99", "MY_GROQ_KEY", "SOME_TOKEN", "SOME_TOKEN_1", "MY_KEY2", "_KEY",
    ];
    for name in fine {
        let text = format!("[providers.groq]\nkeys = [{{ env = '{name}' }}]");
        assert!(read(text.as_bytes()).is_ok(), "{name}");
    }
}

#[test]
fn s10_1_everything_that_is_wrong_is_told_at_once_by_line() {
    let text = "[[errors]]\nprovider = 'nobody'\nmatch = 'x'\nmeans = 'region'\n[providers.groq]\nbilled = 1\nlimits = []\nmodles = []\n[other]\n";
    let lines: Vec<usize> = mistakes(text.as_bytes()).iter().map(|m| m.line).collect();
    assert_eq!(lines, [2, 6, 8, 9]);
    let many: String = (0..1000).map(|n| format!("[x{n}]\n")).collect();
    assert_eq!(mistakes(many.as_bytes()).len(), 50);
}

#[test]
fn s10_1_what_is_no_text_of_ours() {
    let large = vec![b'#'; (1 << 20) + 1];
    let deep = format!("[providers.{}groq]", "a.".repeat(100_000));
    #[rustfmt::skip]
    let rows: &[(&[u8], usize, &str)] = &[
        (b"[providers.groq]\nbilled = \"\xff\"\n", 2, "UTF-8"),
        (b"\xff\xfe[\0",                           1, "UTF-8"),
        (&large,                                   1, "larger"),
        (b"\0",                                    1, ""),
        (deep.as_bytes(),                          1, ""),
    ];
    for (text, line, sentence) in rows {
        let found = mistakes(text);
        assert_eq!(found[0].line, *line);
        assert!(found[0].sentence.contains(sentence), "{}", found[0]);
    }
    // Nothing, remarks, and the mark that some editors begin a file with are no mistake.
    for text in [
        "",
        "# nothing\r\n",
        "\u{feff}[providers.groq]\n",
        "[providers]\n",
        "errors = []\n",
    ] {
        assert!(read(text.as_bytes()).is_ok(), "{text:?}");
    }
    assert_eq!(read(&vec![b'#'; 1 << 20]).unwrap().providers.len(), 0);
}

/// However a file is cut off, it is read or refused.
#[test]
fn s10_1_no_beginning_of_a_file_is_too_odd() {
    for end in 0..=SAMPLE.len() {
        for other in [&b""[..], b"\"", b"]", b"}", b"\n= 1"] {
            let mut text = SAMPLE.as_bytes()[..end].to_vec();
            text.extend_from_slice(other);
            if let Err(found) = read(&text) {
                let lines = text.iter().filter(|b| **b == b'\n').count() + 1;
                assert!(!found.is_empty());
                assert!(
                    found.iter().all(|m| (1..=lines).contains(&m.line)),
                    "{found:?}"
                );
            }
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(512))]
    /// Any value under any member: it is read or refused, on its line, and shows no key.
    #[test]
    fn s10_1_no_value_is_too_odd(
        place in 0_usize..64,
        value in "(gsk_Xw81PlainKey0123456789|-?[0-9]{1,20}|1e30|nan|true|'\\PC{0,20}'|\"[a-z.*\\[\\]{}:/?#@ ]{0,30}\"|\\[('[a-z]{0,4}'|[0-9-]{1,3}|\\{\\}|\\[\\]), *\\{ (id|env|per|requests|file|x) = ('x'|3|0) \\}\\]|\\{ [a-z_]{1,8} = '?[a-z0-9]{0,3}'? \\})",
    ) {
        const OTHERS: &[&str] = &["provider", "status", "match", "means", "api_key", "x"];
        let names: Vec<&str> = members::MEMBERS.iter().chain(OTHERS).copied().collect();
        let name = names[place % names.len()];
        for head in ["[providers.groq]", "[providers.box]\nbase_url = 'http://h/v1'", "[[errors]]\nprovider = 'groq'"] {
            let text = format!("{head}\n{name} = {value}\n");
            if let Err(found) = read(text.as_bytes()) {
                for mistake in &found {
                    assert!((1..=text.matches('\n').count() + 1).contains(&mistake.line), "{text}: {mistake}");
                    assert!(!mistake.to_string().contains("Xw81"), "{text}: {mistake}");
                }
            }
        }
    }
}

#[test]
fn s10_1_the_users_limits_take_the_place_of_the_rows_words_too() {
    for (text, is_left) in [("limits = []", false), ("timeout_sec = 9", true)] {
        let file = read(format!("[providers.groq]\n{text}\n").as_bytes()).unwrap();
        let row = &file.get("groq").unwrap().provider;
        assert_eq!(!row.gives.is_empty(), is_left, "{text}");
    }
}
