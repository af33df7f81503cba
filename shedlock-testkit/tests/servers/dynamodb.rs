//! Servers with DynamoDB's protocol start, and live through a rough life.

use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{Dynalite, Dynoxide};

use super::rough_life;

#[tokio::test]
async fn dynoxide_is_stopped_killed_paused_and_restarted() {
    let server = server_or_skip!(Dynoxide::start().await);
    rough_life(&server).await;
    assert_eq!(server.endpoint(), format!("http://{}", server.address()));
}

#[tokio::test]
async fn dynalite_is_stopped_killed_paused_and_restarted() {
    let server = server_or_skip!(Dynalite::start().await);
    rough_life(&server).await;
    assert_eq!(server.endpoint(), format!("http://{}", server.address()));
}
