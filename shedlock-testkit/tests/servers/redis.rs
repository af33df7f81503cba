//! Redis.

use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Redis;

#[tokio::test]
async fn redis_keeps_its_data_and_replicates_another() {
    let server = server_or_skip!(Redis::start().await);
    let ask = async |command: &[&str]| server.execute(command).await;
    assert_eq!(ask(&["SET", "a", "b c"]).await, "OK");
    server.kill().await.unwrap();
    server.restart().await.unwrap();
    assert_eq!(ask(&["GET", "a"]).await, "b c");
    assert!(ask(&["RPUSH", "a", "x"]).await.starts_with("WRONGTYPE"));

    let replica = server_or_skip!(Redis::start_with(&["--appendonly", "no"]).await);
    assert_ne!(server.url(), replica.url());
    replica.replicate_from(server.address()).await;
    while replica.execute(&["GET", "a"]).await != "b c" {
        tokio::task::yield_now().await;
    }
    let refused = replica.execute(&["SET", "a", "d"]).await;
    assert!(refused.starts_with("READONLY"), "{refused}");
}
