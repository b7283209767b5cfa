//! The file's text, and whose each part of it is (spec §12.3).

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clock::Now;
use crate::config::Config;
use crate::learnt::{Salt, Through};
use crate::ledger::{Ask, Headroom};
use crate::model::{AccountId, Capability, KeyMark, ModelId, Offer, ProviderId, Subject};
use crate::registry::{Chosen, Parts, Registry, Snapshot, Wake};
use crate::request::FieldName;
use crate::verdict::{AccountLimit, Because, Cause, OutOf, Outcome, Rest};

const SALT: [u8; 16] = [7; 16];
const TEAM: &str = "keys = [{ env = 'GROQ_API_KEY', account = 'team' }]\n";
const LIMITS: &str =
    "[providers.groq]\nlimits = [{ requests = 3, per = 'day', of = 'account', ends = 'utc' }]\n";

/// The settings with these keys for Groq, and one for Mistral; and what `CONFIG_FILE` adds.
fn config(groq: &[(&str, &str)], file: &str) -> Config {
    let read = |name: &str| {
        let own = groq.iter().find(|(variable, _)| *variable == name);
        match name {
            "PROXY_API_KEY" => Some("a-key-of-the-proxy".to_owned()),
            "MISTRAL_API_KEY" => Some("a-key-of-mistral".to_owned()),
            _ => own.map(|(_, key)| (*key).to_owned()),
        }
    };
    Config::read_with_file(read, &format!("{LIMITS}{file}")).unwrap()
}

/// What is known under these settings, with one model at each provider.
struct World {
    registry: Arc<Registry>,
    roll: Roll,
    accounts: Vec<Arc<AccountId>>,
}

impl World {
    fn new(config: &Config) -> Self {
        let registry = Registry::with_limits_of(config.providers.clone(), config.learning);
        let accounts = config.accounts.iter();
        Self {
            registry: Arc::new(registry),
            roll: Roll::of(&config.accounts, Salt::new(SALT)),
            accounts: accounts
                .map(|account| Arc::new(account.id.clone()))
                .collect(),
        }
    }

    /// The list is read.
    fn list(&self) {
        let at = |name| {
            let provider = ProviderId::try_from(name).unwrap();
            Arc::new(Offer::at(provider, ModelId::try_from("m").unwrap()))
        };
        self.registry.publish(Snapshot::new(Parts {
            offers: vec![at("groq"), at("mistral")],
            accounts: self.accounts.clone(),
            ..Parts::default()
        }));
    }

    /// The account of this label uses up its day, its model rests, lacks tools, and was slow once.
    fn uses_up(&self, label: &str) {
        let snapshot = self.registry.snapshot().unwrap();
        let mut candidates = snapshot.candidates().iter();
        let candidate = candidates.find(|one| &*one.account.label == label).unwrap();
        for _ in 0..3 {
            let chosen = Chosen {
                client: None,
                candidate: Arc::clone(candidate),
                slot: snapshot.slot(candidate),
                ask: Ask::default(),
                key: None,
                usual: Duration::ZERO,
            };
            drop(self.registry.claim(|_, _| ((), Some(chosen))));
        }
        let now = Now::read();
        let learning = crate::learnt::Parameters::default();
        let evidences = snapshot.evidences();
        evidences.teach(candidate.index, &learning, now, |evidence, through| {
            if through == Through::Its {
                evidence.began(through, now.steady);
                evidence.failed(
                    through,
                    now.steady,
                    &learning,
                    now.plus(Duration::from_secs(9)),
                );
            }
        });
        let because = |limit| Because {
            model: candidate.offer.public_id.clone(),
            outcome: Outcome::RateLimited,
            status: Some(429),
            cause: Cause::Status,
            at: now.wall,
            of_quota: true,
            out_of: Some(OutOf {
                limit,
                answer: None,
                free_requests: None,
            }),
        };
        let rests = [
            (candidate.of_account().clone(), AccountLimit::Day),
            (candidate.itself().clone(), AccountLimit::Minute),
            (candidate.model().clone(), AccountLimit::Quota),
        ];
        for (subject, limit) in rests {
            let rest = Rest::For(Duration::from_secs(3600));
            self.registry.rest(&subject, because(limit), rest, now);
        }
        let key = Subject::key(&candidate.account, KeyMark::of(["key-two-of-groq"]));
        let rest = Rest::For(Duration::from_secs(600));
        self.registry
            .rest(&key, because(AccountLimit::Key), rest, now);
        self.registry.learn(candidate.model(), Capability::Tools);
        self.registry.learn_window(candidate.model(), 8192);
        let field = FieldName::new("top_k").unwrap();
        self.registry.learn_refused(candidate.model(), field);
    }

