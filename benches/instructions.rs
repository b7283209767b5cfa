//! Runs a hot path a given number of times in [`repeat`], so that the instructions of that function can be
//! counted and no others: `instructions NAME COUNT`, under callgrind, which is what
//! `bench/instructions` does. Without arguments it runs each once, as a check, and prints its name with
//! the bytes that it reads.

mod paths;

use std::io::Write as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Cargo adds options that are meant for a harness.
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'));
    let (name, count) = (arguments.next(), arguments.next());
    for path in paths::all() {
        if name.as_deref().is_some_and(|name| name != path.name) {
            continue;
        }
        let ready = path.build();
        // What is done once only is not counted.
        (ready.once)();
        if let Some(count) = &count {
            repeat(&*ready.once, count.parse()?);
        }
        if name.is_none() {
            let bytes = ready.bytes.unwrap_or_default();
            writeln!(std::io::stdout(), "{}\t{bytes}", path.name)?;
        }
    }
    Ok(())
}

/// What is counted: callgrind knows it by its name, so it must have code of its own.
#[inline(never)]
fn repeat(once: &dyn Fn(), times: u32) {
    for _ in 0..times {
        once();
    }
}
