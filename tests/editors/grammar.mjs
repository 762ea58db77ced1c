// The TextMate grammar gives each word of each policy the colour that the language server gives it.
// Usage: node grammar.mjs SPINE MODULES GRAMMAR FOLDER…

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [spine, modules, grammarFile, ...folders] = process.argv.slice(2);
const require = createRequire(join(modules, "package.json"));
const rpc = require("vscode-jsonrpc/node");
const lsp = require("vscode-languageserver-protocol");
const { Registry, parseRawGrammar } = require("vscode-textmate");
const oniguruma = require("vscode-oniguruma");

// What a word of the server's kind may be for the grammar.
const FITS = {
  keyword: /^keyword\.|^storage\./,
  operator: /^keyword\.operator/,
  class: /^support\.class\.channel/,
  namespace: /^entity\.name\.namespace/,
  function: /^entity\.name\.function/,
  variable: /^variable\.language/,
  parameter: /^variable\.parameter/,
  property: /^variable\.other\.property/,
  macro: /^support\.constant/,
  enumMember: /^constant\.(language|other)/,
  number: /^constant\.numeric/,
  string: /^string\./,
  type: /^support\.type/,
  comment: /^comment\./,
};

const wasm = readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm"));
await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
const registry = new Registry({
  onigLib: Promise.resolve({
    createOnigScanner: (sources) => new oniguruma.OnigScanner(sources),
    createOnigString: (text) => new oniguruma.OnigString(text),
  }),
  loadGrammar: async () => parseRawGrammar(readFileSync(grammarFile, "utf8"), grammarFile),
});
const grammar = await registry.loadGrammar("source.spine-policy");

const child = spawn(spine, ["lsp"], { stdio: ["pipe", "pipe", "inherit"] });
const ended = new Promise((done) => child.on("exit", done));
const writer = new rpc.StreamMessageWriter(child.stdin);
const connection = rpc.createMessageConnection(new rpc.StreamMessageReader(child.stdout), writer);
connection.listen();
const { capabilities } = await connection.sendRequest(lsp.InitializeRequest.type, {
  processId: null, rootUri: null, capabilities: {},
});
const legend = capabilities.semanticTokensProvider.legend.tokenTypes;
await connection.sendNotification(lsp.InitializedNotification.type, {});

function policies(path) {
  if (!statSync(path).isDirectory()) return path.endsWith(".policy") ? [path] : [];
  return readdirSync(path).sort().flatMap((name) => policies(join(path, name)));
}

let words = 0;
const wrong = [];
for (const path of folders.flatMap(policies)) {
  const text = readFileSync(path, "utf8");
  const lines = text.split("\n");
  const scopes = [];
  let state = null;
  for (const line of lines) {
    const { tokens, ruleStack } = grammar.tokenizeLine(line, state);
    scopes.push(tokens);
    state = ruleStack;
  }
  const uri = pathToFileURL(path).href;
  const document = { uri, languageId: "spine-policy", version: 1, text };
  await connection.sendNotification(lsp.DidOpenTextDocumentNotification.type, { textDocument: document });
  const { data } = await connection.sendRequest(lsp.SemanticTokensRequest.type, { textDocument: { uri } });
  let [line, start] = [0, 0];
  for (let i = 0; i < data.length; i += 5) {
    start = data[i] === 0 ? start + data[i + 1] : data[i + 1];
    line += data[i];
    const kind = legend[data[i + 3]];
    const token = scopes[line].find((token) => token.startIndex <= start && start < token.endIndex);
    const inner = token.scopes.slice(1);
    words += 1;
    if (!inner.some((scope) => FITS[kind].test(scope))) {
      const word = lines[line].slice(start, start + data[i + 2]);
      wrong.push(`${path}:${line + 1}:${start + 1} \`${word}\` is ${kind} and has ${inner.join(" ") || "no scope"}`);
    }
  }
}
await connection.sendRequest(lsp.ShutdownRequest.type);
await connection.sendNotification(lsp.ExitNotification.type);
assert.equal(await ended, 0);
assert.ok(words > 300, `only ${words} words were seen`);
assert.equal(wrong.length, 0, `\n${wrong.slice(0, 40).join("\n")}\n${wrong.length} words of ${words}`);
console.log(`grammar: ok, ${words} words`);
