//! The record of a lock as an item, in the format of JVM nodes or of Dynalock.

use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use shedlock_runtime::{LockRecord, Position, Predecessor, parse_timestamp};

use crate::layout::{Item, Layout};

/// The record in an item, or what is wrong with the item.
pub(crate) fn parse(item: &Item, layout: &Layout) -> Result<LockRecord, String> {
    let lock_until = layout
        .get(item, "#until")
        .and_then(|it| layout.ends.read(it));
    let Some(lock_until) = lock_until else {
        let attribute = &layout.lock_until;
        return Err(format!(
            "not a lock's item: `{attribute}` is no end of a lease"
        ));
    };
    // A JVM node that releases a lock whose item was deleted leaves an item with an end alone.
    let locked_by = match layout.get(item, "#by") {
        None => "",
        Some(AttributeValue::S(owner)) => owner,
        Some(_) => {
            let attribute = &layout.locked_by;
            return Err(format!("not a lock's item: `{attribute}` is no string"));
        }
    };
    let locked_at = layout.get(item, "#at").and_then(time).unwrap_or(lock_until);
    let token = fencing_token(item, layout).unwrap_or_default();
    let mut record = LockRecord::new(lock_until, locked_at, locked_by.to_owned(), token);
    record.position = position(item, layout);
    Ok(record)
}

/// The fencing token of the last acquisition; `None` if there was none by a Rust node.
pub(crate) fn fencing_token(item: &Item, layout: &Layout) -> Option<u64> {
    number(layout.get(item, "#fence")?)
}

/// How long the lease of a lock's item lasts from its last write on; `None` if that write freed the lock.
///
/// A node that ends leases by comparing clocks, as those on the JVM, does not tell the length, and leaves what another node told before it. Its
/// lease is as long as its two times are apart, which are of one clock.
pub(crate) fn lease(item: &Item, layout: &Layout, record: &LockRecord) -> Option<Duration> {
    let is_told = layout.get(item, "#of") == layout.get(item, "#by");
    match layout.get(item, "#lease").and_then(number) {
        Some(millis) if is_told => Some(Duration::from_millis(millis)).filter(|it| !it.is_zero()),
        _ => {
            let lease = record.lock_until.duration_since(record.locked_at);
            Some(lease.unwrap_or_default())
        }
    }
}

/// The holder before, if its lease ended without a release.
pub(crate) fn predecessor(item: &Item, layout: &Layout) -> Option<Predecessor> {
    let record = parse(item, layout).ok()?;
    let (since, until) = (Some(record.locked_at), Some(record.lock_until));
    let holder = Predecessor::from_record(&record.locked_by, since, until)?;
    let token = fencing_token(item, layout);
    Some(
        holder
            .with_fencing_token(token)
            .with_position(record.position),
    )
}

fn position(item: &Item, layout: &Layout) -> Option<Position> {
    let tries = layout
        .get(item, "#tries")
        .and_then(number)
        .unwrap_or_default();
    Some(Position {
        number: number(layout.get(item, "#position")?)?,
        is_done: layout.get(item, "#done") == Some(&AttributeValue::Bool(true)),
        tries: u32::try_from(tries).unwrap_or(u32::MAX),
    })
}

fn time(value: &AttributeValue) -> Option<SystemTime> {
    parse_timestamp(value.as_s().ok()?)
}

fn number(value: &AttributeValue) -> Option<u64> {
    value.as_n().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(attributes: &[(&str, AttributeValue)]) -> Item {
        let owned = |(name, value): &(&str, AttributeValue)| ((*name).to_owned(), value.clone());
        attributes.iter().map(owned).collect()
    }

    fn text(text: &str) -> AttributeValue {
        AttributeValue::S(text.to_owned())
    }

    #[test]
    fn what_jvm_nodes_and_dynalock_write_is_read() {
        let jvm = item(&[
            ("_id", text("n1")),
            ("lockUntil", text("2026-11-28T10:42:58.082Z")),
            ("lockedAt", text("2026-11-28T10:42:28.082Z")),
            ("lockedBy", text("app.example")),
        ]);
        let record = parse(&jvm, &Layout::of_shedlock()).expect("is a lock's");
        assert_eq!(record.locked_by, "app.example");
        let lease = std::time::Duration::from_secs(30);
        assert_eq!(record.lock_until, record.locked_at + lease);
        assert_eq!((record.fencing_token, record.position), (0, None));
        let dynalock = item(&[
            ("id", text("n1")),
            ("expires", AttributeValue::N("1795862578".to_owned())),
            ("lock_owner", text("deploy@app.example")),
        ]);
        let record = parse(&dynalock, &Layout::of_dynalock()).expect("is a lock's");
        assert_eq!(record.locked_by, "deploy@app.example");
    }

    #[test]
    fn a_lease_is_as_long_as_its_writer_told_or_as_its_times_are_apart() {
        let layout = Layout::of_shedlock();
        let lease = |of: &str, millis: u64| {
            let found = item(&[
                ("lockUntil", text("2026-11-28T10:42:58.082Z")),
                ("lockedAt", text("2026-11-28T10:42:28.082Z")),
                ("lockedBy", text("app.example")),
                ("leaseOf", text(of)),
                ("leaseMillis", AttributeValue::N(millis.to_string())),
            ]);
            let record = parse(&found, &layout).expect("is a lock's");
            super::lease(&found, &layout, &record)
        };
        assert_eq!(lease("app.example", 7), Some(Duration::from_millis(7)));
        assert_eq!(lease("app.example", 0), None, "was released");
        // A JVM node has taken the lock since.
        for stale in [0, 7] {
            assert_eq!(lease("web-2#", stale), Some(Duration::from_secs(30)));
        }
    }

    #[test]
    fn other_items_are_told_from_locks() {
        let end = ("lockUntil", text("2026-11-28T10:42:58.082Z"));
        let layout = Layout::of_shedlock();
        for (foreign, named) in [
            (item(&[]), "lockUntil"),
            (item(&[("lockUntil", text("tomorrow"))]), "lockUntil"),
            (
                item(&[("lockUntil", AttributeValue::N("5".to_owned()))]),
                "lockUntil",
            ),
            (
                item(&[end.clone(), ("lockedBy", AttributeValue::Bool(true))]),
                "lockedBy",
            ),
        ] {
            let problem = parse(&foreign, &layout).expect_err("is no lock's");
            assert!(problem.contains(named), "{problem}");
        }
        let released = parse(&item(&[end]), &layout).expect("a late release of a JVM node");
        assert_eq!(released.locked_by, "");
    }
}
