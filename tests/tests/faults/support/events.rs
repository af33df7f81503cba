//! What is logged while a test runs, by the name of each event.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

thread_local! {
    static HEARD: RefCell<Option<Heard>> = const { RefCell::new(None) };
}

/// Hears the events of the thread that it was made on, for as long as it lives.
///
/// One subscriber serves all tests: while several come and go, tracing's cache of who is interested in what can miss events.
pub(crate) struct Events {
    heard: Heard,
}

#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Vec<(String, String)>>>);

struct ByThread;

impl Events {
    pub(crate) fn listen() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let subscriber = tracing_subscriber::registry().with(ByThread);
            tracing::subscriber::set_global_default(subscriber).expect("there is no other");
        });
        let heard = Heard::default();
        HEARD.set(Some(heard.clone()));
        Self { heard }
    }

    /// How often the event was heard.
    pub(crate) fn count(&self, event: &str) -> usize {
        self.messages(event).len()
    }

    /// What each of these events said.
    pub(crate) fn messages(&self, event: &str) -> Vec<String> {
        let heard = self.heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = heard.iter().filter(|(name, _)| name == event);
        of.map(|(_, message)| message.clone()).collect()
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.heard.fmt(f)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        HEARD.set(None);
    }
}

impl<S: Subscriber> Layer<S> for ByThread {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let Some(heard) = HEARD.with_borrow(Clone::clone) else {
            return;
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut heard = heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push((fields.event, fields.message));
    }
}

#[derive(Default)]
struct Fields {
    event: String,
    message: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "event" {
            value.clone_into(&mut self.event);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}
