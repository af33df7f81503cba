//! The conditional updates, each of which decides one operation on a lock.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use shedlock_runtime::{Lease, LockRecord, OwnerWrite, Position, PositionRule, WantedPosition};

use crate::layout::{Item, Layout, millis, number, seconds};
use crate::observe::State;
use crate::time::Term;

/// One update of one item, made only if its condition is met.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    pub(crate) key: Item,
    pub(crate) expression: String,
    pub(crate) condition: String,
    pub(crate) names: HashMap<String, String>,
    pub(crate) values: HashMap<String, AttributeValue>,
    /// How long the lease lasts that the update begins; `None` if it frees the lock.
    pub(crate) lease: Option<Duration>,
}

/// An acquisition, at a time of this node.
pub(crate) struct Acquire<'a> {
    pub(crate) name: &'a str,
    pub(crate) write: &'a OwnerWrite,
    pub(crate) rule: Option<PositionRule>,
    /// A lease that has ended by this time has ended.
    pub(crate) now: SystemTime,
    pub(crate) term: Term,
    /// The state of the item that this node has seen for as long as its lease lasts, if leases end by observation.
    pub(crate) ended: Option<State>,
    /// The number before the first fencing token of an item that has none.
    pub(crate) token_before: u64,
    /// Whether DynamoDB may delete the item later: this node knows of no position.
    pub(crate) may_be_forgotten: bool,
}

impl Acquire<'_> {
    /// Takes the lock if it is free, if the request was not carried out before, and, if a position is asked for, for its first run.
    pub(crate) fn first(&self, layout: &Layout) -> Update {
        let mut update = self.taking(layout);
        let has_ended = self.has_ended(&mut update, layout);
        let mut is_free = format!("{has_ended} AND NOT begins_with(#by, :first)");
        update.text(":first", self.write.first());
        let mut may_be_new = true;
        if let Some(rule) = self.rule {
            let wanted = rule.number(self.now);
            update.begin(Position {
                number: wanted,
                is_done: false,
                tries: 1,
            });
            is_free += match rule.wanted() {
                WantedPosition::Step { number: 1 } => " AND attribute_not_exists(#position)",
                WantedPosition::Step { number: step } => {
                    may_be_new = false;
                    update.value(":before", number(step.saturating_sub(1)));
                    update.value(":true", AttributeValue::Bool(true));
                    " AND #position = :before AND #done = :true"
                }
                WantedPosition::Slot { .. } | WantedPosition::Instant { .. } => {
                    " AND (attribute_not_exists(#position) OR #position < :number)"
                }
            };
        }
        update.condition = if may_be_new {
            format!("attribute_not_exists(#key) OR ({is_free})")
        } else {
            is_free
        };
        update.named(layout)
    }

    /// The condition that the last lease has ended: by this node's time, or, by observation, because its holder has released the lock or
    /// because the item is still in the state that has ended.
    fn has_ended(&self, update: &mut Update, layout: &Layout) -> String {
        if !layout.is_observed {
            update.value(":least", layout.ends.least());
            update.value(":now", layout.ends.write(self.now));
            return "#until BETWEEN :least AND :now".to_owned();
        }
        update.value(":zero", number(0_u32));
        let is_released = "#of = #by AND #lease = :zero";
        match &self.ended {
            None => is_released.to_owned(),
            Some(state) => format!("({is_released} OR {})", update.in_state(state.clone())),
        }
    }

    /// Takes the free lock whose item is `seen` for another run of the same `position`, if the item is still the same.
    pub(crate) fn again(&self, layout: &Layout, seen: &LockRecord, position: Position) -> Update {
        let mut update = self.taking(layout);
        update.begin(position);
        update.condition = format!(
            "{} AND #position = :number AND #done = :false AND #tries = :tried",
            update.unchanged(layout, seen)
        );
        update.value(":tried", number(position.tries.saturating_sub(1)));
        update.named(layout)
    }

    fn taking(&self, layout: &Layout) -> Update {
        let set = "SET #until = :until, #at = :at, #by = :by, #fence = if_not_exists(#fence, :zeroth) + :one";
        let mut update = Update::of(layout, self.name, set);
        update.value(":at", crate::layout::Ends::Text.write(self.now));
        update.text(":by", self.write.stored());
        update.keep(layout, self.term);
        update.value(":zeroth", number(self.token_before));
        update.value(":one", number(1_u32));
        update.end_of_item(layout, self.term.until, self.may_be_forgotten);
        update
    }
}