    fn text(&self) -> Vec<u8> {
        let (lasting, now) = self.registry.export();
        let form = Form::of(lasting, &self.roll, Salt::new(SALT), None, now);
        form.text().unwrap()
    }

    /// Takes over what this text says.
    fn takes(self, text: &[u8]) -> Self {
        let (lasting, written_at) = Form::read(text).unwrap().lasting(&self.roll);
        self.registry.merge(lasting, written_at, Now::read());
        self
    }

    /// What is known of the account with this label: whether its day is used up, it rests, its second key rests, its
    /// candidate rests and has failed.
    fn knows(&self, label: &str) -> String {
        let snapshot = self.registry.snapshot().unwrap();
        let mut candidates = snapshot.candidates().iter();
        let candidate = candidates.find(|one| &*one.account.label == label).unwrap();
        let mut found = Vec::new();
        self.registry.with_known_now(|known, now| {
            let slot = snapshot.slot(candidate).unwrap();
            let room = known.ledger.headroom(slot, Ask::default, now);
            let rests = |subject: &Subject| known.rest_of(subject, now).is_some();
            #[rustfmt::skip]
            let all = [
                ("day",       matches!(room, Headroom::Out { .. })),
                ("account",   rests(candidate.of_account())),
                ("key",       rests(&Subject::key(&candidate.account, KeyMark::of(["key-two-of-groq"])))),
                ("candidate", rests(candidate.itself())),
            ];
            found.extend(all.into_iter().filter_map(|(what, is)| is.then_some(what)));
        });
        let learnt = |known: Option<&_>| known.is_some();
        if snapshot.evidences().with(candidate.index, learnt) {
            found.push("figures");
        }
        found.join(" ")
    }

