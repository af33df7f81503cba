//! Rust and JVM contenders for one lock, all at once.

use std::time::Duration;

use shedlock_tests::contention::{Contest, Seen};
use shedlock_tests::holds::{self, Hold};

use crate::fleet::Fleet;

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

pub(crate) async fn mixed_contenders_never_overlap(fleet: &Fleet, acquisitions: usize) {
    let (held, report) = run(fleet, &contest("fuzz", acquisitions)).await;
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
pub(crate) async fn a_planted_overlap_is_found(fleet: &Fleet) {
    let contest = Contest {
        overstay: Duration::from_millis(3),
        ..contest("planted", 400)
    };
    let (held, report) = run(fleet, &contest).await;
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

async fn run(fleet: &Fleet, contest: &Contest) -> (Vec<Hold>, String) {
    let rust = fleet.rust().await;
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("jvm.log");
    let both = async {
        tokio::join!(
            contest.run(CONTENDERS_A_SIDE, &rust),
            fleet.java.contend(CONTENDERS_A_SIDE, contest, &log)
        )
    };
    let (seen, unanswered) = tokio::time::timeout(TIMEOUT, both)
        .await
        .expect("the contest must end");
    let Seen {
        mut holds,
        refused,
        failed,
    } = seen.unwrap();
    let from_rust = holds.len();
    for failed in [failed, unanswered] {
        assert!(
            failed * 1_000 <= FAILED_OF_1000 * contest.each * CONTENDERS_A_SIDE,
            "{failed} attempts went unanswered"
        );
    }
    holds.extend(holds::read_log(&log).unwrap());
    let report = format!(
        "{} acquisitions ({from_rust} by Rust, which was refused {refused} times and left without an answer {failed} times, and the JVM {unanswered} times), {} handovers",
        holds.len(),
        holds::handovers(&holds)
    );
    (holds, report)
}
