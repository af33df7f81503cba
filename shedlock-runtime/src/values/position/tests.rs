//! Which run may begin, and which wish is refused.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn rule(wanted: Wanted, attempts: Option<u32>) -> PositionRule {
    PositionRule::new(Some(wanted), attempts).unwrap().unwrap()
}

fn done(number: u64) -> Position {
    Position {
        number,
        is_done: true,
        tries: 1,
    }
}

fn begun(number: u64, tries: u32) -> Position {
    Position {
        number,
        is_done: false,
        tries,
    }
}

#[test]
fn clocks_apart_by_less_than_half_a_slot_mean_the_same_slot() {
    let hourly = rule(Wanted::Slot(HOUR), None);
    let noon = UNIX_EPOCH + 12 * HOUR;
    let number = hourly.number(noon);
    let nearly_half = Duration::from_millis(30 * 60 * 1000 - 1);
    assert_eq!(hourly.number(noon - HOUR / 2), number);
    assert_eq!(hourly.number(noon + nearly_half), number);
    assert_ne!(hourly.number(noon + HOUR / 2), number);
    assert_eq!(
        hourly.next(Some(done(number)), noon + nearly_half),
        Err(SkipReason::AlreadyRan)
    );
    assert!(hourly.next(Some(done(number)), noon + HOUR).is_ok());
}

#[test]
fn an_instant_is_run_once_unless_attempts_are_left() {
    let now = UNIX_EPOCH + HOUR;
    let at = |hours| Wanted::Instant(UNIX_EPOCH + hours * HOUR);
    let number = rule(at(5), None).number(now);
    assert!(rule(at(5), None).next(None, now).is_ok());
    assert_eq!(
        rule(at(4), None).next(Some(begun(number, 1)), now),
        Err(SkipReason::AlreadyRan)
    );
    assert_eq!(
        rule(at(5), None).next(Some(begun(number, 1)), now),
        Err(SkipReason::AlreadyRan)
    );
    let twice = rule(at(5), Some(2));
    assert_eq!(
        twice.next(Some(begun(number, 1)), now),
        Ok(begun(number, 2))
    );
    assert_eq!(
        twice.next(Some(begun(number, 2)), now),
        Err(SkipReason::Exhausted)
    );
    assert_eq!(
        twice.next(Some(done(number)), now),
        Err(SkipReason::AlreadyRan)
    );
    assert!(rule(at(6), None).next(Some(begun(number, 2)), now).is_ok());
    // A grant that was given back before its run began.
    assert_eq!(
        rule(at(5), None).next(Some(begun(number, 0)), now),
        Ok(begun(number, 1))
    );
}

#[test]
fn steps_run_one_after_the_other() {
    let now = UNIX_EPOCH;
    let step = |number| rule(Wanted::Step(number), None);
    assert!(step(1).next(None, now).is_ok());
    assert_eq!(step(2).next(None, now), Err(SkipReason::Gap));
    assert_eq!(step(2).next(Some(begun(1, 1)), now), Err(SkipReason::Gap));
    assert_eq!(step(1).next(Some(begun(1, 7)), now), Ok(begun(1, 8)));
    assert!(step(2).next(Some(done(1)), now).is_ok());
    assert_eq!(
        step(1).next(Some(done(1)), now),
        Err(SkipReason::AlreadyRan)
    );
    assert_eq!(step(3).next(Some(done(1)), now), Err(SkipReason::Gap));
    assert_eq!(
        rule(Wanted::Step(1), Some(3)).next(Some(begun(1, 3)), now),
        Err(SkipReason::Exhausted)
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    let problem = |wanted, attempts| PositionRule::new(wanted, attempts).unwrap_err().to_string();
    for (wanted, words) in [
        (Wanted::Slot(Duration::ZERO), "is zero"),
        (Wanted::Slot(Duration::from_nanos(1)), "under a millisecond"),
        (Wanted::Slot(366 * 24 * HOUR), "longer than a year"),
        (Wanted::Instant(UNIX_EPOCH), "before 1970"),
        (Wanted::Step(0), "begins with step 1"),
    ] {
        let said = problem(Some(wanted), None);
        assert!(said.contains(words), "{said}");
    }
    assert!(problem(Some(Wanted::Step(1)), Some(0)).contains("`attempts` is zero"));
    assert!(problem(None, Some(3)).contains("and there is none"));
}

#[test]
fn a_script_gets_milliseconds_and_numbers() {
    let instant = UNIX_EPOCH + Duration::from_nanos(1_700_000_000_001_999_999);
    for (wanted, expected) in [
        (
            Wanted::Slot(Duration::from_micros(1_999)),
            WantedPosition::Slot { period: 1 },
        ),
        (
            Wanted::Slot(HOUR),
            WantedPosition::Slot { period: 3_600_000 },
        ),
        (
            Wanted::Instant(instant),
            WantedPosition::Instant {
                number: 1_700_000_000_001,
            },
        ),
        (Wanted::Step(7), WantedPosition::Step { number: 7 }),
    ] {
        assert_eq!(rule(wanted, None).wanted(), expected);
    }
    assert_eq!(rule(Wanted::Step(7), None).attempts(), None);
    assert_eq!(rule(Wanted::Step(7), Some(3)).attempts(), Some(3));
}

#[test]
fn a_claim_is_an_instant_with_a_lock_of_its_own() {
    let now = UNIX_EPOCH;
    let once = rule(Wanted::Claim, None);
    assert_eq!(once.next(None, now), Ok(begun(1, 1)));
    for stored in [begun(1, 1), done(1)] {
        assert_eq!(once.next(Some(stored), now), Err(SkipReason::AlreadyRan));
    }
    let twice = rule(Wanted::Claim, Some(2));
    assert_eq!(twice.next(Some(begun(1, 1)), now), Ok(begun(1, 2)));
    assert_eq!(
        twice.next(Some(begun(1, 2)), now),
        Err(SkipReason::Exhausted)
    );
}
