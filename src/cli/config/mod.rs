//! The configuration: one file of defaults with comments, which is its documentation, and a file of
//! the operator's that says what is different.

mod parts;
mod place;
mod reader;
mod value;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_yaml::Value;

use place::{Place, find};
use reader::{Raw, Reader};
pub(crate) use value::{
    AnswersKeptFor, BaseUrl, Bytes, Count, KeptFor, Listen, LogFormat, LogLevel, Percent,
};

use super::{CliError, terminal};
use crate::api::sizes::{SIZES, Sizes};

/// Every setting with its default and its comment.
const DEFAULT: &str = include_str!("default.yaml");
/// Bytes of a file of settings.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Print the default configuration, every setting with its comment
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  spine config > spine.yaml")]
pub(crate) struct Args {}

impl Args {
    pub(crate) fn run(self) -> Result<std::process::ExitCode, CliError> {
        terminal::print(DEFAULT)?;
        Ok(std::process::ExitCode::SUCCESS)
    }
}

/// All settings. What each means stands in the default file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) data: PathBuf,
    pub(crate) database_url: Option<String>,
    pub(crate) database: Database,
    pub(crate) node: Node,
    pub(crate) limits: Limits,
    pub(crate) outbound: Outbound,
    pub(crate) providers: Calls,
    pub(crate) breaker: Breaker,
    pub(crate) webhooks: Webhooks,
    pub(crate) retention: Retention,
    pub(crate) log: Log,
}

/// `server`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Server {
    pub(crate) listen: Listen,
    pub(crate) public_url: Option<BaseUrl>,
}

/// `database`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Database {
    pub(crate) connections_max: Count,
    pub(crate) listens: bool,
    pub(crate) prepares: bool,
}

/// `node`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) name: Option<String>,
    pub(crate) lease: Duration,
}

/// `limits`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limits {
    pub(crate) requests_per_second: Count,
    pub(crate) burst: Count,
    pub(crate) body_bytes_max: Bytes,
    pub(crate) batch_bytes_max: Bytes,
    pub(crate) sizes: Sizes,
}

/// `outbound`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outbound {
    pub(crate) allow_private_addresses: Option<bool>,
}

/// `providers`, and the same part of `webhooks`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Calls {
    pub(crate) connect_timeout: Duration,
    pub(crate) call_timeout: Duration,
}

/// `breaker`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Breaker {
    pub(crate) failures_max: Count,
    pub(crate) window: Duration,
    pub(crate) window_results_min: Count,
    pub(crate) window_failures_percent: Percent,
    pub(crate) open_for: Duration,
    pub(crate) open_for_max: Duration,
    pub(crate) successes_to_close: Count,
}

/// `webhooks`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Webhooks {
    pub(crate) calls: Calls,
    pub(crate) first_tries_max: Count,
    pub(crate) later_tries_max: Count,
    pub(crate) endpoints_max: Count,
}

/// `retention`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Retention {
    pub(crate) messages: KeptFor,
    pub(crate) events: KeptFor,
    pub(crate) idempotency: AnswersKeptFor,
    pub(crate) audit: KeptFor,
}

impl Retention {
    /// A message holds the first answer to its request.
    fn fault(self) -> Option<Raw> {
        let message = match (self.messages.0, self.idempotency.0) {
            (Some(_), None) => {
                "must be `never` as `idempotency` is: a message holds the answer to its request"
            }
            (Some(messages), Some(answers)) if messages < answers => {
                "must not be shorter than `idempotency`: a message holds the answer to its request"
            }
            _ => return None,
        };
        let path = vec!["retention".to_owned(), "messages".to_owned()];
        Some(Raw { path, is_name: false, message: message.to_owned() })
    }
}

/// `log`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Log {
    pub(crate) level: LogLevel,
    pub(crate) format: LogFormat,
}

/// One thing that is wrong in a file of settings.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    place: Option<Place>,
    setting: String,
    message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { line, column }) = self.place {
            write!(f, "{line}:{column}: ")?;
        }
        if !self.setting.is_empty() {
            write!(f, "{}: ", self.setting)?;
        }
        f.write_str(&self.message)
    }
}

impl Config {
    /// The file's settings over the defaults; the defaults alone without a file.
    pub(crate) fn load(path: Option<&Path>) -> Result<Config, CliError> {
        let text = path.map_or_else(|| Ok(String::new()), read_file)?;
        Config::of(&text).map_err(|faults| CliError::Config {
            path: path.unwrap_or(Path::new("the defaults")).to_owned(),
            faults,
        })
    }

