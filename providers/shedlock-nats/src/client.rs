//! The client that all calls share: one of the program, or one that the provider has made and can replace.

use std::future::Future;
use std::sync::Arc;

use async_nats::Client;
use shedlock_runtime::{LockError, RuntimeWatch};
use tokio::sync::OnceCell;

/// A client, once there is one. Clones share the client.
#[derive(Clone, Default)]
pub(crate) struct SharedClient(Arc<OnceCell<Open>>);

struct Open {
    client: Client,
    /// The runtime on which the client's own task runs. `None` for a client of the program.
    runtime: Option<RuntimeWatch>,
}

impl SharedClient {
    pub(crate) fn given(client: Client) -> Self {
        let runtime = None;
        let open = Open { client, runtime };
        Self(Arc::new(OnceCell::new_with(Some(open))))
    }

    /// Returns the client. The first call makes it by `connect`.
    pub(crate) async fn or_connect<F>(
        &self,
        connect: impl FnOnce() -> F,
    ) -> Result<Client, LockError>
    where
        F: Future<Output = Result<Client, LockError>>,
    {
        let open = async || {
            let client = connect().await?;
            let runtime = Some(RuntimeWatch::current());
            Ok::<_, LockError>(Open { client, runtime })
        };
        let open = match self.0.get() {
            Some(open) => open,
            // Boxed, because this rare future would make the future of every call larger.
            None => Box::pin(self.0.get_or_try_init(open)).await?,
        };
        Ok(open.client.clone())
    }

    /// Whether the runtime has ended on which the provider made the client. Nobody reads the client's connection then.
    pub(crate) fn has_ended(&self) -> bool {
        let runtime = self.0.get().and_then(|open| open.runtime.as_ref());
        runtime.is_some_and(RuntimeWatch::has_ended)
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
