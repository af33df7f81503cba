//! The updates that decide by the server's clock: pipelines, in which `$$NOW` is the server's time.

use std::time::Duration;

use mongodb::bson::{Bson, DateTime, Document, doc};
use shedlock_runtime::{Lease, OwnerWrite, PositionRule, WantedPosition};

use crate::document::{long, millis};
use crate::fields::{FENCING_TOKEN, Fields, IS_DONE, NOW, NUMBER, POSITION, PREVIOUS, TRIES};

const SERVER_TIME: &str = "$$NOW";
/// The time of the server has whole milliseconds. Without one more of them, a lease would end up to a millisecond early.
const ROUNDED_DOWN: i64 = 1;

/// One command: which document, how it changes, and whether it is made where there is none.
pub(crate) struct Command {
    pub(crate) filter: Document,
    pub(crate) update: Vec<Document>,
    pub(crate) is_upsert: bool,
}

/// The fields of an answer.
pub(crate) fn projection(fields: &Fields) -> Document {
    doc! {
        &fields.lock_until: 1,
        &fields.locked_at: 1,
        &fields.locked_by: 1,
        FENCING_TOKEN: 1,
        POSITION: 1,
        PREVIOUS: 1,
        NOW: SERVER_TIME,
    }
}

/// Takes the lock if it is free, if the request was not carried out before, and if the position allows it. Otherwise the document stays
/// as it is, and the answer tells why.
pub(crate) fn acquire(
    fields: &Fields,
    name: &str,
    write: &OwnerWrite,
    at_most: Duration,
    rule: Option<PositionRule>,
) -> Command {
    // A document that is about to be made has nothing but its name.
    let end = or(field(&fields.lock_until), DateTime::from_millis(0));
    let owner = or(field(&fields.locked_by), "");
    // Behind an owner there are digits of a number, and all of them come before `g`.
    let beyond = format!("{}g", write.first());
    let is_ours = doc! { "$and": [
        { "$gte": [owner.clone(), literal(write.first())] },
        { "$lt": [owner.clone(), literal(&beyond)] },
    ] };
    let token = doc! { "$max": [
        { "$add": [or(field(FENCING_TOKEN), 0_i64), 1_i64] },
        { "$multiply": [since_1970(), 1000_i64] },
    ] };
    let mut conditions = vec![
        doc! { "$lte": [end, SERVER_TIME] },
        doc! { "$not": [is_ours] },
    ];
    let mut changes = doc! {
        &fields.lock_until: { "$add": [SERVER_TIME, lease(at_most)] },
        &fields.locked_at: SERVER_TIME,
        &fields.locked_by: literal(write.stored()),
        FENCING_TOKEN: token,
    };
    if let Some(rule) = rule {
        let (may_begin, begun) = position(rule);
        conditions.push(may_begin);
        changes.insert(POSITION, begun);
    }
    // An answer has the document as it is afterwards. So what was there before is kept in the document.
    let before = doc! { PREVIOUS: {
        &Fields::default().lock_until: field(&fields.lock_until),
        &Fields::default().locked_at: field(&fields.locked_at),
        &Fields::default().locked_by: field(&fields.locked_by),
        FENCING_TOKEN: field(FENCING_TOKEN),
        POSITION: field(POSITION),
    } };
    let replaced = condition(doc! { "$gt": [owner, ""] }, before, doc! {});
    // A document that is made only to refuse a step would stay, without an end.
    let may_be_first = |rule: PositionRule| match rule.wanted() {
        WantedPosition::Step { number } => number == 1,
        WantedPosition::Slot { .. } | WantedPosition::Instant { .. } => true,
    };
    Command {
        filter: of_lock(fields, name),
        update: changed_if(doc! { "$and": conditions }, &[changes.into(), replaced]),
        is_upsert: rule.is_none_or(may_be_first),
    }
}

/// Moves the end of a live lease.
pub(crate) fn extend(
    fields: &Fields,
    name: &str,
    write: &OwnerWrite,
    at_most: Duration,
) -> Command {
    let changes = doc! { &fields.lock_until: { "$add": [SERVER_TIME, lease(at_most)] } };
    let is_live = doc! { "$gt": [field(&fields.lock_until), SERVER_TIME] };
    of_owner(fields, name, write, &[is_live], &[changes.into()])
}

