//! Schedules in time zones whose offset changes.
//!
//! The scheduler uses the offset that a zone has when the job is created, for as long as the job exists. After a clock change the job
//! would run one hour too early or too late, and a node that was started later would run the job at another hour than the other
//! nodes, so that the lock could not help. This module therefore sets the offset of the next tick at each tick.

use chrono::{DateTime, Offset as _, TimeZone, Timelike as _, Utc};
use croner::Cron;
use tokio_cron_scheduler::job::JobId;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use crate::error::JobError;

/// The schedule of a job: its ticks before and after an instant.
#[derive(Debug, Clone)]
pub(crate) struct Schedule(Cron);

impl Schedule {
    /// Reads `schedule` as the scheduler does: the scheduler itself parses the text, by means of a job that is never added.
    pub(crate) fn parse(schedule: &str) -> Result<Self, JobError> {
        let unreadable = || JobError::Schedule {
            schedule: schedule.to_owned(),
        };
        let cron = Job::new(schedule, |_id, _scheduler| {})
            .and_then(|mut job| job.job_data())
            .map_err(|_| unreadable())?
            .schedule()
            .ok_or_else(unreadable)?;
        Ok(Self(cron))
    }

    /// The first tick after `from`.
    pub(crate) fn next<Z: TimeZone>(&self, from: &DateTime<Z>) -> Option<DateTime<Z>> {
        self.0
            .find_next_occurrence(&whole_seconds(from)?, false)
            .ok()
    }

    /// The last tick that is not after `now`.
    pub(crate) fn last<Z: TimeZone>(&self, now: &DateTime<Z>) -> Option<DateTime<Z>> {
        self.0
            .find_previous_occurrence(&whole_seconds(now)?, true)
            .ok()
    }
}

/// Without this, the ticks would have the fraction of a second of the instant from which they were searched, which no two nodes share.
fn whole_seconds<Z: TimeZone>(instant: &DateTime<Z>) -> Option<DateTime<Z>> {
    instant.clone().with_nanosecond(0)
}

/// Sets the scheduler's offset for the job to the offset at `next`, which is the tick after the current tick.
///
/// The scheduler computes the job's next tick in a task of its own, before or after this call. Both access the stored data under one
/// mutex, so the one that comes second uses the right offset.
pub(crate) async fn follow<Z: TimeZone>(
    scheduler: &JobScheduler,
    job: JobId,
    now: DateTime<Utc>,
    next: DateTime<Z>,
) -> Result<(), JobSchedulerError> {
    let mut storage = scheduler.context.metadata_storage.write().await;
    let Some(mut data) = storage.get(job).await? else {
        return Ok(()); // It has been removed meanwhile.
    };
    let offset = next.offset().fix().local_minus_utc();
    let moved_on = data.next_tick_utc().is_some_and(|tick| tick > now);
    let at = u64::try_from(next.timestamp()).unwrap_or_default();
    if data.time_offset_seconds == offset && (!moved_on || data.next_tick == at) {
        return Ok(());
    }
    data.time_offset_seconds = offset;
    if moved_on {
        data.next_tick = at;
    }
    storage.add_or_update(data).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes that see a tick at any moment until the next one mean the same tick.
    #[test]
    fn the_last_tick_is_the_same_until_the_next_one() {
        let schedule = Schedule::parse("*/4 * * * * *").unwrap();
        let tick = Utc.timestamp_opt(1_700_000_000, 0).unwrap();
        let next = tick + chrono::TimeDelta::seconds(4);
        for millis in [0, 1, 499, 500, 999, 1000, 3999] {
            let seen = tick + chrono::TimeDelta::milliseconds(millis);
            assert_eq!(schedule.last(&seen), Some(tick), "{millis} ms after it");
            assert_eq!(schedule.next(&seen), Some(next), "{millis} ms after it");
        }
        assert_eq!(schedule.last(&next), Some(next));
    }
}
