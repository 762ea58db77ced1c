// The client: starts `spine lsp` and shows the pages of rules.
"use strict";

const vscode = require("vscode");
const { LanguageClient, TransportKind } = require("vscode-languageclient/node");

const LANGUAGE = "spine-policy";
const PAGES = "spine-rule";

/** @type {LanguageClient | undefined} */
let client;

function started() {
  const command = vscode.workspace.getConfiguration("spine").get("path", "spine");
  const run = { command, args: ["lsp"], transport: TransportKind.stdio };
  return new LanguageClient("spine", "Spine policies", { run, debug: run }, {
    documentSelector: [{ language: LANGUAGE }],
    markdown: { isTrusted: false },
  });
}

async function start() {
  client = started();
  try {
    await client.start();
  } catch (error) {
    const choice = await vscode.window.showErrorMessage(
      `The language server of Spine did not start: ${error.message ?? error}. Is \`spine\` installed?`,
      "Open settings",
    );
    if (choice) await vscode.commands.executeCommand("workbench.action.openSettings", "spine.path");
  }
}

async function stop() {
  const running = client;
  client = undefined;
  await running?.stop();
}

exports.activate = async (context) => {
  const provideTextDocumentContent = async (uri) => {
    const page = await client?.sendRequest("workspace/textDocumentContent", { uri: uri.toString() });
    return page?.text ?? "";
  };
  context.subscriptions.push(
    vscode.workspace.registerTextDocumentContentProvider(PAGES, { provideTextDocumentContent }),
    vscode.commands.registerCommand("spine.restart", async () => {
      await stop();
      await start();
    }),
    vscode.workspace.onDidChangeConfiguration(async (event) => {
      if (event.affectsConfiguration("spine.path")) {
        await stop();
        await start();
      }
    }),
  );
  await start();
};

exports.deactivate = stop;
