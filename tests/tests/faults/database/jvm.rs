//! D19: ShedLock's own statements beside ours, as a node on the JVM sends them. `tests/jvm_peer` has the JVM itself.

use std::time::Duration;

use shedlock::{LockProviderExt as _, lock};

use super::{Crew, LONG, MINUTE, must_run, run, until_extended};
use crate::support::{Place, cases, config, until};

cases! {
    d19_each_honours_the_others_rows on postgres mariadb;
    d19_nobody_frees_the_others_rows on postgres mariadb;
    d19_both_at_work on postgres mariadb;
}

/// A node on the JVM, with the database's time.
struct Java<'a> {
    place: &'a Place,
    host: &'static str,
}

impl Java<'_> {
    fn now(&self) -> &'static str {
        if self.place.is_mariadb() {
            "UTC_TIMESTAMP(3)"
        } else {
            "timezone('utc', CURRENT_TIMESTAMP)"
        }
    }

    fn in_millis(&self, millis: u32) -> String {
        let now = self.now();
        if self.place.is_mariadb() {
            format!("TIMESTAMPADD(MICROSECOND, {millis}000, {now})")
        } else {
            format!(
                "{now} + make_interval(secs => {}.{:03})",
                millis / 1_000,
                millis % 1_000
            )
        }
    }

    /// How many rows a statement changes, in a transaction of its own.
    async fn changes(&self, statement: &str) -> bool {
        let said = if self.place.is_mariadb() {
            let script = format!("SET autocommit = 0; {statement}; SELECT ROW_COUNT(); COMMIT");
            self.place.execute(&script).await
        } else {
            let (verb, rest) = statement.split_at(6);
            let counted =
                format!("WITH changed AS ({verb}{rest} RETURNING 1) SELECT count(*) FROM changed");
            self.place
                .execute(&format!("BEGIN; {counted}; COMMIT"))
                .await
        };
        said == "1"
    }

    async fn lock(&self, millis: u32) -> bool {
        let (now, end, host) = (self.now(), self.in_millis(millis), self.host);
        let insert = "INTO shedlock(name, lock_until, locked_at, locked_by)";
        let update = format!("lock_until = {end}, locked_at = {now}, locked_by = '{host}'");
        let held = format!("shedlock.name = 'job' AND shedlock.lock_until <= {now}");
        let values = format!("VALUES('job', {end}, {now}, '{host}')");
        let first = if self.place.is_mariadb() {
            format!("INSERT IGNORE {insert} {values}")
        } else {
            format!(
                "INSERT {insert} {values} ON CONFLICT (name) DO UPDATE SET {update} WHERE {held}"
            )
        };
        self.changes(&first).await
            || self
                .changes(&format!(
                    "UPDATE shedlock SET {update} WHERE name = 'job' AND lock_until <= {now}"
                ))
                .await
    }

    async fn extend(&self, millis: u32) -> bool {
        let (now, end, host) = (self.now(), self.in_millis(millis), self.host);
        self.changes(&format!(
            "UPDATE shedlock SET lock_until = {end} WHERE name = 'job' AND locked_by = '{host}' AND lock_until > {now}"
        ))
        .await
    }

    async fn unlock(&self) -> bool {
        let (now, host) = (self.now(), self.host);
        self.changes(&format!(
            "UPDATE shedlock SET lock_until = {now} WHERE name = 'job' AND locked_by = '{host}'"
        ))
        .await
    }
}

/// The length of what we write behind `#`: 32 digits for an acquisition, 44 for what comes after it.
async fn digits(place: &Place) -> usize {
    let owner = place.column("locked_by").await;
    owner.rsplit_once('#').map_or(0, |(_, secret)| secret.len())
}

/// After our extension and our release, too, whose owners have numbers.
async fn d19_each_honours_the_others_rows(place: Place) {
    let java = Java {
        place: &place,
        host: "host-a",
    };
    let rust = place.connect().await;
    let held = rust
        .try_lock(config("job", MINUTE))
        .await
        .expect("an answer");
    let mut held = held.expect("it is free");
    assert_eq!(digits(&place).await, 32);
    assert!(!java.lock(1_000).await, "it is ours");
    held.extend("2m", "0s").await.expect("it is ours");
    assert_eq!(digits(&place).await, 44);
    assert!(!java.lock(1_000).await, "it is ours");
    held.unlock().await.expect("it is ours");
    assert_eq!(digits(&place).await, 44);
    assert!(java.lock(60_000).await, "it is free");
    assert!(
        !run(&rust).await.expect("an answer").was_executed(),
        "it is theirs"
    );
    assert!(java.extend(90_000).await, "it is theirs");
    assert!(
        !run(&rust).await.expect("an answer").was_executed(),
        "it is theirs"
    );
    assert!(java.unlock().await);
    must_run(&rust).await;
    // Their lease ends by itself, and ours too.
    assert!(java.lock(400).await);
    until(async || {
        run(&rust)
            .await
            .expect("an answer")
            .was_executed()
            .then_some(())
    })
    .await;
    let short = config("job", Duration::from_millis(400));
    let (mut dead, _) = crate::support::take(&rust, "job", short.at_most()).await;
    dead.release_on_drop(false);
    drop(dead);
    until(async || java.lock(60_000).await.then_some(())).await;
}

/// Late releases and extensions of the one change nothing in a row of the other.
async fn d19_nobody_frees_the_others_rows(place: Place) {
    let java = Java {
        place: &place,
        host: "host-a",
    };
    let other = Java {
        place: &place,
        host: "host-b",
    };
    let rust = place.connect().await;
    let lease = Duration::from_millis(300);
    let (late, _) = crate::support::take(&rust, "job", lease).await;
    until(async || java.lock(60_000).await.then_some(())).await;
    let row = async || {
        place
            .column("concat(lock_until, locked_at, locked_by)")
            .await
    };
    let theirs = row().await;
    drop(late.unlock().await);
    assert_eq!(row().await, theirs, "our release is not theirs");
    assert!(java.unlock().await);
    let (mut held, _) = crate::support::take(&rust, "job", MINUTE).await;
    for numbered in [false, true] {
        if numbered {
            held.extend(MINUTE, "0s").await.expect("it is ours");
        }
        let ours = row().await;
        for java in [&java, &other] {
            assert!(!java.unlock().await && !java.extend(1_000).await);
        }
        assert_eq!(row().await, ours, "theirs is not ours");
    }
    held.unlock().await.expect("it is ours");
}

/// A holder that is kept alive, with a JVM node and ours that want its lock; and in turn afterwards.
async fn d19_both_at_work(place: Place) {
    let java = Java {
        place: &place,
        host: "host-a",
    };
    let (holder, rivals) = (place.connect().await, place.nodes(1).await);
    let crew = Crew::default();
    let script = async {
        crew.until_skipped().await;
        for _ in 0..5 {
            assert!(
                !java.lock(1_000).await && !java.unlock().await,
                "it is ours"
            );
            until_extended(&place).await;
        }
        assert!(lock::is_held());
    };
    let mut turns = 0;
    let scenario = async {
        crew.hold(&holder, LONG, script).await;
        crew.until_run().await;
        while turns < 5 {
            if java.lock(20_000).await {
                turns += 1;
                let at_work = async {
                    crew.until_skipped().await;
                    crew.until_skipped().await;
                };
                crew.work("jvm".to_owned(), at_work).await;
                assert!(java.unlock().await, "it was theirs");
            }
        }
        crew.until_run().await;
    };
    crew.beside(&rivals, scenario).await;
}
