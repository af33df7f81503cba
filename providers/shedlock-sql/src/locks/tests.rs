//! The loop over a driver that answers as a test has written down.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use shedlock_runtime::{LockConfiguration, LockName, OperatorMark, Overrule};

use super::*;
use crate::dialect::Dialect;
use crate::driver::{BoundStatement, Connection, Done, NoConnection, Reach, Replaced, Row};
use crate::explain;
use crate::fault::Fault;
use crate::names::ColumnNames;

#[derive(Debug, Clone, Copy)]
enum FakeError {
    Reported(&'static str),
    Broken,
}

impl fmt::Display for FakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for FakeError {}

/// The lock is ours, as PostgreSQL says it.
struct Granted;

impl Row for Granted {
    type Error = FakeError;

    fn text(&self, _column: usize) -> Result<Option<&str>, FakeError> {
        Ok(Some("node"))
    }

    fn integer(&self, _column: usize) -> Result<Option<i64>, FakeError> {
        Ok(Some(7))
    }

    fn float(&self, _column: usize) -> Result<Option<f64>, FakeError> {
        Ok(Some(60.0))
    }

    fn boolean(&self, _column: usize) -> Result<Option<bool>, FakeError> {
        Ok(Some(true))
    }
}

type Script = VecDeque<Result<u64, FakeError>>;

#[derive(Default)]
struct Seen {
    /// How many rows each statement about a lock gives.
    script: Script,
    texts: Vec<Arc<str>>,
    closed: u32,
}

#[derive(Default, Clone)]
struct Fake(Arc<Mutex<Seen>>);

impl Fake {
    fn answer(&self, bound: &BoundStatement<'_>) -> Result<u64, FakeError> {
        let mut seen = self.0.lock().unwrap();
        seen.texts.push(Arc::clone(bound.statement.text()));
        seen.script.pop_front().expect("a question too many")
    }
}

impl Driver for Fake {
    type Error = FakeError;
    type Connection = Self;

    const DIALECT: Dialect = Dialect::Postgres;

    async fn checkout(
        &self,
        _limit: Duration,
        _part: Duration,
        _replaced: &mut Replaced,
    ) -> Result<Self, NoConnection<FakeError>> {
        Ok(self.clone())
    }

    fn close(&self, _connection: Self, replaced: &mut Replaced, _reach: Reach) {
        replaced.add_one();
        self.0.lock().unwrap().closed += 1;
    }

    fn fault(error: &FakeError) -> Option<Fault> {
        match error {
            FakeError::Reported(code) => Some(Fault::from_code(Dialect::Postgres, code, "")),
            FakeError::Broken => None,
        }
    }

    fn message(error: &FakeError) -> String {
        error.to_string()
    }

    fn failed(names: &Names, error: FakeError) -> LockError {
        match Self::fault(&error) {
            Some(fault) => explain::reported(names, fault, ""),
            None => explain::broken(),
        }
    }

    fn unreachable(_names: &Names, _error: FakeError) -> LockError {
        explain::unreachable()
    }
}

impl Connection for Fake {
    type Error = FakeError;
    type Row = Granted;

    fn give_back(self) {}

    fn is_shared(&self) -> bool {
        false
    }

    fn is_new(&self) -> bool {
        false
    }

    fn may_be_dead(&self) -> bool {
        false
    }

    fn can_prepare(&self) -> bool {
        true
    }

    async fn fetch(&mut self, bound: &BoundStatement<'_>) -> Result<Vec<Granted>, FakeError> {
        let rows = self.answer(bound)?;
        Ok((0..rows).map(|_| Granted).collect())
    }

    async fn execute(&mut self, bound: &BoundStatement<'_>) -> Result<Done, FakeError> {
        let rows = self.answer(bound)?;
        Ok(Done { rows, insert_id: 0 })
    }

    /// What is asked of the table finds nothing.
    async fn query(&mut self, _text: String) -> Result<Vec<Granted>, FakeError> {
        Ok(Vec::new())
    }

    async fn is_inside_transaction(&mut self) -> Result<bool, FakeError> {
        Ok(false)
    }
}

fn locks(script: &[Result<u64, FakeError>]) -> (Fake, SqlLocks<Fake>) {
    let fake = Fake::default();
    fake.0.lock().unwrap().script = script.iter().copied().collect();
    let names = Names::new(Dialect::Postgres, "app.shedlock", ColumnNames::default()).unwrap();
    let locks = SqlLocks::new(fake.clone(), names, SqlOptions::default());
    (fake, locks)
}

async fn acquire(locks: &SqlLocks<Fake>) -> Result<Acquisition, LockError> {
    let config = LockConfiguration::new("mail", "1m").unwrap();
    let request = AcquireRequest::new(config, locks.info().clock().boot());
    locks.acquire(&request).await
}

const BUSY: Result<u64, FakeError> = Err(FakeError::Reported("55P03"));
const BROKEN: Result<u64, FakeError> = Err(FakeError::Broken);

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_on_another_connection() {
    let (fake, locks) = locks(&[BROKEN, Ok(1)]);
    let lease = acquire(&locks).await.unwrap().granted().unwrap();
    assert_eq!(lease.fencing_token(), Some(7));
    let seen = fake.0.lock().unwrap();
    assert_eq!((seen.closed, seen.texts.len()), (1, 2));
    // The second one looks for what the first one may have been granted.
    assert!(!seen.texts[0].contains("starts_with(CAST(h."));
    assert!(seen.texts[1].contains("starts_with(CAST(h."));
}

#[tokio::test]
async fn what_no_connection_answers_is_in_doubt() {
    let (fake, locks) = locks(&[BROKEN, BROKEN, BROKEN]);
    let error = acquire(&locks).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    assert_eq!(fake.0.lock().unwrap().closed, 3);
}

#[tokio::test]
async fn a_busy_table_is_an_error_unless_a_holder_is_seen() {
    let (_, busy) = locks(&[BUSY, BUSY, BUSY, BUSY, Ok(0)]);
    let error = acquire(&busy).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let (_, held) = locks(&[BUSY, BUSY, BUSY, BUSY, Ok(1)]);
    let answer = acquire(&held).await.unwrap();
    assert!(matches!(answer, Acquisition::Refused(_)), "{answer:?}");
}

#[tokio::test]
async fn a_table_without_the_token_is_asked_without_it() {
    let (fake, locks) = locks(&[Err(FakeError::Reported("42703")), Ok(1)]);
    assert!(acquire(&locks).await.unwrap().granted().is_some());
    let texts = &fake.0.lock().unwrap().texts;
    let names_the_token: Vec<_> = texts
        .iter()
        .map(|text| text.contains("fencing_token"))
        .collect();
    assert_eq!(names_the_token, [true, false]);
}

#[tokio::test]
async fn an_operators_word_is_sent_once() {
    let (fake, locks) = locks(&[BROKEN]);
    let lock = LockName::new("mail").unwrap();
    let mark = OperatorMark::released("x");
    let release = Overrule::Release { mark: &mark };
    let error = locks.overrule(&lock, &release).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    assert_eq!(fake.0.lock().unwrap().texts.len(), 1);
}

#[tokio::test]
async fn rows_that_were_changed_say_whose_the_lock_is() {
    let (_, locks) = locks(&[Ok(1), Ok(1), Ok(0)]);
    let lease = acquire(&locks).await.unwrap().granted().unwrap();
    let extended = locks.extend(&lease, Duration::from_secs(60)).await;
    assert_eq!(extended.unwrap(), Ownership::Ours);
    let released = locks.release(&lease, Duration::ZERO).await;
    assert_eq!(released.unwrap(), Ownership::Lost);
}
