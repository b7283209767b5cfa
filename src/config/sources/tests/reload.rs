use super::*;
use crate::config::Destinations;

const GROQ: &str = "GROQ_API_KEY=gsk_0123456789abcdef0123";
/// The text of a file before and after.
type Texts = [&'static str; 2];

const OTHER: &str = "GROQ_API_KEY=gsk_fedcba98765432100123";

#[test]
fn s12_2_what_has_changed_is_named_and_what_a_higher_source_shadows() {
    const KEY: (&str, &str) = ("GROQ_API_KEY", "gsk_of-the-shell-0123456789");
    #[rustfmt::skip]
    let rows: &[(Set, Texts, Texts, &[&str], Set)] = &[
        // environment                      .env before, after                   the user's before, after                changed              shadowed
        (&[],                               ["", ""],                            ["", ""],                               &[],                 &[]),
        (&[],                               ["", "MODEL_FIELD=pin"],             ["", ""],                               &["MODEL_FIELD"],    &[]),
        (&[],                               ["MODEL_FIELD=pin", ""],             ["", ""],                               &["MODEL_FIELD"],    &[]),
        (&[],                               ["PLAIN_TIMEOUT_SEC=1\nMODEL_FIELD=pin", "MODEL_FIELD=prefer"], ["", ""],    &["MODEL_FIELD", "PLAIN_TIMEOUT_SEC"], &[]),
        (&[("MODEL_FIELD", "pin")],         ["", "MODEL_FIELD=prefer"],          ["", ""],                               &[],                 &[("MODEL_FIELD", "the environment")]),
        (&[],                               ["MODEL_FIELD=pin", "MODEL_FIELD=pin"], ["", "MODEL_FIELD=prefer\nMAX_FALLBACK_ATTEMPTS=2"], &["MAX_FALLBACK_ATTEMPTS"], &[("MODEL_FIELD", ".env")]),
        (&[],                               ["MODEL_FIELD=pin", "MODEL_FIELD=pin"], ["", GROQ],                          &["GROQ_API_KEY"],   &[]),
        (&[],                               ["MODEL_FIELD=pin", "MODEL_FIELD=pin"], [GROQ, OTHER],                       &["GROQ_API_KEY"],   &[]),
        (&[KEY],                            ["", ""],                            [GROQ, OTHER],                          &[],                 &[("GROQ_API_KEY", "the environment")]),
    ];
    for (environment, [folder, folder_after], [user, user_after], changed, shadowed) in rows {
        let environment: Vec<_> = [&[UP, DOOR], *environment].concat();
        let before = layers(&[], &environment, folder, user);
        let after = layers(&[], &environment, folder_after, user_after);
        let (config, seen) = (after.config().unwrap(), crate::config::Seen::default());
        let changes = after.changes(&seen, &config, (&before, &seen));
        assert_eq!(changes.changed, *changed, "{folder_after} {user_after}");
        let told: Vec<_> = changes.shadowed.iter().map(|(a, b)| (&**a, &**b)).collect();
        assert_eq!(told, *shadowed, "{folder_after} {user_after}");
    }
}

#[test]
fn s12_2_a_key_in_use_goes_nowhere_else_before_a_restart() {
    const BOX: &str =
        "[providers.box]\nbase_url = 'http://10.0.0.1/v1'\nkeys = [{ env = 'BOX_KEY' }]\n";
    let at = |base: &str| format!("[providers.groq]\nbase_url = '{base}'\n");
    let renamed = BOX
        .replace("box]", "crate]")
        .replace("10.0.0.1", "10.0.0.2");
    let (one, two) = (&*at("http://10.0.0.1/v1"), &*at("http://10.0.0.2/v1"));
    let both = format!("{GROQ}\nGROQ_API_KEY_2=gsk_one-that-came-later-0123");
    let boxed = "BOX_KEY=box-key-0123456789";
    #[rustfmt::skip]
    let rows: [(&str, &str, &str, &str, &str, &str); 7] = [
        // keys, file before          keys, file after              where keys go                                            waits
        (GROQ,  one,                  GROQ,   one,                  "groq 10.0.0.1",                                         ""),
        (GROQ,  one,                  GROQ,   two,                  "groq 10.0.0.1",                                         "the address of groq"),
        (GROQ,  one,                  OTHER,  two,                  "groq 10.0.0.2",                                         ""),
        (GROQ,  one,                  &both,  two,                  "groq 10.0.0.1",                                         "the address of groq"),
        (GROQ,  one,                  &both,  one,                  "groq 10.0.0.1, groq#2 10.0.0.1",                        ""),
        (boxed, BOX,                  boxed,  &renamed,             "",                                                      "the address of crate"),
        (boxed, BOX,                  "",     "",                   "",                                                      ""),
    ];
    let config = |keys: &str, text: &str| {
        let sources = layers(&[], &[], "", &format!("{BOTH}{keys}"));
        sources.with_file(text).config().unwrap()
    };
    for (keys, file, keys_after, file_after, expected, waits) in rows {
        let before = config(keys, file);
        let mut gone = Destinations::default();
        gone.note(&before);
        let after = config(keys_after, file_after);
        let (held, told) = after.holding(&before, &gone).unwrap();
        assert_eq!(told.join(" "), waits, "{file_after}");
        let others = held
            .accounts
            .iter()
            .filter(|a| !a.id.provider.is_openrouter());
        let goes = others.map(|account| {
            let base = account.base_url();
            let host = base.split('/').nth(2).unwrap_or_default().to_owned();
            format!("{} {host}", account.id.label)
        });
        assert_eq!(
            goes.collect::<Vec<_>>().join(", "),
            expected,
            "{file_after}"
        );
        let on = held
            .providers
            .iter()
            .filter(|row| !row.id.is_openrouter())
            .count();
        assert_eq!(on, usize::from(!expected.is_empty()), "{file_after}");
    }
}

/// What the user's file says, and `CONFIG_FILE`.
type Change<'a> = (&'a str, &'a str);

/// The settings in force after each change, and what waited for a restart.
fn after_each(changes: &[Change<'_>]) -> Vec<(crate::config::Config, String)> {
    let config = |(keys, text): &(&str, &str)| {
        let sources = layers(&[], &[], "", &format!("{BOTH}{keys}"));
        sources.with_file(text).config().unwrap()
    };
    let mut running = config(&changes[0]);
    let mut gone = Destinations::default();
    let put = changes.iter().map(|change| {
        let (held, waits) = config(change).holding(&running, &gone).unwrap();
        gone.note(&held);
        running = held.clone();
        (held, waits.join(" "))
    });
    put.collect()
}

#[test]
fn s12_2_a_key_that_was_out_of_use_comes_back_to_its_own_address_only() {
    let at = |host: &str| format!("[providers.groq]\nbase_url = 'http://{host}/v1'\n");
    let (one, two) = (&*at("10.0.0.1"), &*at("10.0.0.2"));
    let own = |id: &str, host: &str| {
        format!("[providers.{id}]\nbase_url = 'http://{host}/v1'\nkeys = [{{ env = 'BOX_KEY' }}]\n")
    };
    let (boxed, renamed) = (&*own("box", "10.0.0.1"), &*own("crate", "10.0.0.2"));
    let key = "BOX_KEY=box-key-0123456789";
    #[rustfmt::skip]
    let rows: [(&[Change<'_>], &str, &str); 4] = [
        // each change                                        where keys go      waits
        (&[(GROQ, one), ("", one), (GROQ, one)],              "groq 10.0.0.1",   ""),
        (&[(GROQ, one), ("", two), (GROQ, two)],              "",                "the address of groq"),
        (&[(GROQ, one), ("", two), ("", two), (OTHER, two)],  "groq 10.0.0.2",   ""),
        (&[(key, boxed), ("", ""), (key, renamed)],           "",                "the address of crate"),
    ];
    for (changes, expected, waits) in rows {
        let (held, told) = after_each(changes).pop().unwrap();
        let others = held.accounts.iter();
        let others = others.filter(|account| !account.id.provider.is_openrouter());
        let goes = others.map(|account| {
            let base = account.base_url();
            let host = base.split('/').nth(2).unwrap_or_default().to_owned();
            format!("{} {host}", account.id.label)
        });
        let goes = goes.collect::<Vec<_>>().join(", ");
        assert_eq!((&*goes, &*told), (expected, waits), "{changes:?}");
    }
}

#[test]
fn s12_2_a_spare_key_that_was_taken_out_is_out_of_use_whatever_waits() {
    let at = |host: &str, keys: &[&str]| {
        let each = keys.iter();
        let each = each.map(|name| format!("{{ env = '{name}', account = 'team' }}"));
        let keys = each.collect::<Vec<_>>().join(", ");
        format!("[providers.box]\nbase_url = 'http://{host}/v1'\nkeys = [{keys}]\n")
    };
    let keys = "ONE_KEY=box-key-0123456789\nTWO_KEY=box-key-9876543210";
    let before = at("10.0.0.1", &["ONE_KEY", "TWO_KEY"]);
    let after = at("10.0.0.2", &["ONE_KEY"]);
    let (held, waits) = after_each(&[(keys, &before), (keys, &after)])
        .pop()
        .unwrap();
    assert_eq!(waits, "the address of box");
    let mut accounts = held.accounts.iter();
    let team = accounts
        .find(|account| &*account.id.label == "team")
        .unwrap();
    assert_eq!(team.base_url(), "http://10.0.0.1/v1");
    assert_eq!(team.under_each_key().count(), 1);
}

#[test]
fn s12_2_what_only_a_restart_changes_stays_as_it_was() {
    #[rustfmt::skip]
    let rows = [
        // before                  after                            counts                                    waits
        ("PORT=1",                 "PORT=2\nMODEL_FIELD=pin",       &["PORT=1", "MODEL_FIELD=pin"][..],       "PORT"),
        ("",                       "PORT=2",                        &["PORT="],                               "PORT"),
        ("PORT=1",                 "",                              &["PORT=1"],                              "PORT"),
        ("PORT=8080",              "",                              &["PORT="],                               ""),
        ("HTTPS_PROXY=http://a",   "HTTPS_PROXY=http://b",          &["HTTPS_PROXY=http://a"],                "HTTPS_PROXY"),
        ("TRACE_FILE=a",           "TRACE_FILE=a\nLOG_LEVEL=ERROR", &["TRACE_FILE=a", "LOG_LEVEL=ERROR"],     ""),
    ];
    for (before, after, counts, waits) in rows {
        let started = layers(&[], &[], before, "");
        let (held, told) = layers(&[], &[], after, "").holding(&started);
        assert_eq!(told.join(" "), waits, "{after}");
        for expected in counts {
            let (name, value) = expected.split_once('=').unwrap();
            assert_eq!(held.get(name).unwrap_or_default(), value, "{after}");
        }
        // What a folder's file said then is still a folder's.
        if let Some(name) = waits
            .split(' ')
            .next()
            .filter(|name| held.get(name).is_some())
        {
            assert_eq!(held.source_of(name), started.source_of(name), "{after}");
        }
    }
}
