//! Requests, each with the part of the server that answers it.

use gen_lsp_types::{TextDocumentIdentifier, TextDocumentPositionParams, Uri};
use lsp_server::ErrorCode;
use serde_json::Value;

use super::{Refusal, Server, read, write};
use crate::lsp::world::Document;
use crate::lsp::{
    actions, completion, diagnostics, folding, formatting, hints, hover, navigate, rename, symbols, tokens,
};

impl Server<'_> {
    /// Answers a request of a running session.
    pub(super) fn request(&mut self, method: &str, params: Value) -> Result<Value, Refusal> {
        let world = &self.world;
        match method {
            "textDocument/completion" => self
                .place(params, |document, byte| completion::at(world, document, byte, self.client.snippets)),
            "textDocument/hover" => self.place(params, |document, byte| hover::at(world, document, byte)),
            "textDocument/definition" => {
                self.place(params, |document, byte| navigate::definition(world, document, byte))
            }
            "textDocument/references" => {
                let context = params.pointer("/context/includeDeclaration").and_then(Value::as_bool);
                self.place(params, |document, byte| {
                    navigate::references(world, document, byte, context.unwrap_or(true))
                })
            }
            "textDocument/documentHighlight" => {
                self.place(params, |document, byte| navigate::highlights(world, document, byte))
            }
            "textDocument/prepareRename" => {
                self.place(params, |document, byte| rename::prepare(world, document, byte))
            }
            "textDocument/rename" => {
                let new_name = params.get("newName").and_then(Value::as_str).unwrap_or_default().to_owned();
                let (document, byte) = self.position(&params)?;
                write(rename::rename(world, document, byte, &new_name, self.client)?)
            }
            "textDocument/documentSymbol" => {
                self.whole(&params, |document| symbols::of_document(world, document))
            }
            "workspace/symbol" => {
                let query = params.get("query").and_then(Value::as_str).unwrap_or_default();
                write(symbols::of_workspace(world, query))
            }
            "textDocument/codeAction" => {
                let params: gen_lsp_types::CodeActionParams = read(params)?;
                let document = self.document(&params.text_document.uri)?;
                write(actions::of_range(world, document, &params, self.client))
            }
            "textDocument/formatting" => {
                let document = self.document(&uri(&params)?)?;
                write(formatting::document(world, document))
            }
            "textDocument/rangeFormatting" => {
                let params: gen_lsp_types::DocumentRangeFormattingParams = read(params)?;
                let document = self.document(&params.text_document.uri)?;
                write(formatting::range(world, document, params.range))
            }
            "textDocument/foldingRange" => self.whole(&params, folding::of_document),
            "textDocument/inlayHint" => {
                let params: gen_lsp_types::InlayHintParams = read(params)?;
                let document = self.document(&params.text_document.uri)?;
                write(hints::of_range(world, document, params.range))
            }
            "textDocument/semanticTokens/full" => {
                let uri = uri(&params)?;
                let found = tokens::of_document(world, self.document(&uri)?, None);
                write(self.colours.full(&uri, found))
            }
            "textDocument/semanticTokens/full/delta" => {
                let params: gen_lsp_types::SemanticTokensDeltaParams = read(params)?;
                let uri = params.text_document.uri;
                let found = tokens::of_document(world, self.document(&uri)?, None);
                write(self.colours.delta(&uri, &params.previous_result_id, found))
            }
            "textDocument/semanticTokens/range" => {
                let params: gen_lsp_types::SemanticTokensRangeParams = read(params)?;
                let document = self.document(&params.text_document.uri)?;
                write(tokens::range(world, document, params.range))
            }
            "workspace/textDocumentContent" => {
                let params: gen_lsp_types::TextDocumentContentParams = read(params)?;
                match diagnostics::page(world, params.uri.as_ref()) {
                    Some(text) => write(gen_lsp_types::TextDocumentContentResult { text }),
                    None => Err(Refusal::failed("there is no such page")),
                }
            }
            unknown => Err(Refusal {
                code: ErrorCode::MethodNotFound,
                message: format!("`{unknown}` is not known here"),
            }),
        }
    }

    fn document(&self, uri: &Uri) -> Result<&Document, Refusal> {
        let unknown = || Refusal {
            code: ErrorCode::InvalidParams,
            message: format!("the document `{uri}` is not open"),
        };
        self.world.document(uri).ok_or_else(unknown)
    }

    fn position(&self, params: &Value) -> Result<(&Document, usize), Refusal> {
        let at: TextDocumentPositionParams = read(params.clone())?;
        let document = self.document(&at.text_document.uri)?;
        Ok((document, self.world.byte(document, at.position)))
    }

    /// Answers what is asked of a place in a document.
    fn place<R: serde::Serialize>(
        &self,
        params: Value,
        answer: impl FnOnce(&Document, usize) -> R,
    ) -> Result<Value, Refusal> {
        let (document, byte) = self.position(&params)?;
        write(answer(document, byte))
    }

    /// Answers what is asked of a whole document.
    fn whole<R: serde::Serialize>(
        &self,
        params: &Value,
        answer: impl FnOnce(&Document) -> R,
    ) -> Result<Value, Refusal> {
        write(answer(self.document(&uri(params)?)?))
    }
}

fn uri(params: &Value) -> Result<Uri, Refusal> {
    let document: TextDocumentIdentifier = read(params.get("textDocument").cloned().unwrap_or(Value::Null))?;
    Ok(document.uri)
}
