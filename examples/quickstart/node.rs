//! A node's side of the demonstration: it reports what happens, and never outlives its parent.

use std::io::Write as _;
use std::time::Duration;

use anyhow::bail;
use shedlock::SkipReason;
use tokio::io::AsyncReadExt as _;
use tracing_subscriber::filter::LevelFilter;

use crate::report::{Micros, Report};

/// How far into each second the schedule fires. A node that is late by less than the rest of the second is late for this
/// tick, and finds the lock held.
const FIRES_AT: Duration = Duration::from_millis(300);

/// Far less than what `at_least` allows for.
const MAX_JITTER_MILLIS: u64 = 80;

/// One firing of the scheduler.
#[derive(Debug)]
pub(crate) struct Tick {
    second: u64,
    asked: Micros,
}

impl Tick {
    /// The tick of this second.
    ///
    /// Nodes that share a clock would come in the same order each time. A little jitter lets another node be the
    /// first now and then, as it is on machines of their own.
    pub(crate) async fn fired() -> Self {
        let second = Micros::now().second();
        tokio::time::sleep(Duration::from_millis(fastrand::u64(..MAX_JITTER_MILLIS))).await;
        Self {
            second,
            asked: Micros::now(),
        }
    }

    pub(crate) fn started(&self) {
        tell(&Report::Started {
            tick: self.second,
            asked: self.asked,
            at: Micros::now(),
            token: shedlock::lock::fencing_token(),
        });
    }

    pub(crate) fn ended(&self) {
        tell(&Report::Ended {
            tick: self.second,
            at: Micros::now(),
        });
    }

    pub(crate) fn skipped(&self, reason: SkipReason) {
        tell(&Report::Skipped {
            tick: self.second,
            reason: reason.to_string(),
        });
    }
}

/// Calls `job` once in every second of the clock, as a scheduler would: in a task of its own, whatever became of the last.
///
/// Any scheduler does; this one is no dependency to compile.
pub(crate) async fn schedule<Running>(job: impl Fn() -> Running)
where
    Running: Future<Output = ()> + Send + 'static,
{
    loop {
        let now = Micros::now();
        let next = Micros((now.second() + 1) * 1_000_000) + FIRES_AT;
        tokio::time::sleep(next.since(now)).await;
        tokio::spawn(job());
    }
}

/// Shows what would be in a service's log. A run or a skip is no line at this level; trouble with the store is.
pub(crate) fn log_to_stderr() {
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::WARN)
        .with_writer(std::io::stderr)
        .init();
}

/// Says that this node is ready, and waits for the word to go.
pub(crate) async fn ready_and_go() -> anyhow::Result<()> {
    tell(&Report::Ready);
    if tokio::io::stdin().read_u8().await.is_err() {
        bail!("the parent is gone");
    }
    Ok(())
}

/// The parent holds the other end of this process's standard input: when it ends, however it ends, there is no more to read.
pub(crate) async fn until_the_parent_is_gone() -> anyhow::Result<()> {
    let mut rest = Vec::new();
    tokio::io::stdin().read_to_end(&mut rest).await?;
    // A run may be under way; its lease ends by itself.
    std::process::exit(0);
}

fn tell(report: &Report) {
    // One write per line, so that a reader sees whole lines. Without a parent there is nobody to tell.
    let line = format!("{report}\n");
    if std::io::stdout().write_all(line.as_bytes()).is_err() {
        std::process::exit(1);
    }
}
