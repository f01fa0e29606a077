//! Settings of the log.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::args::{Args, LogFormat, LogLevel};

/// Settings of the log.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    level: LogLevel,
    format: LogFormat,
}

impl From<&Args> for Log {
    fn from(args: &Args) -> Self {
        Self { level: args.log.level, format: args.log.format }
    }
}

impl Log {
    /// Starts logging to stderr. Libraries log only warnings, or everything at level trace.
    pub fn start(self) {
        let level = match self.level {
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Trace => LevelFilter::TRACE,
        };
        let others = if level == LevelFilter::TRACE { level } else { level.min(LevelFilter::WARN) };
        let targets = Targets::new().with_default(others).with_target("nomad_exporter", level);
        let layer = match self.format {
            LogFormat::Logfmt => {
                let builder = tracing_logfmt::builder().with_target(false).with_span_name(false);
                builder.layer().with_writer(std::io::stderr).boxed()
            }
            LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed(),
        };
        tracing_subscriber::registry().with(layer.with_filter(targets)).init();
    }
}