/// What this node knows of the item of its lease.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    /// Whether DynamoDB may delete the item later: this node knows of no position.
    pub(crate) may_be_forgotten: bool,
    /// Whether a release of the lease was carried out before, and its answer was lost.
    pub(crate) is_released: bool,
}

/// Moves the end of a lease that is live at `now`. If leases end by observation, the holder alone knows whether its lease is live, and the item
/// whether it was released.
pub(crate) fn extend(
    layout: &Layout,
    name: &str,
    write: &OwnerWrite,
    now: SystemTime,
    term: Term,
    known: Known,
) -> Update {
    let mut update = of_owner(layout, name, write, term, known);
    if layout.is_observed {
        update.condition += " AND #lease > :zero";
        update.value(":zero", number(0_u32));
    } else {
        update.condition += " AND #until > :now";
        update.value(":now", layout.ends.write(now));
    }
    update.named(layout)
}

/// Ends a lease, be it live or not.
pub(crate) fn release(
    layout: &Layout,
    name: &str,
    write: &OwnerWrite,
    term: Term,
    known: Known,
    lease: &Lease,
) -> Update {
    let mut update = of_owner(layout, name, write, term, known);
    if lease.is_unused() && !known.is_released {
        update.set("#tries = #tries - :one");
        update.value(":one", number(1_u32));
        // An earlier release of the same grant, whose answer was lost, has taken the try off.
        "#by = :first".clone_into(&mut update.condition);
    } else if lease.position().is_some() && lease.is_done() {
        update.set("#done = :done");
        update.value(":done", AttributeValue::Bool(true));
    }
    update.named(layout)
}

/// Writes `record`, which keeps the lock taken for `length`, if the item is still `seen`, or if there is none.
pub(crate) fn swap(
    layout: &Layout,
    name: &str,
    record: &LockRecord,
    length: Duration,
    seen: Option<&LockRecord>,
) -> Update {
    let set = "SET #until = :until, #at = :at, #by = :by";
    let mut update = Update::of(layout, name, set);
    // An item without a token stays without: with one of zero, the next acquisition would count from there and not from the time of day.
    if record.fencing_token > 0 {
        update.set("#fence = :fence");
        update.value(":fence", number(record.fencing_token));
    }
    update.value(":at", crate::layout::Ends::Text.write(record.locked_at));
    update.text(":by", &record.locked_by);
    let until = record.lock_until;
    update.keep(layout, Term { until, length });
    update.end_of_item(layout, record.lock_until, record.position.is_none());
    update.condition = match seen {
        Some(seen) => update.unchanged(layout, seen),
        None => "attribute_not_exists(#key)".to_owned(),
    };
    update.named(layout)
}

/// The condition under which the item `seen` is deleted, as an update that changes nothing.
pub(crate) fn deletion(layout: &Layout, name: &str, seen: &LockRecord) -> Update {
    let mut update = Update::of(layout, name, "");
    update.condition = update.unchanged(layout, seen);
    update.named(layout)
}

/// A write of an owner: made if the item bears the owner with a smaller number.
fn of_owner(layout: &Layout, name: &str, write: &OwnerWrite, term: Term, known: Known) -> Update {
    let mut update = Update::of(layout, name, "SET #until = :until, #by = :by");
    update.keep(layout, term);
    update.text(":by", write.stored());
    update.text(":first", write.first());
    update.end_of_item(layout, term.until, known.may_be_forgotten);
    "#by >= :first AND #by < :by".clone_into(&mut update.condition);
    update
}

impl Update {
    fn of(layout: &Layout, name: &str, expression: &str) -> Self {
        Self {
            key: layout.key_of(name),
            expression: expression.to_owned(),
            condition: String::new(),
            names: HashMap::new(),
            values: HashMap::new(),
            lease: None,
        }
    }

