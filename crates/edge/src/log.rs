//! Log lines: one JSON object each on the Worker's console, which Workers Logs parses into
//! searchable fields. The platform adds the time and the request.

use std::{fmt, sync::Once};

use serde_json::{Map, Value};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use worker::{console_error, console_log, console_warn};

/// Starts logging events of at least this level, once for each instance.
pub(crate) fn start(least: Level) {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // This fails only if a subscriber is already set, and then lines are logged there.
        let _ = tracing::subscriber::set_global_default(Console { least });
    });
}

/// Writes events; there are no spans in this server.
struct Console {
    least: Level,
}

impl Subscriber for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.least
    }

    fn event(&self, event: &Event<'_>) {
        let level = *event.metadata().level();
        let line = line(event);
        if level == Level::ERROR {
            console_error!("{line}");
        } else if level == Level::WARN {
            console_warn!("{line}");
        } else {
            console_log!("{line}");
        }
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

fn line(event: &Event<'_>) -> Value {
    let metadata = event.metadata();
    let mut fields = Fields(Map::new());
    fields.0.insert("level".to_owned(), metadata.level().as_str().into());
    fields.0.insert("target".to_owned(), metadata.target().into());
    event.record(&mut fields);
    Value::Object(fields.0)
}

/// The fields of an event, in its order.
struct Fields(Map<String, Value>);

impl Fields {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const CONSOLE: Console = Console { least: Level::INFO };

    static LINES: Mutex<Vec<Value>> = Mutex::new(Vec::new());

    struct Kept;

    impl Subscriber for Kept {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            CONSOLE.enabled(metadata)
        }

        fn event(&self, event: &Event<'_>) {
            LINES.lock().unwrap().push(line(event));
        }

        fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
            CONSOLE.new_span(attributes)
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

        fn enter(&self, _: &span::Id) {}

        fn exit(&self, _: &span::Id) {}
    }

    #[test]
    fn a_line_has_the_fields_of_its_event() {
        tracing::subscriber::with_default(Kept, || {
            let agent = None::<&str>;
            tracing::info!(target: "octopoid::audit", event = "task.claimed", version = 2_i64, agent);
            tracing::debug!("not written");
            tracing::warn!(error = %"broken", "failed");
        });
        let expected = [
            r#"{"level":"INFO","target":"octopoid::audit","event":"task.claimed","version":2}"#,
            r#"{"level":"WARN","target":"octopoid_edge::log::tests","message":"failed","error":"broken"}"#,
        ];
        let lines: Vec<_> = LINES.lock().unwrap().iter().map(Value::to_string).collect();
        assert_eq!(lines, expected);
    }
}
