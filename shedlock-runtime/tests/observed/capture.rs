//! Everything this process logs, kept by the lock that it is about.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, Once};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

pub(crate) type Fields = BTreeMap<&'static str, String>;

/// A line, or a span with all that was recorded in it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) name: &'static str,
    pub(crate) target: &'static str,
    pub(crate) level: Level,
    pub(crate) fields: Fields,
    pub(crate) parent: Option<&'static str>,
}

impl Seen {
    fn new(metadata: &'static Metadata<'static>, parent: Option<&'static str>) -> Self {
        Self {
            name: metadata.name(),
            target: metadata.target(),
            level: *metadata.level(),
            fields: Fields::new(),
            parent,
        }
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields
            .get(name)
            .unwrap_or_else(|| panic!("no field `{name}` in {self:?}"))
    }

    pub(crate) fn message(&self) -> &str {
        self.field("message")
    }
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

static LINES: Mutex<Vec<Seen>> = Mutex::new(Vec::new());
static SPANS: Mutex<Vec<Seen>> = Mutex::new(Vec::new());

struct Capture;

impl<S: Subscriber + for<'l> LookupSpan<'l>> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let parent = context.event_span(event).map(|span| span.name());
        let mut seen = Seen::new(event.metadata(), parent);
        event.record(&mut seen);
        LINES.lock().unwrap().push(seen);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let parent = span.parent().map(|parent| parent.name());
        let mut seen = Seen::new(attributes.metadata(), parent);
        attributes.record(&mut seen);
        span.extensions_mut().insert(seen);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        if let Some(seen) = span.extensions_mut().get_mut::<Seen>() {
            values.record(seen);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).unwrap();
        let seen = span.extensions_mut().remove::<Seen>();
        SPANS.lock().unwrap().extend(seen);
    }
}

/// Begins to keep what is logged; once for all tests of this program, on all threads.
pub(crate) fn start() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(Capture);
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

fn about(all: &Mutex<Vec<Seen>>, lock: &str) -> Vec<Seen> {
    let all = all.lock().unwrap();
    let of_lock = |seen: &&Seen| {
        seen.fields
            .get("lock.name")
            .is_some_and(|name| name == lock)
    };
    all.iter().filter(of_lock).cloned().collect()
}

/// The lines about `lock`, in order; those about each question to its store are in [`wire`].
pub(crate) fn lines(lock: &str) -> Vec<Seen> {
    let mut lines = about(&LINES, lock);
    lines.retain(|line| line.target == "shedlock");
    lines
}

/// The lines about each question to the store of `lock`, in order.
pub(crate) fn wire(lock: &str) -> Vec<Seen> {
    let mut lines = about(&LINES, lock);
    lines.retain(|line| line.target != "shedlock");
    lines
}

/// The spans about `lock` that have ended, in that order.
pub(crate) fn spans(lock: &str) -> Vec<Seen> {
    about(&SPANS, lock)
}

/// The lines that are about no lock.
pub(crate) fn other_lines() -> Vec<Seen> {
    let lines = LINES.lock().unwrap();
    let others = lines
        .iter()
        .filter(|seen| !seen.fields.contains_key("lock.name"));
    others.cloned().collect()
}

/// The names of the lines about `lock`, in order.
pub(crate) fn names(lock: &str) -> Vec<&'static str> {
    lines(lock).iter().map(|line| line.name).collect()
}

/// The one line `name` about `lock`.
pub(crate) fn line(lock: &str, name: &str) -> Seen {
    let mut lines = lines(lock);
    lines.retain(|line| line.name == name);
    assert_eq!(lines.len(), 1, "`{name}` once: {lines:?}");
    lines.remove(0)
}
