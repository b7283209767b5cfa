//! Where sessions start: `explain` shows the same as the walk does (spec §11.4, §11.7).

use proptest::prelude::*;

use super::*;
use crate::learnt::{Caller, Cells, Parameters, Pins, Salt};

proptest! {
    #[test]
    fn s11_7_explain_starts_a_session_where_the_walk_does(
        session: u16,
        pinned in prop::option::of(0..6_usize),
        late in prop::collection::vec((0..6_usize, 0.0..9.0_f64), 0..6),
        rests in prop::collection::vec(0..6_usize, 0..3),
    ) {
        let now = now();
        let needs = Needs::default();
        let parameters = Parameters::default();
        let groq = ProviderId::try_from("groq").unwrap();
        let account = |label: &str| Arc::new(AccountId::new(groq.clone(), label));
        let offer = |id| Offer::at(groq.clone(), ModelId::try_from(id).unwrap());
        let snapshot = Snapshot::new(Parts {
            accounts: ["groq", "groq#2", "groq#3"].map(account).into(),
            ..parts(vec![offer("x"), offer("y")])
        });
        let evidences = Cells::default().list(snapshot.candidates().iter().map(|c| &**c), &parameters, now);
        for (index, seconds) in late {
            let began = now.steady - Duration::from_secs_f64(seconds);
            evidences.teach(index, &parameters, now, |evidence, through| {
                evidence.began(through, began);
                evidence.first_event(through, began, 100, &parameters, now);
            });
        }
        let snapshot = snapshot.with_evidences(evidences);
        let mut known = Knowledge::default();
        for index in rests {
            let rest = Rest::For(Duration::from_secs(9));
            known.rest(snapshot.candidates()[index].itself(), because("x"), rest, now);
        }
        let salt = Salt::of(["a-key"]);
        let mut headers = http::HeaderMap::new();
        headers.insert("x-session-id", session.into());
        let key = Caller::of(&headers, b"", salt).session(&Default::default()).unwrap();
        let mut pins = Pins::default();
        if let Some(index) = pinned {
            pins.set(key, &snapshot.candidates()[index], now);
        }
        let by = By::Cost { rank_worth: 2.0, parameters: &parameters, pin: pins.of(key), session: Some((key, salt)) };
        let wants = Wants { by, ..wants(&needs) };
        let shown: Vec<_> = awake(&snapshot, wants, &known, now).iter().map(|one| one.candidate.index).collect();
        let (mut tried, mut walked) = (Vec::new(), Vec::new());
        while let Next::Ask(candidate) = next(Some(&snapshot), Wants { out: &tried, ..wants }, &known, now) {
            walked.push(candidate.index);
            tried.push(out(candidate.itself(), OutBy::Tried));
        }
        prop_assert_eq!(walked, shown);
    }
}
