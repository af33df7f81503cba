//! The servers of a cluster: which of them has the slot of a lock, as they tell themselves.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Client, FromRedisValue, RedisError, Value};

use crate::connection::{Connection, Failure, Reply, Request, Server};
use crate::error;
use crate::keys;
use crate::script::Run;
use crate::sentinels;

/// How many servers one call asks. With a cluster that has just moved a slot, the second one answers.
const MOST_ASKED: usize = 6;

/// `host:port`, as servers write it in `MOVED` and `ASK`.
type Address = String;

/// A connection to each server of a cluster that was asked so far.
pub(crate) struct Cluster {
    seeds: Vec<Client>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    servers: BTreeMap<Address, Arc<Connection>>,
    /// The server of each slot that was asked for. There are 16,384 slots.
    slots: HashMap<u16, Address>,
}

/// The server that a call asks next.
struct Next {
    address: Address,
    is_import: bool,
}

impl Next {
    fn at(address: Address) -> Self {
        Self {
            address,
            is_import: false,
        }
    }
}

impl Cluster {
    /// The cluster of the servers `seeds`, which are one or more.
    pub(crate) fn new(seeds: Vec<Client>) -> Self {
        Self {
            seeds,
            known: Mutex::default(),
        }
    }

    /// Opens a connection to one of the servers. Another one is tried after the time `part`.
    pub(crate) async fn connect(&self, part: Duration) -> Result<(), Failure> {
        let mut tried = Vec::new();
        let mut failed = Failure::Unreachable(error::no_server());
        while let Some(Next { address, .. }) = self.other(&tried) {
            let connection = self.connection(&address).map_err(Failure::Unreachable)?;
            let connected = tokio::time::timeout(part, connection.connect()).await;
            match connected.unwrap_or(Err(Failure::Silent(part))) {
                Ok(()) => return Ok(()),
                Err(failure) => failed = failure,
            }
            tried.push(address);
        }
        Err(failed)
    }

    /// Runs a script on the server that has the slot of the lock. Any server tells which one this is. A server that cannot be reached is asked
    /// for no longer than twice `part`: then another server tells whether the slot has moved.
    pub(crate) async fn ask<T: FromRedisValue>(
        &self,
        run: &Run,
        part: Duration,
    ) -> Result<Reply<T>, Failure> {
        let slot = keys::slot_of(&run.lock_key);
        let (mut unsure, mut failed, mut tried) = (None, None, Vec::new());
        let mut next = self.known().slots.get(&slot).cloned().map(Next::at);
        for _ in 0..MOST_ASKED {
            let Some(Next { address, is_import }) = next.take().or_else(|| self.other(&tried))
            else {
                break;
            };
            if tried.contains(&address) {
                break;
            }
            let request = if is_import {
                Request::ScriptForImport(run)
            } else {
                Request::Script(run)
            };
            match self.ask_one(&address, request, part).await {
                Ok(reply) => {
                    if !is_import {
                        self.known().slots.insert(slot, address);
                    }
                    return Ok(Reply {
                        is_in_doubt: reply.is_in_doubt || unsure.is_some(),
                        ..reply
                    });
                }
                Err(Failure::Failed(error)) if error.code().is_some() => {
                    next = redirected(&error, &address);
                    if next.is_none() {
                        return Err(Failure::Failed(error).after(unsure));
                    }
                    self.known().slots.remove(&slot);
                }
                Err(failure) => {
                    self.forget(&address);
                    tried.push(address);
                    match failure {
                        Failure::Unreachable(_) => failed = Some(failure),
                        in_doubt => unsure = Some(in_doubt.after(unsure)),
                    }
                }
            }
        }
        match failed {
            Some(failed) => Err(failed.after(unsure)),
            None => Err(unsure.unwrap_or_else(|| Failure::Unreachable(error::no_server()))),
        }
    }

    async fn ask_one<T: FromRedisValue>(
        &self,
        address: &str,
        request: Request<'_>,
        part: Duration,
    ) -> Result<Reply<T>, Failure> {
        let limit = part * 2;
        let connection = self.connection(address).map_err(Failure::Unreachable)?;
        let asked = tokio::time::timeout(limit, connection.ask(request, part));
        asked.await.unwrap_or(Err(Failure::Silent(limit)))
    }

