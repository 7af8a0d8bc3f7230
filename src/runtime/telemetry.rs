//! The log: one line for each thing that a person may want to know. And traces, where they are asked for.

use std::io::IsTerminal as _;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use super::options::{LogFormat, LogLevel};
use super::traces::Traces;
use crate::arm::TRACED;

/// What decides on the log while it is written.
#[derive(Clone)]
pub(super) struct Log(reload::Handle<EnvFilter, Registry>);

impl Log {
    /// From now on, this is logged.
    pub(super) fn set(&self, level: LogLevel) {
        // It fails only where no log is written any more.
        let _ = self.0.reload(filter(level));
    }
}

/// Sets the log up, and what spans go to besides.
pub(super) fn init(format: LogFormat, level: LogLevel, traces: Option<&Traces>) -> Log {
    let (filter, handle) = reload::Layer::new(filter(level));
    let writer = std::io::stderr;
    let lines = match format {
        // The list of spans would say the same as the span: there is only one.
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .with_writer(writer)
            .with_filter(filter)
            .boxed(),
        LogFormat::Text => tracing_subscriber::fmt::layer()
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(writer)
            .with_filter(filter)
            .boxed(),
    };
    let own = Targets::new().with_target("foundry_operator", LevelFilter::INFO);
    let spans = traces.map(|traces| traces.layer().with_filter(own));
    tracing_subscriber::registry().with(lines).with(spans).init();
    Log(handle)
}

/// The level is the operator's own: what libraries log in detail may hold tokens and bodies, so they never get further than
/// `warn`.
fn filter(level: LogLevel) -> EnvFilter {
    let own = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let libraries = own.min(LevelFilter::WARN);
    EnvFilter::new(format!("{libraries},foundry_operator={own},{TRACED}=off"))
}
