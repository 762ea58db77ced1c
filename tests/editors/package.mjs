// The VS Code extension is packaged, and what is in the package starts the language server.
// Usage: node package.mjs MODULES EXTENSION PACKAGE

import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import Module from "node:module";
import { join } from "node:path";

const [modules, extension, packagePath] = process.argv.slice(2);
const require = createRequire(join(modules, "package.json"));
const { createVSIX, listFiles } = require("@vscode/vsce");

await createVSIX({
  cwd: extension, packagePath, allowMissingRepository: true, dependencies: true, skipLicense: false,
});
assert.ok(statSync(packagePath).size > 50_000);
const files = await listFiles({ cwd: extension });
for (const needed of [
  "package.json", "extension.js", "language-configuration.json", "syntaxes/spine-policy.tmLanguage.json",
  "README.md", "LICENSE", "node_modules/vscode-languageclient/node.js",
  "node_modules/vscode-languageserver-protocol/package.json",
]) {
  assert.ok(files.includes(needed), `${needed} is not in the package`);
}
assert.ok(!files.some((file) => file.endsWith(".policy")));

// Everything that the manifest names is there.
const own = createRequire(join(extension, "package.json"));
const manifest = own("./package.json");
for (const path of [
  manifest.main,
  ...manifest.contributes.grammars.map((grammar) => grammar.path),
  ...manifest.contributes.languages.map((language) => language.configuration),
]) {
  assert.ok(existsSync(join(extension, path)), path);
}
const configuration = own("./language-configuration.json");
const word = new RegExp(configuration.wordPattern, "u");
assert.equal(word.exec("opted_out and")[0], "opted_out");

// The extension with an editor that only listens.
const seen = { clients: [], commands: [], providers: [] };
class LanguageClient {
  constructor(id, name, server, client) { seen.clients.push({ id, name, server, client, running: false }); }
  async start() { seen.clients.at(-1).running = true; }
  async stop() { seen.clients.at(-1).running = false; }
  async sendRequest(method, params) { return { text: `${method} ${params.uri}` }; }
}
const vscode = {
  workspace: {
    getConfiguration: () => ({ get: () => "/opt/spine" }),
    registerTextDocumentContentProvider: (scheme, provider) => seen.providers.push([scheme, provider]),
    onDidChangeConfiguration: () => ({ dispose() {} }),
  },
  commands: { registerCommand: (name, run) => seen.commands.push([name, run]) },
  window: {},
};
const load = Module._load;
Module._load = (name, ...rest) => {
  if (name === "vscode") return vscode;
  if (name === "vscode-languageclient/node") return { LanguageClient, TransportKind: { stdio: 0 } };
  return load(name, ...rest);
};
const { activate, deactivate } = own("./extension.js");
await activate({ subscriptions: [] });
assert.deepEqual(seen.clients[0].server.run, { command: "/opt/spine", args: ["lsp"], transport: 0 });
assert.deepEqual(seen.clients[0].client.documentSelector, [{ language: manifest.contributes.languages[0].id }]);
assert.ok(seen.clients[0].running);
assert.deepEqual(seen.commands.map(([name]) => name), manifest.contributes.commands.map(({ command }) => command));
const [[scheme, provider]] = seen.providers;
assert.equal(await provider.provideTextDocumentContent(`${scheme}:/x.md`), "workspace/textDocumentContent spine-rule:/x.md");
await seen.commands[0][1]();
assert.equal(seen.clients.length, 2);
await deactivate();
assert.ok(!seen.clients[1].running);
console.log(`package: ok, ${files.length} files`);
