//! D12 on Galera: a node of the cluster that is cut off, or killed, under a holder's feet.

use shedlock::{LockError, Outcome, lock};
use shedlock_testkit::Proxy;
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{Galera, MariaDb};

use super::{Crew, LONG};
use crate::support::{connect, in_time, is_free, until};

/// A node that is cut off answers each statement with error 1047, and one that is killed answers nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d12_galera_node_isolated_and_node_killed() {
    let cluster = server_or_skip!(Galera::start().await);
    let url = cluster.fresh_database().await;
    let proxy = Proxy::start(cluster.node(0).address())
        .await
        .expect("a port");
    in_time(async {
        let holder = connect(&proxy.url(&url)).await;
        cluster.wait_until_synced().await;
        let rivals = [
            connect(&proxy.url(&url)).await,
            connect(&cluster.url(2, &url)).await,
        ];
        let extended_at = async |node: &MariaDb, number| {
            let url = cluster.url(number, &url);
            let by = async || {
                node.execute(&url, "SELECT locked_by FROM shedlock WHERE name = 'job'")
                    .await
            };
            let now = by().await;
            until(async || (by().await != now).then_some(())).await;
        };
        let crew = Crew::default();
        let script = async {
            crew.until_skipped().await;
            // New connections lead to another node; the open ones answer with the error.
            proxy.set_upstream(cluster.node(1).address());
            cluster.isolate(0).await;
            extended_at(cluster.node(1), 1).await;
            crew.until_skipped().await;
            cluster.rejoin(0).await;
            proxy.set_upstream(cluster.node(2).address());
            cluster.node(1).kill().await.expect("it is ours");
            extended_at(cluster.node(2), 2).await;
            crew.until_skipped().await;
            assert!(lock::is_held());
            assert_eq!(crew.runs(), 0, "it was held all the time");
        };
        let scenario = async {
            crew.hold(&holder, LONG, script).await;
            crew.until_run().await;
        };
        crew.beside(&rivals, scenario).await;
        // A first call on a node that is cut off ends at another one.
        proxy.set_upstream(cluster.node(0).address());
        let fresh = connect(&proxy.url(&url)).await;
        is_free(&fresh, "warm-up").await;
        proxy.set_upstream(cluster.node(2).address());
        let ran: Result<Outcome<()>, LockError> = super::run(&fresh).await;
        assert!(ran.is_ok(), "{ran:?}");
    })
    .await;
}
