//! Taking a lock: the update that decides, and what its refusal means.

use std::time::Duration;

use shedlock_runtime::{
    AcquireRequest, Acquisition, LockError, LockProvider as _, LockRecord, OwnerWrite, Position,
    PositionRule, Refusal, Standing,
};

use crate::error;
use crate::expression::Acquire;
use crate::item;
use crate::layout::Item;
use crate::observe::Deadline;
use crate::provider::DynamoDbLockProvider;
use crate::store::Decided;
use crate::time::ClientTime;

/// How often an update is made anew if others keep changing the item.
const MOST_RACES: u32 = 4;

/// The lock's item has a position, or gets one, and must not be deleted by Time to Live. A note.
pub(crate) struct KeepsItem;

/// What an acquisition that was refused means.
enum Verdict {
    Answer(Acquisition),
    /// The lock is free by now, or may be run again for the same position.
    Again(LockRecord, Option<Position>),
}

impl DynamoDbLockProvider {
    /// Takes the lock, or tells what stands in the way.
    pub(crate) async fn take(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let write = request.write(self.info())?;
        let (mut seen, mut is_in_doubt, mut saw_a_rival) = (None, false, false);
        for _ in 0..MOST_RACES {
            let taken = self.try_once(request, &write, seen.as_ref()).await;
            let (verdict, is_repeated) = taken.map_err(|error| doubted(error, is_in_doubt))?;
            is_in_doubt |= is_repeated;
            match verdict {
                Verdict::Answer(Acquisition::Refused(refusal)) if is_in_doubt => {
                    let refusal = refusal.after_a_request_without_answer();
                    return Ok(Acquisition::Refused(refusal));
                }
                Verdict::Answer(answer) => return Ok(answer),
                Verdict::Again(record, position) => {
                    let before = seen.replace((record, position));
                    saw_a_rival |= before.is_some() && before != seen;
                }
            }
        }
        // Another node was seen only if the item changed from one update to the next.
        if saw_a_rival && !is_in_doubt {
            return Ok(Acquisition::Refused(Refusal::contended()));
        }
        Err(doubted(error::raced(), is_in_doubt))
    }

    /// The lease of a request whose update was made. `before` is the item that the update has changed.
    fn granted(
        &self,
        request: &AcquireRequest,
        acquire: &Acquire<'_>,
        before: Option<&Item>,
        position: Option<Position>,
    ) -> Acquisition {
        let last_token = before.and_then(|item| item::fencing_token(item, self.layout()));
        let token = last_token.unwrap_or(acquire.token_before).saturating_add(1);
        let predecessor = before.and_then(|item| item::predecessor(item, self.layout()));
        let lease = request.grant(Some(token)).taken_over_from(predecessor);
        Acquisition::Granted(lease.at_position(position))
    }

    /// What the item means that stood in the way of a request.
    fn verdict(
        &self,
        request: &AcquireRequest,
        acquire: &Acquire<'_>,
        item: &Item,
    ) -> Result<Verdict, LockError> {
        let info = self.info();
        let record = item::parse(item, self.layout()).map_err(error::foreign)?;
        let owner = &record.locked_by;
        let left = self.left(request, acquire, item, &record);
        if acquire.write.standing(owner) != Standing::Foreign || !left.is_zero() {
            let token = item::fencing_token(item, self.layout());
            let answer = request.answer_from_record(info, owner, left, token)?;
            return Ok(Verdict::Answer(match answer {
                Acquisition::Granted(lease) => {
                    let begun = acquire.rule.and(record.position);
                    Acquisition::Granted(lease.at_position(begun))
                }
                refused @ Acquisition::Refused(_) => refused,
            }));
        }
        let next = acquire
            .rule
            .map(|rule| rule.next(record.position, acquire.now));
        Ok(match next.transpose() {
            Ok(position) => Verdict::Again(record, position),
            Err(reason) => {
                let refusal = Refusal::of_position(reason, owner).with_position(record.position);
                Verdict::Answer(Acquisition::Refused(refusal))
            }
        })
    }

