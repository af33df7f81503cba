//! A request that a proxy holds back and delivers later, while all other traffic passes.

use std::sync::Arc;

use tokio::sync::watch;

/// A request that a proxy holds back, or will hold back once the client sends the request; made by
/// [`Proxy::hold_back`](crate::Proxy::hold_back).
///
/// If the `LateRequest` is dropped before the client sends the request, the request is not held back. If the `LateRequest` is dropped
/// later, the request never arrives.
///
/// # Examples
///
/// ```no_run
/// use shedlock_testkit::Proxy;
/// use shedlock_testkit::proxy::Trigger;
///
/// # async fn test(proxy: Proxy) {
/// let late = proxy.hold_back(Trigger::containing("mail"));
/// // Start an acquisition of the lock `mail` through the proxy.
/// late.sent().await;
/// // Do what the late request must not undo.
/// assert!(late.deliver().await, "the server has answered");
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a request that nobody delivers is lost"]
pub struct LateRequest {
    stage: Arc<watch::Sender<Stage>>,
}

/// The proxy's handle of a late request.
#[derive(Debug)]
pub(super) struct Late {
    stage: Arc<watch::Sender<Stage>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The client has not sent the request yet.
    Awaited,
    /// The handle of the request was dropped before the client sent the request.
    GivenUp,
    HeldBack,
    /// The request is on its way to the server.
    Released,
    Answered,
    /// The connection ended before the server answered.
    Lost,
}

/// Makes the two handles of one request.
pub(super) fn request() -> (LateRequest, Late) {
    let stage = Arc::new(watch::Sender::new(Stage::Awaited));
    let late = Late {
        stage: Arc::clone(&stage),
    };
    (LateRequest { stage }, late)
}

impl LateRequest {
    /// Waits until the client has sent the request and the proxy holds the request back. Otherwise, waits forever: limit the call with a
    /// timeout.
    pub async fn sent(&self) {
        self.reached(|stage| !matches!(stage, Stage::Awaited)).await;
    }

    /// Waits until the client has sent the request, delivers the request even if the client has disconnected, and waits for the outcome.
    /// Returns true if the server has answered, and false if the connection ended without an answer. Limit the call with a timeout.
    ///
    /// The current rule of the proxy applies to the request and to its answer.
    pub async fn deliver(self) -> bool {
        self.sent().await;
        self.stage.send_if_modified(|stage| {
            let held_back = *stage == Stage::HeldBack;
            if held_back {
                *stage = Stage::Released;
            }
            held_back
        });
        let end = self.reached(|stage| matches!(stage, Stage::Answered | Stage::Lost));
        end.await == Stage::Answered
    }

    async fn reached(&self, wanted: impl Fn(Stage) -> bool) -> Stage {
        let mut stage = self.stage.subscribe();
        match stage.wait_for(|stage| wanted(*stage)).await {
            Ok(stage) => *stage,
            Err(_closed) => unreachable!("we hold a sender"),
        }
    }
}

impl Drop for LateRequest {
    fn drop(&mut self) {
        self.stage.send_if_modified(|stage| {
            let awaited = *stage == Stage::Awaited;
            if awaited {
                *stage = Stage::GivenUp;
            }
            awaited
        });
    }
}

impl Late {
    pub(super) fn is_given_up(&self) -> bool {
        *self.stage.borrow() == Stage::GivenUp
    }

    /// Records that the request is held back, and returns a future that ends when the request is released.
    pub(super) fn hold_back(&self) -> impl Future<Output = ()> + use<> {
        self.stage.send_replace(Stage::HeldBack);
        let mut stage = self.stage.subscribe();
        async move {
            if stage
                .wait_for(|stage| *stage == Stage::Released)
                .await
                .is_err()
            {
                // The handle is gone, so the request cannot be released any more.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Records that the server has answered the released request, or has closed the connection.
    pub(super) fn answered(&self, spoke: bool) {
        self.stage.send_if_modified(|stage| {
            let awaits = *stage == Stage::Released;
            if awaits {
                *stage = if spoke { Stage::Answered } else { Stage::Lost };
            }
            awaits
        });
    }

    /// Records that the connection has ended.
    pub(super) fn lost(&self) {
        self.stage.send_if_modified(|stage| {
            let awaits = matches!(stage, Stage::HeldBack | Stage::Released);
            if awaits {
                *stage = Stage::Lost;
            }
            awaits
        });
    }
}
