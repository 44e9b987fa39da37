//! Logs: `tracing` to standard error, as text for people or one JSON object a line for collectors.
//!
//! Standard output is only what a command was asked for. `BILLWATCH_LOG` chooses what is logged, in the language of
//! `tracing_subscriber::EnvFilter`; without it, what is worth an operator's look.

use std::{fmt, io, str::FromStr};

use tracing_subscriber::{
    EnvFilter, Layer, Registry, fmt::MakeWriter, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// What is logged unless `BILLWATCH_LOG` says otherwise. Spans ([`crate::otlp::SPANS`]) are for a collector.
const FILTER: &str = "info,h2=warn,hyper=warn,billwatch_span=off";

/// One of those that hear what happens: log lines, or [`crate::otlp`].
pub type LogLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// How a line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line: `timestamp`, `level`, `target`, `message`, `code`, and the fields of the event beside them.
    Json,
}

impl FromStr for LogFormat {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(UnknownFormat(text.to_owned())),
        }
    }
}

/// No such format.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownFormat(String);

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log format `{}`: use text or json", self.0)
    }
}

impl std::error::Error for UnknownFormat {}

/// Sets up logging for the whole process; `spans` hears beside it. A second call changes nothing.
pub fn init(format: LogFormat, spans: Option<LogLayer>) {
    let filter = EnvFilter::try_from_env("BILLWATCH_LOG").unwrap_or_else(|_| EnvFilter::new(FILTER));
    // An error says that it was set up before.
    let _ = Registry::default().with(layers(format, filter, io::stderr, spans)).try_init();
}

fn layers<W>(format: LogFormat, filter: EnvFilter, writer: W, spans: Option<LogLayer>) -> Vec<LogLayer>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = match format {
        LogFormat::Text => lines.with_filter(filter).boxed(),
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(false).with_span_list(false);
            lines.with_filter(filter).boxed()
        }
    };
    [lines].into_iter().chain(spans).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat) -> String {
        let memory = Memory::default();
        let writer = memory.clone();
        let layers = layers(format, EnvFilter::new(FILTER), move || writer.clone(), None);
        let subscriber = Registry::default().with(layers);
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(code = crate::codes::LOG_FAILED, path = "a \"b\"", "the log cannot be written");
            tracing::debug!("not worth a look");
        });
        let bytes = memory.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_of_json_is_one_flat_object() {
        let line = logged(LogFormat::Json);
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        for part in [
            "\"level\":\"ERROR\"",
            "\"code\":\"LOG_FAILED\"",
            "\"message\":\"the log cannot be written\"",
            "\"path\":\"a \\\"b\\\"\"",
            "\"timestamp\":\"",
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }

    #[test]
    fn a_line_of_text_names_the_code() {
        let line = logged(LogFormat::Text);
        assert!(line.contains("the log cannot be written") && line.contains("LOG_FAILED"), "{line}");
        assert_eq!("yaml".parse::<LogFormat>().unwrap_err().to_string(), "log format `yaml`: use text or json");
        assert_eq!("json".parse(), Ok(LogFormat::Json));
    }
}