    /// How long the lease in an item still lasts.
    fn left(
        &self,
        request: &AcquireRequest,
        acquire: &Acquire<'_>,
        item: &Item,
        record: &LockRecord,
    ) -> Duration {
        let Some(observed) = self.items().left(acquire.name, item, record) else {
            return record.remaining(acquire.now);
        };
        if acquire.write.standing(&record.locked_by) == Standing::Foreign || observed.is_zero() {
            return observed;
        }
        // The item is of this very request, whose lease is over for its holder before it is for others.
        Deadline::of_request(request).left(self.info().clock().boot())
    }

    /// Makes an update for a request, which is the first one or one after the item `seen`.
    async fn try_once(
        &self,
        request: &AcquireRequest,
        write: &OwnerWrite,
        seen: Option<&(LockRecord, Option<Position>)>,
    ) -> Result<(Verdict, bool), LockError> {
        let info = self.info();
        let time = ClientTime::now(info.clock());
        request.note(info, time);
        request.note(info, Deadline::of_request(request));
        let rule = request.position_rule();
        if rule.is_some() {
            // Before the request is sent: if its answer is lost, the release knows of the position by this note.
            request.note(info, KeepsItem);
        }
        let name = request.name().as_str();
        let observer = self.items().observer.as_ref();
        let acquire = Acquire {
            name,
            write,
            rule,
            now: time.early(self.grain()),
            term: time.lease_end(request.at_most())?,
            ended: observer.and_then(|observer| observer.ended(name)),
            token_before: time.micros(),
            may_be_forgotten: request.noted::<KeepsItem>(info).is_none(),
        };
        let (update, position) = match seen {
            Some((record, Some(position))) if is_again(record, *position) => {
                (acquire.again(self.layout(), record, *position), *position)
            }
            _ => (acquire.first(self.layout()), first_run(rule, &acquire)),
        };
        let decided = self.items().update(&update).await?;
        let found = match decided.value {
            Decided::Made(before) => {
                let position = rule.map(|_| position);
                let granted = self.granted(request, &acquire, before.as_ref(), position);
                return Ok((Verdict::Answer(granted), decided.is_repeated));
            }
            Decided::Refused(Some(item)) => Some(item),
            // Not every server with DynamoDB's protocol tells the item.
            Decided::Refused(None) => {
                let found = self.items().find(acquire.name).await;
                found.map_err(|error| doubted(error, decided.is_repeated))?
            }
        };
        if found.as_ref().is_some_and(|item| self.has_position(item)) {
            request.note(info, KeepsItem);
        }
        let verdict = match found {
            Some(item) => self.verdict(request, &acquire, &item),
            None => Ok(absent(rule, &acquire)),
        };
        Ok((verdict?, decided.is_repeated))
    }
}

/// Whether a run that begins `position` is another one for the position in `record`.
fn is_again(record: &LockRecord, position: Position) -> bool {
    let stored = record.position;
    stored.is_some_and(|stored| stored.number == position.number)
}

/// The position that a first run begins.
fn first_run(rule: Option<PositionRule>, acquire: &Acquire<'_>) -> Position {
    Position {
        number: rule.map_or(0, |rule| rule.number(acquire.now)),
        is_done: false,
        tries: 1,
    }
}

/// What it means that there is no item: a chain that has not begun, or an item that was deleted this moment.
fn absent(rule: Option<PositionRule>, acquire: &Acquire<'_>) -> Verdict {
    if let Some(Err(reason)) = rule.map(|rule| rule.next(None, acquire.now)) {
        return Verdict::Answer(Acquisition::Refused(Refusal::of_position(reason, "")));
    }
    let none = LockRecord::new(acquire.now, acquire.now, String::new(), 0);
    Verdict::Again(none, None)
}

/// An error after a request that was sent and not answered.
fn doubted(error: LockError, is_in_doubt: bool) -> LockError {
    if is_in_doubt && !error.kind().is_ambiguous() {
        error::in_doubt(error)
    } else {
        error
    }
}
