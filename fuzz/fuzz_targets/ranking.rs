//! Whatever the list server sends: a good list or an error, and in a good list only models that may
//! be asked.
#![no_main]

use free_llm_proxy::list::Ranking;
use libfuzzer_sys::fuzz_target;

fn check(body: &[u8]) {
    for allow_paid in [false, true] {
        let Ok(list) = Ranking::read(body, allow_paid) else {
            continue;
        };
        assert!(!list.models.is_empty());
        assert!(list.models.is_sorted_by_key(|model| model.rank));
        let ids: std::collections::HashSet<_> = list.models.iter().map(|model| &model.id).collect();
        assert_eq!(ids.len(), list.models.len());
        for model in list.models.iter().chain(&list.fallback) {
            assert!(
                allow_paid || model.id.is_named_free() || model.id.as_str() == "openrouter/free"
            );
            assert!(http::HeaderValue::from_str(model.id.as_str()).is_ok());
        }
        assert!(
            list.fallback
                .is_none_or(|fallback| !ids.contains(&fallback.id))
        );
    }
}

fuzz_target!(|body: &[u8]| {
    check(body);
    check(
        &[
            br#"{"models":[{"id":"a:free","rank":2},"#.as_slice(),
            body,
            b"]}",
        ]
        .concat(),
    );
    check(
        &[
            br#"{"models":[{"id":"a:free","rank":2,"#.as_slice(),
            body,
            b"}]}",
        ]
        .concat(),
    );
});
