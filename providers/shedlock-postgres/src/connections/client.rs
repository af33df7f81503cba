//! A client of the program, whose connection the program opens, drives and closes.

use std::sync::Arc;

use tokio_postgres::Client;

use crate::session::Prepared;

/// A client of the program.
pub(crate) struct HandedClient {
    client: Arc<Client>,
    prepared: Prepared,
}

impl HandedClient {
    pub(crate) fn new(client: Arc<Client>) -> Self {
        Self {
            client,
            prepared: Prepared::default(),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// Prepares the statements anew, which were prepared for a table as it was.
    pub(super) fn forget_statements(&self) {
        self.prepared.clear();
    }
}
