//! What a shutdown does to a held lock.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::LockState;
use crate::hold::running::{self, Registration, ShutdownTarget};
use crate::observe::events;
use crate::values::name::LockName;
use crate::values::outcome::RunOutcome;

impl LockState {
    /// Lets a shutdown find this lock.
    pub(crate) fn register(self: &Arc<Self>) {
        self.registration.get_or_init(|| {
            let this = Arc::downgrade(self);
            Registration::new(this)
        });
        // A shutdown that has already ended all registered locks did not find this lock.
        if running::is_cancelling() {
            self.shut_down();
        }
    }
}

impl ShutdownTarget for LockState {
    fn is_awaited(&self) -> bool {
        self.ticket.is_awaited()
    }

    fn shut_down(&self) -> bool {
        let shut_down = self.state.shut_down();
        if shut_down.from.is_left_alone() {
            self.ticket.detach();
            return false;
        }
        self.announce_end(shut_down);
        // Even if the lease had ended before: a body that continues without its lock must end as well.
        self.gate.wake();
        !shut_down.from.is_shut_down() && shut_down.from.goes_on()
    }

    fn release(self: Arc<Self>) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        let state = self.snapshot();
        if state.body().is_some() {
            return None;
        }
        if state.is_left_alone() {
            self.ticket.detach();
            return None;
        }
        self.enter_in_history(RunOutcome::ShutDown, None);
        Some(Box::pin(async move {
            if let Err(error) = self.release_once().await {
                events::release_failed(&*self, self.taken_for(), &error);
            }
        }))
    }

    fn report_abandoned(&self) -> LockName {
        let why = "it was not over in time for the shutdown";
        events::abandoned(&self.subject, why, self.taken_for());
        self.name().clone()
    }
}