/// Ends a lease, be it live or not.
pub(crate) fn release(
    fields: &Fields,
    name: &str,
    write: &OwnerWrite,
    keep_for: Duration,
    of: &Lease,
) -> Command {
    let kept = if keep_for.is_zero() {
        0
    } else {
        lease(keep_for)
    };
    let mut changes = vec![doc! { &fields.lock_until: { "$add": [SERVER_TIME, kept] } }.into()];
    let settled = if of.is_done() {
        Some(doc! { IS_DONE: true })
    } else if of.is_unused() {
        let tries = field(&format!("{POSITION}.{TRIES}"));
        // An earlier release of the same grant has taken the try off.
        let is_first = doc! { "$eq": [field(&fields.locked_by), literal(write.first())] };
        let fewer = doc! { "$max": [{ "$subtract": [tries.clone(), 1] }, 0] };
        Some(doc! { TRIES: condition(is_first, fewer, tries) })
    } else {
        None
    };
    if let Some(settled) = settled {
        let has_position = doc! { "$gte": [or(field(&format!("{POSITION}.{NUMBER}")), -1), 0] };
        let settled = doc! { POSITION: { "$mergeObjects": [field(POSITION), settled] } };
        changes.push(condition(has_position, settled, doc! {}));
    }
    of_owner(fields, name, write, &[], &changes)
}

/// A write of an owner: made if the document bears the owner with a smaller number. If this very write was made before, the document stays
/// as it is.
fn of_owner(
    fields: &Fields,
    name: &str,
    write: &OwnerWrite,
    conditions: &[Document],
    changes: &[Bson],
) -> Command {
    let mut filter = of_lock(fields, name);
    let owners = doc! { "$gte": write.first(), "$lte": write.stored() };
    filter.insert(&fields.locked_by, owners);
    let is_earlier = doc! { "$lt": [field(&fields.locked_by), literal(write.stored())] };
    let owner = doc! { &fields.locked_by: literal(write.stored()) };
    let conditions = [&[is_earlier], conditions].concat();
    Command {
        filter,
        update: changed_if(
            doc! { "$and": conditions },
            &[changes, &[owner.into()]].concat(),
        ),
        is_upsert: false,
    }
}

/// Finds the lock's document, and none that another program keeps under this name.
fn of_lock(fields: &Fields, name: &str) -> Document {
    doc! {
        "_id": name,
        &fields.lock_until: { "$type": "date" },
        &fields.locked_by: { "$type": "string" },
    }
}

/// The document with `changes` if `condition` is met, and as it was otherwise.
fn changed_if(condition: Document, changes: &[Bson]) -> Vec<Document> {
    let mut parts = vec![Bson::from("$$ROOT")];
    parts.extend_from_slice(changes);
    let merged = doc! { "$mergeObjects": parts };
    vec![doc! { "$replaceWith": self::condition(condition, merged, "$$ROOT") }]
}

/// Whether the run may begin, and the position that it then begins: the table of [`PositionRule::next`].
fn position(rule: PositionRule) -> (Document, Document) {
    let stored = |name: &str| field(&format!("{POSITION}.{name}"));
    let last = or(stored(NUMBER), 0_i64);
    let is_done = or(stored(IS_DONE), true);
    let tries = or(stored(TRIES), 0);
    let wanted = match rule.wanted() {
        WantedPosition::Instant { number } | WantedPosition::Step { number } => {
            Bson::from(long(number))
        }
        WantedPosition::Slot { period } => {
            let middle = doc! { "$add": [since_1970(), long(period / 2)] };
            let past = doc! { "$mod": [middle.clone(), long(period)] };
            doc! { "$toLong": { "$subtract": [middle, past] } }.into()
        }
    };
    let is_step = matches!(rule.wanted(), WantedPosition::Step { .. });
    let is_same = doc! { "$eq": [wanted.clone(), last.clone()] };
    let may_try = match rule.attempts() {
        Some(attempts) => doc! { "$lt": [tries.clone(), attempts] }.into(),
        None if is_step => Bson::from(true),
        // A grant that was given back before its run began.
        None => doc! { "$lt": [tries.clone(), 1] }.into(),
    };
    let again = doc! { "$and": [is_same.clone(), { "$not": [is_done.clone()] }, may_try] };
    let next = if is_step {
        let follows = doc! { "$eq": [wanted.clone(), { "$add": [last, 1_i64] }] };
        doc! { "$and": [is_done, follows] }
    } else {
        doc! { "$gt": [wanted.clone(), last] }
    };
    let begun = doc! {
        NUMBER: wanted,
        IS_DONE: false,
        TRIES: condition(is_same, doc! { "$add": [tries, 1] }, 1),
    };
    (doc! { "$or": [again, next] }, begun)
}

fn condition(condition: Document, then: impl Into<Bson>, otherwise: impl Into<Bson>) -> Bson {
    doc! { "$cond": [condition, then.into(), otherwise.into()] }.into()
}

/// The milliseconds since 1970 (UTC) by the server's clock.
fn since_1970() -> Document {
    doc! { "$subtract": [SERVER_TIME, DateTime::from_millis(0)] }
}

fn lease(at_most: Duration) -> i64 {
    millis(at_most).saturating_add(ROUNDED_DOWN)
}

fn field(name: &str) -> Bson {
    Bson::from(format!("${name}"))
}

/// A text that is not an expression, even if it begins with `$`.
fn literal(text: &str) -> Document {
    doc! { "$literal": text }
}

fn or(expression: Bson, default: impl Into<Bson>) -> Document {
    doc! { "$ifNull": [expression, default.into()] }
}
