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

    // The device goes on by itself, for up to ten minutes, so the lock is left to run out. The next holder is told of it as of a crash.
    let update = LockConfiguration::new("update-of-device-7", "10m")?;
    if let Some(mut lock) = provider.try_lock(update.clone()).await? {
        match start_update(7) {
            Ok(()) => lock.release_on_drop(false),
            Err(error) => println!("free for the next attempt: {error}"),
        }
    }
    println!(
        "another update can begin at once: {}",
        provider.try_lock(update).await?.is_some()
    );
    Ok(())
}

fn start_update(device: u32) -> Result<(), &'static str> {
    if device == 0 {
        return Err("there is no such device");
    }
    println!("device {device} updates itself");
    Ok(())
}
