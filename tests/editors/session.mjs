// A session with the built program over its standard streams, by the client libraries of VS Code.
// Usage: node session.mjs SPINE MODULES

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [spine, modules] = process.argv.slice(2);
const require = createRequire(join(modules, "package.json"));
const rpc = require("vscode-jsonrpc/node");
const lsp = require("vscode-languageserver-protocol");

function program() {
  const child = spawn(spine, ["lsp"], { stdio: ["pipe", "pipe", "inherit"] });
  const reader = new rpc.StreamMessageReader(child.stdout);
  const connection = rpc.createMessageConnection(reader, new rpc.StreamMessageWriter(child.stdin));
  const code = new Promise((done) => child.on("exit", done));
  return { child, connection, code };
}

const folder = mkdtempSync(join(tmpdir(), "spine-editors-"));
const file = (name) => pathToFileURL(join(folder, name)).href;
try {
  writeFileSync(join(folder, "spine.yaml"), "catalog:\n  providers:\n    twilio: { channels: [sms], price: { sms: 0.07 EUR } }\n" +
    "lint:\n  rules: { unsure-zone: error }\n");
  writeFileSync(join(folder, "nudge.policy"), "policy nudge { sms via twilio }\n");
  const text = "policy main {\n  use nudge then sms  via  twilio after 30s then emial\n}\n";
  const { connection, code } = program();
  const told = new Map();
  const waiting = new Map();
  connection.onNotification(lsp.PublishDiagnosticsNotification.type, (params) => {
    const key = `${params.uri} ${params.version}`;
    told.set(key, params.diagnostics);
    waiting.get(key)?.(params.diagnostics);
  });
  const findings = (uri, version) => new Promise((done) => {
    const key = `${uri} ${version}`;
    if (told.has(key)) done(told.get(key));
    else waiting.set(key, done);
  });
  const watchers = new Promise((done) => {
    connection.onRequest(lsp.RegistrationRequest.type, (params) => done(params.registrations));
  });
  connection.listen();

  const initialized = await connection.sendRequest(lsp.InitializeRequest.type, {
    processId: process.pid,
    rootUri: null,
    workspaceFolders: [{ uri: pathToFileURL(folder).href, name: "policies" }],
    capabilities: {
      general: { positionEncodings: ["utf-16"] },
      workspace: { didChangeWatchedFiles: { dynamicRegistration: true }, workspaceEdit: { documentChanges: true } },
      textDocument: { completion: { completionItem: { snippetSupport: true } } },
    },
  });
  assert.equal(initialized.capabilities.positionEncoding, "utf-16");
  await connection.sendNotification(lsp.InitializedNotification.type, {});
  assert.equal((await watchers)[0].method, "workspace/didChangeWatchedFiles");

  const uri = file("main.policy");
  const textDocument = { uri };
  const textDocumentItem = { uri, languageId: "spine-policy", version: 1, text };
  await connection.sendNotification(lsp.DidOpenTextDocumentNotification.type, { textDocument: textDocumentItem });
  const first = await findings(uri, 1);
  assert.deepEqual(first.map((one) => one.code), ["unknown-channel"]);
  assert.deepEqual(first[0].range, { start: { line: 1, character: 49 }, end: { line: 1, character: 54 } });

  const actions = await connection.sendRequest(lsp.CodeActionRequest.type, {
    textDocument, range: first[0].range, context: { diagnostics: first },
  });
  const edit = actions[0].edit.documentChanges[0].edits[0];
  assert.equal(edit.newText, "email");
  await connection.sendNotification(lsp.DidChangeTextDocumentNotification.type, {
    textDocument: { uri, version: 2 }, contentChanges: [{ range: edit.range, text: edit.newText }],
  });
  assert.ok((await findings(uri, 2)).every((one) => one.severity !== 1));

  const at = (line, character) => ({ textDocument, position: { line, character } });
  const hover = await connection.sendRequest(lsp.HoverRequest.type, at(1, 18));
  assert.match(hover.contents.value, /\*\*Step 2 of `main`: an SMS\*\*/);
  const places = await connection.sendRequest(lsp.DefinitionRequest.type, at(1, 8));
  assert.deepEqual(places.map((place) => place.uri), [file("nudge.policy")]);
  const references = await connection.sendRequest(lsp.ReferencesRequest.type, {
    ...at(1, 8), context: { includeDeclaration: true },
  });
  assert.equal(references.length, 2);
  const items = await connection.sendRequest(lsp.CompletionRequest.type, at(1, 27));
  assert.deepEqual(items.map((item) => [item.label, item.detail]), [["twilio", "0.07 EUR a send"]]);
  const renamed = await connection.sendRequest(lsp.RenameRequest.type, { ...at(1, 8), newName: "ping" });
  assert.equal(renamed.documentChanges.length, 2);
  const formatted = await connection.sendRequest(lsp.DocumentFormattingRequest.type, {
    textDocument, options: { tabSize: 2, insertSpaces: true },
  });
  assert.ok(formatted.length > 0);
  const symbols = await connection.sendRequest(lsp.DocumentSymbolRequest.type, { textDocument });
  assert.deepEqual(symbols.map((symbol) => symbol.name), ["main"]);
  const whole = { start: { line: 0, character: 0 }, end: { line: 9, character: 0 } };
  const hints = await connection.sendRequest(lsp.InlayHintRequest.type, { textDocument, range: whole });
  assert.deepEqual(hints.map((hint) => hint.label), ["0s", "30s", "on failure"]);
  const colours = await connection.sendRequest(lsp.SemanticTokensRequest.type, { textDocument });
  assert.equal(colours.data.length % 5, 0);
  const folds = await connection.sendRequest(lsp.FoldingRangeRequest.type, { textDocument });
  assert.equal(folds.length, 1);

  // Levels are those of `spine.yaml`.
  const zoned = file("zoned.policy");
  await connection.sendNotification(lsp.DidOpenTextDocumentNotification.type, {
    textDocument: { ...textDocumentItem, uri: zoned, text: "sms between 08:00 and 21:00 in contact.timezone" },
  });
  const levelled = await findings(zoned, 1);
  assert.equal(levelled.find((one) => one.code === "unsure-zone").severity, 1);

  // A file that somebody else changes.
  writeFileSync(join(folder, "nudge.policy"), "policy other { sms via twilio }\n");
  await connection.sendNotification(lsp.DidChangeWatchedFilesNotification.type, {
    changes: [{ uri: file("nudge.policy"), type: 2 }],
  });
  told.clear();
  const later = await findings(uri, 2);
  assert.deepEqual(later.map((one) => one.code).filter((code) => code === "unknown-policy"), ["unknown-policy"]);

  await assert.rejects(connection.sendRequest("nobody/knows", {}), { code: -32601 });
  await connection.sendRequest(lsp.ShutdownRequest.type);
  await connection.sendNotification(lsp.ExitNotification.type);
  assert.equal(await code, 0);

  // Nobody announced it.
  const other = program();
  other.connection.listen();
  await other.connection.sendNotification(lsp.ExitNotification.type);
  assert.equal(await other.code, 1);

  // What is no message is passed over.
  const third = program();
  third.child.stdin.write("Content-Length: 9\r\n\r\n{nonsense");
  third.connection.listen();
  await third.connection.sendRequest(lsp.InitializeRequest.type, { processId: null, rootUri: null, capabilities: {} });
  await third.connection.sendRequest(lsp.ShutdownRequest.type);
  await third.connection.sendNotification(lsp.ExitNotification.type);
  assert.equal(await third.code, 0);
  console.log("session: ok");
} finally {
  rmSync(folder, { recursive: true });
}
