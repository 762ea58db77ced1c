//! `spine lsp`: the language server, on the standard streams.

use std::io::{BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lsp_server::{Connection, Message};

use crate::cli::policy::{catalog, files, settings, suites};
use crate::cli::{CliError, FOUND, terminal};
use crate::lsp::{Disk, Ended, Settings, serve};
use crate::machine::catalog::Catalog;

use super::config::YamlFile;

/// How far up a `spine.yaml` is looked for.
const FOLDERS_UP_MAX: usize = 64;

/// The language server: diagnostics, hover, completion, formatting, quick fixes
///
/// An editor starts it and speaks with it over the standard streams. Exit codes: 0 after `shutdown`
/// and `exit`; 1 where the client goes without them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  spine lsp    # started by an editor; docs/editors.md says how")]
pub(crate) struct Args {
    /// Editors that can speak in several ways ask for the standard streams by this; there is no other way
    #[arg(long)]
    stdio: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let Args { stdio: _ } = self;
        let (server, client) = Connection::memory();
        let Connection { sender, receiver } = client;
        // Reads until the client is gone: it may be waiting for a message when the session is over,
        // so nobody waits for it.
        std::thread::spawn(move || {
            let mut input = BufReader::new(std::io::stdin());
            loop {
                match Message::read(&mut input) {
                    Ok(Some(message)) => {
                        if sender.send(message).is_err() {
                            return;
                        }
                    }
                    Ok(None) => return,
                    // The message was whole and is none of the protocol: the next one may be.
                    Err(error) if is_of_one_message(&error) => {
                        terminal::tell(
                            "spine: a message of the client could not be read, and was passed over",
                        );
                    }
                    Err(error) => {
                        return terminal::tell(&format!("spine: the client cannot be read: {error}"));
                    }
                }
            }
        });
        let writer = std::thread::spawn(move || {
            let mut output = std::io::stdout().lock();
            for message in receiver {
                message.write(&mut output)?;
                output.flush()?;
            }
            Ok::<(), std::io::Error>(())
        });
        let ended = serve(&server, &Files);
        drop(server);
        match writer.join() {
            Ok(Err(error)) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
            _ if ended == Ended::Orderly => Ok(ExitCode::SUCCESS),
            _ => Ok(ExitCode::from(FOUND)),
        }
    }
}

fn is_of_one_message(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::InvalidData && error.to_string().starts_with("malformed LSP payload")
}

/// The files of this machine.
struct Files;

impl Files {
    fn texts(&self, paths: Vec<PathBuf>) -> Vec<(PathBuf, String)> {
        let read = |path: PathBuf| self.read(&path).map(|text| (path, text));
        paths.into_iter().filter_map(read).collect()
    }
}

impl Disk for Files {
    fn policies(&self, folder: &Path, below: bool) -> Vec<(PathBuf, String)> {
        // What cannot be looked into holds nothing.
        let paths = match below {
            true => files::below(folder, ".policy"),
            false => suites::in_folder(folder, ".policy"),
        };
        self.texts(paths.unwrap_or_default())
    }

    fn suites(&self, folder: &Path) -> Vec<(PathBuf, String)> {
        self.texts(suites::in_folder(folder, suites::ENDING).unwrap_or_default())
    }

    fn read(&self, file: &Path) -> Option<String> {
        files::read(file).ok().map(|file| file.text)
    }

    fn settings(&self, folder: &Path) -> Settings {
        let file = folder
            .ancestors()
            .take(FOLDERS_UP_MAX)
            .map(|folder| folder.join("spine.yaml"))
            .find(|path| path.is_file());
        let Some(path) = file else { return Settings::default() };
        let read = || {
            let has_catalog = YamlFile::read(&path)?.value.get("catalog").is_some();
            let catalog = if has_catalog { catalog::load(Some(&path))? } else { Catalog::default() };
            let lint = settings::load(Some(&path), has_catalog.then_some(&catalog))?;
            Ok::<_, CliError>(Settings { catalog, lint, fault: None })
        };
        read().unwrap_or_else(|error| Settings { fault: Some(error.to_string()), ..Settings::default() })
    }
}
