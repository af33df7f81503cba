//! The names of the table, and what a table must be like.

use shedlock_runtime::{ErrorKind, NamespacedLockProvider};
use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use super::*;

each_database! {
    a_table_of_another_name
    a_table_that_lacks_a_column
    an_entry_that_is_sent_twice_is_there_once
    times_that_no_database_knows
    a_namespace_reads_its_own_runs
}

async fn a_table_of_another_name<DB: TestStore>(place: Place<DB>) {
    let builder = place.builder(Via::Url).table_name("locks");
    let builder = builder.history(HistoryOptions::new());
    let provider = builder.history_table_name("Runs of jobs").build();
    let provider = provider.expect("the names are valid");
    for _ in 0..2 {
        provider.ensure_schema().await.expect("it can be made");
    }
    drop(provider.check_schema().await.expect("nothing is wrong"));
    run(&provider, "job").await;
    assert_eq!(runs(&provider, "job", 1).await.len(), 1);
    let builder = place.builder(Via::Url).history(HistoryOptions::new());
    let same = builder.history_table_name("shedlock").build();
    let same = same.expect_err("it is the table of locks");
    assert_eq!(same.kind(), ErrorKind::Configuration);
}

async fn a_table_that_lacks_a_column<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    let provider = node(&place, HistoryOptions::new());
    drop(provider.check_schema().await.expect("nothing is wrong"));
    place
        .execute("ALTER TABLE shedlock_history DROP COLUMN error")
        .await;
    let told = provider.check_schema().await.expect_err("it is a problem");
    assert_eq!(told.kind(), ErrorKind::Schema);
    assert!(told.to_string().contains("error VARCHAR(500)"), "{told}");
    // A provider without a history does not care.
    drop(place.provider(Via::Url).check_schema().await.expect("fine"));
    place.execute("DROP TABLE shedlock_history").await;
    let told = provider.check_schema().await.expect_err("it is a problem");
    let said = told.to_string();
    assert!(said.contains("CREATE TABLE IF NOT EXISTS"), "{said}");
    run(&provider, "job").await;
}

async fn an_entry_that_is_sent_twice_is_there_once<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    let provider = node(&place, HistoryOptions::new());
    let now = whole_now();
    let run = RunRecord::new("job", "web-1", now..now, RunOutcome::Completed);
    for _ in 0..2 {
        history(&provider).append(&run).await.expect("it is there");
    }
    assert_eq!(runs(&provider, "job", 1).await, [run]);
}

async fn times_that_no_database_knows<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    let provider = node(&place, HistoryOptions::new());
    run(&provider, "job").await;
    runs(&provider, "job", 1).await;
    let (first, last) = (UNIX_EPOCH - DAY * 365_000, UNIX_EPOCH + DAY * 36_500_000);
    let all = provider.history("job", first..last).await;
    assert_eq!(all.expect("it can be read").len(), 1);
    let none = provider.history("job", last..last).await;
    assert_eq!(none.expect("it can be read").len(), 0);
}

async fn a_namespace_reads_its_own_runs<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    let provider = node(&place, HistoryOptions::new());
    let eu = NamespacedLockProvider::new(provider.clone(), "eu").expect("legal");
    let held = eu.try_lock(config("job")).await.expect("locks work");
    let held = held.expect("it is free");
    held.unlock().await.expect("locks work");
    assert_eq!(runs(&provider, "eu/job", 1).await.len(), 1);
    let inside = eu.history("job", ever()).await.expect("it can be read");
    assert_eq!(inside.len(), 1);
    assert_eq!(inside[0].lock, "job");
    let others = provider.history("job", ever()).await;
    assert_eq!(others.expect("it can be read"), []);
}
