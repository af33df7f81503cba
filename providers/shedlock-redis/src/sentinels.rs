//! Sentinels, which know the address of a primary.

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, RedisError, RedisResult,
    ServerErrorKind, Value,
};

/// The sentinels that watch over one primary.
pub(crate) struct Sentinels {
    pub(crate) members: Vec<Client>,
    /// The name of the primary, as the sentinels know it.
    pub(crate) name: String,
    /// Login and database of the primary.
    pub(crate) primary: Client,
}

impl Sentinels {
    /// Opens a connection to the server that is the primary now. All sentinels are asked at once, and each answer is followed: neither a
    /// sentinel that stands still nor one that has not heard of a failover hinders the others, however near it is.
    pub(crate) async fn open(
        &self,
        config: &AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        let opening = self.members.iter().map(|it| self.open_by(it, config));
        let mut opening: FuturesUnordered<_> = opening.collect();
        let mut failed = None;
        while let Some(opened) = opening.next().await {
            match opened {
                Ok(Some(connection)) => return Ok(connection),
                Ok(None) => failed = Some(unknown()),
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        Err(failed.unwrap_or_else(unknown))
    }

    /// Opens a connection to the server that this sentinel names, if that server is a primary; `None` if the sentinel does not know the
    /// primary.
    async fn open_by(
        &self,
        sentinel: &Client,
        config: &AsyncConnectionConfig,
    ) -> RedisResult<Option<MultiplexedConnection>> {
        let mut asked = sentinel
            .get_multiplexed_async_connection_with_config(config)
            .await?;
        let mut address = redis::cmd("SENTINEL");
        address.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        let address: Option<(String, u16)> = address.query_async(&mut asked).await?;
        let Some((host, port)) = address else {
            return Ok(None);
        };
        let primary = at(&self.primary, host, port)?;
        let connection = primary.get_multiplexed_async_connection_with_config(config);
        let mut connection = connection.await?;
        must_be_primary(&mut connection).await?;
        Ok(Some(connection))
    }
}

/// Asks the server itself, because a sentinel that has not heard of a failover names the old primary.
///
/// # Errors
///
/// The error with which a replica refuses writes, if the server says that it is no primary.
async fn must_be_primary(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let role = redis::cmd("ROLE").query_async(connection).await;
    // Not read as `redis::Role`, which has no room for the offset -1 of a replica that has lost its primary.
    match role.map(|told: Vec<Value>| told.into_iter().next()) {
        Ok(Some(Value::BulkString(role))) if role == b"master" => Ok(()),
        Ok(_other) => {
            let kind = ErrorKind::Server(ServerErrorKind::ReadOnly);
            Err((kind, "the server that a sentinel names is no primary").into())
        }
        // A user without this right is let in, as the sentinel says: a replica refuses the first write.
        Err(error) if error.code() == Some("NOPERM") => Ok(()),
        Err(error) => Err(error),
    }
}

fn unknown() -> RedisError {
    let problem = "no sentinel knows the primary";
    (ErrorKind::MasterNameNotFoundBySentinel, problem).into()
}

/// A client like `client` of another server.
pub(crate) fn at(client: &Client, host: String, port: u16) -> RedisResult<Client> {
    let info = client.get_connection_info().clone();
    let address = match info.addr().clone() {
        ConnectionAddr::TcpTls {
            insecure,
            tls_params,
            ..
        } => ConnectionAddr::TcpTls {
            host,
            port,
            insecure,
            tls_params,
        },
        _ => ConnectionAddr::Tcp(host, port),
    };
    Client::open(info.set_addr(address))
}
