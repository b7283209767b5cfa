//! Whatever the upstream's catalogue contains, it is read or rejected, and the models it calls free
//! may be asked.
#![no_main]

use std::time::{Duration, SystemTime};

use free_llm_proxy::list::Catalogue;
use libfuzzer_sys::fuzz_target;

fn check(body: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let Ok(catalogue) = Catalogue::read(body, now) else {
        return;
    };
    for (before, model) in (1..).zip(catalogue.free_models()) {
        assert_eq!(model.rank, Some(before));
        assert!(model.id.is_named_free());
        let mut filled = model.clone();
        catalogue.fill_in(&mut filled);
        assert_eq!(filled.id, model.id);
    }
}

fuzz_target!(|body: &[u8]| {
    check(body);
    check(&[br#"{"data":["#.as_slice(), body, b"]}"].concat());
    check(
        &[
            br#"{"data":[{"id":"a:free","pricing":{"prompt":"0"},"architecture":{"output_modalities":["text"]},"#.as_slice(),
            body,
            b"}]}",
        ]
        .concat(),
    );
});
