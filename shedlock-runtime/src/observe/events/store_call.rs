//! One call to a store, with its time limit and its trace. The trace is a span, and one line on the target `shedlock::provider` with the
//! request, the answer and the time that the call took.

use std::borrow::Cow;
use std::fmt;
use std::pin::pin;
use std::time::Duration;

use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{Instrument as _, Span, debug_span};

use super::format::{Clause, shown};
use super::wire;
use crate::seam::answer::{Acquisition, Ownership};
use crate::seam::info::ProviderInfo;
use crate::values::error::{ErrorKind, LockError, Operation};
use crate::values::limit::{Call, limited};
use crate::values::name::LockName;
use crate::values::short_duration::short_duration;

/// A request to a store.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) operation: Operation,
    pub(crate) lock: &'a LockName,
    pub(crate) info: &'a ProviderInfo,
    /// The length of the lease that is asked for; `None` for a release.
    pub(crate) length: Option<Duration>,
}

/// An answer of a store, in words for log lines. No answer shows the random part of an owner.
pub(crate) trait Answer {
    fn in_words(&self, operation: Operation) -> Cow<'static, str>;

    /// The kind of the failure, if the answer is a failure. A release that finds the lock lost is not a failure.
    fn failure(&self, _operation: Operation) -> Option<ErrorKind> {
        None
    }
}

impl Question<'_> {
    /// Awaits `call` for at most `limit`. Makes a span and a line only if their levels are enabled.
    pub(crate) async fn ask<T: Answer>(
        self,
        limit: Duration,
        call: Call<'_, T>,
    ) -> Result<T, LockError> {
        let level = LevelFilter::current();
        if level < LevelFilter::DEBUG {
            return limited(limit, call).await;
        }
        let began = self.info.clock().boot();
        // The span lies in the call alone: a second handle would make every call's future larger.
        let mut traced = pin!(limited(limit, call).instrument(self.span()));
        let answer = traced.as_mut().await;
        let span = traced.span();
        let failure = match &answer {
            Ok(answer) => answer.failure(self.operation),
            Err(error) => Some(error.kind()),
        };
        if let Some(kind) = failure {
            span.record("error.type", kind.as_str());
        }
        if level >= LevelFilter::TRACE {
            let took = self.info.clock().boot().saturating_since(began);
            let said = answer
                .as_ref()
                .map(|answer| answer.in_words(self.operation));
            span.in_scope(|| wire::answered(&self, &said, took));
        }
        answer
    }

    fn span(&self) -> Span {
        macro_rules! span {
            ($name:literal) => {
                debug_span!(
                    target: "shedlock",
                    $name,
                    lock.name = %self.lock,
                    lock.namespace = self.info.namespace().map(shown),
                    lock.provider = self.info.name(),
                    otel.kind = "client",
                    error.type = Empty,
                )
            };
        }
        match self.operation {
            Operation::Acquire => span!("shedlock.acquire"),
            Operation::Extend => span!("shedlock.extend"),
            _ => span!("shedlock.release"),
        }
    }
}

impl fmt::Display for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = Clause(" for ", self.length.map(short_duration));
        write!(f, "{} `{}`{length}", self.operation, self.lock)
    }
}

impl Answer for Acquisition {
    fn in_words(&self, _operation: Operation) -> Cow<'static, str> {
        match self {
            Self::Granted(lease) => match lease.fencing_token() {
                Some(token) => format!("granted, token {token}").into(),
                None => "granted".into(),
            },
            Self::Refused(refusal) => {
                let node = Clause(" by ", refusal.node.as_deref());
                let left = Clause(" for ", refusal.remaining.map(short_duration));
                format!("refused: {}{node}{left}", refusal.reason).into()
            }
        }
    }
}

impl Answer for Ownership {
    fn in_words(&self, operation: Operation) -> Cow<'static, str> {
        match (self, operation) {
            (Self::Lost, _) => "not ours".into(),
            (Self::Ours, Operation::Extend) => "extended".into(),
            (Self::Ours, _) => "released".into(),
        }
    }

    fn failure(&self, operation: Operation) -> Option<ErrorKind> {
        let is_lost = *self == Self::Lost && operation == Operation::Extend;
        is_lost.then_some(ErrorKind::Lost)
    }
}
