//! The in-process figures, looked at closely: `cargo bench -p shedlock-benches`.
//!
//! No counting allocator is in here, and the time is the wall's.

use criterion::{Criterion, criterion_group, criterion_main};
use shedlock::InMemoryLockProvider;
use shedlock_benches::jobs;
use tokio::runtime::Runtime;

fn in_process(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime on this thread needs nothing");
    let provider = InMemoryLockProvider::new();
    jobs::install(provider.clone());
    let guard = runtime.block_on(jobs::hold_refused(&provider));
    let mut group = criterion.benchmark_group("in_process");
    group.bench_function("bare", |b| b.to_async(&runtime).iter(jobs::bare));
    group.bench_function("task_local", |b| b.to_async(&runtime).iter(jobs::scoped));
    group.bench_function("locked", |b| b.to_async(&runtime).iter(jobs::granted));
    group.bench_function("refused", |b| b.to_async(&runtime).iter(jobs::refused));
    group.bench_function("nested", |b| nested(b, &runtime));
    group.finish();
    drop(guard);
}

/// All calls of one sample are made under one lock.
fn nested(bencher: &mut criterion::Bencher<'_>, runtime: &Runtime) {
    bencher.iter_custom(|calls| {
        let started = std::time::Instant::now();
        runtime.block_on(jobs::holding(calls));
        started.elapsed()
    });
}

criterion_group!(benches, in_process);
criterion_main!(benches);
