use super::*;
use crate::names::ColumnNames;

const DIALECTS: [Dialect; 3] = [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite];

const SESSIONS: [Session; 2] = [Session::Own, Session::Shared];

fn statements(dialect: Dialect, clock: LockClock) -> Statements {
    in_session(dialect, clock, Session::Own)
}

fn in_session(dialect: Dialect, clock: LockClock, session: Session) -> Statements {
    let columns = ColumnNames::default()
        .with_name("{:lease}")
        .with_fencing_token("{=free}");
    let names = Names::new(dialect, "app.{=now}", columns).unwrap();
    Statements::new(&names, clock, session)
}

#[test]
fn parameters_are_numbered_or_repeated() {
    let params = |dialect, clock| statements(dialect, clock).release.params().to_vec();
    let (name, first, owner) = (Param::Name, Param::First, Param::Owner);
    let (lease, now) = (Param::Lease, Param::Now);
    for dialect in [Dialect::Postgres, Dialect::Sqlite] {
        let numbered = params(dialect, LockClock::Client);
        assert_eq!(numbered, [owner, now, lease, name, first]);
    }
    assert_eq!(
        params(Dialect::MySql, LockClock::Database),
        [owner, lease, owner, name, first, owner]
    );
    assert_eq!(
        params(Dialect::MySql, LockClock::Client),
        [owner, lease, now, now, owner, name, first, owner]
    );
}

#[test]
fn nothing_is_left_to_fill_in_and_names_stay_as_they_are() {
    for dialect in DIALECTS {
        for (clock, session) in [LockClock::Database, LockClock::Client]
            .into_iter()
            .zip(SESSIONS)
        {
            let all = in_session(dialect, clock, session);
            let admin = &all.admin;
            for statement in [
                all.acquire(TokenColumn::Present, Sending::First),
                all.acquire(TokenColumn::Present, Sending::Repeated),
                all.acquire(TokenColumn::Missing, Sending::First),
                all.acquire(TokenColumn::Missing, Sending::Repeated),
                all.acquire_position(PositionKind::Slot, Sending::First),
                all.acquire_position(PositionKind::Instant, Sending::Repeated),
                all.acquire_position(PositionKind::Step, Sending::Repeated),
                &all.position,
                &all.release_done,
                &all.release_unused,
                &all.extend,
                &all.release,
                all.holder(TokenColumn::Present),
                all.holder(TokenColumn::Missing),
                admin.read_all(TokenColumn::Present),
                admin.read_one(TokenColumn::Missing),
                admin.pause(TokenColumn::Present),
                admin.pause(TokenColumn::Missing),
                &admin.force_release,
                &admin.resume,
                &admin.prune,
            ] {
                let mut text = statement.text().to_string();
                for name in ["{=now}", "{:lease}", "{=free}"] {
                    text = text.replace(name, "");
                }
                assert!(!text.contains(['{', '}']) && !text.contains("--"), "{text}");
            }
            for sending in Sending::ALL {
                let named = |column| {
                    let acquire = all.acquire(column, sending);
                    acquire.text().contains("{=free}")
                };
                assert!(named(TokenColumn::Present) && !named(TokenColumn::Missing));
            }
        }
    }
}

#[test]
fn the_placeholders_of_a_dialect_are_as_many_as_its_values() {
    for dialect in DIALECTS {
        let statement = statements(dialect, LockClock::Client);
        let statement = statement.acquire(TokenColumn::Present, Sending::Repeated);
        let count = statement.params().len();
        match dialect {
            Dialect::MySql => assert_eq!(statement.text().matches('?').count(), count),
            Dialect::Postgres => assert!(statement.text().contains(&format!("${count}"))),
            Dialect::Sqlite => assert!(statement.text().contains(&format!("?{count}"))),
        }
    }
}

#[test]
fn a_lease_is_rounded_up_and_padded() {
    assert_eq!(lease_micros(Duration::ZERO), 0);
    assert_eq!(lease_micros(Duration::from_nanos(1)), 1_001);
    assert_eq!(lease_micros(Duration::from_secs(1)), 1_001_000);
    assert_eq!(lease_micros(Duration::MAX), i64::MAX);
}

#[test]
fn a_pause_is_known_by_its_mark() {
    for dialect in DIALECTS {
        let all = statements(dialect, LockClock::Database);
        let prefix = shedlock_runtime::OperatorMark::PAUSED_PREFIX;
        let resume = all.admin.resume.text();
        assert!(resume.contains(&format!("'{prefix}")), "{resume}");
        // SQLite's acquisition says nothing of the holder.
        let said = all
            .acquire(TokenColumn::Present, Sending::First)
            .text()
            .contains(prefix);
        assert_eq!(said, dialect != Dialect::Sqlite);
    }
}
