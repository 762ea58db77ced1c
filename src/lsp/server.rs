//! The session with one client: what comes in, in which order, and what is answered.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use gen_lsp_types::{
    DidChangeTextDocumentParams, DidChangeWatchedFilesParams, DidChangeWorkspaceFoldersParams,
    DidCloseTextDocumentParams, DidOpenTextDocumentParams, InitializeParams, Uri, WorkspaceFolders,
};
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::diagnostics;
use super::text::Encoding;
use super::world::{Key, World, path_of};
use super::{Disk, Ended};

mod capabilities;
mod requests;

pub(super) use capabilities::Client;

/// How far the session has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// `initialize` has not come.
    New,
    Running,
    /// `shutdown` has come.
    Closing,
}

pub(super) struct Server<'a> {
    connection: &'a Connection,
    waiting: VecDeque<Message>,
    phase: Phase,
    pub(super) world: World<'a>,
    pub(super) client: Client,
    /// The state of everything as it was told last.
    told: Option<u64>,
    /// What was told last of each document.
    published: BTreeMap<Key, Value>,
    warned: Vec<String>,
    pub(super) colours: super::tokens::Memory,
}

/// Why a request has no answer.
pub(super) struct Refusal {
    code: ErrorCode,
    message: String,
}

impl Refusal {
    /// The request is whole and cannot be fulfilled.
    pub(super) fn failed(message: impl Into<String>) -> Refusal {
        Refusal { code: ErrorCode::RequestFailed, message: message.into() }
    }
}

