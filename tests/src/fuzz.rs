//! Rust and JVM contenders for one lock, all at once.

use std::sync::Arc;
use std::time::Duration;

use shedlock_runtime::LockProvider;

use crate::contention::{Contest, Seen};
use crate::holds::{self, Hold};
use crate::jvm::JavaNode;

const CONTENDERS_A_SIDE: usize = 4;
/// The lock must change sides at least so often; one after the other, the two would not have contended for it.
const HANDOVERS_OF_1000: usize = 10;
/// So many attempts may go unanswered on a machine that does much else.
const FAILED_OF_1000: usize = 50;
/// Far more than a run takes.
const TIMEOUT: Duration = Duration::from_mins(4);

fn contest(name: &str, acquisitions: usize) -> Contest {
    Contest {
        name: name.to_owned(),
        each: acquisitions / CONTENDERS_A_SIDE / 2,
        at_most: Duration::from_secs(20),
        abandon_one_in: 100,
        abandoned: Duration::from_millis(250),
        overstay: Duration::ZERO,
    }
}

/// Four contenders of each side want one lock this often in all, and never hold it at the same time.
///
/// # Panics
///
/// If they overlap, if a side has not had its share, or if one side came after the other.
///
/// # Cancel safety
///
/// As [`Contest::run`].
pub async fn mixed_contenders_never_overlap(
    java: &JavaNode,
    rust: &Arc<dyn LockProvider>,
    acquisitions: usize,
) {
    let (held, report) = run(java, rust, &contest("fuzz", acquisitions)).await;
    let overlaps = holds::overlaps(&held);
    report_line(&format!("{report}, {} overlaps", overlaps.len()));
    assert!(overlaps.is_empty(), "{overlaps:?}");
    assert_eq!(held.len(), acquisitions, "{report}");
    assert!(
        holds::handovers(&held) * 1_000 >= HANDOVERS_OF_1000 * acquisitions,
        "{report}"
    );
}

/// The same run with a bug in the Rust contenders must not pass.
///
/// # Panics
///
/// If no overlap is seen.
///
/// # Cancel safety
///
/// As [`Contest::run`].
pub async fn a_planted_overlap_is_found(java: &JavaNode, rust: &Arc<dyn LockProvider>) {
    let contest = Contest {
        overstay: Duration::from_millis(3),
        ..contest("planted", 400)
    };
    let (held, report) = run(java, rust, &contest).await;
    let across = holds::overlaps(&held)
        .into_iter()
        .filter(|(before, hold)| before.side() != hold.side())
        .count();
    report_line(&format!("{report}, {across} overlaps across the sides"));
    assert!(across > 0, "the planted overlaps were not seen: {report}");
}

#[expect(
    clippy::print_stdout,
    reason = "what was measured belongs in the test's output"
)]
fn report_line(line: &str) {
    println!("{line}");
}

async fn run(
    java: &JavaNode,
    rust: &Arc<dyn LockProvider>,
    contest: &Contest,
) -> (Vec<Hold>, String) {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let log = directory.path().join("jvm.log");
    let both = async {
        tokio::join!(
            contest.run(CONTENDERS_A_SIDE, rust),
            java.contend(CONTENDERS_A_SIDE, contest, &log)
        )
    };
    let (seen, unanswered) = tokio::time::timeout(TIMEOUT, both)
        .await
        .expect("the contest must end");
    let Seen {
        mut holds,
        refused,
        failed,
    } = seen.expect("the store answers");
    let from_rust = holds.len();
    for failed in [failed, unanswered] {
        assert!(
            failed * 1_000 <= FAILED_OF_1000 * contest.each * CONTENDERS_A_SIDE,
            "{failed} attempts went unanswered"
        );
    }
    holds.extend(holds::read_log(&log).expect("the peer writes its log"));
    let report = format!(
        "{} acquisitions ({from_rust} by Rust, which was refused {refused} times and left without an answer {failed} times, and the JVM {unanswered} times), {} handovers",
        holds.len(),
        holds::handovers(&holds)
    );
    (holds, report)
}
