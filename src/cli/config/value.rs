//! What a setting may be.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde_yaml::Value;
use url::Url;

use crate::language::words::quoted;
use crate::model::Span;

/// The type of a setting.
pub(super) trait Setting: Default {
    /// Reads it, or tells what is wrong and what to write.
    fn read(value: &Value) -> Result<Self, String>;
}

impl<T: Setting> Setting for Option<T> {
    fn read(value: &Value) -> Result<Option<T>, String> {
        if value.is_null() { Ok(None) } else { T::read(value).map(Some) }
    }
}

impl Setting for bool {
    fn read(value: &Value) -> Result<bool, String> {
        value.as_bool().ok_or_else(|| "must be `true` or `false`".to_owned())
    }
}

/// A number of at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) NonZeroU32);

impl Default for Count {
    fn default() -> Count {
        Count(NonZeroU32::MIN)
    }
}

impl Setting for Count {
    fn read(value: &Value) -> Result<Count, String> {
        let number = value.as_u64().and_then(|n| u32::try_from(n).ok()).and_then(NonZeroU32::new);
        number.map(Count).ok_or_else(|| format!("must be a whole number from 1 to {}", u32::MAX))
    }
}

/// A share, 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Percent(pub(crate) u32);

impl Setting for Percent {
    fn read(value: &Value) -> Result<Percent, String> {
        let number = value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| (1..=100).contains(n));
        number.map(Percent).ok_or_else(|| "must be a whole number from 1 to 100".to_owned())
    }
}

/// A number of bytes, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bytes(pub(crate) usize);

const UNITS: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];
/// The largest size: no body is held in memory beyond it.
const BYTES_MAX: u64 = 1 << 30;

impl Setting for Bytes {
    fn read(value: &Value) -> Result<Bytes, String> {
        let bytes = match value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => UNITS
                .iter()
                .find_map(|(unit, bytes)| text.strip_suffix(unit).map(|number| (number, bytes)))
                .and_then(|(number, bytes)| number.trim().parse::<u64>().ok()?.checked_mul(*bytes)),
            _ => None,
        };
        match bytes.filter(|bytes| (1..=BYTES_MAX).contains(bytes)).map(usize::try_from) {
            Some(Ok(bytes)) => Ok(Bytes(bytes)),
            _ => Err("must be a size up to 1 GiB, such as `256 KiB` or `4 MiB`".to_owned()),
        }
    }
}

impl Setting for Duration {
    fn read(value: &Value) -> Result<Duration, String> {
        let Value::String(text) = value else {
            return Err("must be a duration, such as `30s`, `5m` or `1h30m`".to_owned());
        };
        match text.parse::<Span>() {
            Ok(Span::ZERO) => Err("must be longer than nothing".to_owned()),
            Ok(span) => Ok(Duration::from_millis(span.ms().unsigned_abs())),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// How long something is kept; none for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct KeptFor(pub(crate) Option<Duration>);

/// The word for what is kept for ever.
const NEVER: &str = "never";

impl Setting for KeptFor {
    fn read(value: &Value) -> Result<KeptFor, String> {
        match value {
            Value::String(text) if text == NEVER => Ok(KeptFor(None)),
            Value::String(_) => Duration::read(value).map(|kept| KeptFor(Some(kept))),
            _ => Err("must be a duration, such as `90d`, or `never`".to_owned()),
        }
    }
}

/// How long answers are kept; not shorter than callers are promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct AnswersKeptFor(pub(crate) Option<Duration>);

/// How long callers can rely on an answer being given again.
const ANSWERS_KEPT_MIN: Duration = Duration::from_secs(24 * 3_600);

impl Setting for AnswersKeptFor {
    fn read(value: &Value) -> Result<AnswersKeptFor, String> {
        match KeptFor::read(value)? {
            KeptFor(Some(kept)) if kept < ANSWERS_KEPT_MIN => {
                Err("must be `24h` or longer, which callers are promised, or `never`".to_owned())
            }
            KeptFor(kept) => Ok(AnswersKeptFor(kept)),
        }
    }
}

impl Setting for String {
    fn read(value: &Value) -> Result<String, String> {
        match value {
            Value::String(text) if !text.trim().is_empty() => Ok(text.clone()),
            _ => Err("must be a text".to_owned()),
        }
    }
}

impl Setting for PathBuf {
    fn read(value: &Value) -> Result<PathBuf, String> {
        String::read(value).map(PathBuf::from).map_err(|_| "must be a path".to_owned())
    }
}

/// An address or a name, and a port.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Listen(pub(crate) String);

impl std::str::FromStr for Listen {
    type Err = String;
    fn from_str(text: &str) -> Result<Listen, String> {
        let is_right =
            text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        match is_right {
            true => Ok(Listen(text.to_owned())),
            false => Err(format!("{} is not an address with a port, such as `127.0.0.1:8080`", quoted(text))),
        }
    }
}

impl Setting for Listen {
    fn read(value: &Value) -> Result<Listen, String> {
        let text = value.as_str().ok_or("must be an address with a port, such as `127.0.0.1:8080`")?;
        text.parse()
    }
}

/// A base URL of `http` or `https`, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct BaseUrl(pub(crate) String);

impl Setting for BaseUrl {
    fn read(value: &Value) -> Result<BaseUrl, String> {
        let told = "must be a URL such as `https://spine.example.com`, without query and user name";
        let text = value.as_str().ok_or(told)?;
        let url = Url::parse(text).map_err(|_| told)?;
        let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_plain {
            return Err(told.to_owned());
        }
        Ok(BaseUrl(text.trim_end_matches('/').to_owned()))
    }
}

/// The words for levels.
const LEVELS: &str = "`error`, `warn`, `info`, `debug` or `trace`";

/// A filter of logs, in the words of tracing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LogLevel(pub(crate) String);

impl std::str::FromStr for LogLevel {
    type Err = String;
    fn from_str(text: &str) -> Result<LogLevel, String> {
        let is_level = |text: &str| text.trim().parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
        // A bare word that is no level would be taken for the name of a part.
        let are_right = text.split(',').all(|part| match part.split_once('=') {
            Some((target, level)) => !target.trim().is_empty() && is_level(level),
            None => is_level(part),
        });
        match are_right {
            true => Ok(LogLevel(text.to_owned())),
            false => Err(format!("{} is no level of logs; write {LEVELS}", quoted(text))),
        }
    }
}

impl Setting for LogLevel {
    fn read(value: &Value) -> Result<LogLevel, String> {
        value.as_str().ok_or(format!("must be {LEVELS}"))?.parse()
    }
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Setting for LogFormat {
    fn read(value: &Value) -> Result<LogFormat, String> {
        match value.as_str() {
            Some("text") => Ok(LogFormat::Text),
            Some("json") => Ok(LogFormat::Json),
            _ => Err("must be `text` or `json`".to_owned()),
        }
    }
}
