//! Time zones of sessions and servers, on the nights when the clocks change.

use std::time::Duration;

use shedlock::LockProviderExt as _;
use tokio::process::Command;

use super::Shifted;
use crate::support::{Place, cases, config, connect, is_free};

cases! {
    of crate::time::Shifted:
    c5_session_zones_and_changes_of_the_clocks on postgres mariadb;
}

const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Prague",
    "America/New_York",
    "Asia/Tokyo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
];
/// When clocks go forward (a gap) or back (an overlap), in seconds since 1970.
const CHANGES: [(&str, i64); 7] = [
    ("Prague goes back, 2026-10-25 01:00 UTC", 1_792_890_000),
    ("New York goes back, 2026-11-01 06:00 UTC", 1_793_512_800),
    ("New York goes forward, 2027-03-14 07:00 UTC", 1_805_007_600),
    ("Prague goes forward, 2027-03-28 01:00 UTC", 1_806_195_600),
    ("Lord Howe goes back, 2027-04-03 15:00 UTC", 1_806_764_400),
    (
        "Lord Howe goes forward, 2026-10-03 15:30 UTC",
        1_791_041_400,
    ),
    ("nobody changes, 2027-01-01 00:00 UTC", 1_798_761_600),
];
const TWENTY_MINUTES: Duration = Duration::from_mins(20);

/// Has MariaDB know the zone, with its changes. PostgreSQL knows them all.
async fn teach(place: &Place, zone: &str) {
    let mut tables = Command::new("mariadb-tzinfo-to-sql");
    let tables = tables.args([&format!("/usr/share/zoneinfo/{zone}"), zone]);
    let tables = tables.output().await.expect("it comes with the client");
    assert!(tables.status.success(), "{tables:?}");
    let tables = String::from_utf8(tables.stdout).expect("it is SQL");
    place.execute(&format!("USE mysql; {tables}")).await;
}

/// A lease of twenty minutes over the change lasts twenty minutes, whatever the zone of either session.
async fn c5_session_zones_and_changes_of_the_clocks(shifted: Shifted) {
    let Shifted { place, time } = &shifted;
    let mut nodes = Vec::new();
    for zone in ZONES {
        let url = if place.is_mariadb() {
            teach(place, zone).await;
            format!("{}?timezone={zone}", place.url)
        } else {
            format!("{}?options[TimeZone]={zone}", place.url)
        };
        nodes.push((zone, connect(&url).await));
    }
    for (change, at) in CHANGES {
        for (number, (zone, holder)) in nodes.iter().enumerate() {
            let told = format!("{zone}: {change}");
            time.set_to(at - 300);
            let answer = holder
                .try_lock(config(&told[..60.min(told.len())], TWENTY_MINUTES))
                .await;
            let mut lock = answer.expect("the store answers").expect(&told);
            let name = lock.name().to_string();
            // The next zone, so that the two differ.
            let (_, other) = &nodes[(number + 1) % nodes.len()];
            assert!(!is_free(other, &name).await, "{told}: before the change");
            time.set_to(at + 60);
            assert!(!is_free(other, &name).await, "{told}: after the change");
            time.set_to(at + 885);
            assert!(!is_free(other, &name).await, "{told}: near the end");
            lock.extend(TWENTY_MINUTES, "0s").await.expect(&told);
            time.set_to(at + 885 + 1_205);
            assert!(is_free(other, &name).await, "{told}: after the end");
            lock.release_on_drop(false);
        }
    }
}