    /// A connection to each server that has slots.
    pub(crate) async fn primaries(&self, part: Duration) -> Result<Vec<Arc<Connection>>, Failure> {
        let (mut slots, mut tried) = (redis::cmd("CLUSTER"), Vec::new());
        slots.arg("SLOTS");
        let mut failed = Failure::Unreachable(error::no_server());
        while let Some(Next { address, .. }) = self.other(&tried) {
            let asked = self.ask_one(&address, Request::Command(&slots), part).await;
            match asked.map(|reply: Reply<Vec<Vec<Value>>>| reply.answer) {
                Ok(slots) => return self.of_slots(&slots, &address),
                Err(failure) => failed = failure,
            }
            tried.push(address);
        }
        Err(failed)
    }

    /// The servers in the answer of the server `asked` to `CLUSTER SLOTS`.
    fn of_slots(&self, slots: &[Vec<Value>], asked: &str) -> Result<Vec<Arc<Connection>>, Failure> {
        let mut addresses: Vec<Address> = slots
            .iter()
            .filter_map(|range| primary(range, asked))
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        let connections = addresses.iter().map(|address| self.connection(address));
        connections
            .collect::<Result<_, _>>()
            .map_err(Failure::Unreachable)
    }

    /// A server that is not in `tried`.
    fn other(&self, tried: &[Address]) -> Option<Next> {
        let seeds = self
            .seeds
            .iter()
            .map(|seed| seed.get_connection_info().addr().to_string());
        let known: Vec<_> = self.known().servers.keys().cloned().collect();
        let mut servers = seeds.chain(known);
        servers
            .find(|address| !tried.contains(address))
            .map(Next::at)
    }

    fn connection(&self, address: &str) -> Result<Arc<Connection>, RedisError> {
        if let Some(connection) = self.known().servers.get(address) {
            return Ok(Arc::clone(connection));
        }
        let (host, port) = address.rsplit_once(':').ok_or_else(error::no_server)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().map_err(|_no_number| error::no_server())?;
        let seed = self.seeds.first().ok_or_else(error::no_server)?;
        let client = sentinels::at(seed, host.to_owned(), port)?;
        let connection = Arc::new(Connection::new(Server::At(client)));
        let mut known = self.known();
        let servers = &mut known.servers;
        Ok(Arc::clone(
            servers.entry(address.to_owned()).or_insert(connection),
        ))
    }

    /// Forgets a server that cannot be reached: it may be gone for ever.
    fn forget(&self, address: &str) {
        let mut known = self.known();
        known.servers.remove(address);
        known.slots.retain(|_, server| server != address);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing panics while this mutex is locked.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// Written by hand, because the `Debug` of a client prints its password.
impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = |seed: &Client| seed.get_connection_info().addr().to_string();
        f.debug_list()
            .entries(self.seeds.iter().map(address))
            .finish()
    }
}

/// The server to which the error of the server `asked` leads; `None` for any other error.
fn redirected(error: &RedisError, asked: &str) -> Option<Next> {
    let (address, _slot) = error.redirect_node()?;
    Some(Next {
        address: absolute(address, asked),
        is_import: error.code() == Some("ASK"),
    })
}

/// The primary of a range of slots: `[first, last, [host, port, ..], replicas..]`.
fn primary(range: &[Value], asked: &str) -> Option<Address> {
    let Value::Array(server) = range.get(2)? else {
        return None;
    };
    let host: Option<String> = redis::from_redis_value_ref(server.first()?).ok()?;
    let port: u16 = redis::from_redis_value_ref(server.get(1)?).ok()?;
    Some(absolute(
        &format!("{}:{port}", host.unwrap_or_default()),
        asked,
    ))
}

/// A server that does not know its own name leaves the host out.
fn absolute(address: &str, asked: &str) -> Address {
    match (address.strip_prefix(':'), asked.rsplit_once(':')) {
        (Some(port), Some((host, _))) if !port.contains(':') => format!("{host}:{port}"),
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_a_name_is_where_the_answer_came_from() {
        assert_eq!(absolute(":7002", "10.0.0.1:7001"), "10.0.0.1:7002");
        assert_eq!(absolute("10.0.0.2:7002", "10.0.0.1:7001"), "10.0.0.2:7002");
        assert_eq!(absolute("::1:7002", "[::1]:7001"), "::1:7002");
        let server = |host| Value::Array(vec![host, Value::Int(7002)]);
        let range = |host| [Value::Int(0), Value::Int(5460), server(host)];
        let name = Value::BulkString(b"n2".to_vec());
        assert_eq!(primary(&range(name), "n1:7001").as_deref(), Some("n2:7002"));
        assert_eq!(
            primary(&range(Value::Nil), "n1:7001").as_deref(),
            Some("n1:7002")
        );
        assert_eq!(primary(&[Value::Int(0)], "n1:7001"), None);
    }
}
