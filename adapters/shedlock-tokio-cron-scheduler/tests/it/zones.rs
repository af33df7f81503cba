//! A schedule in a zone whose clocks change while the scheduler runs.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{
    DateTime, FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc,
};
use shedlock_runtime::InMemoryLockProvider;

use crate::{Log, scheduler};

/// By how many seconds the clocks are put forward.
const FORWARD: i32 = 2;

/// UTC until an instant, and a little ahead of it from then on.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Zone {
    change: NaiveDateTime,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct ZoneOffset(Zone, FixedOffset);

impl Zone {
    fn offset(self, seconds: i32) -> ZoneOffset {
        ZoneOffset(self, FixedOffset::east_opt(seconds).unwrap())
    }
}

impl Offset for ZoneOffset {
    fn fix(&self) -> FixedOffset {
        self.1
    }
}

impl fmt::Display for ZoneOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.1.fmt(f)
    }
}

impl TimeZone for Zone {
    type Offset = ZoneOffset;

    fn from_offset(offset: &ZoneOffset) -> Self {
        offset.0
    }

    fn offset_from_local_date(&self, local: &NaiveDate) -> MappedLocalTime<ZoneOffset> {
        self.offset_from_local_datetime(&local.and_hms_opt(0, 0, 0).unwrap())
    }

    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> MappedLocalTime<ZoneOffset> {
        let forward = Duration::from_secs(FORWARD.unsigned_abs().into());
        if *local < self.change {
            MappedLocalTime::Single(self.offset(0))
        } else if *local >= self.change + forward {
            MappedLocalTime::Single(self.offset(FORWARD))
        } else {
            MappedLocalTime::None
        }
    }

    fn offset_from_utc_date(&self, utc: &NaiveDate) -> ZoneOffset {
        self.offset_from_utc_datetime(&utc.and_hms_opt(0, 0, 0).unwrap())
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> ZoneOffset {
        self.offset(if *utc < self.change { 0 } else { FORWARD })
    }
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

#[tokio::test]
async fn a_job_follows_the_wall_clock_when_it_changes() {
    // Between two ticks of the old time: one comes before it, to tell the scheduler of the next.
    let change = (now() / 5 + 2) * 5 + 1;
    let zone = Zone {
        change: DateTime::from_timestamp(change, 0).unwrap().naive_utc(),
    };
    let provider = InMemoryLockProvider::new();
    let jobs = scheduler(provider, "1m").await;
    let runs = Log::new();
    let log = runs.clone();
    let body = move || {
        log.push(now());
        async {}
    };
    jobs.cron_tz("*/5 * * * * *", zone, "job", body)
        .await
        .unwrap();
    jobs.start().await.unwrap();

    let after = loop {
        let after: Vec<_> = runs
            .entries()
            .into_iter()
            .filter(|run| *run >= change)
            .collect();
        if after.len() >= 3 {
            break after;
        }
        let count = runs.entries().len() + 1;
        runs.wait_for(count).await;
    };
    for run in after {
        let on_the_wall = zone
            .offset_from_utc_datetime(&DateTime::<Utc>::from_timestamp(run, 0).unwrap().naive_utc())
            .fix()
            .local_minus_utc();
        // By the old offset it would be the seconds 2 and 7.
        let seconds = (run + i64::from(on_the_wall)) % 5;
        assert!(seconds < 2, "{seconds} s after the tick");
    }
    jobs.shutdown("5s").await.unwrap();
}
