//! Where the program's own connections come from.

use std::fmt;
use std::sync::Arc;

use tokio_postgres::Client;

use crate::connections::Source;
use crate::connections::client::HandedClient;
#[cfg(feature = "deadpool")]
use crate::connections::pool::TheirPool;

/// A connection that the program has already: a [`Client`], alone or in an `Arc`, or with the feature `deadpool` a
/// [`Pool`](https://docs.rs/deadpool-postgres/latest/deadpool_postgres/type.Pool.html).
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use shedlock_postgres::{PostgresLockProvider, PostgresSource};
/// use shedlock_postgres::tokio_postgres::Client;
///
/// fn locks(client: &Arc<Client>) -> PostgresLockProvider {
///     let source = PostgresSource::from(Arc::clone(client));
///     PostgresLockProvider::new(source) // or `new(Arc::clone(client))`
/// }
/// ```
pub struct PostgresSource(pub(crate) Source);

impl From<Client> for PostgresSource {
    fn from(client: Client) -> Self {
        Arc::new(client).into()
    }
}

impl From<Arc<Client>> for PostgresSource {
    fn from(client: Arc<Client>) -> Self {
        Self(Source::Client(Arc::new(HandedClient::new(client))))
    }
}

#[cfg(feature = "deadpool")]
impl From<deadpool_postgres::Pool> for PostgresSource {
    fn from(pool: deadpool_postgres::Pool) -> Self {
        Self(Source::Pool(TheirPool::new(pool)))
    }
}

impl fmt::Debug for PostgresSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresSource").field(&self.0).finish()
    }
}
