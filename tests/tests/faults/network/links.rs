//! A link that is slow.

use std::time::{Duration, Instant};

use shedlock::{ErrorKind, LockProviderExt as _, Outcome};
use shedlock_testkit::proxy::{Direction, Rule};

use super::{Link, job};
use crate::support::{LATENESS, Place, cases, config, in_time, is_free, until};

cases! {
    g8_one_byte_per_second on postgres mariadb;
    g8_one_kilobyte_per_second on postgres mariadb;
    g8_half_a_second_of_latency on postgres mariadb;
    g8_a_lease_shorter_than_a_round_trip on postgres mariadb;
}

const MINUTE: Duration = Duration::from_mins(1);

async fn g8_one_byte_per_second(place: Place) {
    let link = Link::over(place).await;
    link.proxy.set(Rule::Throttle { rate: 1 });
    let limit = Duration::from_millis(500);
    let asked = Instant::now();
    let wanted = config("job", MINUTE).with_timeout(limit).expect("legal");
    let error = link.far.try_lock(wanted).await.expect_err("no time");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    let took = asked.elapsed();
    assert!(took < limit + LATENESS, "{took:?}");
    link.break_and_mend();
    until(async || is_free(&link.near, "job").await.then_some(())).await;
}

async fn g8_one_kilobyte_per_second(place: Place) {
    let link = Link::over(place).await;
    link.proxy.set(Rule::Throttle { rate: 1_024 });
    let asked = Instant::now();
    let answer = in_time(job(&link.far, MINUTE, async {})).await;
    assert!(matches!(answer, Ok(Outcome::Executed(()))), "{answer:?}");
    println!("a cycle at 1 KB/s took {:?}", asked.elapsed());
    assert!(is_free(&link.near, "job").await);
}

async fn g8_half_a_second_of_latency(place: Place) {
    let link = Link::over(place).await;
    let way = Duration::from_millis(250);
    link.proxy.set(Rule::Delay(Direction::Both, way));
    let asked = Instant::now();
    let answer = in_time(job(&link.far, MINUTE, async {})).await;
    assert!(matches!(answer, Ok(Outcome::Executed(()))), "{answer:?}");
    let took = asked.elapsed();
    println!("a cycle at 500 ms took {took:?}");
    assert!(took >= way * 4, "two round trips");
    assert!(is_free(&link.near, "job").await);
}

/// The answer would come when the lease has ended, so it does not count, and the lock is free again.
async fn g8_a_lease_shorter_than_a_round_trip(place: Place) {
    let link = Link::over(place).await;
    let way = Duration::from_millis(250);
    link.proxy.set(Rule::Delay(Direction::Both, way));
    let body = async { panic!("the lease has ended") };
    let answer = in_time(job(&link.far, Duration::from_millis(400), body)).await;
    let error = answer
        .map(|outcome: Outcome<()>| outcome)
        .expect_err("too late");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    until(async || is_free(&link.near, "job").await.then_some(())).await;
}
