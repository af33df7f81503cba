//! A request that arrives late, while everything else passes.

use std::sync::Arc;

use tokio::sync::watch;

/// A request that a proxy holds back, or will hold back once the client sends it; see [`Proxy::hold_back`](crate::Proxy::hold_back).
///
/// If the `LateRequest` is dropped before the request was sent, the request is not held back. If it is dropped later, the request never arrives.
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

/// The proxy's side of it.
#[derive(Debug)]
pub(super) struct Late {
    stage: Arc<watch::Sender<Stage>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not sent yet.
    Awaited,
    /// Its handle was dropped before it was sent.
    GivenUp,
    HeldBack,
    /// On its way to the server.
    Released,
    Answered,
    /// The connection ended first.
    Lost,
}

/// A pair of handles of one request.
pub(super) fn request() -> (LateRequest, Late) {
    let stage = Arc::new(watch::Sender::new(Stage::Awaited));
    let late = Late {
        stage: Arc::clone(&stage),
    };
    (LateRequest { stage }, late)
}

impl LateRequest {
    /// Waits until the request was sent and is held back. Bound it by a timeout.
    pub async fn sent(&self) {
        self.reached(|stage| !matches!(stage, Stage::Awaited)).await;
    }

    /// Delivers the request once it was sent, also if its sender has gone, and waits for what comes of it: true once the server
    /// has answered, false if it has hung up instead, or the connection was ended. Bound it by a timeout.
    ///
    /// The rule of the moment applies to the request and to its answer.
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

    /// Says that it is held back, and gives what ends when it is released.
    pub(super) fn hold_back(&self) -> impl Future<Output = ()> + use<> {
        self.stage.send_replace(Stage::HeldBack);
        let mut stage = self.stage.subscribe();
        async move {
            if stage
                .wait_for(|stage| *stage == Stage::Released)
                .await
                .is_err()
            {
                // Nobody is left who could release it.
                std::future::pending::<()>().await;
            }
        }
    }

    /// The server has spoken after its release, or has hung up.
    pub(super) fn answered(&self, spoke: bool) {
        self.stage.send_if_modified(|stage| {
            let awaits = *stage == Stage::Released;
            if awaits {
                *stage = if spoke { Stage::Answered } else { Stage::Lost };
            }
            awaits
        });
    }

    /// The connection has ended.
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
