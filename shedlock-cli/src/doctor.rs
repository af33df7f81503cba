//! `shedlock doctor`: asks the store all that can go wrong with it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use shedlock_runtime::{
    Expiry, Fencing, LockAdmin as _, LockConfiguration, LockError, LockProviderExt as _, Ownership,
    printable, short_duration,
};

use crate::args::{Doctor, StoreOptions};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::store::{self, Store};

/// A clock that differs by more makes nodes wait for, or take over, what they should not.
const MOST_SKEW: Duration = Duration::from_secs(1);
/// A store that is further away makes every run late.
const SLOW: Duration = Duration::from_millis(250);
/// How long the trial's lock is taken if the trial is cut off.
const TRIAL: Duration = Duration::from_secs(30);
/// More records than this are names made of data that nobody deletes.
const MANY: usize = 10_000;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warning,
    Error,
}

/// What one look at the store has found.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    level: Level,
    detail: String,
}

/// All findings, and the exit code of the first error among them.
#[derive(Debug, Default)]
struct Findings {
    all: Vec<Finding>,
    exit: Option<Exit>,
}

/// Examines the store. Warnings are no failure.
pub(crate) async fn doctor(options: &Doctor, store: &StoreOptions) -> Result<Exit, Failure> {
    let mut findings = Findings::default();
    match store::open(store).await {
        Ok(store) => examine(&store, options, &mut findings).await,
        Err(failure) => findings.failed("connection", &failure),
    }
    let mut text = String::new();
    for finding in &findings.all {
        text.push_str(&line(finding, options.json)?);
    }
    output::print(&text)?;
    Ok(findings.exit.unwrap_or(Exit::SUCCESS))
}

fn line(finding: &Finding, json: bool) -> Result<String, Failure> {
    if json {
        let json = serde_json::to_string(finding);
        let json = json.map_err(|error| Failure::internal(error.to_string()))?;
        return Ok(format!("{json}\n"));
    }
    let word = match finding.level {
        Level::Ok => "ok",
        Level::Warning => "warning",
        Level::Error => "ERROR",
    };
    Ok(format!(
        "{word:<8} {:<11} {}\n",
        finding.check,
        printable(&finding.detail)
    ))
}

async fn examine(store: &Arc<dyn Store>, options: &Doctor, findings: &mut Findings) {
    // The first question connects; the second one shows how far the store is away.
    if let Err(error) = store.get(&options.name).await {
        // A missing table is no matter of the connection: the schema's check says what to do.
        let is_schema = Exit::CONFIGURATION == Failure::from(error.clone()).exit();
        if !is_schema {
            findings.failed("connection", &error.into());
            return;
        }
    } else {
        round_trip(&**store, options, findings).await;
    }
    schema(&**store, findings).await;
    if findings.exit.is_some() {
        return;
    }
    guarantees(&**store, findings);
    records(&**store, findings).await;
    if !options.read_only {
        trial(store, options, findings).await;
    }
}

async fn round_trip(store: &dyn Store, options: &Doctor, findings: &mut Findings) {
    let sent = Instant::now();
    if let Err(error) = store.get(&options.name).await {
        findings.failed("connection", &error.into());
        return;
    }
    let took = sent.elapsed();
    let name = store.info().name();
    let shown = short_duration(took);
    if took > SLOW {
        findings.warn("connection", format!("{name} answers after {shown}: each lock waits for that; look at the network and at the load"));
    } else {
        findings.ok("connection", format!("{name} answers after {shown}"));
    }
}

async fn schema(store: &dyn Store, findings: &mut Findings) {
    match store.inspect().await {
        Ok(warnings) if warnings.is_empty() => findings.ok("schema", "as locks need it"),
        Ok(warnings) => warnings
            .into_iter()
            .for_each(|warning| findings.warn("schema", warning)),
        Err(error) => findings.failed("schema", &error.into()),
    }
}

fn guarantees(store: &dyn Store, findings: &mut Findings) {
    let can = store.info().capabilities();
    match can.expiry() {
        Expiry::ByClientClock => findings.warn(
            "clock",
            "the clocks of the nodes decide when a lease ends: keep them in step by NTP, and leases longer than they differ",
        ),
        Expiry::ByStore => findings.ok("clock", "the store itself ends a lease"),
        Expiry::ByObservation => findings.ok(
            "clock",
            "no clocks are compared: give `--wait` longer than the lease, or a dead holder's lock stays taken",
        ),
        _ => {}
    }
    match can.fencing() {
        Fencing::Always => findings.ok("fencing", "the store keeps fencing tokens"),
        Fencing::None => findings.warn(
            "fencing",
            "no fencing tokens: a resource cannot refuse the writes of a holder that has lost its lock",
        ),
        _ => findings.warn("fencing", "the store forgets fencing tokens when it is restarted or its records are deleted"),
    }
}

