//! The history of runs over each way to connect; `shedlock-sqlx` tests what the statements do.

#[macro_use]
#[path = "support/asking.rs"]
mod asking;
#[path = "support/place.rs"]
mod place;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_postgres::PostgresLockProvider;
use shedlock_runtime::{
    ErrorKind, HistoryOptions, LockName, LockProvider as _, Position, RunHistory, RunOutcome,
    RunRecord,
};

use place::{Place, Via};

tests! {
    each_value_reads_back_by_each_way
    old_and_surplus_runs_are_deleted_by_each_way
    a_missing_table_is_told_with_its_statement
}

fn history(provider: &PostgresLockProvider) -> &dyn RunHistory {
    provider.run_history().expect("the builder asked for one")
}

/// A node by each way, whose statements are prepared, or are one message each.
async fn nodes(place: &Place, options: HistoryOptions) -> Vec<PostgresLockProvider> {
    let mut nodes = Vec::new();
    for via in Via::ALL {
        for prepares in [true, false] {
            let builder = place.builder(*via).await.history(options);
            let built = builder.persistent_statements(prepares).build();
            nodes.push(built.expect("the options are valid"));
        }
    }
    nodes
}

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_900_000_000 + second)
}

async fn each_value_reads_back_by_each_way(place: Place) {
    let position = Position {
        number: 1_795_863_775_972,
        is_done: true,
        tries: 2,
    };
    for (number, node) in (0..).zip(nodes(&place, HistoryOptions::new()).await) {
        let lock = LockName::new(format!("job-{number}")).expect("a legal name");
        let full = RunRecord::new(lock.as_str(), "web-2", at(0)..at(1), RunOutcome::Failed)
            .with_fencing_token(Some(33))
            .with_position(Some(position))
            .with_error(r#"out of paper: it's "over" \' é"#);
        let later = at(2) + Duration::from_micros(7);
        let empty = RunRecord::new(lock.as_str(), "web-3", later..at(3), RunOutcome::Lost);
        for run in [&full, &empty, &full] {
            history(&node).append(run).await.expect("it is entered");
        }
        let runs = history(&node).runs(&lock, at(0)..at(3)).await;
        assert_eq!(runs.expect("it can be read"), [empty, full]);
        let runs = history(&node).runs(&lock, at(1)..later).await;
        assert_eq!(runs.expect("it can be read"), []);
    }
}

async fn old_and_surplus_runs_are_deleted_by_each_way(place: Place) {
    let options = HistoryOptions::new().with_runs_per_lock(3).expect("legal");
    let ended = UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    for (number, node) in (0..).zip(nodes(&place, options).await) {
        let lock = LockName::new(format!("job-{number}")).expect("a legal name");
        let old = RunRecord::new("old", "web-1", ended..ended, RunOutcome::Completed);
        history(&node).append(&old).await.expect("it is entered");
        for second in 0..6 {
            let run = RunRecord::new(
                lock.as_str(),
                "web-1",
                at(second)..at(second),
                RunOutcome::Completed,
            );
            history(&node).append(&run).await.expect("it is entered");
        }
        let runs = history(&node).runs(&lock, at(0)..at(9)).await;
        let runs = runs.expect("it can be read");
        let began: Vec<_> = runs.iter().map(|run| run.began).collect();
        assert_eq!(began, [at(5), at(4), at(3)]);
        let left = "SELECT name FROM shedlock_history WHERE name = 'old'";
        assert_eq!(place.rows(left).await.len(), 0);
    }
}

async fn a_missing_table_is_told_with_its_statement(place: Place) {
    place.execute("DROP TABLE shedlock_history").await;
    let run = RunRecord::new("job", "web-1", at(0)..at(1), RunOutcome::Completed);
    for node in nodes(&place, HistoryOptions::new()).await {
        let told = history(&node).append(&run).await.expect_err("no table");
        assert_eq!(told.kind(), ErrorKind::Schema);
        let told = told.to_string();
        assert!(told.contains("run: CREATE TABLE IF NOT EXISTS"), "{told}");
        assert!(told.contains("CREATE INDEX IF NOT EXISTS"), "{told}");
    }
}