    fn of(text: &str) -> Result<Config, Vec<Fault>> {
        let given: Value = serde_yaml::from_str(text).map_err(|error| vec![syntax(&error)])?;
        let defaults: Value = serde_yaml::from_str(DEFAULT).map_err(|error| vec![syntax(&error)])?;
        let mut raw = Vec::new();
        let config = Reader::whole(&given, &defaults, &mut raw, read);
        raw.extend(config.retention.fault());
        if raw.is_empty() {
            return Ok(config);
        }
        let mut faults: Vec<Fault> = raw.into_iter().map(|raw| placed(text, raw)).collect();
        faults.sort_by_key(|fault| fault.place);
        Err(faults)
    }
}

fn read(r: &mut Reader<'_>) -> Config {
    let config = Config {
        server: r.section("server", |r| Server { listen: r.get("listen"), public_url: r.get("public_url") }),
        data: r.get("data"),
        database_url: r.get("database_url"),
        database: r.section("database", |r| Database {
            connections_max: r.get("connections_max"),
            listens: r.get("listens"),
            prepares: r.get("prepares"),
        }),
        node: r.section("node", |r| Node { name: r.get("name"), lease: r.get("lease") }),
        limits: r.section("limits", |r| Limits {
            requests_per_second: r.get("requests_per_second"),
            burst: r.get("burst"),
            body_bytes_max: r.get("body_bytes_max"),
            batch_bytes_max: r.get("batch_bytes_max"),
            sizes: sizes(r),
        }),
        outbound: r
            .section("outbound", |r| Outbound { allow_private_addresses: r.get("allow_private_addresses") }),
        providers: r.section("providers", calls),
        breaker: r.section("breaker", |r| Breaker {
            failures_max: r.get("failures_max"),
            window: r.get("window"),
            window_results_min: r.get("window_results_min"),
            window_failures_percent: r.get("window_failures_percent"),
            open_for: r.get("open_for"),
            open_for_max: r.get("open_for_max"),
            successes_to_close: r.get("successes_to_close"),
        }),
        webhooks: r.section("webhooks", |r| Webhooks {
            calls: calls(r),
            first_tries_max: r.get("first_tries_max"),
            later_tries_max: r.get("later_tries_max"),
            endpoints_max: r.get("endpoints_max"),
        }),
        retention: r.section("retention", |r| Retention {
            messages: r.get("messages"),
            events: r.get("events"),
            idempotency: r.get("idempotency"),
            audit: r.get("audit"),
        }),
        log: r.section("log", |r| Log { level: r.get("level"), format: r.get("format") }),
    };
    r.leave("catalog");
    r.leave("lint");
    r.leave("require");
    config
}

/// The names under which a server's settings stand.
pub(crate) fn sections() -> Vec<String> {
    let defaults: Value = serde_yaml::from_str(DEFAULT).unwrap_or_default();
    let names = defaults.as_mapping().into_iter().flat_map(serde_yaml::Mapping::keys);
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The limits that stand in the document.
fn sizes(r: &mut Reader<'_>) -> Sizes {
    let mut sizes = Sizes::default();
    for (size, max) in SIZES.iter().zip(&mut sizes.0) {
        *max = Some(r.get::<Count>(size.setting).0);
    }
    sizes
}

fn calls(r: &mut Reader<'_>) -> Calls {
    Calls { connect_timeout: r.get("connect_timeout"), call_timeout: r.get("call_timeout") }
}

fn read_file(path: &Path) -> Result<String, CliError> {
    use std::io::Read as _;
    let fault = |source| CliError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(fault)?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(fault)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        let message = format!("it is larger than {FILE_BYTES_MAX} bytes");
        return Err(fault(std::io::Error::new(std::io::ErrorKind::InvalidData, message)));
    }
    Ok(text)
}

/// The text is no YAML. The reader's own words end with the place, which is told before them.
fn syntax(error: &serde_yaml::Error) -> Fault {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text).to_owned();
    Fault { place: Place::of(error), setting: String::new(), message }
}

/// A file of YAML, for the parts of it that are read elsewhere.
pub(crate) struct YamlFile {
    path: PathBuf,
    text: String,
    /// What it holds.
    pub(crate) value: Value,
}

impl YamlFile {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<YamlFile, CliError> {
        let text = read_file(path)?;
        let fault = |error| CliError::Config { path: path.to_owned(), faults: vec![syntax(&error)] };
        let value = serde_yaml::from_str(&text).map_err(fault)?;
        Ok(YamlFile { path: path.to_owned(), text, value })
    }

    /// It cannot be used: all faults, in the order of the text.
    pub(crate) fn refused(&self, mut faults: Vec<Fault>) -> CliError {
        faults.sort_by_key(|fault| fault.place);
        CliError::Config { path: self.path.clone(), faults }
    }