async fn records(store: &dyn Store, findings: &mut Findings) {
    match store.list().await {
        Ok(locks) => {
            for lock in locks.iter().filter(|lock| lock.problem.is_some()) {
                findings.warn("records", lock.to_string());
            }
            if locks.len() > MANY {
                findings.warn(
                    "records",
                    format!(
                        "{} locks: delete those of names that are not used any more",
                        locks.len()
                    ),
                );
            }
            let held = locks.iter().filter(|lock| lock.is_held()).count();
            findings.ok(
                "records",
                format!("{} locks, {held} of them taken", locks.len()),
            );
        }
        Err(error) => findings.failed("records", &error.into()),
    }
}

/// Takes, extends and releases a lock, and compares the clocks meanwhile.
async fn trial(store: &Arc<dyn Store>, options: &Doctor, findings: &mut Findings) {
    match try_out(store, options, findings).await {
        Ok(Some(Ownership::Ours)) => {
            findings.ok("trial", "a lock was taken, extended and released");
        }
        Ok(Some(Ownership::Lost)) => findings.error(
            "trial",
            Exit::CONFIGURATION,
            "the store has forgotten a lock that was just taken",
        ),
        Ok(None) => findings.warn(
            "trial",
            format!(
                "`{}` is held by somebody else: nothing was tried out",
                options.name
            ),
        ),
        Err(error) => findings.failed("trial", &error.into()),
    }
}

async fn try_out(
    store: &Arc<dyn Store>,
    options: &Doctor,
    findings: &mut Findings,
) -> Result<Option<Ownership>, LockError> {
    let config = LockConfiguration::new(&options.name, TRIAL)?;
    let sent = SystemTime::now();
    let Some(mut lock) = store.try_lock(config).await? else {
        return Ok(None);
    };
    let answered = SystemTime::now();
    if store.as_ref().info().capabilities().expiry() == Expiry::ByStoreClock
        && let Some(since) = store.get(&options.name).await?.and_then(|lock| lock.since)
    {
        compare_clocks(since, sent, answered, findings);
    }
    lock.extend(TRIAL, Duration::ZERO).await?;
    lock.unlock().await.map(Some)
}

/// The store dated its record between the question and the answer, if the clocks are in step.
fn compare_clocks(
    dated: SystemTime,
    sent: SystemTime,
    answered: SystemTime,
    findings: &mut Findings,
) {
    let ahead = dated.duration_since(answered).unwrap_or_default();
    let behind = sent.duration_since(dated).unwrap_or_default();
    let skew = ahead.max(behind);
    let shown = short_duration(skew);
    if skew > MOST_SKEW {
        let which = if ahead > behind { "ahead of" } else { "behind" };
        findings.warn(
            "clock",
            format!("the store's clock is {shown} {which} this machine's: locks are safe, but schedules and times shown differ; use NTP, and look at the time zone of the session"),
        );
    } else {
        findings.ok(
            "clock",
            "the store's clock decides, and this machine's is in step",
        );
    }
}

impl Findings {
    fn ok(&mut self, check: &'static str, detail: impl Into<String>) {
        self.all.push(Finding {
            check,
            level: Level::Ok,
            detail: detail.into(),
        });
    }

    fn warn(&mut self, check: &'static str, detail: impl Into<String>) {
        self.all.push(Finding {
            check,
            level: Level::Warning,
            detail: detail.into(),
        });
    }

    fn error(&mut self, check: &'static str, exit: Exit, detail: impl Into<String>) {
        self.exit.get_or_insert(exit);
        self.all.push(Finding {
            check,
            level: Level::Error,
            detail: detail.into(),
        });
    }

    fn failed(&mut self, check: &'static str, failure: &Failure) {
        self.error(check, failure.exit(), failure.message());
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn clocks_are_compared_within_what_the_round_trip_leaves_open() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let found = |dated| {
            let mut findings = Findings::default();
            compare_clocks(at(dated), at(1000), at(1002), &mut findings);
            let finding = findings.all.pop().unwrap();
            (finding.level, finding.detail)
        };
        for dated in [999, 1000, 1002, 1003] {
            assert_eq!(found(dated).0, Level::Ok, "{dated}");
        }
        assert!(found(997).1.contains("3s behind"), "{:?}", found(997));
        assert!(found(4602).1.contains("1h ahead of"), "{:?}", found(4602));
    }
}
