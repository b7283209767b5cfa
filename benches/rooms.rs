//! Micro-benchmarks of the pure modules: `cargo bench --bench rooms`. With `-- --test` each runs
//! once, with `-- envelope` only those with that word in their names.

mod paths;

use std::time::Duration;

use criterion::{Criterion, Throughput};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for path in paths::all() {
        let ready = path.build();
        let (room, given) = path.name.split_once('/').unwrap_or((path.name, "once"));
        let mut group = criterion.benchmark_group(room);
        if let Some(bytes) = ready.bytes {
            group.throughput(Throughput::Bytes(bytes));
        }
        group.bench_function(given, |bencher| bencher.iter(&ready.once));
        group.finish();
    }
    criterion.final_summary();
}
