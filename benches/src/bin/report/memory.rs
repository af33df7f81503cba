//! The in-process figures: what a locked call costs when the store costs nothing.

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use shedlock::{
    InMemoryLockProvider, LockConfiguration, LockProviderExt as _, LockingTaskExecutor,
};
use shedlock_benches::clock::CountingClock;
use shedlock_benches::jobs;
use shedlock_benches::rounds::{Series, Subject, interleave};
use shedlock_benches::table::{Goal, Table, Unit};
use shedlock_runtime::{Clock, SystemClock, TokioClock};
use tokio::runtime::Runtime;

const ROUNDS: usize = 15;
const CALLS: u64 = 100_000;

pub(crate) fn measure() -> anyhow::Result<Vec<Table>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    Ok(vec![times(&runtime)?, counts(&runtime)])
}

/// Measures `call`, which makes the number of calls it is given; the figure is nanoseconds per call.
///
/// The time is this thread's on a processor, so that being interrupted costs nothing. The allocator that counts is in
/// this program; told not to count, it costs a nanosecond or so per allocation.
fn subject<'a>(name: &'static str, mut call: impl FnMut(u64) + 'a) -> Subject<'a> {
    Subject::new(name, move || {
        let mut took = Duration::ZERO;
        allocation_counter::opt_out(|| {
            let started = on_processor();
            call(CALLS);
            took = on_processor().saturating_sub(started);
        });
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let calls = CALLS as f64;
        Ok(took.as_secs_f64() * 1e9 / calls)
    })
}

fn on_processor() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).expect("a thread's time is positive")
}

/// Repeats an async call inside one `block_on`.
macro_rules! repeated {
    ($runtime:expr, $name:literal, $call:expr) => {
        subject($name, |calls| {
            $runtime.block_on(async {
                for _ in 0..calls {
                    $call.await;
                }
            });
        })
    };
}

fn times(runtime: &Runtime) -> anyhow::Result<Table> {
    let provider = InMemoryLockProvider::new();
    jobs::install(provider.clone());
    let guard = runtime.block_on(jobs::hold_refused(&provider));
    let executor = LockingTaskExecutor::new(provider.clone());
    let config =
        LockConfiguration::new("executor", "10m").expect("the name and the lease are fine");
    let by_hand =
        LockConfiguration::new("by_hand", "10m").expect("the name and the lease are fine");
    let unlock = async || {
        let lock = provider.try_lock(by_hand.clone()).await;
        let lock = lock.expect("memory is always there").expect("it is free");
        black_box(lock.unlock().await).expect("memory is always there");
    };

    let [
        bare,
        granted,
        refused,
        nested,
        executed,
        unlocked,
        scoped,
        tokio_clock,
        system_clock,
    ] = interleave(
        ROUNDS,
        [
            repeated!(runtime, "bare call", jobs::bare()),
            repeated!(runtime, "locked call", jobs::granted()),
            repeated!(runtime, "refused call", jobs::refused()),
            subject("nested call", |calls| {
                runtime.block_on(jobs::holding(calls));
            }),
            repeated!(runtime, "LockingTaskExecutor", async {
                black_box(executor.execute(config.clone(), jobs::bare()).await).is_ok()
            }),
            repeated!(runtime, "try_lock and unlock", unlock()),
            repeated!(runtime, "task-local scope", jobs::scoped()),
            subject("clock", |calls| {
                for _ in 0..calls {
                    black_box(TokioClock.boot());
                }
            }),
            subject("clock", |calls| {
                for _ in 0..calls {
                    black_box(SystemClock.boot());
                }
            }),
        ],
    )?;
    drop(guard);

    let mut table = Table::new("In memory: time of a call over the bare call (thread CPU time)");
    let mut over =
        |what, series: &Series, goal| table.row(what, Unit::Nanos, series.over(&bare), goal);
    over("locked call (aim 250)", &granted, Goal::AtMost(350.0));
    over("refused call", &refused, Goal::AtMost(150.0));
    over(
        "nested call of a lock held already: the macro alone",
        &nested,
        Goal::AtMost(60.0),
    );
    over(
        "LockingTaskExecutor::execute, configuration cloned",
        &executed,
        Goal::None,
    );
    over(
        "try_lock and unlock, configuration cloned",
        &unlocked,
        Goal::None,
    );
    over("for comparison: a task-local scope", &scoped, Goal::None);
    over(
        "for comparison: one read of tokio's clock",
        &tokio_clock,
        Goal::None,
    );
    over(
        "for comparison: one read of the boot-time clock",
        &system_clock,
        Goal::None,
    );
    Ok(table)
}

fn counts(runtime: &Runtime) -> Table {
    let clock = CountingClock::default();
    let provider = InMemoryLockProvider::with_clock(clock.clone());
    jobs::install(provider.clone());
    let guard = runtime.block_on(jobs::hold_refused(&provider));
    let mut table = Table::new("In memory: counts per call");
    let mut count = |what: &str, most: Option<f64>, calls: &mut dyn FnMut(u64)| {
        // The first call makes what lasts: the lock's record, the thread's locals.
        calls(1);
        let reads = clock.reads();
        // Twice as many calls less once as many: what is made around the calls, as by the task that holds, falls out.
        let (once, twice) = (allocated(calls, 100), allocated(calls, 200));
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let per_call = |n: u64| n as f64 / 100.0;
        let reads = per_call(clock.reads() - reads) / 3.0;
        let goal = most.map_or(Goal::None, Goal::AtMost);
        table.row(
            format!("{what}: allocations"),
            Unit::Count,
            per_call(twice.0 - once.0),
            goal,
        );
        table.row(
            format!("{what}: bytes"),
            Unit::Count,
            per_call(twice.1 - once.1),
            Goal::None,
        );
        table.row(
            format!("{what}: reads of the clock"),
            Unit::Count,
            reads.round(),
            Goal::None,
        );
    };
    count("locked call (aim 2)", Some(4.0), &mut |n| {
        runtime.block_on(async {
            for _ in 0..n {
                jobs::granted().await;
            }
        });
    });
    count("refused call", Some(1.0), &mut |n| {
        runtime.block_on(async {
            for _ in 0..n {
                jobs::refused().await;
            }
        });
    });
    count("nested call", Some(0.0), &mut |n| {
        runtime.block_on(jobs::holding(n));
    });
    drop(guard);
    table
}

/// How many allocations of how many bytes `calls` makes on this thread.
fn allocated(calls: &mut dyn FnMut(u64), n: u64) -> (u64, u64) {
    let info = allocation_counter::measure(|| calls(n));
    (info.count_total, info.bytes_total)
}
