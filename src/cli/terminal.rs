//! stdout and stderr.

use std::io::{IsTerminal, Write};

use serde::Serialize;

use super::CliError;

/// Whether stdout shows colours: it is a terminal, and nobody asked for none.
pub(crate) fn stdout_has_colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    std::io::stdout().is_terminal() && !refused
}

/// Data, to stdout. A reader that has gone away is no error.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Data as JSON, to stdout.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// Everything that is not data, to stderr.
pub(crate) fn tell(text: &str) {
    // Nobody is left to be told where this fails.
    let _ = writeln!(std::io::stderr(), "{text}");
}