impl<'a> Server<'a> {
    pub(super) fn new(connection: &'a Connection, disk: &'a dyn Disk) -> Server<'a> {
        Server {
            connection,
            waiting: VecDeque::new(),
            phase: Phase::New,
            world: World::new(disk),
            client: Client::default(),
            told: None,
            published: BTreeMap::new(),
            warned: Vec::new(),
            colours: super::tokens::Memory::default(),
        }
    }

    pub(super) fn run(mut self) -> Ended {
        loop {
            let Some(message) = self.next() else { return Ended::Abrupt };
            match message {
                Message::Notification(told) if told.method == "exit" => {
                    return if self.phase == Phase::Closing { Ended::Orderly } else { Ended::Abrupt };
                }
                Message::Notification(told) => self.told(told),
                Message::Request(request) => {
                    let answer = self.answer(request);
                    self.send(Message::Response(answer));
                }
                // Answers to what was asked of the client: nothing hangs on them.
                Message::Response(_) => {}
            }
        }
    }

    /// What is to be looked at next. Where nothing waits, findings are told first.
    fn next(&mut self) -> Option<Message> {
        self.take_what_came();
        if self.waiting.is_empty() {
            self.tell_findings();
            self.waiting.push_back(self.connection.receiver.recv().ok()?);
            self.take_what_came();
        }
        self.waiting.pop_front()
    }

    fn take_what_came(&mut self) {
        self.waiting.extend(self.connection.receiver.try_iter());
    }

    fn send(&self, message: Message) {
        // Where the client is gone, the next read says so.
        _ = self.connection.sender.send(message);
    }

    fn notify(&self, method: &str, params: Value) {
        self.send(Message::Notification(Notification { method: method.to_owned(), params }));
    }

    // ------------------------------------------------------------------------- requests

    fn answer(&mut self, request: Request) -> Response {
        let Request { id, method, params } = request;
        if self.is_cancelled(&id) {
            let message = "taken back by the client".to_owned();
            return Response::new_err(id, ErrorCode::RequestCanceled as i32, message);
        }
        let answer = match (self.phase, method.as_str()) {
            (Phase::New, "initialize") => self.initialize(params),
            (Phase::New, _) => Err(Refusal {
                code: ErrorCode::ServerNotInitialized,
                message: "`initialize` comes first".to_owned(),
            }),
            (Phase::Closing, _) | (Phase::Running, "initialize") => Err(Refusal {
                code: ErrorCode::InvalidRequest,
                message: format!("`{method}` cannot be asked at this point of the session"),
            }),
            (Phase::Running, "shutdown") => {
                self.phase = Phase::Closing;
                Ok(Value::Null)
            }
            (Phase::Running, method) => {
                // Whatever is wrong with one answer, the session goes on.
                catch_unwind(AssertUnwindSafe(|| self.request(method, params))).unwrap_or_else(|_| {
                    Err(Refusal {
                        code: ErrorCode::InternalError,
                        message: format!("`{method}` has met a fault of the language server"),
                    })
                })
            }
        };
        match answer {
            Ok(result) => Response { id, response_result: Ok(result) },
            Err(refusal) => Response::new_err(id, refusal.code as i32, refusal.message),
        }
    }

    /// Whether the client has taken a request back while it waited.
    fn is_cancelled(&self, id: &RequestId) -> bool {
        self.waiting.iter().any(|message| match message {
            Message::Notification(told) if told.method == "$/cancelRequest" => {
                let cancelled = told.params.get("id").cloned().and_then(|id| serde_json::from_value(id).ok());
                cancelled.as_ref() == Some(id)
            }
            _ => false,
        })
    }

    fn initialize(&mut self, params: Value) -> Result<Value, Refusal> {
        let root = params.get("rootUri").and_then(Value::as_str).map(Uri::from);
        let params: InitializeParams = read(params)?;
        self.client = Client::of(&params);
        let general = params.capabilities.general.as_ref();
        self.world.encoding =
            Encoding::agreed(general.and_then(|general| general.position_encodings.as_deref()));
        let folders = match &params.workspace_folders_initialize_params.workspace_folders {
            Some(WorkspaceFolders::WorkspaceFolderList(folders)) => {
                folders.iter().filter_map(|folder| path_of(&folder.uri)).collect()
            }
            // What older clients say.
            _ => root.as_ref().and_then(path_of).into_iter().collect::<Vec<_>>(),
        };
        for folder in folders {
            self.world.add_root(folder);
        }
        self.phase = Phase::Running;
        write(capabilities::of_server(self.world.encoding))
    }

    // -------------------------------------------------------------------- notifications

    fn told(&mut self, told: Notification) {
        if self.phase != Phase::Running {
            return;
        }
        let Notification { method, params } = told;
        match method.as_str() {
            "initialized" => self.watch(),
            "textDocument/didOpen" => self.heard(params, |server, params: DidOpenTextDocumentParams| {
                let opened = params.text_document;
                server.world.open(opened.uri, opened.version, opened.text);
            }),
            "textDocument/didChange" => self.heard(params, |server, params: DidChangeTextDocumentParams| {
                let document = params.text_document;
                let uri = document.text_document_identifier.uri;
                let change =
                    |text: &super::text::Text, encoding| text.changed(&params.content_changes, encoding);
                server.world.change(&uri, document.version, change);
            }),
            "textDocument/didClose" => self.heard(params, |server, params: DidCloseTextDocumentParams| {
                let uri = params.text_document.uri;
                server.world.close(&uri);
                server.colours.forget(&uri);
                if server.published.remove(uri.as_ref()).is_some() {
                    server.notify("textDocument/publishDiagnostics", json!({"uri": uri, "diagnostics": []}));
                }
            }),
            "workspace/didChangeWatchedFiles" => {
                self.heard(params, |server, params: DidChangeWatchedFilesParams| {
                    for change in params.changes {
                        server.world.file_changed(&change.uri);
                    }
                });
            }
            "workspace/didChangeWorkspaceFolders" => {
                self.heard(params, |server, params: DidChangeWorkspaceFoldersParams| {
                    for folder in params.event.removed.iter().filter_map(|folder| path_of(&folder.uri)) {
                        server.world.remove_root(&folder);
                    }
                    for folder in params.event.added.iter().filter_map(|folder| path_of(&folder.uri)) {
                        server.world.add_root(folder);
                    }
                });
            }
            // `$/cancelRequest` was looked at when its request was; others are nothing to us.
            _ => {}
        }
    }

    /// Nobody waits for an answer: what has not its form is passed over.
    fn heard<P: DeserializeOwned>(&mut self, params: Value, hear: impl FnOnce(&mut Self, P)) {
        if let Ok(params) = serde_json::from_value(params) {
            hear(self, params);
        }
    }

    /// Asks to be told of files that others change.
    fn watch(&mut self) {
        if !self.client.watches {
            return;
        }
        let watchers = json!([{"globPattern": "**/*.policy"}, {"globPattern": "**/spine.yaml"}]);
        let params = json!({"registrations": [{
            "id": "files", "method": "workspace/didChangeWatchedFiles", "registerOptions": {"watchers": watchers},
        }]});
        let id = RequestId::from("watch".to_owned());
        self.send(Message::Request(Request { id, method: "client/registerCapability".to_owned(), params }));
    }

    // ------------------------------------------------------------------------- findings

    fn tell_findings(&mut self) {
        if self.phase != Phase::Running || self.told == Some(self.world.generation()) {
            return;
        }
        self.told = Some(self.world.generation());
        let mut faults: Vec<String> = Vec::new();
        let mut all: Vec<(Key, Value)> = Vec::new();
        for document in self.world.open_documents() {
            faults.extend(self.world.settings(document).fault.clone());
            let found = diagnostics::of_document(&self.world, document);
            let params = json!({"uri": document.uri, "version": document.version, "diagnostics": found});
            all.push((document.uri.as_ref().to_owned(), params));
        }
        for (key, params) in all {
            if self.published.get(&key) != Some(&params) {
                self.published.insert(key, params.clone());
                self.notify("textDocument/publishDiagnostics", params);
            }
        }
        for fault in faults {
            if !self.warned.contains(&fault) {
                self.notify("window/showMessage", json!({"type": 2, "message": fault}));
                self.warned.push(fault);
            }
        }
    }
}

/// The parameters of a request.
fn read<P: DeserializeOwned>(params: Value) -> Result<P, Refusal> {
    serde_json::from_value(params)
        .map_err(|error| Refusal { code: ErrorCode::InvalidParams, message: error.to_string() })
}

fn write(result: impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(result)
        .map_err(|error| Refusal { code: ErrorCode::InternalError, message: error.to_string() })
}
