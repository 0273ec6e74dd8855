//! Logs: what a run does, as lines on standard error, for whoever reads them without watching.
//!
//! Events come from this program's own crates; those of libraries (the AWS SDK's can hold requests with
//! their headers) never get here. A line is one event, whatever is in it: what others wrote is escaped.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write as _};

use clap::{Args, ValueEnum};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

use crate::printer::is_unprintable;

/// What the targets of our own crates' events begin with.
const OURS: &str = "retrial";

#[derive(Debug, Args)]
#[command(next_help_heading = "Logs")]
pub(crate) struct LogArgs {
    /// The form of the log lines on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,

    /// Which events are logged [default: info; error with --quiet and on a terminal]
    ///
    /// `info`: what is planned and committed, what an interrupted run left, what could not be read, and
    /// at the end a line of metrics. On a terminal progress and summary say the same.
    #[arg(long, value_enum)]
    pub(crate) log_level: Option<LogLevel>,
}

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line; errors too
    Json,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// What ended the run
    Error,
    /// And what is to be looked at
    Warn,
    /// And what was done
    Info,
    /// And how
    Debug,
}

impl LogLevel {
    fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
        }
    }
}

/// Begins to log.
pub(crate) fn begin(args: &LogArgs, quiet: bool) {
    let talks = !quiet && !io::stderr().is_terminal();
    let by_default = if talks {
        LogLevel::Info
    } else {
        LogLevel::Error
    };
    let lines = Lines {
        format: args.log_format,
        level: args.log_level.unwrap_or(by_default).filter(),
    };
    // It is called once; a second subscriber would be refused, and the first one stay.
    let _ = tracing::subscriber::set_global_default(registry().with(lines));
}

/// Writes events as lines on standard error.
struct Lines {
    format: LogFormat,
    level: LevelFilter,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        *metadata.level() <= self.level && metadata.target().starts_with(OURS)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut members = Members::default();
        event.record(&mut members);
        let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
        let (time, level) = (time.to_string(), event.metadata().level());
        let line = match self.format {
            LogFormat::Text => text_line(&time, *level, &members),
            LogFormat::Json => json_line(&time, *level, &members),
        };
        // Nothing is left to be done where standard error itself is gone.
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }
}

/// The members of an event, in its order.
#[derive(Default)]
struct Members {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Members {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(message)) => self.message = message,
            (name, value) => self.fields.push((name, value)),
        }
    }
}

impl Visit for Members {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }
}

/// `2026-11-02T03:00:00.000Z INFO  planned delivery_date=2026-11-01 files=12`
fn text_line(time: &str, level: Level, members: &Members) -> String {
    let message = escaped(&members.message);
    let mut line = format!("{time} {level:<5} {message}");
    for (name, value) in &members.fields {
        // Writing to a `String` does not fail.
        let _ = match value.as_str() {
            Some(text) if is_word(text) => write!(line, " {name}={text}"),
            _ => write!(line, " {name}={}", escaped(&value.to_string())),
        };
    }
    line.push('\n');
    line
}

fn json_line(time: &str, level: Level, members: &Members) -> String {
    let level = level.as_str().to_ascii_lowercase();
    let first = [
        ("time", Value::from(time)),
        ("level", Value::from(level)),
        ("message", Value::from(members.message.as_str())),
    ];
    let all = first.iter().chain(&members.fields);
    let all: Vec<String> = all
        .map(|(name, value)| format!("\"{name}\":{}", escaped(&value.to_string())))
        .collect();
    format!("{{{}}}\n", all.join(","))
}

/// Whether a text needs no quotes to be told from what stands beside it.
fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
    !text.is_empty() && text.bytes().all(plain)
}

/// JSON, or what is to stand beside it, without what a terminal would obey: as JSON's own escapes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unprintable(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(message: &str, fields: &[(&'static str, Value)]) -> Members {
        Members {
            message: message.to_owned(),
            fields: fields.to_vec(),
        }
    }

    #[test]
    fn lines() {
        let check = |fields: &[(&'static str, Value)], text: &str, json: &str| {
            let members = members("planned", fields);
            let found = text_line("T", Level::INFO, &members);
            assert_eq!(found, format!("T INFO  planned{text}\n"));
            let found = json_line("T", Level::INFO, &members);
            let start = r#"{"time":"T","level":"info","message":"planned""#;
            assert_eq!(found, format!("{start}{json}}}\n"));
            let read: Option<Value> = serde_json::from_str(&found).ok();
            for (name, value) in fields {
                assert_eq!(read.as_ref().and_then(|read| read.get(name)), Some(value));
            }
        };
        check(&[], "", "");
        check(
            &[
                ("files", 12.into()),
                ("seconds", 1.5.into()),
                ("whole", true.into()),
            ],
            " files=12 seconds=1.5 whole=true",
            r#","files":12,"seconds":1.5,"whole":true"#,
        );
        check(
            &[("key", "a/b_c-1.json.gz".into())],
            " key=a/b_c-1.json.gz",
            r#","key":"a/b_c-1.json.gz""#,
        );
        check(&[("key", "".into())], " key=\"\"", r#","key":"""#);
        check(
            &[("key", "x=1 y".into())],
            " key=\"x=1 y\"",
            r#","key":"x=1 y""#,
        );
    }

    #[test]
    fn what_others_wrote_is_one_line_of_text() {
        let hostile = "a\nT ERROR forged\r\u{1b}[2J\u{9b}1m\u{202e}\u{2028}\"\\\u{0}é";
        let members = members(hostile, &[("key", hostile.into())]);
        for line in [
            text_line("T", Level::WARN, &members),
            json_line("T", Level::WARN, &members),
        ] {
            let content = line.strip_suffix('\n').unwrap_or("not a line\n");
            assert!(!content.chars().any(is_unprintable), "{line:?}");
            assert!(content.contains('é'), "what can be read stays");
        }
        let line = json_line("T", Level::WARN, &members);
        let read: Option<Value> = serde_json::from_str(&line).ok();
        for name in ["key", "message"] {
            let found = read.as_ref().and_then(|read| read.get(name));
            assert_eq!(found, Some(&hostile.into()));
        }
    }
}