    /// The same of the model at Groq, through whatever account.
    fn knows_of_model(&self) -> String {
        let snapshot = self.registry.snapshot().unwrap();
        let model = snapshot.candidates().first().unwrap().model().clone();
        self.registry.with_rests_now(|rests, now| {
            let rest = rests.rest_of(&model, now).is_some();
            let (lacks, refuses) = (rests.found_lacking(&model), rests.found_refusing(&model));
            let window = rests.window(snapshot.candidates().first().unwrap());
            format!("{rest} {} {} {window:?}", lacks.len(), refuses.len())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn s12_3_an_account_is_known_again_by_its_name_and_its_key() {
    const TWO: &str = "GROQ_API_KEY";
    const ALL: &str = "day account key candidate figures";
    let before = World::new(&config(&[(TWO, "key-one-of-groq,key-two-of-groq")], ""));
    before.list();
    before.uses_up("groq#2");
    let text = before.text();
    for secret in ["key-one-of-groq", "key-two-of-groq", "a-key-of-mistral"] {
        assert!(!String::from_utf8_lossy(&text).contains(secret));
    }
    #[rustfmt::skip]
    let rows = [
        // keys now                                          groq   groq#2
        ("key-one-of-groq,key-two-of-groq",                  "",    ALL),
        ("another-key-one,key-two-of-groq",                  "",    ALL),
        ("key-one-of-groq,another-key-two",                  "",    ""),
        // A key that has moved is another account: its label says where it was.
        ("key-two-of-groq,key-one-of-groq",                  "",    ""),
    ];
    for (keys, first, second) in rows {
        let after = World::new(&config(&[(TWO, keys)], "")).takes(&text);
        after.list();
        assert_eq!(
            [after.knows("groq"), after.knows("groq#2")],
            [first, second],
            "{keys}"
        );
        assert_eq!(after.knows("mistral"), "");
        assert_eq!(
            after.knows_of_model(),
            "true 1 1 Some(8192)",
            "it is the model's"
        );
    }
    let none = World::new(&config(&[], "")).takes(&text);
    let kept = String::from_utf8(none.text()).unwrap();
    assert!(!kept.contains("groq"), "of nobody who is on: {kept}");
}

#[tokio::test(start_paused = true)]
async fn s12_3_one_of_several_keys_is_known_again_wherever_it_stands() {
    let keys = |keys| config(&[("GROQ_API_KEY", keys)], TEAM);
    let before = World::new(&keys("key-one-of-groq,key-two-of-groq"));
    before.list();
    before.uses_up("team");
    #[rustfmt::skip]
    let rows = [
        ("key-one-of-groq,key-two-of-groq",               "day account key candidate figures"),
        ("key-one-of-groq,another-key-99,key-two-of-groq", "day account key candidate figures"),
        ("key-one-of-groq,another-key-two",               "day account candidate figures"),
        ("another-key-one,key-two-of-groq",               ""),
    ];
    let text = before.text();
    for (now, expected) in rows {
        let after = World::new(&keys(now)).takes(&text);
        after.list();
        assert_eq!(after.knows("team"), expected, "{now}");
    }
}

#[tokio::test(start_paused = true)]
async fn s12_3_what_is_taken_over_is_what_was_written() {
    let config = config(&[("GROQ_API_KEY", "key-one-of-groq")], "");
    let before = World::new(&config);
    before.list();
    before.uses_up("groq");
    let text = before.text();
    let after = World::new(&config).takes(&text);
    let again = |text: &[u8]| {
        let (_, json) = std::str::from_utf8(text).unwrap().split_once('\n').unwrap();
        let mut json: serde_json::Value = serde_json::from_str(json).unwrap();
        json["written_at_ms"].take();
        // The order of what is known of one moment is nobody's concern.
        for list in ["rests", "lessons"] {
            let list = json["known"]["rests"][list].as_array_mut().unwrap();
            list.sort_by_key(ToString::to_string);
        }
        json["known"]["ledger"]["running_ns"].take();
        json["known"]["learnt"][0][1]["at_ms"].take();
        json["known"]["learnt"][0][1]["breaks_at_ms"].take();
        json["known"]["learnt"][0][1]["found_ms"].take();
        json
    };
    assert_eq!(again(&after.text()), again(&text));
}

#[tokio::test(start_paused = true)]
async fn s12_3_lessons_last_until_the_list_was_due_whatever_is_read_before() {
    let config = config(&[("GROQ_API_KEY", "key-one-of-groq")], "");
    let hour = Duration::from_secs(3600);
    let before = World::new(&config);
    before.list();
    let due = Wake::Steady(Now::read().plus(hour).steady);
    before.registry.next_list_at(due, due);
    before.uses_up("groq");
    let text = before.text();
    let lessons = |world: &World| world.knows_of_model().split_once(' ').unwrap().1.to_owned();
    let after = World::new(&config).takes(&text);
    for minutes in [0, 20, 39] {
        tokio::time::advance(Duration::from_secs(60 * minutes)).await;
        after.list();
        assert_eq!(lessons(&after), "1 1 Some(8192)", "{minutes}");
    }
    // Another restart does not make them last longer.
    let third = World::new(&config).takes(&after.text());
    third.list();
    assert_eq!(lessons(&third), "1 1 Some(8192)");
    tokio::time::advance(Duration::from_secs(61)).await;
    third.list();
    assert_eq!(lessons(&third), "0 0 None");
    let late = World::new(&config).takes(&after.text());
    late.list();
    assert_eq!(lessons(&late), "0 0 None", "past when they were read");
}

#[tokio::test(start_paused = true)]
async fn s12_3_a_rest_is_over_by_the_date_and_never_longer_than_it_may_be() {
    let config = config(&[("GROQ_API_KEY", "key-one-of-groq")], "");
    let before = World::new(&config);
    before.list();
    before.uses_up("groq");
    let text = String::from_utf8(before.text()).unwrap();
    let now = crate::clock::unix_millis(Now::read().wall);
    const HOUR: u64 = 3_600_000;
    let (end, year) = (now + HOUR, 365 * 24 * HOUR);
    #[rustfmt::skip]
    let rows = [
        // written at     until           hours left of the account's rest
        (now,             end,            Some(1)),
        (now,             now + year,     Some(26)),
        (now,             u64::MAX,       Some(26)),
        (now,             now - 1,        None),
        (now - HOUR / 2,  end,            Some(1)),
        // By a clock that was ahead then: as long as it was when it was written.
        (now + year,      now + year + HOUR, Some(1)),
        (now + year,      now + 3 * year, Some(26)),
        (now + year,      end,            None),
    ];
    for (written_at, until, expected) in rows {
        let text = changed(&text, "\"written_at_ms\":", written_at);
        let text = changed(&text, "\"until_ms\":", until);
        let after = World::new(&config).takes(text.as_bytes());
        after.list();
        let account = Subject::account(&after.accounts[0]);
        let left = after.registry.with_rests_now(|rests, now| {
            let rest = rests.rest_of(&account, now)?;
            Some(rest.wake.left(now).as_secs().div_ceil(3600))
        });
        assert_eq!(left, expected, "{written_at} {until} {now}");
    }
}

/// The text with another number in each field of this name.
fn changed(text: &str, field: &str, value: u64) -> String {
    let mut parts = text.split(field);
    let mut changed = parts.next().unwrap().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        changed.push_str(&format!("{field}{value}{rest}"));
    }
    changed
}

#[tokio::test(start_paused = true)]
async fn s12_3_a_clock_that_was_years_ahead_keeps_no_lesson_for_years() {
    let config = config(&[("GROQ_API_KEY", "key-one-of-groq")], "");
    let before = World::new(&config);
    before.list();
    before.uses_up("groq");
    let text = String::from_utf8(before.text()).unwrap();
    const HOUR: u64 = 3_600_000;
    let later = crate::clock::unix_millis(Now::read().wall) + 3 * 365 * 24 * HOUR;
    #[rustfmt::skip]
    let rows = [
        // the list was due       hours for which they are kept
        (later + HOUR,            1),
        (later + 20 * HOUR,       20),
        (later + 9_000 * HOUR,    26),
    ];
    for (due, hours) in rows {
        let text = changed(&text, "\"written_at_ms\":", later);
        let text = changed(&text, "\"next_list_ms\":", due);
        let after = World::new(&config).takes(text.as_bytes());
        let lessons = || after.knows_of_model().split_once(' ').unwrap().1.to_owned();
        tokio::time::advance(Duration::from_secs(hours * 3600 - 60)).await;
        after.list();
        assert_eq!(lessons(), "1 1 Some(8192)", "{hours}");
        tokio::time::advance(Duration::from_secs(120)).await;
        after.list();
        assert_eq!(lessons(), "0 0 None", "{hours}");
    }
}

#[tokio::test(start_paused = true)]
async fn s12_3_a_failure_was_not_in_the_future() {
    let config = config(&[("GROQ_API_KEY", "key-one-of-groq")], "");
    let before = World::new(&config);
    before.list();
    before.uses_up("groq");
    let text = String::from_utf8(before.text()).unwrap();
    let now = crate::clock::unix_millis(Now::read().wall);
    #[rustfmt::skip]
    let rows = [
        (now - 5_000, now - 5_000),
        (now + 5_000, now),
        (u64::MAX,    now),
    ];
    for (at, expected) in rows {
        let text = changed(&text, "\"at_ms\":", at);
        let after = World::new(&config).takes(text.as_bytes());
        after.list();
        let account = Subject::account(&after.accounts[0]);
        let at = after.registry.with_rests_now(|rests, now| {
            let rest = rests.rest_of(&account, now)?;
            Some(crate::clock::unix_millis(rest.because.at))
        });
        // The clock goes on while the test runs.
        let at = at.unwrap();
        assert!(
            (expected..expected + 1_000).contains(&at),
            "{at} {expected}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s12_3_a_text_that_is_cut_anywhere_is_damaged_and_never_half_believed() {
    let world = World::new(&config(&[("GROQ_API_KEY", "key-one-of-groq")], ""));
    world.list();
    world.uses_up("groq");
    let text = world.text();
    // Only the last line's end may be missing.
    for end in 0..text.len() - 1 {
        let read = Form::read(&text[..end]).map(|_| ());
        assert!(
            matches!(read, Err(Unreadable::Damaged { .. })),
            "{end}: {read:?}"
        );
    }
    #[rustfmt::skip]
    let rows: [(&str, &str); 8] = [
        ("free-llm-proxy state 2\n{}",            "was written by a newer version (2)"),
        ("free-llm-proxy state 4294967295\n",     "was written by a newer version (4294967295)"),
        ("free-llm-proxy state 4294967296\n{}",   "is damaged (line 1, column 22)"),
        ("free-llm-proxy state 0\n{}",            "is damaged (line 1, column 22)"),
        ("free-llm-proxy state -1\n{}",           "is damaged (line 1, column 22)"),
        ("free-llm-proxy state 1\nnull",          "is damaged"),
        ("free-llm-proxy state 1\n{\"salt\":1}",  "is damaged"),
        ("free-llm-proxy state 1\n[[[[[[[[",      "is damaged"),
    ];
    for (text, expected) in rows {
        let told = Form::read(text.as_bytes()).unwrap_err().to_string();
        assert!(told.starts_with(expected), "{text:?}: {told}");
    }
    let large = [super::form::MARK, &vec![b' '; 17 << 20]].concat();
    assert_eq!(Form::read(&large).unwrap_err(), Unreadable::TooLarge);
}

#[test]
fn s12_5_a_history_is_kept_as_it_stands() {
    let text = b"free-llm-proxy state 1\n{\"written_at_ms\":1,\"salt\":\"000102030405060708090a0b0c0d0e0f\",\
                 \"accounts\":[],\"known\":{\"rests\":{\"rests\":[],\"lessons\":[]},\
                 \"ledger\":{\"running_ns\":0,\"buckets\":[],\"ratios\":[]},\"learnt\":[]},\
                 \"history\":{ \"days\" : [1.0] }}\n";
    assert_eq!(Form::read(text).unwrap().text().unwrap(), text);
}

#[tokio::test(start_paused = true)]
async fn s12_3_what_is_written_can_be_read_whatever_there_is() {
    let world = World::new(&config(&[("GROQ_API_KEY", "key-one-of-groq")], ""));
    world.list();
    world.uses_up("groq");
    let written = |history: usize| {
        let (lasting, now) = world.registry.export();
        let history = serde_json::value::to_raw_value(&"h".repeat(history)).unwrap();
        let form = Form::of(lasting, &world.roll, Salt::new(SALT), Some(history), now);
        form.text().unwrap()
    };
    let most = usize::try_from(super::form::MOST_BYTES).unwrap();
    let beside = written(0).len();
    #[rustfmt::skip]
    let rows = [
        // bytes of history      with learnt figures, with history
        (1,                      true,  true),
        (most - beside - 64,     true,  true),
        (most - beside + 64,     false, true),
        (most,                   false, false),
    ];
    for (bytes, has_learnt, has_history) in rows {
        let text = written(bytes);
        let mut form = Form::read(&text).unwrap();
        assert_eq!(form.take_history().is_some(), has_history, "{bytes}");
        let after = World::new(&config(&[("GROQ_API_KEY", "key-one-of-groq")], "")).takes(&text);
        after.list();
        let knows = after.knows("groq");
        assert!(knows.starts_with("day account"), "{bytes}: {knows}");
        assert_eq!(knows.contains("figures"), has_learnt, "{bytes}: {knows}");
    }
}

proptest! {
    /// What a disk or a hand may do to it.
    #[test]
    fn s12_3_a_changed_text_is_read_or_refused(changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..8)) {
        let world = World::new(&config(&[("GROQ_API_KEY", "key-one-of-groq")], ""));
        world.list();
        world.uses_up("groq");
        let mut text = world.text();
        for (place, byte) in changes {
            let place = place % text.len();
            text[place] = byte;
        }
        if let Ok(form) = Form::read(&text) {
            let (lasting, written_at) = form.lasting(&world.roll);
            let config = config(&[("GROQ_API_KEY", "key-one-of-groq")], "");
            let after = World::new(&config);
            after.registry.merge(lasting, written_at, Now::read());
            after.list();
            after.knows("groq");
        }
    }
}
