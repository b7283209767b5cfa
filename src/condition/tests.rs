use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::clock::Now;
use crate::redact::Secret;
use crate::registry::{FailedRead, There};
use crate::upstream::Unreachable;

/// 2027-01-15 08:00:00 UTC.
const START: u64 = 1_800_000_000;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(START + seconds)
}

/// The moment of all rows: 1,000 s after the start.
fn now() -> Now {
    Now {
        steady: Instant::now(),
        wall: at(1000),
    }
}

fn id(name: &str) -> ModelId {
    ModelId::try_from(name).unwrap()
}

fn names() -> Names {
    Names {
        upstream: Some("OpenRouter".to_owned()),
        catalogue: "OpenRouter".to_owned(),
        host: "OpenRouter".to_owned(),
        base: "https://openrouter.ai/api/v1".to_owned(),
        ranking: "https://list.example/top".to_owned(),
        key: Some("...aaaa".to_owned()),
        variable: Some("OPENROUTER_API_KEY".to_owned()),
        openrouter: true,
        own: false,
    }
}

/// Six models, all awake, and no request yet.
fn fine(outside: &Outside) -> Known<'_> {
    Known {
        now: now().wall,
        draining: false,
        list: Some(Listed {
            models: 6,
            somebody_is_awake: true,
            ..Listed::default()
        }),
        accounts: Tally {
            of: 1,
            ..Tally::default()
        },
        openrouter_alone: true,
        account: None,
        outside,
        streak: None,
        last_answer: None,
        first_choice: Some(id("a:free")),
        next_read: None,
    }
}

fn streak(how: How, count: u32, seconds: u64) -> Option<Streak> {
    Some(Streak {
        how,
        at: at(seconds),
        since: at(0),
        count,
        alike: count,
    })
}

fn failed(kind: &'static str, status: Option<u16>, why: &str) -> Option<FailedRead> {
    let why = why.to_owned();
    Some(FailedRead { kind, status, why })
}

