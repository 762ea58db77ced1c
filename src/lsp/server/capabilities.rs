//! What the client can do, and what the server offers.

use gen_lsp_types::InitializeParams;
use serde_json::{Value, json};

use crate::lsp::text::Encoding;
use crate::lsp::tokens;

/// What the client can do, as far as answers differ by it.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::lsp) struct Client {
    /// Completions with places to jump to.
    pub(in crate::lsp) snippets: bool,
    /// It tells of changed files where it is asked to.
    pub(in crate::lsp) watches: bool,
    /// It renames files as part of an edit.
    pub(in crate::lsp) renames_files: bool,
    /// Edits of documents come with their versions.
    pub(in crate::lsp) versioned_edits: bool,
}

impl Client {
    pub(super) fn of(params: &InitializeParams) -> Client {
        let all = serde_json::to_value(&params.capabilities).unwrap_or_default();
        let says = |pointer: &str| all.pointer(pointer) == Some(&Value::Bool(true));
        let operations = all.pointer("/workspace/workspaceEdit/resourceOperations").and_then(Value::as_array);
        Client {
            snippets: says("/textDocument/completion/completionItem/snippetSupport"),
            watches: says("/workspace/didChangeWatchedFiles/dynamicRegistration"),
            renames_files: operations.is_some_and(|known| known.iter().any(|kind| kind == "rename")),
            versioned_edits: says("/workspace/workspaceEdit/documentChanges"),
        }
    }
}

/// The answer to `initialize`.
pub(super) fn of_server(encoding: Encoding) -> Value {
    json!({
        "capabilities": {
            "positionEncoding": encoding.kind(),
            "textDocumentSync": {"openClose": true, "change": 2},
            "completionProvider": {"triggerCharacters": [" ", ".", "(", "[", "{", ":"], "resolveProvider": false},
            "hoverProvider": true,
            "definitionProvider": true,
            "referencesProvider": true,
            "documentHighlightProvider": true,
            "documentSymbolProvider": true,
            "workspaceSymbolProvider": true,
            "codeActionProvider": {"codeActionKinds": ["quickfix", "source.fixAll"]},
            "documentFormattingProvider": true,
            "documentRangeFormattingProvider": true,
            "renameProvider": {"prepareProvider": true},
            "foldingRangeProvider": true,
            "semanticTokensProvider": {
                "legend": {"tokenTypes": tokens::TYPES, "tokenModifiers": tokens::MODIFIERS},
                "range": true,
                "full": {"delta": true},
            },
            "inlayHintProvider": true,
            "workspace": {
                "workspaceFolders": {"supported": true, "changeNotifications": true},
                "textDocumentContent": {"schemes": [super::diagnostics::SCHEME]},
            },
        },
        "serverInfo": {"name": "spine", "version": env!("CARGO_PKG_VERSION")},
    })
}