    /// The state in which the update leaves the item.
    pub(crate) fn state(&self) -> Option<State> {
        Some(State {
            until: self.values.get(":until")?.clone(),
            by: self.values.get(":by").cloned(),
            lease: self.values.get(":lease").cloned(),
        })
    }

    /// Says how long the lock stays taken: until when, and, for nodes that do not compare clocks, for how long.
    fn keep(&mut self, layout: &Layout, term: Term) {
        self.value(":until", layout.ends.write(term.until));
        if layout.is_observed {
            let millis = millis(term.length);
            self.set("#lease = :lease, #of = :by");
            self.value(":lease", number(millis));
            self.lease = Some(Duration::from_millis(millis)).filter(|it| !it.is_zero());
        }
    }

    fn value(&mut self, placeholder: &str, value: AttributeValue) {
        self.values.insert(placeholder.to_owned(), value);
    }

    fn text(&mut self, placeholder: &str, text: &str) {
        self.value(placeholder, AttributeValue::S(text.to_owned()));
    }

    /// Adds an assignment to the expression, which ends with its assignments until `end_of_item` has been called for an item that stays.
    fn set(&mut self, assignment: &str) {
        let at = self
            .expression
            .find(" REMOVE")
            .unwrap_or(self.expression.len());
        self.expression.insert_str(at, &format!(", {assignment}"));
    }

    fn begin(&mut self, position: Position) {
        self.set("#position = :number, #done = :false, #tries = :tries");
        self.value(":number", number(position.number));
        self.value(":false", AttributeValue::Bool(false));
        self.value(":tries", number(position.tries));
    }

    /// Whether DynamoDB may delete the item after the update.
    pub(crate) fn lets_item_end(&self) -> bool {
        self.values.contains_key(":ttl")
    }

    /// When DynamoDB may delete the item. An item with a position stays.
    fn end_of_item(&mut self, layout: &Layout, lock_until: SystemTime, may_be_forgotten: bool) {
        let Some(ttl) = &layout.ttl else {
            return;
        };
        if may_be_forgotten {
            self.set("#ttl = :ttl");
            let unused = seconds(lock_until).saturating_add(ttl.unused_for.as_secs());
            self.value(":ttl", number(unused));
        } else {
            self.expression += " REMOVE #ttl";
        }
    }

    /// The condition that the item is still `seen`. Two states of one lock never agree in end and owner: each write of a Rust node has an
    /// owner of its own, and other programs take a lock only after its last end.
    fn unchanged(&mut self, layout: &Layout, seen: &LockRecord) -> String {
        let by = Some(&seen.locked_by).filter(|by| !by.is_empty());
        self.in_state(State {
            until: layout.ends.write(seen.lock_until),
            by: by.map(|by| AttributeValue::S(by.clone())),
            lease: None,
        })
    }

    /// The condition that the item is still in this state.
    fn in_state(&mut self, state: State) -> String {
        let mut same = "#until = :seen".to_owned();
        self.value(":seen", state.until);
        if let Some(by) = state.by {
            same += " AND #by = :seen_by";
            self.value(":seen_by", by);
        } else {
            same += " AND attribute_not_exists(#by)";
        }
        if let Some(lease) = state.lease {
            same += " AND #lease = :seen_lease";
            self.value(":seen_lease", lease);
        }
        same
    }

    /// Adds the names for which the placeholders stand: DynamoDB refuses names that are not used.
    fn named(mut self, layout: &Layout) -> Self {
        if self.lets_item_end() {
            // Whoever asks may not know that the item has a position, which must not be deleted with it.
            self.condition = format!("({}) AND attribute_not_exists(#position)", self.condition);
        }
        let is_used = |name: &str| self.expression.contains(name) || self.condition.contains(name);
        let used = layout.placeholders().filter(|(name, _)| is_used(name));
        self.names = used
            .map(|(name, attribute)| (name.to_owned(), attribute.to_owned()))
            .collect();
        self
    }
}
