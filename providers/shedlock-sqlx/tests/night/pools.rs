//! Pools of a program, of which each connection is known.

use sqlx::Pool;
use sqlx::pool::{PoolConnection, PoolOptions};

use crate::place::Place;
use crate::support::{Night, in_time, until};

/// A pool whose sessions have run this first.
pub(crate) async fn pool_of<DB: Night>(
    place: &Place<DB>,
    size: u32,
    session: &'static str,
) -> Pool<DB> {
    let pool = PoolOptions::new()
        .max_connections(size)
        .after_connect(move |connection, _| Box::pin(DB::on(connection, session)));
    let pool = pool.connect(&place.direct).await;
    pool.expect("the database is there")
}

/// All connections of the pool.
pub(crate) async fn all<DB: Night>(pool: &Pool<DB>) -> Vec<PoolConnection<DB>> {
    let mut connections = Vec::new();
    for _ in 0..pool.options().get_max_connections() {
        let connection = in_time(pool.acquire()).await;
        connections.push(connection.expect("there are as many connections"));
    }
    connections
}

/// Gives them back, and waits until the pool has them.
pub(crate) async fn give_back<DB: Night>(pool: &Pool<DB>, connections: Vec<PoolConnection<DB>>) {
    drop(connections);
    let all_back = async || pool.num_idle() == pool.size() as usize;
    until("the connections are back", all_back).await;
}
