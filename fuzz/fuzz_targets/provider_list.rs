//! Whatever a provider's list contains, it is read or rejected; what is read has ids that are safe
//! everywhere, each occurring once, with a key of its own.
#![no_main]

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use free_llm_proxy::list::{ProviderList, of_llama_props, of_ollama_show};
use free_llm_proxy::model::CanonicalKey;
use libfuzzer_sys::fuzz_target;

fn check(body: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let Ok(list) = ProviderList::read(body, true, now) else {
        return;
    };
    let ids: HashSet<_> = list.entries.iter().map(|entry| &entry.id).collect();
    assert_eq!(ids.len(), list.entries.len());
    for entry in &list.entries {
        let id = entry.id.as_str();
        assert!(!id.is_empty() && id.len() <= 128 && id.bytes().all(|b| b.is_ascii_graphic()));
        let key = CanonicalKey::of(id);
        assert_eq!(CanonicalKey::of(key.as_str()), key);
        let numbers = [entry.facts.context_length, entry.facts.max_output];
        assert!(
            numbers
                .into_iter()
                .flatten()
                .all(|n| (1..=1_000_000_000).contains(&n))
        );
    }
}

fuzz_target!(|body: &[u8]| {
    check(body);
    check(&[br#"{"data":["#.as_slice(), body, b"]}"].concat());
    check(&[br#"{"data":[{"id":"a/b-1","#.as_slice(), body, b"}]}"].concat());
    check(&[br#"{"result":[{"name":"@cf/a","#.as_slice(), body, b"}]}"].concat());
    let _read = (of_ollama_show(body), of_llama_props(body));
});
