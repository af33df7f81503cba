//! What is logged while a test runs, by the name of each event.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

/// Hears the events of the thread that it was made on, for as long as it lives.
pub(crate) struct Events {
    heard: Heard,
    _listening: DefaultGuard,
}

#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Vec<(String, String)>>>);

impl Events {
    pub(crate) fn listen() -> Self {
        let heard = Heard::default();
        let subscriber = tracing_subscriber::registry().with(heard.clone());
        Self {
            _listening: tracing::subscriber::set_default(subscriber),
            heard,
        }
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

impl<S: Subscriber> Layer<S> for Heard {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
