//! Every mistake has its line, and shows nothing that could be a key.

use super::*;

fn mistakes(text: &[u8]) -> Vec<Mistake> {
    read(text).expect_err(&String::from_utf8_lossy(text))
}

/// All that is found; the first has this line and name, and a sentence that contains this.
fn first_is(text: &str, line: usize, named: &str, sentence: &str) -> Vec<Mistake> {
    let found = mistakes(text.as_bytes());
    let mistake = &found[0];
    assert_eq!(
        (mistake.line, mistake.named.as_str()),
        (line, named),
        "{text}: {found:?}"
    );
    assert!(mistake.sentence.contains(sentence), "{text}: {mistake}");
    found
}

/// `provider-cases` §5, each with its exact text.
#[test]
fn s10_1_every_error_is_reported_with_its_line() {
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

/// Near misses: text, line, what is named, what the sentence contains.
#[test]
fn s10_1_near_misses() {
    #[rustfmt::skip]
    let rows: &[(&str, usize, &str, &str)] = &[
        // What it may have been meant to be.
        ("[providers.groq]\nbaseurl = 'x'",                     2, "baseurl", "did you mean `base_url`?"),
        ("[provider.groq]",                                     1, "provider", "did you mean `providers`?"),
        ("[[error]]",                                           1, "error", "did you mean `errors`?"),
        ("[[client]]\nname = 'a'",                              1, "client", "did you mean `clients`?"),
        ("[providers.grok]\nkeys = []",                         1, "grok", "did you mean `groq`?"),
        ("[providers.zzzzzz]\nkeys = []",                       1, "zzzzzz", "base_url"),
        ("[[errors]]\nprovider = 'grok'\nmatch = 'x'\nmeans = 'region'", 2, "grok", "did you mean `groq`?"),
        ("[[errors]]\nprovider = 'groq'\nmatch = 'x'\nmeans = 'day_spent'", 4, "day_spent", "did you mean `day-spent`?"),
        ("[providers.groq]\nlimits = [{ requests = 1, per = 'days' }]", 2, "days", "did you mean `day`?"),
        ("[providers.groq]\nlimits = [{ request = 1, per = 'day' }]",   2, "request", "did you mean `requests`?"),
        ("[providers.groq]\nmodels = [{ id = 'a', contxt = 1 }]",       2, "contxt", "did you mean `context`?"),
        // A key where something else belongs.
        ("[providers.groq]\nkeys = [{ file = 'gsk_0123456789abcdef0123' }]", 2, "keys", "named, not written here"),
        ("[providers.groq]\nauth = 'gsk_0123456789abcdef0123'",       2, "auth", "contains a key"),
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
        ("[providers.groq]\nname = 'Groq'",                     2, "name", "is not a member of a provider"),
        ("[providers.groq]\nkey_names = ['X_KEY']",             2, "key_names", "is not a member of a provider"),
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
        ("[providers.groq]\nlimits = [{ requests = 1, per = 'day', models = ['a b'] }]", 2, "models", "invalid model id"),
        // Ids.
        ("[providers.groq]\nmodels = []",                       2, "models", "names none"),
        ("[providers.groq]\nmodels = ['']",                     2, "models", "invalid model id"),
        ("[providers.groq]\nmodels = [\"a\\u0000b\"]",          2, "models", "invalid model id"),
        ("[providers.groq]\nmodels = [\"a\\nb\"]",              2, "models", "invalid model id"),
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
        ("[[errors]]\nprovider = 'groq'\nmatch = 'x'\ncode = 'y'\nmeans = 'region'", 4, "code", "is not a member of an error"),
        ("[[errors]]\nprovider = 'groq'\nmatch = 'x'\nmeans = 'busy'", 4, "busy", "is one of"),
        // TOML itself.
        ("[providers.groq]\nbilled = true\nbilled = false",     3, "TOML", "duplicate key"),
        ("[providers.groq]\n[providers.box]\n[providers.groq]", 3, "TOML", "duplicate key"),
        ("[providers.groq",                                     1, "TOML", "not valid"),
    ];
    for (text, line, named, sentence) in rows {
        let found = first_is(text, *line, named, sentence);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
    }
}

/// If a key is written in plain text, the sentence says what to do and shows nothing of it.
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
        (format!("[[errors]]\nprovider = '{KEY}'\nmatch = 'x'\nmeans = 'region'"), 2, "this", "built-in provider"),
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
        // A key used as a label would be in every log line.
        (format!("[providers.groq]\nkeys = [{{ env = 'A_KEY', account = '{KEY}' }}]"), 2, "keys", "put the key into a variable of .env"),
        ("[providers.groq]\nkeys = [{ env = 'A_KEY', account = 'sk-home' }]".to_owned(), 2, "keys", "put the key into a variable of .env"),
    ];
    for (text, line, named, sentence) in rows {
        let found = first_is(text, *line, named, sentence);
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
fn s10_1_everything_that_is_wrong_is_reported_at_once_by_line() {
    let text = "[[errors]]\nprovider = 'nobody'\nmatch = 'x'\nmeans = 'region'\n[providers.groq]\nbilled = 1\nlimits = []\nmodles = []\n[other]\n";
    let lines: Vec<usize> = mistakes(text.as_bytes()).iter().map(|m| m.line).collect();
    assert_eq!(lines, [2, 6, 8, 9]);
    let many: String = (0..1000).map(|n| format!("[x{n}]\n")).collect();
    assert_eq!(mistakes(many.as_bytes()).len(), 50);
}

#[test]
fn s10_1_what_is_not_a_file_of_ours() {
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
    // Empty files, comments, and the byte order mark of some editors are not errors.
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

/// Wherever a file is cut off, it is read or refused.
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
    /// Any value under any member: it is read, or refused with its line, and shows no key.
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