/// How a row differs from a healthy proxy.
type Change = fn(&mut Outside, &mut Known<'_>);

#[test]
fn s3_the_state_becomes_one_sentence_and_is_ready_or_not() {
    const ANSWERED: &str =
        "Requests are being answered: a:free is asked first; none was asked yet.";
    const KEY: &str = "OpenRouter refuses the key ...aaaa (HTTP 401).";
    const NEW_KEY: &str = "Put a new one into .env: it counts a few seconds later.";
    const NETWORK: &str =
        "Is the network up here, and are UPSTREAM_BASE_URL and HTTPS_PROXY right?";
    const NOT_THERE: &str =
        "Is UPSTREAM_BASE_URL right? The models of https://list.example/top must exist there.";
    const NONE_THERE: &str =
        "0 of 6 models exist there: https://openrouter.ai/api/v1 has none of the ranking's.";
    const MORE: &str = "Wait, or buy 10 credits once: then it is 1000 a day.";
    const PRIVACY: &str = "The errors that clients got say why; a data policy is changed at https://openrouter.ai/settings/privacy.";
    const LOG: &str = "The last requests and the log say how each of them failed.";
    let out: Change = |outside, _| {
        outside.there = Some(There {
            models: 0,
            of: 6,
            fallback: false,
        });
    };
    #[rustfmt::skip]
    let rows: Vec<(&str, Change, &str, &str, &str)> = vec![
        // what is known                code, tone                    sentence                                                          next step
        ("no request yet",              |_, _| {},
            "ready good ready",           ANSWERED, ""),
        ("it answers",                  |_, k| k.last_answer = Some((id("b:free"), at(999))),
            "answering good ready",       "Requests are being answered: a:free is asked first; the last answer was by b:free at 08:16:39 UTC.", ""),
        ("it stops",                    |_, k| k.draining = true,
            "draining bad",               "The proxy is shutting down: it finishes what is open and takes nothing new.", ""),
        ("the first read",              |_, k| k.list = None,
            "starting bad",               "The list of models is being read for the first time.", ""),
        ("no list",                     |o, k| { k.list = None; k.next_read = Some(at(1008)); o.ranking = failed("status", Some(500), "the answer was HTTP 500"); },
            "no_list bad",                "No list of models yet: the ranking at https://list.example/top cannot be read: the answer was HTTP 500.",
                                          "Is MODELS_LIST_URL right? It is read again in 8 s; `free-llm-proxy check` tries all of it now."),
        ("no network",                  |o, k| { k.list = None; o.ranking = failed("network", None, "cannot connect: x"); o.catalogue = failed("timeout", None, "no whole answer within 15 s"); },
            "no_list bad",                "No list of models yet: the ranking at https://list.example/top cannot be read: cannot connect: x; nor can the catalogue of OpenRouter: no whole answer within 15 s.",
                                          "Is the network up here, and HTTPS_PROXY right? It is read again soon; `free-llm-proxy check` tries all of it now."),

        ("a request met the 401",       |_, k| k.streak = streak(How::Key(Some(401)), 1, 900),                     "key_refused bad", KEY, NEW_KEY),
        ("a long time ago",             |_, k| k.streak = streak(How::Key(Some(401)), 9, 0),                       "key_refused bad", KEY, NEW_KEY),
        ("before any answer",           |_, k| { k.streak = streak(How::Key(Some(401)), 1, 900); k.last_answer = Some((id("a:free"), at(1))); }, "key_refused bad", KEY, NEW_KEY),
        ("the key endpoint says so",    |o, _| o.key = Some((Some(401), at(1))),                                   "key_refused bad", KEY, NEW_KEY),
        ("but a request was answered",  |o, k| { o.key = Some((Some(403), at(1))); k.last_answer = Some((id("a:free"), at(2))); },
            "answering good ready",       "Requests are being answered: a:free is asked first; the last answer was by a:free at 08:00:02 UTC.", ""),
        ("it is taken again",           |o, k| { k.streak = streak(How::Key(Some(401)), 1, 900); o.key = Some((None, at(901))); }, "ready good ready", ANSWERED, ""),
        ("it was taken before",         |o, k| { k.streak = streak(How::Key(Some(401)), 1, 900); o.key = Some((None, at(899))); }, "key_refused bad", KEY, NEW_KEY),
        ("an operator says: again",     |o, k| { k.streak = streak(How::Key(Some(401)), 1, 900); o.forgotten_at = Some(at(901)); }, "ready good ready", ANSWERED, ""),

        ("the day's quota is gone",     |_, k| k.account = Some((AccountLimit::Day, at(28_720), Some(50))),
            "quota_day bad",              "The free requests of today are used up (50 of 50); they are back in 7 h 42 min, at 15:58 UTC.", MORE),
        ("the larger one",              |_, k| k.account = Some((AccountLimit::Day, at(28_720), Some(1000))),
            "quota_day bad",              "The free requests of today are used up (1000 of 1000); they are back in 7 h 42 min, at 15:58 UTC.", ""),
        ("the minute's",                |_, k| k.account = Some((AccountLimit::Minute, at(1042), None)),
            "quota_minute bad",           "The free requests of this minute are used up; they are back in 42 s, at 08:17 UTC.", ""),
        ("no credit",                   |_, k| k.account = Some((AccountLimit::Credit, at(1240), None)),
            "no_credit bad",              "The account at OpenRouter is out of credit (HTTP 402), which blocks free models too; it is asked again in 4 min, at 08:20 UTC.",
                                          "Add credit at https://openrouter.ai/settings/credits, then refresh the list."),
        ("no credit when last asked",   |_, k| k.streak = streak(How::Credit, 1, 1),
            "no_credit warn ready",       "The account at OpenRouter is out of credit (HTTP 402), which blocks free models too.",
                                          "Add credit at https://openrouter.ai/settings/credits, then refresh the list."),

        ("another upstream",            out,                                                                       "none_there bad", NONE_THERE, NOT_THERE),
        ("it answers all the same",     |o, k| { o.there = Some(There { models: 0, of: 6, fallback: false }); k.last_answer = Some((id("b:free"), at(999))); },
            "answering good ready",       "Requests are being answered: a:free is asked first; the last answer was by b:free at 08:16:39 UTC.", ""),
        ("the router is there",         |o, _| o.there = Some(There { models: 0, of: 6, fallback: true }),          "ready good ready", ANSWERED, ""),
        ("one is there",                |o, _| o.there = Some(There { models: 1, of: 6, fallback: false }),         "ready good ready", ANSWERED, ""),
        ("all turned out to be gone",   |_, k| k.list = rests(6, 0, 0),                                            "none_there bad", NONE_THERE, NOT_THERE),

        ("no connection",               |_, k| k.streak = streak(How::NotReached(Unreachable::Refused), 1, 990),
            "not_reached bad",            "OpenRouter cannot be reached: it refuses the connection.", NETWORK),
        ("no connection before",        |_, k| { k.streak = streak(How::NotReached(Unreachable::Refused), 2, 700); k.last_answer = Some((id("a:free"), at(1))); },
            "was_not_reached warn ready", "OpenRouter could not be reached 5 min ago, at the last request: it refuses the connection.", NETWORK),
        ("no socket",                   |_, k| k.streak = streak(How::NotReached(Unreachable::NoSocket), 1, 990),
            "not_reached bad",            "OpenRouter cannot be reached: the proxy's machine has no socket left.", NETWORK),
        ("its catalogue was read since", |o, k| { k.streak = streak(How::NotReached(Unreachable::Refused), 1, 990); o.reached_at = Some(at(991)); }, "ready good ready", ANSWERED, ""),

        ("all rest",                    |_, k| { k.list = rests(1, 4, 1); k.first_choice = None; },
            "all_rest bad",               "Every model is resting: 4 models are rate limited, 1 is failing, 1 is gone; the first returns in 42 min.", ""),
        ("the router alone is awake",   |_, k| k.list = rests(1, 4, 1).map(|l| Listed { somebody_is_awake: true, ..l }), "ready good ready", ANSWERED, ""),
        ("a probe is under way",        |_, k| k.first_choice = None,
            "probing warn ready",         "A rest is over: one request finds out whether that helped, and the others wait for it.", ""),

        ("all refuse all",              |_, k| k.streak = streak(How::Refused(404), 3, 990),
            "refused bad",                "Every model refused the last 3 requests (HTTP 404).", PRIVACY),
        ("all refused all",             |_, k| k.streak = streak(How::Refused(404), 3, 100),
            "refused warn ready",         "Every model refused the last 3 requests (HTTP 404).", PRIVACY),
        ("two were refused",            |_, k| k.streak = streak(How::Refused(404), 2, 990),                       "ready good ready", ANSWERED, ""),
        ("whatever is sent fails",      |_, k| k.streak = streak(How::Otherwise, 3, 990),
            "failing warn ready",         "The last 3 requests failed; a:free is asked next.", LOG),
        ("as it did an hour ago",       |_, k| k.streak = streak(How::Otherwise, 3, 0),
            "failing warn ready",         "The last 3 requests failed; a:free is asked next.", LOG),
        ("two failed",                  |_, k| k.streak = streak(How::Otherwise, 2, 990),                          "ready good ready", ANSWERED, ""),

        ("another quota of the one",    |_, k| { k.account = Some((AccountLimit::Quota, at(28_720), None)); k.openrouter_alone = false; },
            "quota bad",                  "The account's free quota is used up; it is back in 7 h 42 min, at 15:58 UTC.", MORE),
        ("two of five are out",         |_, k| k.accounts = several(|t| t.out_today = 2),
            "ready good ready",           "Requests are being answered: a:free is asked first; none was asked yet. 2 of 5 accounts are out for today.", ""),
        ("and one after an answer",     |_, k| { k.accounts = several(|t| { t.out_today = 1; t.out = 2; }); k.last_answer = Some((id("b:free"), at(999))); },
            "answering good ready",       "Requests are being answered: a:free is asked first; the last answer was by b:free at 08:16:39 UTC. 1 of 5 accounts is out for today, 2 are out of their quota.", ""),
        ("a key of several is refused", |_, k| k.accounts = several(|t| { t.out_today = 2; t.keys_refused = 1; }),
            "ready warn ready",           "Requests are being answered: a:free is asked first; none was asked yet. 2 of 5 accounts are out for today, 1 key is refused.",
                                          "Put a new key into .env in place of the refused one: it counts a few seconds later."),
        ("OpenRouter's of several",     |o, k| { k.accounts = several(|_| {}); k.openrouter_alone = false; o.key = Some((Some(401), at(1))); k.account = Some((AccountLimit::Day, at(28_720), Some(50)));
                                                 o.there = Some(There { models: 0, of: 6, fallback: false }); },
            "ready good ready",           ANSWERED, ""),
        ("all of several are out",      |_, k| { k.accounts = several(|t| { t.out_today = 4; t.keys_refused = 1; }); k.list = all_out(4, 1); },
            "accounts_out bad",           "No account has quota left: 4 accounts are out for today, 1 key is refused; the first returns in 42 min, at 08:58 UTC.",
                                          "Put new keys into .env in place of the refused ones: they count a few seconds later."),
        ("all of them for today",       |_, k| { k.accounts = several(|t| t.out_today = 5); k.list = all_out(5, 0); },
            "accounts_out bad",           "No account has quota left: 5 accounts are out for today; the first returns in 42 min, at 08:58 UTC.",
                                          "Wait, or add a key of another provider: `free-llm-proxy providers` names them."),
        ("every key is refused",        |_, k| { k.accounts = several(|t| t.keys_refused = 5); k.list = all_out(0, 5); },
            "accounts_out bad",           "No account has a key that its provider accepts: 5 keys are refused; the first returns in 42 min, at 08:58 UTC.",
                                          "Put new keys into .env in place of the refused ones: they count a few seconds later."),
        ("all models of several rest",  |_, k| { k.accounts = several(|t| t.out_today = 1); k.list = rests(1, 4, 1); k.first_choice = None; },
            "all_rest bad",               "Every model is resting: 4 models are rate limited, 1 is failing, 1 is gone; the first returns in 42 min.", ""),

        // What has to be fixed first comes first.
        ("stopping, without a list",    |_, k| { k.draining = true; k.list = None; },
            "draining bad",               "The proxy is shutting down: it finishes what is open and takes nothing new.", ""),
        ("a bad key, and all rest",     |_, k| { k.streak = streak(How::Key(Some(401)), 1, 900); k.list = rests(0, 6, 0); }, "key_refused bad", KEY, NEW_KEY),
    ];
    for (what, change, told, sentence, next) in rows {
        let mut outside = Outside::default();
        change(&mut outside, &mut fine(&Outside::default()));
        let seen = outside.clone();
        let mut known = fine(&seen);
        change(&mut outside, &mut known);
        let condition = Condition::of(&known);
        let got = condition.shown(&names(), now());
        let ready = if condition.is_ready() { " ready" } else { "" };
        assert_eq!(format!("{} {}{ready}", got.code, got.tone), told, "{what}");
        assert_eq!(got.sentence, sentence, "{what}");
        assert_eq!(got.next_step.unwrap_or_default(), next, "{what}");
        // It is never well and unwell at once.
        assert!(
            condition.tone() != Tone::Good || condition.is_ready(),
            "{what}"
        );
    }
}

fn rests(gone: usize, limited: usize, failing: usize) -> Option<Listed> {
    Some(Listed {
        models: 6,
        somebody_is_awake: false,
        why: Unavailable {
            gone,
            rate_limited: limited,
            failing,
            ..Unavailable::default()
        },
        accounts_out: false,
        first_back: Some(at(1000 + 2520)),
    })
}

/// Five accounts, with this change.
fn several(change: fn(&mut Tally)) -> Tally {
    let mut tally = Tally {
        of: 5,
        ..Tally::default()
    };
    change(&mut tally);
    tally
}

/// No model can be asked, because of the accounts.
fn all_out(out_today: usize, keys_refused: usize) -> Option<Listed> {
    rests(0, 0, 0).map(|list| Listed {
        accounts_out: true,
        why: Unavailable {
            out_today,
            keys_refused,
            ..Unavailable::default()
        },
        ..list
    })
}

#[test]
fn s10_8_other_providers_appear_under_their_names() {
    let groq = Names {
        upstream: Some("Groq".to_owned()),
        host: "Groq".to_owned(),
        key: None,
        variable: Some("GROQ_API_KEY".to_owned()),
        openrouter: false,
        ..names()
    };
    let keyless = Names {
        variable: None,
        ..groq.clone()
    };
    let own = Names {
        upstream: Some("Your own server".to_owned()),
        variable: None,
        own: true,
        ..groq.clone()
    };
    let several = Names {
        upstream: None,
        ..names()
    };
    let refused = Condition::KeyRefused { status: Some(401) };
    let no_credit = Condition::NoCredit { until: None };
    let quota = Condition::QuotaGone {
        quota: Quota::Other,
        limit: None,
        until: at(28_720),
    };
    let no_list = |kind, status| Condition::NoList {
        ranking: None,
        catalogue: None,
        list: failed(kind, status, "why"),
        next: None,
    };
    let unreached = |fresh| Condition::NotReached {
        cause: Unreachable::Refused,
        at: at(700),
        fresh,
    };
    #[rustfmt::skip]
    let rows = [
        (&refused,          &groq,    "Groq refuses the key GROQ_API_KEY (HTTP 401).", "Put a new one into .env: it counts a few seconds later."),
        (&refused,          &keyless, "Groq wants a key (HTTP 401).", "Put a new one into .env: it counts a few seconds later."),
        (&no_credit,        &groq,    "The account at Groq is out of credit (HTTP 402), which blocks free models too.", "Add credit there, then refresh the list."),
        (&quota,            &groq,    "The account's free quota is used up; it is back in 7 h 42 min, at 15:58 UTC.", ""),
        (&unreached(true),  &groq,    "Groq cannot be reached: it refuses the connection.", "Is the network up here, and is HTTPS_PROXY right?"),
        (&unreached(false), &groq,    "Groq could not be reached 5 min ago, at the last request: it refuses the connection.", "Is the network up here, and is HTTPS_PROXY right?"),
        (&refused,          &own,     "Your own server wants a key (HTTP 401).", "Put a new one into .env: it counts a few seconds later."),
        (&no_list("network", None), &own, "Your own server has given no list of models yet: why.", "Is it running, and is LOCAL_BASE_URL right?"),
        (&no_list("status", Some(401)), &own, "Your own server has given no list of models yet: why.", "Is LOCAL_API_KEY right?"),
        (&no_list("no_usable_model", None), &own, "Your own server has given no list of models yet: why.", "Give it a model: the proxy finds it by itself."),
        (&unreached(true),  &own,     "Your own server cannot be reached: it refuses the connection.", "Is it running, and is LOCAL_BASE_URL right?"),
        (&unreached(false), &own,     "Your own server could not be reached 5 min ago, at the last request: it refuses the connection.", "Is it running, and is LOCAL_BASE_URL right?"),
        (&unreached(true),  &several, "No provider can be reached: it refuses the connection.", "Is the network up here, and is HTTPS_PROXY right?"),
        (&unreached(false), &several, "No provider could be reached 5 min ago, at the last request: it refuses the connection.", "Is the network up here, and is HTTPS_PROXY right?"),
    ];
    for (condition, names, sentence, next) in rows {
        let got = condition.shown(names, now());
        assert_eq!(got.sentence, sentence);
        assert_eq!(got.next_step.unwrap_or_default(), next);
        assert!(
            !format!("{:?}", got.about).contains("OpenRouter"),
            "{sentence}"
        );
    }
}

#[test]
fn s3_the_upstream_has_a_name_where_it_is_known() {
    #[rustfmt::skip]
    let rows = [
        ("https://openrouter.ai/api/v1",     "sk-or-v1-0123456789aaaa", "OpenRouter",                        Some("...aaaa")),
        ("https://eu.openrouter.ai/api/v1/", "whatever-it-is-bbbb",     "OpenRouter",                        Some("...bbbb")),
        ("http://127.0.0.1:9/api/v1",        "sk-or-v1-0123456789aaaa", "OpenRouter",                        Some("...aaaa")),
        ("http://localhost:11434/v1",        "ollama-ollama",           "the upstream at localhost:11434",   Some("...lama")),
        ("https://notopenrouter.ai/v1",      "x",                       "the upstream at notopenrouter.ai",  None),
    ];
    for (base, key, upstream, tail) in rows {
        let names = Names::new(base, "https://list.example/", &Secret::new(key));
        assert_eq!(
            (names.upstream.as_deref(), names.key.as_deref()),
            (Some(upstream), tail),
            "{base}"
        );
        assert!(!names.base.ends_with('/'));
    }
}
