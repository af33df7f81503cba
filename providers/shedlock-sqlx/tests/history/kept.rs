//! How much of a history is kept: by age and by number, in bounded batches, by several nodes at once.

use std::fmt::Write as _;

use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use super::*;

each_database! {
    one_entry_deletes_a_bounded_number
    four_nodes_delete_old_and_surplus_runs_at_once
    the_texts_of_errors_can_be_left_out
}

/// Enters `count` runs past the providers, the last one of which ended `ago`, each a second before the next.
async fn fill<DB: HistoryStore>(place: &Place<DB>, lock: &str, count: u32, ago: Duration) {
    let newest = (whole_now() - ago)
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    let mut insert =
        "INSERT INTO shedlock_history (name, began, node, ended, outcome) VALUES ".to_owned();
    for number in 0..count {
        let at = DB::time(newest.saturating_sub(Duration::from_secs(number.into())));
        let comma = if number == 0 { "" } else { ", " };
        let _ = write!(
            insert,
            "{comma}('{lock}', {at}, 'web-9', {at}, 'completed')"
        );
    }
    place.execute(&insert).await;
}

async fn one_entry_deletes_a_bounded_number<DB: HistoryStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    let options = HistoryOptions::new().with_runs_per_lock(10);
    let provider = node(&place, options.expect("legal"));
    fill(&place, "gone", 1_700, DAY * 31).await;
    fill(&place, "busy", 1_700, MINUTE).await;
    let (mut old, mut surplus) = (1_700, 1_700);
    let now = whole_now();
    for number in 0.. {
        assert!(number < 10, "{old} and {surplus} are left");
        let at = now + Duration::from_secs(number);
        let run = RunRecord::new("busy", "web-1", at..at, RunOutcome::Completed);
        history(&provider)
            .append(&run)
            .await
            .expect("it is entered");
        let left = (
            entries(&place, "name = 'gone'").await,
            entries(&place, "name = 'busy'").await,
        );
        let deleted = old + surplus + 1 - left.0 - left.1;
        assert!((1..=1_000).contains(&deleted), "{deleted} at once");
        (old, surplus) = left;
        if left == (0, 10) {
            break;
        }
    }
    // The last ones are left.
    let runs = runs(&provider, "busy", 10).await;
    assert!(runs.iter().any(|run| &*run.node == "web-1"), "{runs:?}");
    assert!(runs.windows(2).all(|two| two[0].began > two[1].began));
    // Another lock's runs of today are nobody's surplus.
    fill(&place, "other", 20, MINUTE).await;
    let run = RunRecord::new("busy", "web-1", now..now + MINUTE, RunOutcome::Completed);
    history(&provider)
        .append(&run)
        .await
        .expect("it is entered");
    assert_eq!(entries(&place, "name = 'other'").await, 20);
}

async fn four_nodes_delete_old_and_surplus_runs_at_once<DB: HistoryStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    for lock in 0..6 {
        // Those that are old are partly those that are too many.
        fill(&place, &format!("job-{lock}"), 400, DAY * 30).await;
        fill(&place, &format!("job-{lock}"), 400, MINUTE).await;
        fill(&place, &format!("gone-{lock}"), 300, DAY * 40).await;
    }
    let deadlocks = DB::deadlocks(&place).await;
    let options = HistoryOptions::new().with_runs_per_lock(50).expect("legal");
    let began = whole_now();
    let nodes: Vec<_> = (0..4_u64)
        .map(|node_number| {
            let provider = node(&place, options);
            tokio::spawn(async move {
                let name = format!("web-{node_number}");
                for number in 0..36_u64 {
                    let at = began + Duration::from_secs(number);
                    // Each node begins with another lock, and each lock is every node's.
                    let lock = format!("job-{}", (number + node_number) % 6);
                    let run = RunRecord::new(lock, &name, at..at, RunOutcome::Completed);
                    let entered = history(&provider).append(&run).await;
                    entered.unwrap_or_else(|error| panic!("{name}, {number}: {error}"));
                }
            })
        })
        .collect();
    for node in nodes {
        node.await.expect("no entry fails");
    }
    assert_eq!(entries(&place, "name LIKE 'gone-%'").await, 0);
    for lock in 0..6 {
        let left = entries(&place, &format!("name = 'job-{lock}'")).await;
        // The last entry of a lock may be later than its last clean-up.
        assert!((24..=54).contains(&left), "{left} of job-{lock}");
    }
    assert_eq!(
        entries(&place, "node LIKE 'web-_' AND node <> 'web-9'").await,
        4 * 36
    );
    assert_eq!(DB::deadlocks(&place).await, deadlocks);
}

async fn the_texts_of_errors_can_be_left_out<DB: HistoryStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    let now = whole_now();
    for (lock, options, kept) in [
        ("told", HistoryOptions::new(), Some("out of paper")),
        ("quiet", HistoryOptions::new().without_error_texts(), None),
    ] {
        let provider = node(&place, options);
        let run = RunRecord::new(lock, "web-1", now..now, RunOutcome::Failed);
        let run = run.with_error("out of paper");
        history(&provider)
            .append(&run)
            .await
            .expect("it is entered");
        assert_eq!(runs(&provider, lock, 1).await[0].error.as_deref(), kept);
    }
}
