//! The log line about each request to a store. Its level is TRACE, and it has a target of its own, so that it can be enabled alone.

use std::borrow::Cow;
use std::time::Duration;

use tracing::trace;

use super::format::{Causes, millis, shown};
use super::store_call::Question;
use crate::values::error::LockError;

/// Logs `question` with its answer. The field `lock.provider` tells which provider was asked.
pub(super) fn answered(
    question: &Question<'_>,
    answer: &Result<Cow<'static, str>, &LockError>,
    took: Duration,
) {
    let failure = answer.as_ref().err().map(|error| error.kind().as_str());
    let text = match answer {
        Ok(words) => words.clone(),
        Err(error) => format!("{}{}", error.problem(), Causes(error)).into(),
    };
    trace!(
        name: "store.answered",
        target: "shedlock::provider",
        event = "store.answered",
        lock.name = %question.lock,
        lock.namespace = question.info.namespace().map(shown),
        lock.provider = question.info.name(),
        error.type = failure,
        elapsed_ms = millis(took),
        "{question}: {text}"
    );
}
