//! One node: a process whose scheduler fires at the beginning of each slot by a clock that is wrong.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock::{LockError, LockProvider, Outcome, enable_scheduler_lock, scheduler_lock};
use shedlock_sqlx::{SqlDatabase, SqlxLockProvider};
use sqlx::{AssertSqlSafe, Executor, MySql, Pool, Postgres, Row as _, Sqlite};

pub(crate) const URL: &str = "SHEDLOCK_SLOTS_URL";
pub(crate) const NOTES: &str = "SHEDLOCK_SLOTS_NOTES";
pub(crate) const SKEW: &str = "SHEDLOCK_SLOTS_SKEW";
/// So long that a process that gets its processor late is still in the slot for which it was woken.
pub(crate) const PERIOD: Duration = Duration::from_secs(2);

/// What a run needs to note its slot.
struct Node {
    notes: File,
    slot: Box<dyn AsyncSlot>,
}

#[shedlock_runtime::async_trait]
trait AsyncSlot: Send + Sync {
    /// The slot that stands in the record.
    async fn read(&self) -> Result<i64, sqlx::Error>;
}

struct Table<DB: sqlx::Database>(Pool<DB>);

#[shedlock_runtime::async_trait]
impl<DB> AsyncSlot for Table<DB>
where
    DB: sqlx::Database,
    for<'c> &'c Pool<DB>: Executor<'c, Database = DB>,
    for<'r> i64: sqlx::Decode<'r, DB> + sqlx::Type<DB>,
    usize: sqlx::ColumnIndex<DB::Row>,
{
    async fn read(&self) -> Result<i64, sqlx::Error> {
        let read = "SELECT position FROM shedlock WHERE name = 'slots'";
        let row = (&self.0).fetch_one(AssertSqlSafe(read.to_owned())).await?;
        row.try_get(0)
    }
}

#[scheduler_lock(name = "slots", at_most = "1500ms", once_per = PERIOD)]
async fn job(node: &mut Node) -> Result<Outcome<()>, LockError> {
    // A run whose node cannot read its slot is noted nowhere, and counts as one that did not begin.
    let Ok(slot) = node.slot.read().await else {
        return Ok(Outcome::Executed(()));
    };
    note(&mut node.notes, "begin", slot);
    tokio::time::sleep(Duration::from_millis(fastrand::u64(1..60))).await;
    note(&mut node.notes, "end", slot);
    Ok(Outcome::Executed(()))
}

/// One line, in one write to a file that all nodes append to.
fn note(notes: &mut File, what: &str, slot: i64) {
    notes
        .write_all(format!("{what} {slot}\n").as_bytes())
        .unwrap();
}

#[tokio::main]
pub(crate) async fn run() {
    // The parent holds the other end: without it this process has no business.
    std::thread::spawn(|| {
        drop(std::io::stdin().read(&mut [0]));
        std::process::exit(0);
    });
    let file = env::var_os(NOTES).unwrap();
    let notes = OpenOptions::new()
        .create(true)
        .append(true)
        .open(Path::new(&file));
    let url = env::var(URL).unwrap();
    let slot: Box<dyn AsyncSlot> = match url.split_once(':').unwrap().0 {
        "sqlite" => Box::new(Table(register::<Sqlite>(&url).await)),
        "mysql" => Box::new(Table(register::<MySql>(&url).await)),
        _ => Box::new(Table(register::<Postgres>(&url).await)),
    };
    let notes = notes.unwrap();
    // Connects, so that no run has to. The row need not be there yet.
    drop(slot.read().await);
    let mut node = Node { notes, slot };
    let skew: i64 = env::var(SKEW).unwrap().parse().unwrap();
    loop {
        tokio::time::sleep(until_next_tick(skew)).await;
        if let Err(error) = job(&mut node).await {
            eprintln!("{error}");
        }
    }
}

/// The time until a clock that is ahead by `skew` hundredths of a slot shows the beginning of a slot.
fn until_next_tick(skew: i64) -> Duration {
    let period = i64::try_from(PERIOD.as_millis()).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_millis()).unwrap() + skew * period / 100;
    let left = period - now % period;
    Duration::from_millis(left.unsigned_abs())
}

/// Connects, creates the table and registers the provider.
async fn register<DB: SqlDatabase>(url: &str) -> Pool<DB>
where
    SqlxLockProvider<DB>: LockProvider,
{
    let provider = SqlxLockProvider::<DB>::connect(url).await.unwrap();
    while let Err(error) = provider.ensure_schema().await {
        eprintln!("{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let pool = Pool::<DB>::connect_lazy(url).unwrap();
    enable_scheduler_lock!(provider = provider, default_at_most = "1500ms");
    pool
}
