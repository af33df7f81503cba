//! One connection through a proxy: two pumps and the rules between.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

use super::rule::{Direction, Ending, Rule};
use super::{Shared, State};

/// How much a throttled pump passes on in a second: so many equal steps.
const STEPS: u32 = 20;

/// Carries bytes between `client` and the server until either ends or a rule does it.
pub(super) async fn carry(shared: Arc<Shared>, mut client: TcpStream) {
    let _open = Open::count(&shared);
    // The generation is the one of the moment of connecting: what ends connections ends this one from now on.
    let state = shared.state.subscribe();
    let generation = state.borrow().generation;
    let ending = match TcpStream::connect(shared.upstream).await {
        Ok(mut server) => {
            // A request must not wait for the next one, or the proxy would change what it observes.
            let _best_effort = (client.set_nodelay(true), server.set_nodelay(true));
            let ending = {
                let (from_client, to_client) = client.split();
                let (from_server, to_server) = server.split();
                let server_spoke = AtomicBool::new(true);
                let pump = |way| Pump {
                    shared: &shared,
                    state: state.clone(),
                    generation,
                    way,
                    server_spoke: &server_spoke,
                };
                let requests = pump(Direction::ToServer).run(from_client, to_server);
                let replies = pump(Direction::ToClient).run(from_server, to_client);
                tokio::try_join!(requests, replies).err()
            };
            if ending == Some(Ending::Reset) {
                let _best_effort = server.set_zero_linger();
            }
            ending
        }
        Err(_unreachable) => Some(Ending::Reset),
    };
    if ending == Some(Ending::Reset) {
        let _best_effort = client.set_zero_linger();
    }
}

/// Counts an open connection for as long as it lives.
struct Open<'a>(&'a Shared);

impl<'a> Open<'a> {
    fn count(shared: &'a Shared) -> Self {
        shared.counters.send_modify(|counters| {
            counters.connections += 1;
            counters.open += 1;
        });
        Self(shared)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.counters.send_modify(|counters| counters.open -= 1);
    }
}

/// One way of one connection.
struct Pump<'a> {
    shared: &'a Shared,
    state: watch::Receiver<State>,
    generation: u64,
    way: Direction,
    /// Whether the server spoke last; shared by the two ways.
    server_spoke: &'a AtomicBool,
}

impl Pump<'_> {
    /// Carries bytes until the sender has closed its side; an error is the order to end the connection.
    async fn run(mut self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Result<(), Ending> {
        let mut buffer = vec![0; 64 * 1024];
        // What came before the piece at hand, as far as a trigger may want to look back.
        let mut before = Vec::new();
        loop {
            let length = self
                .unless_ended(from.read(&mut buffer))
                .await?
                .map_err(|_broken| Ending::Reset)?;
            let piece = &buffer[..length];
            if length > 0 {
                self.count(length);
                self.look_for_trigger(&before, piece);
                before.clear();
                before.extend_from_slice(piece);
            }
            self.treat(piece, &mut to).await?;
            if length == 0 {
                return Ok(());
            }
        }
    }

    /// Does with `piece` what the rule of the moment says; an empty piece is the end of what this side sends.
    async fn treat(&mut self, piece: &[u8], to: &mut WriteHalf<'_>) -> Result<(), Ending> {
        loop {
            let rule = self.state.borrow_and_update().rule;
            match rule {
                Rule::Hold(way) if way.includes(self.way) => {
                    self.changed().await?;
                    continue;
                }
                Rule::Delay(way, by)
                    if way.includes(self.way) && self.rule_changed_within(by).await? =>
                {
                    continue;
                }
                Rule::Discard(way) if way.includes(self.way) => {
                    let discarded = piece.len() as u64;
                    self.shared
                        .counters
                        .send_modify(|counters| counters.discarded_bytes += discarded);
                    return Ok(());
                }
                Rule::EndOnReply(ending) if self.way == Direction::ToClient => return Err(ending),
                Rule::End(ending) => return Err(ending),
                Rule::Throttle { rate } => return self.trickle(piece, to, rate).await,
                _ => {}
            }
            return self.pass_on(piece, to).await;
        }
    }

    async fn pass_on(&mut self, piece: &[u8], to: &mut WriteHalf<'_>) -> Result<(), Ending> {
        let write = async {
            if piece.is_empty() {
                to.shutdown().await
            } else {
                to.write_all(piece).await
            }
        };
        let written: io::Result<()> = self.unless_ended(write).await?;
        written.map_err(|_broken| Ending::Reset)
    }

    async fn trickle(
        &mut self,
        piece: &[u8],
        to: &mut WriteHalf<'_>,
        rate: u32,
    ) -> Result<(), Ending> {
        let step = (rate / STEPS).max(1);
        for part in piece.chunks(step as usize) {
            let pause = Duration::from_secs(1) * step / rate.max(1);
            // Told otherwise, the rest goes on at full speed.
            if self.state.borrow().rule == (Rule::Throttle { rate }) {
                let _changed = self.rule_changed_within(pause).await?;
            }
            self.pass_on(part, to).await?;
        }
        if piece.is_empty() {
            self.pass_on(piece, to).await
        } else {
            Ok(())
        }
    }

    fn count(&self, length: usize) {
        let length = length as u64;
        let to_server = self.way == Direction::ToServer;
        let turns = to_server && self.server_spoke.swap(false, Ordering::Relaxed);
        if !to_server {
            self.server_spoke.store(true, Ordering::Relaxed);
        }
        self.shared.counters.send_modify(|counters| {
            if to_server {
                counters.client_messages += 1;
                counters.client_bytes += length;
                counters.round_trips += u64::from(turns);
            } else {
                counters.server_bytes += length;
            }
        });
    }

    /// Before the message is passed on: what it sets off applies to its own reply already.
    fn look_for_trigger(&self, before: &[u8], message: &[u8]) {
        if self.way != Direction::ToServer {
            return;
        }
        let mut armed = self
            .shared
            .armed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((_, rule)) =
            armed.take_if(|(trigger, _)| trigger.is_set_off_by(before, message))
        {
            self.shared.state.send_modify(|state| state.rule = rule);
            self.shared
                .counters
                .send_modify(|counters| counters.triggered += 1);
        }
    }

    /// The order to end this connection, if there is one.
    fn ended(&self) -> Option<Ending> {
        let state = self.state.borrow();
        match state.rule {
            Rule::End(ending) => Some(ending),
            _ if state.generation != self.generation => Some(state.ending),
            _ => None,
        }
    }

    async fn changed(&mut self) -> Result<(), Ending> {
        // The sender lives as long as `shared`, which we borrow.
        let _never_closed = self.state.changed().await;
        self.ended().map_or(Ok(()), Err)
    }

    /// Waits, and says whether the rule is another one now.
    async fn rule_changed_within(&mut self, time: Duration) -> Result<bool, Ending> {
        let rule = self.state.borrow().rule;
        let change = async {
            loop {
                self.changed().await?;
                if self.state.borrow().rule != rule {
                    return Ok(true);
                }
            }
        };
        tokio::time::timeout(time, change)
            .await
            .unwrap_or(Ok(false))
    }

    /// Awaits `work` unless the connection is to end first.
    async fn unless_ended<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Ending> {
        let mut state = self.state.clone();
        let generation = self.generation;
        let ended = state
            .wait_for(|state| matches!(state.rule, Rule::End(_)) || state.generation != generation);
        tokio::select! {
            biased;
            _ = ended => Err(self.ended().unwrap_or(Ending::Close)),
            done = work => Ok(done),
        }
    }
}
