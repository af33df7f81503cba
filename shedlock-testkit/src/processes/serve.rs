//! The child process: a node that carries out the requests of its parent.

use std::collections::HashMap;
use std::env;
use std::io::{self, Write as _};
use std::path::Path;
use std::str::SplitTerminator;
use std::sync::Arc;
use std::time::Duration;

use shedlock_runtime::{
    ErrorKind, Lock, LockConfiguration, LockError, LockProvider, LockProviderExt as _,
    LockingTaskExecutor, Outcome, Ownership,
};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{ADDRESS, MARK, NODE};

/// The error message of a child for its parent.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Turns this process into a node that carries out the requests of its parent until the parent ends. Does nothing if the parent did not
/// start this process as a node.
///
/// `connect` makes the provider from the address of the store and the name of the node.
///
/// # Panics
///
/// If the async runtime cannot be started.
pub fn serve<F: Future<Output = Arc<dyn LockProvider>>>(connect: impl FnOnce(String, String) -> F) {
    let (Ok(address), Ok(node)) = (env::var(ADDRESS), env::var(NODE)) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.expect("a process can have a runtime");
    let served = runtime.block_on(async {
        let provider = connect(address, node).await;
        // Connects first, so that no test measures the time to make a connection.
        warm_up(&provider).await?;
        answer("ready")?;
        Node {
            provider,
            locks: HashMap::new(),
        }
        .obey()
        .await
    });
    if let Err(failure) = served {
        // If the parent has ended, no one reads the error.
        let _gone = answer(&format!("failed: {failure}"));
    }
    // Requests are read on a separate thread, which waits for the next request.
    runtime.shutdown_background();
}

async fn warm_up(provider: &Arc<dyn LockProvider>) -> Result<(), Failure> {
    let name = format!("warm-up-{:016x}", fastrand::u64(..));
    if let Some(lock) = provider
        .try_lock(LockConfiguration::new(name, "1m")?)
        .await?
    {
        lock.unlock().await?;
    }
    Ok(())
}

fn answer(text: &str) -> io::Result<()> {
    // The test harness may have printed part of a line before. Each answer is one line.
    let line = format!("\n{MARK}{}\n", text.replace(['\n', '\r'], " "));
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.flush()
}

struct Node {
    provider: Arc<dyn LockProvider>,
    locks: HashMap<String, Lock>,
}

impl Node {
    async fn obey(mut self) -> Result<(), Failure> {
        let mut orders = BufReader::new(tokio::io::stdin()).lines();
        while let Some(order) = orders.next_line().await? {
            let mut words = order.split_terminator('\t');
            let done = self.carry_out(&mut words).await;
            answer(
                done.unwrap_or_else(|failure| format!("failed: {failure}"))
                    .as_str(),
            )?;
        }
        Ok(())
    }

    async fn carry_out(
        &mut self,
        words: &mut SplitTerminator<'_, char>,
    ) -> Result<String, Failure> {
        let verb = word(words)?;
        let name = word(words)?;
        Ok(match verb {
            "lock" => {
                let config = LockConfiguration::new(name, duration(words)?)?
                    .with_at_least(duration(words)?)?;
                match self.provider.try_lock(config).await? {
                    Some(lock) => {
                        self.locks.insert(name.to_owned(), lock);
                        "granted"
                    }
                    None => "held",
                }
            }
            "extend" => {
                let lock = self.locks.get_mut(name).ok_or("there is no such guard")?;
                match lock.extend(duration(words)?, Duration::ZERO).await {
                    Ok(()) => "extended",
                    Err(error) if error.kind() == ErrorKind::Lost => "lost",
                    Err(error) => return Err(error.into()),
                }
            }
            "unlock" => match self
                .locks
                .remove(name)
                .ok_or("there is no such guard")?
                .unlock()
                .await?
            {
                Ownership::Ours => "released",
                Ownership::Lost => "lost",
            },
            "contend" => {
                let times = word(words)?.parse()?;
                self.contend(name, times, Path::new(word(words)?)).await?;
                "done"
            }
            other => return Err(format!("there is no order `{other}`").into()),
        }
        .to_owned())
    }

    async fn contend(&self, name: &str, times: u32, counter: &Path) -> Result<(), Failure> {
        let executor = LockingTaskExecutor::new(Arc::clone(&self.provider));
        let mut done = 0;
        while done < times {
            let config = LockConfiguration::new(name, "10m")
                .and_then(|config| config.with_at_least("2ms"))?;
            let outcome: Result<Outcome<io::Result<()>>, LockError> =
                executor.execute(config, count(counter)).await;
            match outcome {
                Ok(Outcome::Executed(ran)) => {
                    ran?;
                    done += 1;
                    continue;
                }
                Ok(Outcome::Skipped(_)) => {}
                // Not every store is fair to waiting nodes (SQLite is not), and a call without an answer is not a grant.
                Err(error) if error.is_transient() => {}
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(Duration::from_millis(fastrand::u64(1..6))).await;
        }
        Ok(())
    }
}

/// Reads the number in the file and writes the number plus one, after a pause in which another process could interfere.
async fn count(counter: &Path) -> io::Result<()> {
    // A process that reads while another process writes may read an empty file.
    let overlap =
        |_nothing| io::Error::other("two bodies overlapped: one reads while another writes");
    let seen: u64 = std::fs::read_to_string(counter)?.parse().map_err(overlap)?;
    tokio::time::sleep(Duration::from_millis(1)).await;
    std::fs::write(counter, (seen + 1).to_string())
}

fn word<'a>(words: &mut SplitTerminator<'a, char>) -> Result<&'a str, Failure> {
    words
        .next()
        .ok_or_else(|| "the order ends too early".into())
}

fn duration(words: &mut SplitTerminator<'_, char>) -> Result<Duration, Failure> {
    Ok(Duration::from_nanos(word(words)?.parse()?))
}
