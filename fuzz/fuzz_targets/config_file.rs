//! Whatever CONFIG_FILE contains: it is read, or every error points to one of its lines.
#![no_main]

use free_llm_proxy::provider::{built_in, file};
use libfuzzer_sys::fuzz_target;

fn check(text: &[u8]) {
    let lines = text.iter().filter(|byte| **byte == b'\n').count() + 1;
    match file::read(text, built_in()) {
        Ok(file) => {
            for named in &file.providers {
                assert!(!named.provider.custom || !named.provider.base_url.is_empty());
                assert!(named.provider.limits.iter().all(|limit| limit.amount > 0));
                assert!((1..=lines).contains(&named.line));
            }
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            assert!(mistakes.iter().all(|m| (1..=lines).contains(&m.line)));
        }
    }
}

fuzz_target!(|text: &[u8]| {
    check(text);
    check(&[b"[providers.groq]\n".as_slice(), text].concat());
    check(
        &[
            b"[providers.box]\nbase_url = 'http://h/v1'\n".as_slice(),
            text,
        ]
        .concat(),
    );
    check(&[b"[[errors]]\nprovider = 'groq'\n".as_slice(), text].concat());
});
