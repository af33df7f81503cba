//! Group C: clocks that are wrong, step, run at another speed, or change their zone; and columns that round.

mod bounds;
mod client;
mod precision;
mod rates;
mod server;
mod zones;

use shedlock_testkit::Unavailable;
use shedlock_testkit::servers::{MariaDb, Postgres};

use crate::support::{FakeTime, Place};

/// A server of the test's own whose clock can be stepped.
#[derive(Debug)]
struct Shifted {
    place: Place,
    time: FakeTime,
}

impl Shifted {
    async fn postgres() -> Result<Self, Unavailable> {
        let time = FakeTime::new()?;
        let server = Postgres::start_with_env(time.wall_clock()).await?;
        let place = Place::on_postgres(server).await;
        Ok(Self { place, time })
    }

    async fn mariadb() -> Result<Self, Unavailable> {
        let time = FakeTime::new()?;
        let server = MariaDb::start_with_env(time.wall_clock()).await?;
        let place = Place::on_mariadb(server).await;
        Ok(Self { place, time })
    }
}
