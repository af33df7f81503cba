//! Schedules in time zones whose offset changes.
//!
//! The scheduler uses the offset that a zone has when the job is created, for as long as the job exists. After a clock change the job
//! would run one hour too early or too late, and a node that was started later would run the job at another hour than the other
//! nodes, so that the lock could not help. This module therefore sets the offset of the next tick at each tick.

use chrono::{DateTime, Offset as _, TimeZone, Utc};
use tokio_cron_scheduler::job::JobId;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use crate::error::JobError;

/// The schedule as a function from an instant to the next tick after that instant.
pub(crate) fn next_tick<Z: TimeZone>(
    schedule: &str,
) -> Result<impl Fn(&DateTime<Z>) -> Option<DateTime<Z>> + Send + Sync + 'static + use<Z>, JobError>
{
    let unreadable = || JobError::Schedule {
        schedule: schedule.to_owned(),
    };
    // The scheduler itself parses the text, by means of a job that is never added.
    let cron = Job::new(schedule, |_id, _scheduler| {})
        .and_then(|mut job| job.job_data())
        .map_err(|_| unreadable())?
        .schedule()
        .ok_or_else(unreadable)?;
    Ok(move |from: &DateTime<Z>| cron.find_next_occurrence(from, false).ok())
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
