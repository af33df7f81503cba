//! One node: a process that calls the locked job again and again, as a scheduler would.

use std::env;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use shedlock::{
    LockError, Outcome, SkipReason, enable_scheduler_lock, lock, lock_assert, scheduler_lock,
};
use shedlock_sqlx::{MySqlLockProvider, PostgresLockProvider, SqliteLockProvider};

use crate::record::{Event, Notes};

pub(crate) const URL: &str = "SHEDLOCK_FLEET_URL";
pub(crate) const NOTES: &str = "SHEDLOCK_FLEET_NOTES";
pub(crate) const AT_MOST: Duration = Duration::from_millis(600);

#[scheduler_lock(name = "fleet", on_lost = "cancel")]
async fn job(notes: &Notes) -> Result<Outcome<()>, LockError> {
    lock_assert!("fleet");
    let token = lock::fencing_token().expect("the table has the column");
    notes.note(Event::Enter, token);
    for _ in 0..fastrand::usize(2..40) {
        tokio::time::sleep(Duration::from_millis(5)).await;
        notes.note(Event::Step, token);
    }
    notes.note(Event::Exit, token);
    Ok(Outcome::Executed(()))
}

#[tokio::main]
pub(crate) async fn run() {
    // The parent holds the other end: without it this process has no business.
    std::thread::spawn(|| {
        drop(std::io::stdin().read(&mut [0]));
        std::process::exit(0);
    });
    let notes = Notes::open(Path::new(&env::var_os(NOTES).unwrap()));
    register(&env::var(URL).unwrap()).await;
    loop {
        notes.note(Event::Ask, 0);
        match job(&notes).await {
            Ok(Outcome::Executed(())) => {}
            Ok(Outcome::Skipped(SkipReason::Held | SkipReason::Contended)) => {
                notes.note(Event::Skip, 0);
            }
            other => {
                eprintln!("{other:?}");
                notes.note(Event::Fail, 0);
            }
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(5..40))).await;
    }
}

/// Connects and creates the table, however long the store is away.
async fn register(url: &str) {
    macro_rules! register {
        ($provider:ty) => {
            loop {
                let Ok(provider) = <$provider>::connect(url).await else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                if provider.ensure_schema().await.is_ok() {
                    enable_scheduler_lock!(provider = provider, default_at_most = AT_MOST);
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
    }
    match url.split_once(':').unwrap().0 {
        "sqlite" => register!(SqliteLockProvider),
        "mysql" => register!(MySqlLockProvider),
        _ => register!(PostgresLockProvider),
    }
}
