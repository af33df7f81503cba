//! Schedules, and time zones that change their offset.
//!
//! The scheduler keeps the offset that a zone has when the job is made. After a clock change the job runs an hour off,
//! and a node that is started later runs it at another hour than the others, so that the lock cannot help. Here each
//! tick tells the scheduler the offset that the next one will have.

use chrono::{DateTime, Offset as _, TimeZone, Utc};
use tokio_cron_scheduler::job::JobId;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use crate::error::JobError;

/// The schedule as a function from an instant to the next tick after it.
pub(crate) fn next_tick<Z: TimeZone>(
    schedule: &str,
) -> Result<impl Fn(&DateTime<Z>) -> Option<DateTime<Z>> + Send + Sync + 'static + use<Z>, JobError>
{
    let unreadable = || JobError::Schedule {
        schedule: schedule.to_owned(),
    };
    // The scheduler's own reading of the text, by way of a job that is never added.
    let cron = Job::new(schedule, |_id, _scheduler| {})
        .and_then(|mut job| job.job_data())
        .map_err(|_| unreadable())?
        .schedule()
        .ok_or_else(unreadable)?;
    Ok(move |from: &DateTime<Z>| cron.find_next_occurrence(from, false).ok())
}

/// Tells the scheduler which offset holds at `next`, the tick after the one that has just begun.
///
/// The scheduler moves the job's tick on in a task of its own, before or after: both look at the stored data under one
/// lock, so whoever comes second has the right offset.
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
