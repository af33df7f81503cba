//! A lock without the attribute: `cargo run -p shedlock-examples --example guard_by_hand`.
//!
//! For work that is no function of its own, or whose lock has to outlive it.
#![expect(clippy::print_stdout, reason = "the program shows what happens")]

use shedlock::{InMemoryLockProvider, LockConfiguration, LockError, LockProviderExt as _};

#[tokio::main]
async fn main() -> Result<(), LockError> {
    // Any provider will do; this one needs no server.
    let provider = InMemoryLockProvider::new();
    let mail = LockConfiguration::new("mail", "5m")?;

    // Nobody waits for a lock: it is granted now, or somebody else has it.
    let Some(mut lock) = provider.try_lock(mail.clone()).await? else {
        println!("somebody else sends the mail");
        return Ok(());
    };
    println!("took {lock:?}");
    println!(
        "a second attempt gets {:?}",
        provider.try_lock(mail.clone()).await?
    );

    // Half-way through a long list: five minutes from now, whatever was left of the first five.
    lock.extend("5m", "0s").await?;

    // Storage that remembers the greatest token can refuse a holder whose lock was taken over.
    println!("the fencing token is {:?}", lock.fencing_token());

    // `unlock` consumes the guard and tells whether the lock was still ours; dropping it releases in the background.
    println!("{:?}", lock.unlock().await?);

    // Once a day at most: after a success nobody shall try again, so the lock is left to run out.
    let day = LockConfiguration::new("newsletter", "1day")?;
    if let Some(mut lock) = provider.try_lock(day.clone()).await? {
        match send_newsletter(&["ada", "grace"]) {
            Ok(()) => lock.release_on_drop(false),
            Err(error) => println!("free for the next attempt: {error}"),
        }
    }
    println!(
        "the newsletter can be sent again today: {}",
        provider.try_lock(day).await?.is_some()
    );
    Ok(())
}

fn send_newsletter(readers: &[&str]) -> Result<(), &'static str> {
    if readers.is_empty() {
        return Err("nobody reads it");
    }
    println!("sent the newsletter to {}", readers.join(" and "));
    Ok(())
}