    /// A fault at the value below these names, or, where the name itself is wrong, at the last name.
    pub(crate) fn fault(&self, path: &[&str], is_name: bool, message: String) -> Fault {
        let path = path.iter().map(|name| (*name).to_owned()).collect();
        placed(&self.text, Raw { path, is_name, message })
    }
}

fn placed(text: &str, raw: Raw) -> Fault {
    let place = find(text, &raw.path, raw.is_name);
    let setting = if raw.is_name { &raw.path[..raw.path.len() - 1] } else { &raw.path[..] };
    Fault { place, setting: setting.join("."), message: raw.message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_has_every_setting_and_a_comment_for_each() {
        let defaults = Config::of("").unwrap();
        assert_eq!(Config::of(DEFAULT).unwrap(), defaults);
        assert_eq!(defaults.limits.body_bytes_max, Bytes(256 * 1024));
        assert_eq!(defaults.limits.burst.0.get(), 2_000);
        assert_eq!(defaults.outbound.allow_private_addresses, None);
        let mut before = "";
        for line in DEFAULT.lines().filter(|line| line.contains(": ") || line.ends_with(':')) {
            let is_name = !line.trim_start().starts_with('#');
            // Two settings of one sort may share their comment.
            assert!(!is_name || !before.is_empty(), "{line}");
            before = line;
        }
    }

    #[test]
    fn the_default_sizes_are_those_of_the_document() {
        let set = crate::api::Settings { sizes: Config::of("").unwrap().limits.sizes, ..Default::default() };
        assert_eq!(crate::api::openapi_text_of(&set).unwrap(), crate::api::openapi_text().unwrap());
    }

    #[test]
    fn all_faults_come_at_once_each_with_its_place_and_what_to_write() {
        let text = "\
server:
  listen: 8080
  public_url: ftp://x
limits: { burst: 0, bursst: 3, body_bytes_max: 256 kilos }
provders: {}
providers: { call_timeout: 15 }
webhooks:
  connect_timeout: 3x
log: loud
data: [a]
retention: { messages: 90, events: 1y, idempotency: 23h, audit: always }
";
        let faults = Config::of(text).unwrap_err();
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        2:11: server.listen: must be an address with a port, such as `127.0.0.1:8080`
        3:15: server.public_url: must be a URL such as `https://spine.example.com`, without query and user name
        4:18: limits.burst: must be a whole number from 1 to 4294967295
        4:21: limits: unknown setting `bursst`; did you mean `burst`?
        4:48: limits.body_bytes_max: must be a size up to 1 GiB, such as `256 KiB` or `4 MiB`
        5:1: unknown setting `provders`; did you mean `providers`?
        6:28: providers.call_timeout: must be a duration, such as `30s`, `5m` or `1h30m`
        8:20: webhooks.connect_timeout: `x` in `3x` is not a unit of time; write `ms`, `s`, `m`, `h` or `d`
        9:6: log: `log` holds settings of its own; write them below it, indented
        10:7: data: must be a path
        11:24: retention.messages: must be a duration, such as `90d`, or `never`
        11:36: retention.events: `y` in `1y` is not a unit of time; write `ms`, `s`, `m`, `h` or `d`
        11:53: retention.idempotency: must be `24h` or longer, which callers are promised, or `never`
        11:65: retention.audit: `always` is not a duration; write for example `30s`, `5m`, `1h30m` or `2d`
        ");
    }

    #[test]
    fn a_message_is_kept_as_long_as_the_answer_that_it_holds() {
        for (text, told) in [
            ("retention: {messages: 26h}", None),
            ("retention: {messages: 25h}", None),
            (
                "retention: {messages: 24h}",
                Some("1:23: retention.messages: must not be shorter than `idempotency`"),
            ),
            (
                "retention: {messages: 9d, idempotency: never}",
                Some("1:23: retention.messages: must be `never` as"),
            ),
            ("retention: {messages: never, idempotency: never}", None),
        ] {
            let faults = Config::of(text).err().unwrap_or_default();
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            match told {
                None => assert!(faults.is_empty(), "{text}: {faults:?}"),
                Some(told) => assert!(faults.len() == 1 && faults[0].starts_with(told), "{text}: {faults:?}"),
            }
        }
    }

    #[test]
    fn a_file_that_is_no_yaml_or_says_a_thing_twice_is_told_with_its_line() {
        for text in ["server: [", "log: {level: info}\nlog: {}\n", "- a\n", "just a text\n"] {
            let faults = Config::of(text).unwrap_err();
            assert!(faults.iter().all(|fault| fault.place.is_some()), "{text}: {faults:?}");
        }
    }
}
