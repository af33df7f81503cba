//! A node that is killed: its run is entered by the node that takes its lock over.

use std::sync::Arc;

use shedlock_testkit::processes::{Reexec, serve};
use shedlock_testkit::server_or_skip;
use sqlx::{MySql, Postgres, Sqlite};

use super::*;

each_database! {
    a_node_that_is_killed
}

const LEASE: Duration = Duration::from_secs(3);

async fn a_node_that_is_killed<DB: TestStore>(place: Place<DB>) {
    place.make(Table::Ours).await;
    let child = Reexec::new(concat!(module_path!(), "::child"));
    let address = format!("{}\n{}", DB::NAME, place.direct);
    let killed = child.node(&address, "web-killed").await;
    let mut killed = killed.expect("the child starts");
    let granted = killed.lock("job", LEASE, Duration::ZERO).await;
    assert!(granted.expect("the child is granted the lock"));
    killed.kill().await.expect("it can be killed");
    let provider = node(&place, HistoryOptions::new());
    let wait = config("job").with_wait(MINUTE).expect("a legal wait");
    let held = provider.try_lock(wait).await;
    let held = held.expect("locks work").expect("its lease ends");
    let run = runs(&provider, "job", 1).await.remove(0);
    assert_eq!(run.outcome, RunOutcome::Crashed);
    assert_eq!(&*run.node, "web-killed");
    assert!(run.fencing_token.expect("it had one") < held.fencing_token().expect("it has one"));
    // From the database's times. The lease may be up to 2 ms longer.
    assert!(
        (LEASE..LEASE + Duration::from_millis(10)).contains(&run.took()),
        "{run}"
    );
    held.unlock().await.expect("locks work");
    let outcomes = runs(&provider, "job", 2).await;
    let outcomes: Vec<_> = outcomes.iter().map(|run| run.outcome).collect();
    assert_eq!(outcomes, [RunOutcome::Completed, RunOutcome::Crashed]);
}

#[test]
#[ignore = "runs as the child of a_node_that_is_killed"]
fn child() {
    serve(async |address, node| {
        let (database, url) = address.split_once('\n').expect("a database");
        match database {
            "SQLite" => shared::<Sqlite>(url, &node),
            "PostgreSQL" => shared::<Postgres>(url, &node),
            _ => shared::<MySql>(url, &node),
        }
    });
}

fn shared<DB: SqlDatabase>(url: &str, node: &str) -> Arc<dyn shedlock_runtime::LockProvider> {
    let builder = SqlxLockProvider::<DB>::builder_from_url(url).node_name(node);
    let built = builder.history(HistoryOptions::new()).build();
    Arc::new(built.expect("the options are valid"))
}
