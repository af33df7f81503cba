//! One direction of one connection through a proxy, and how rules apply to that direction.

use std::io;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

use super::connection::Talk;
use super::late::Late;
use super::rule::{Direction, Ending, Rule};
use super::shared::{Closing, Shared, State};

/// The number of equal steps in each second in which a throttled pump passes bytes on.
const STEPS: u32 = 20;

/// One direction of one connection.
pub(super) struct Pump<'a> {
    pub(super) shared: &'a Shared,
    pub(super) state: watch::Receiver<State>,
    pub(super) talk: &'a Talk,
    pub(super) way: Direction,
}

impl Pump<'_> {
    /// Carries bytes until the sender has closed its side; an error is the order to end the connection.
    pub(super) async fn run(
        mut self,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
    ) -> Result<(), Closing> {
        let mut buffer = vec![0; 64 * 1024];
        // The end of the data before the current piece, as much as a trigger may need.
        let mut before = Vec::new();
        loop {
            let length = match self.unless_ended(from.read(&mut buffer)).await? {
                Ok(length) => length,
                Err(_broken) if self.is_patient() => 0,
                Err(_broken) => return Err(Ending::Reset.into()),
            };
            let piece = &buffer[..length];
            if self.way == Direction::ToClient {
                self.talk.server_answered(length > 0);
            }
            if length > 0 {
                self.count(length);
                self.look_for_trigger(&before, piece);
                if let Some(late) = self.late_request(&before, piece) {
                    self.hold_back(late).await?;
                }
                before.clear();
                before.extend_from_slice(piece);
            }
            self.treat(piece, &mut to).await?;
            if length == 0 {
                return Ok(());
            }
        }
    }

    /// Applies the current rule to `piece`. An empty piece means that the sender has closed its side.
    async fn treat(&mut self, piece: &[u8], to: &mut WriteHalf<'_>) -> Result<(), Closing> {
        loop {
            let rule = self.state.borrow_and_update().rule;
            match rule {
                _ if self.is_forgotten() => return self.discard(piece),
                Rule::Hold(way) if way.includes(self.way) => {
                    self.changed().await?;
                    continue;
                }
                Rule::Delay(way, by)
                    if way.includes(self.way) && self.rule_changed_within(by).await? =>
                {
                    continue;
                }
                Rule::Discard(way) if way.includes(self.way) => return self.discard(piece),
                Rule::EndOnReply(ending) if self.way == Direction::ToClient => {
                    return Err(ending.into());
                }
                Rule::End(ending) => return Err(ending.into()),
                Rule::Throttle { rate } => return self.trickle(piece, to, rate).await,
                _ => {}
            }
            return self.pass_on(piece, to).await;
        }
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "what may be done with a piece may end the connection"
    )]
    fn discard(&self, piece: &[u8]) -> Result<(), Closing> {
        let discarded = piece.len() as u64;
        self.shared
            .counters
            .send_modify(|counters| counters.discarded_bytes += discarded);
        Ok(())
    }

    async fn pass_on(&mut self, piece: &[u8], to: &mut WriteHalf<'_>) -> Result<(), Closing> {
        // The piece may have waited, and the connection may have been blackholed in the meantime.
        if self.is_forgotten() {
            return self.discard(piece);
        }
        let write = async {
            if piece.is_empty() {
                to.shutdown().await
            } else {
                to.write_all(piece).await
            }
        };
        let written: io::Result<()> = self.unless_ended(write).await?;
        match written {
            Err(_broken) if !self.is_patient() => Err(Ending::Reset.into()),
            _ => Ok(()),
        }
    }

    async fn trickle(
        &mut self,
        piece: &[u8],
        to: &mut WriteHalf<'_>,
        rate: u32,
    ) -> Result<(), Closing> {
        let step = (rate / STEPS).max(1);
        for part in piece.chunks(step as usize) {
            let pause = Duration::from_secs(1) * step / rate.max(1);
            // If the rule changes, the rest of the piece is passed on at full speed.
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
        let turns = to_server && self.talk.server_spoke.swap(false, Ordering::Relaxed);
        if !to_server {
            self.talk.server_spoke.store(true, Ordering::Relaxed);
        }
        self.shared.count(self.talk.number, |counters| {
            if to_server {
                counters.client_messages += 1;
                counters.client_bytes += length;
                counters.round_trips += u64::from(turns);
            } else {
                counters.server_bytes += length;
            }
        });
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

    /// Called before the message is passed on, so that a rule that the message triggers applies to the reply to the message.
    fn look_for_trigger(&self, before: &[u8], message: &[u8]) {
        if self.way != Direction::ToServer {
            return;
        }
        let mut armed = self
            .shared
            .armed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let number = self.talk.number;
        if let Some((_, rule)) =
            armed.take_if(|(trigger, _)| trigger.is_set_off_by(number, before, message))
        {
            self.shared.state.send_modify(|state| state.rule = rule);
            self.shared
                .counters
                .send_modify(|counters| counters.triggered += 1);
        }
    }

    /// Returns the order to hold this message back, if there is one.
    fn late_request(&self, before: &[u8], message: &[u8]) -> Option<Late> {
        if self.way != Direction::ToServer {
            return None;
        }
        let mut awaited = self
            .shared
            .awaited
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        awaited.retain(|(_, late)| !late.is_given_up());
        let number = self.talk.number;
        let found = awaited
            .iter_mut()
            .position(|(trigger, _)| trigger.is_set_off_by(number, before, message));
        found.map(|found| awaited.remove(found).1)
    }

    async fn hold_back(&mut self, late: Late) -> Result<(), Closing> {
        let released = late.hold_back();
        self.talk.keep(late);
        self.unless_ended(released).await
    }

    /// Whether this connection continues without its client, so that a request that was held back still reaches the server.
    fn is_patient(&self) -> bool {
        self.is_forgotten() || self.talk.has_late_request()
    }

    fn is_forgotten(&self) -> bool {
        self.state.borrow().blackholed != self.talk.blackholed
    }

    /// Returns the order to end this connection, if there is one.
    fn ended(&self) -> Option<Closing> {
        let state = self.state.borrow();
        match state.rule {
            Rule::End(ending) => Some(ending.into()),
            _ if state.generation != self.talk.generation => Some(state.closing.clone()),
            _ => None,
        }
    }

    async fn changed(&mut self) -> Result<(), Closing> {
        // The sender lives as long as `shared`, which we borrow.
        let _never_closed = self.state.changed().await;
        self.ended().map_or(Ok(()), Err)
    }

    /// Waits, and returns whether the rule has changed.
    async fn rule_changed_within(&mut self, time: Duration) -> Result<bool, Closing> {
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

    /// Awaits `work`, unless the connection must end first.
    pub(super) async fn unless_ended<T>(
        &mut self,
        work: impl Future<Output = T>,
    ) -> Result<T, Closing> {
        let mut state = self.state.clone();
        let generation = self.talk.generation;
        let ended = async {
            let ends = |state: &State| {
                matches!(state.rule, Rule::End(_)) || state.generation != generation
            };
            // What `wait_for` returns holds a read lock on the state. If `ended` read the state again meanwhile, that read would wait for a
            // writer, and the writer would wait for the first read lock.
            drop(state.wait_for(ends).await);
        };
        tokio::select! {
            biased;
            () = ended => Err(self.ended().unwrap_or(Ending::Close.into())),
            done = work => Ok(done),
        }
    }
}
