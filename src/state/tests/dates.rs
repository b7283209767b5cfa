//! Rests and lessons that outlive the process end by the date, whatever the clocks have done meanwhile.

use std::time::Duration;

use super::world::{World, config};
use crate::clock::Now;
use crate::model::Subject;
use crate::registry::Wake;

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
