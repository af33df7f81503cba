//! `shedlock lock`, `extend` and `unlock`: the three steps of a lock, in processes of their own.

use std::env::{self, VarError};
use std::path::Path;
use std::time::{Duration, SystemTime};

use shedlock_runtime::{
    AcquireRequest, Lease, LockConfiguration, LockError, LockProvider, LockProviderExt as _,
    Operation, Ownership, SkipReason, TimeoutLockProvider, printable,
};

use crate::args::{Extend, LockOptions, StoreOptions, Token as TokenOptions, Unlock};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output;
use crate::store;

mod token;
mod witness;

pub(crate) use token::Token;
pub(crate) use witness::{Witness, told};

/// The variable with the token.
pub(crate) const TOKEN_VARIABLE: &str = "SHEDLOCK_TOKEN";
/// How long the store may take to extend or to release a lock.
const LIMIT: Duration = Duration::from_secs(5);

/// Takes the lock and prints its token.
pub(crate) async fn lock(options: &LockOptions, store: &StoreOptions) -> Result<Exit, Failure> {
    let config = configured(options).map_err(|error| Failure::of_options(&error))?;
    let witness = Witness::new(store::open_to_lock(store).await?);
    let acquired = SystemTime::now();
    let mut lock = match witness.lock(config).await? {
        Ok(lock) => lock,
        Err(refusal) => {
            let is_busy = matches!(refusal.reason, SkipReason::Held | SkipReason::Contended);
            let waited = is_busy && options.wait.is_some_and(|wait| !wait.is_zero());
            let told = told(refusal.reason, Some(refusal.clone()));
            let exit = if waited {
                Exit::WAITED
            } else {
                Exit::of_skip(refusal.reason)
            };
            return Err(Failure::new(
                exit,
                format!("`{}`: {told}", printable(&options.name)),
            ));
        }
    };
    let owner = witness.owner().ok_or_else(|| {
        Failure::new(
            Exit::CONFIGURATION,
            "this store keeps no owner that another process could use",
        )
    })?;
    let token = Token {
        owner,
        acquired,
        at_least: options.at_least,
    };
    if let Err(failure) = output::hand_over(&format!("{token}\n")) {
        // Nobody could release a lock whose token is lost.
        lock.unlock().await?;
        return Err(failure);
    }
    lock.release_on_drop(false);
    drop(lock);
    Ok(Exit::SUCCESS)
}

fn configured(options: &LockOptions) -> Result<LockConfiguration, LockError> {
    let config = LockConfiguration::new(&options.name, options.at_most)?
        .with_at_least(options.at_least)?
        .with_timeout(options.timeout)?;
    match options.wait {
        Some(wait) => config.with_wait(wait),
        None => Ok(config),
    }
}

/// Extends the lock of the token.
pub(crate) async fn extend(options: &Extend, store: &StoreOptions) -> Result<Exit, Failure> {
    let token = token(&options.token)?;
    let provider = provider(store).await?;
    let lease = lease(&token, &provider, &options.name, options.at_most)?;
    let answer = provider.extend(&lease, options.at_most).await;
    owned(
        answer.map_err(|error| in_context(error, Operation::Extend, &provider, &lease))?,
        &options.name,
    )
}

/// Releases the lock of the token.
pub(crate) async fn unlock(options: &Unlock, store: &StoreOptions) -> Result<Exit, Failure> {
    let token = token(&options.token)?;
    let provider = provider(store).await?;
    // The length of a lease that is released plays no part.
    let lease = lease(&token, &provider, &options.name, Duration::from_secs(1))?;
    let held = SystemTime::now()
        .duration_since(token.acquired)
        .unwrap_or_default();
    let answer = provider
        .release(&lease, token.at_least.saturating_sub(held))
        .await;
    owned(
        answer.map_err(|error| in_context(error, Operation::Release, &provider, &lease))?,
        &options.name,
    )
}

type Limited = TimeoutLockProvider<std::sync::Arc<dyn store::Store>>;

async fn provider(options: &StoreOptions) -> Result<Limited, Failure> {
    Ok(TimeoutLockProvider::new(
        store::open(options).await?,
        LIMIT,
    )?)
}

fn lease(
    token: &Token,
    provider: &Limited,
    name: &str,
    at_most: Duration,
) -> Result<Lease, Failure> {
    let config = LockConfiguration::new(name, at_most)?.with_at_least(token.at_least)?;
    let request = AcquireRequest::resumed(config, provider.info().clock().boot(), &token.owner);
    let request = request.map_err(|_| token::malformed())?;
    Ok(request.grant(None))
}

fn in_context(
    error: LockError,
    operation: Operation,
    provider: &Limited,
    lease: &Lease,
) -> LockError {
    error.with_context(operation, provider.info().name(), Some(lease.name()))
}

fn owned(answer: Ownership, name: &str) -> Result<Exit, Failure> {
    match answer {
        Ownership::Ours => Ok(Exit::SUCCESS),
        Ownership::Lost => Err(Failure::new(
            Exit::LOST,
            format!(
                "`{}`: the lock is not the token's any more; its lease has ended, or an operator has released it",
                printable(name)
            ),
        )),
    }
}

fn token(options: &TokenOptions) -> Result<Token, Failure> {
    let text = match &options.token_file {
        Some(file) => read(file)?,
        None => env::var(TOKEN_VARIABLE).map_err(|error| match error {
            VarError::NotPresent => Failure::usage(
                "no token: set `SHEDLOCK_TOKEN` to what `shedlock lock` has printed, or give `--token-file`",
            ),
            VarError::NotUnicode(_) => token::malformed(),
        })?,
    };
    text.trim().parse()
}

fn read(file: &Path) -> Result<String, Failure> {
    input::read_file_or_stdin(file).map_err(|error| {
        Failure::usage(format!(
            "cannot read the token from `{}`: {error}",
            file.display()
        ))
    })
}
