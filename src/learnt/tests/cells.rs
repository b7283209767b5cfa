use std::thread;

use super::*;

fn first_token(evidences: &Evidences, index: usize, parameters: &Parameters, now: Now) -> f64 {
    evidences.with(index, |known| {
        cost(known, BARE, parameters, now).first_token
    })
}

#[test]
fn s11_1_an_offer_is_known_half_through_its_other_accounts() {
    let (now, parameters) = (start(), Parameters::default());
    let [first, second] = ["groq", "groq#2"].map(|label| account("groq", label));
    let other = account("ovh", "ovh");
    let candidates = [
        candidate("a", &first),
        candidate("b", &first),
        candidate("b", &second),
        candidate("b", &other),
    ];
    let mut cells = Cells::default();
    let evidences = cells.list(&candidates, &parameters, now);
    let first_tokens = |evidences: &Evidences, now| {
        [0, 1, 2, 3, 4].map(|index| first_token(evidences, index, &parameters, now))
    };
    assert_eq!(first_tokens(&evidences, now), [1.5; 5]);

    let later = after(now, 3.0);
    evidences.teach(1, &parameters, later, |evidence, through| {
        evidence.began(through, now.steady);
    });
    assert_eq!(
        first_tokens(&evidences, later),
        [1.5, 4.5, 2.25, 1.5, 1.5],
        "silent"
    );
    evidences.teach(1, &parameters, later, |evidence, through| {
        evidence.first_event(through, now.steady, 100, &parameters, later);
    });
    let [a, own, elsewhere, twin, none] = first_tokens(&evidences, later);
    assert_eq!(
        [a, twin, none],
        [1.5; 3],
        "a twin at another provider is another offer"
    );
    near(own, 2.25, "its own");
    near(elsewhere, 2.0, "half");

    // A new list: candidates that stay keep their evidence, whatever their index; those that left lose it.
    let [a, _, b2, _] = &candidates;
    let newer = cells.list([b2, a], &parameters, later);
    near(first_token(&newer, 0, &parameters, later), 2.0, "kept");
    // A request that began with the old list teaches the new one.
    evidences.teach(2, &parameters, later, |evidence, through| {
        evidence.began(through, now.steady);
    });
    near(
        first_token(&newer, 0, &parameters, later),
        4.5,
        "the same candidate",
    );
    let newest = cells.list(&candidates, &parameters, later);
    near(
        first_token(&newest, 1, &parameters, later),
        1.5,
        "it had left",
    );
    // Faded evidence is dropped, unless an attempt is still silent.
    let tomorrow = after(later, 86_400.0);
    let newest = cells.list(&candidates, &parameters, tomorrow);
    assert!(newest.with(0, |known| known.is_none()));
    assert!(newest.with(2, |known| known.is_some()));
}

#[test]
fn s13_nothing_is_lost_when_many_learn_at_once() {
    let (now, parameters) = (start(), Parameters::default());
    let accounts = ["groq", "groq#2"].map(|label| account("groq", label));
    let candidates = accounts.each_ref().map(|account| candidate("a", account));
    let evidences = Cells::default().list(&candidates, &parameters, now);
    thread::scope(|scope| {
        for worker in 0..4 {
            let evidences = &evidences;
            scope.spawn(move || {
                for _ in 0..500 {
                    evidences.teach(0, &parameters, now, |evidence, through| {
                        if worker == 0 {
                            evidence.broke(through, &parameters, now);
                        } else {
                            evidence.whole(through, &parameters, now);
                        }
                    });
                }
            });
        }
    });
    let breaks = |index| evidences.with(index, |known| cost(known, BARE, &parameters, now).breaks);
    near(breaks(0), 45.0 * 500.0 / 2003.0, "its own");
    near(breaks(1), 45.0 * 250.0 / 1003.0, "half of each");
}
