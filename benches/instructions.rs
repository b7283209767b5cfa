//! Runs a hot path a given number of times and does nothing else, so that its instructions can be
//! counted: `instructions NAME COUNT`, under callgrind, which is what `bench/instructions` does.
//! Without arguments it runs each once, as a check, and prints its name with the bytes that it
//! reads.

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
        let times: u32 = count.as_deref().unwrap_or("1").parse()?;
        for _ in 0..times {
            (path.once)();
        }
        if name.is_none() {
            let bytes = path.bytes.unwrap_or_default();
            writeln!(std::io::stdout(), "{}\t{bytes}", path.name)?;
        }
    }
    Ok(())
}
