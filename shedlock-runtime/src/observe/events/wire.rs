//! The line about each question to a store: TRACE, on the target `shedlock::provider::<name>`.

use std::borrow::Cow;
use std::time::Duration;

use tracing::trace;

use super::format::{Causes, millis, shown};
use super::store_call::Question;
use crate::values::error::LockError;

/// Says what came of `question`.
///
/// `tracing` wants targets that the compiler knows, so the names of our providers are listed here; those of others share
/// `other`, and the field `lock.provider` tells them apart.
pub(super) fn answered(
    question: &Question<'_>,
    answer: &Result<Cow<'static, str>, &LockError>,
    took: Duration,
) {
    let provider = question.info.name();
    let failure = answer.as_ref().err().map(|error| error.kind().as_str());
    let text = match answer {
        Ok(words) => words.clone(),
        Err(error) => format!("{}{}", error.problem(), Causes(error)).into(),
    };
    macro_rules! line {
        ($($name:literal),+) => {
            match provider {
                $($name => line!(target: concat!("shedlock::provider::", $name)),)+
                _ => line!(target: "shedlock::provider::other"),
            }
        };
        (target: $target:expr) => {
            trace!(
                name: "store.answered",
                target: $target,
                event = "store.answered",
                lock.name = %question.lock,
                lock.namespace = question.info.namespace().map(shown),
                lock.provider = provider,
                error.type = failure,
                elapsed_ms = millis(took),
                "{question}: {text}"
            )
        };
    }
    line!("memory", "mysql", "postgres", "sqlite");
}
