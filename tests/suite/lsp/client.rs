//! An editor in a few lines: a session with the server in this process, over files in memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use lsp_server::{Connection, Message, Notification, Request, RequestId};
use serde_json::{Value, json};
use spine::lint::house::HouseRule;
use spine::lsp::{Disk, Ended, Settings, serve};
use spine::machine::catalog::{Catalog, CatalogProvider};
use spine::model::Channel;

/// How long a session may take to answer before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(120);
/// The folder that sessions have open.
pub(super) const ROOT: &str = "/w";

/// Files in memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Files {
    pub(super) texts: BTreeMap<String, String>,
    pub(super) catalog: Catalog,
    pub(super) house: Vec<HouseRule>,
}

impl Files {
    fn ending(&self, ending: &'static str) -> impl Iterator<Item = (PathBuf, String)> {
        let all = self.texts.iter().filter(move |(name, _)| name.ends_with(ending));
        all.map(|(name, text)| (Path::new(ROOT).join(name), text.clone()))
    }
}

impl Disk for Files {
    fn policies(&self, folder: &Path, below: bool) -> Vec<(PathBuf, String)> {
        let fits = |path: &Path| path.starts_with(folder) && (below || path.parent() == Some(folder));
        self.ending(".policy").filter(|(path, _)| fits(path)).collect()
    }

    fn suites(&self, folder: &Path) -> Vec<(PathBuf, String)> {
        self.ending(".test.yaml").filter(|(path, _)| path.parent() == Some(folder)).collect()
    }

    fn read(&self, file: &Path) -> Option<String> {
        self.texts.get(file.strip_prefix(ROOT).ok()?.to_str()?).cloned()
    }

    fn settings(&self, _: &Path) -> Settings {
        let lint = spine::lint::Settings { house: self.house.clone(), ..Default::default() };
        Settings { catalog: self.catalog.clone(), lint, fault: None }
    }
}

/// `meta` for whatsapp, `twilio` for sms and voice, `vonage` for sms.
pub(super) fn catalog() -> Catalog {
    let provider = |name: &str, channels: &[(Channel, &str)]| CatalogProvider {
        name: name.to_owned(),
        channels: channels.iter().map(|(channel, _)| *channel).collect(),
        prices: channels.iter().map(|(channel, price)| (*channel, price.parse().unwrap())).collect(),
        ..CatalogProvider::default()
    };
    let providers = vec![
        provider("meta", &[(Channel::Whatsapp, "0.05 EUR")]),
        provider("twilio", &[(Channel::Sms, "0.07 EUR"), (Channel::Voice, "0.12 EUR")]),
        provider("vonage", &[(Channel::Sms, "0.06 EUR")]),
    ];
    Catalog { zone: Some("Europe/Vienna".to_owned()), providers: Some(providers), ..Catalog::default() }
}

/// A session.
pub(super) struct Client {
    pub(super) connection: Connection,
    server: Option<JoinHandle<Ended>>,
    asked: i32,
    /// What the server told meanwhile.
    pub(super) told: Vec<Notification>,
}

pub(super) fn uri(name: &str) -> String {
    format!("file://{ROOT}/{name}")
}

impl Client {
    /// A session that nothing was said in.
    pub(super) fn connected(files: Files) -> Client {
        let (ours, theirs) = Connection::memory();
        let server = std::thread::spawn(move || serve(&theirs, &files));
        Client { connection: ours, server: Some(server), asked: 0, told: Vec::new() }
    }

    /// A session after `initialize`, with capabilities of the client on top of the usual ones.
    pub(super) fn started(files: Files, encodings: &[&str]) -> Client {
        let mut client = Client::connected(files);
        let capabilities = json!({
            "general": {"positionEncodings": encodings},
            "textDocument": {"completion": {"completionItem": {"snippetSupport": true}}},
            "workspace": {"workspaceEdit": {"documentChanges": true, "resourceOperations": ["rename"]}},
        });
        let folders = json!([{"uri": format!("file://{ROOT}"), "name": "w"}]);
        let params = json!({"processId": null, "rootUri": null, "capabilities": capabilities, "workspaceFolders": folders});
        client.request("initialize", params).unwrap();
        client.notify("initialized", json!({}));
        client
    }

    pub(super) fn send(&self, message: Message) {
        self.connection.sender.send(message).unwrap();
    }

    pub(super) fn notify(&self, method: &str, params: Value) {
        self.send(Message::Notification(Notification { method: method.to_owned(), params }));
    }

    pub(super) fn ask(&mut self, method: &str, params: Value) -> RequestId {
        self.asked += 1;
        let id = RequestId::from(self.asked);
        self.send(Message::Request(Request { id: id.clone(), method: method.to_owned(), params }));
        id
    }

    pub(super) fn receive(&self) -> Message {
        self.connection.receiver.recv_timeout(PATIENCE).expect("the server says nothing")
    }

    /// The result of a request, or the code of its error.
    pub(super) fn answer(&mut self, id: &RequestId) -> Result<Value, i32> {
        loop {
            match self.receive() {
                Message::Response(response) if response.id == *id => {
                    return response.response_result.map_err(|error| error.code);
                }
                Message::Notification(told) => self.told.push(told),
                other => panic!("not asked for: {other:?}"),
            }
        }
    }

    pub(super) fn request(&mut self, method: &str, params: Value) -> Result<Value, i32> {
        let id = self.ask(method, params);
        self.answer(&id)
    }

    pub(super) fn open(&self, name: &str, version: i32, text: &str) {
        let document =
            json!({"uri": uri(name), "languageId": "spine-policy", "version": version, "text": text});
        self.notify("textDocument/didOpen", json!({"textDocument": document}));
    }

    /// The findings of a version of a document.
    pub(super) fn findings(&mut self, name: &str, version: i32) -> Vec<Value> {
        let is_it = |told: &Notification| {
            told.method == "textDocument/publishDiagnostics"
                && told.params["uri"] == uri(name)
                && told.params["version"] == version
        };
        if let Some(told) = self.told.iter().rev().find(|told| is_it(told)) {
            return told.params["diagnostics"].as_array().unwrap().clone();
        }
        loop {
            if let Message::Notification(told) = self.receive() {
                let found = is_it(&told).then(|| told.params["diagnostics"].as_array().unwrap().clone());
                self.told.push(told);
                if let Some(found) = found {
                    return found;
                }
            }
        }
    }

    /// Ends the session as the protocol wants it.
    pub(super) fn end(mut self) {
        assert_eq!(self.request("shutdown", Value::Null), Ok(Value::Null));
        self.notify("exit", Value::Null);
        assert_eq!(self.ended(), Ended::Orderly);
    }

    pub(super) fn ended(&mut self) -> Ended {
        self.server.take().unwrap().join().expect("the server panicked")
    }
}
