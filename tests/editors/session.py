"""A session with the built program over its standard streams, by the client of pygls.

Usage: python session.py SPINE
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

TEXT = "# 😀\npolicy p {\n  vars { amount: number }\n  sms if vars.amount > 3 then watsapp\n}\n"


async def session(spine: str, folder: Path) -> None:
    client = LanguageClient("spine-tests", "1")
    told: asyncio.Queue[lsp.PublishDiagnosticsParams] = asyncio.Queue()

    @client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    def _(params: lsp.PublishDiagnosticsParams) -> None:
        told.put_nowait(params)

    await client.start_io(spine, "lsp")
    server = client._server
    encodings = [lsp.PositionEncodingKind.Utf32, lsp.PositionEncodingKind.Utf16]
    answer = await client.initialize_async(
        lsp.InitializeParams(
            process_id=None,
            root_uri=folder.as_uri(),
            capabilities=lsp.ClientCapabilities(
                general=lsp.GeneralClientCapabilities(position_encodings=encodings),
            ),
        )
    )
    assert answer.capabilities.position_encoding == lsp.PositionEncodingKind.Utf32
    client.initialized(lsp.InitializedParams())

    uri = (folder / "p.policy").as_uri()
    item = lsp.TextDocumentItem(uri=uri, language_id="spine-policy", version=1, text=TEXT)
    client.text_document_did_open(lsp.DidOpenTextDocumentParams(text_document=item))
    found = await told.get()
    assert [one.code for one in found.diagnostics] == ["unknown-channel"], found
    place = found.diagnostics[0].range

    document = lsp.TextDocumentIdentifier(uri=uri)
    context = lsp.CodeActionContext(diagnostics=found.diagnostics)
    actions = await client.text_document_code_action_async(
        lsp.CodeActionParams(text_document=document, range=place, context=context)
    )
    # This client takes no versioned edits.
    [edit] = actions[0].edit.changes[uri]
    assert edit.new_text == "whatsapp"
    change = lsp.TextDocumentContentChangePartial(range=edit.range, text=edit.new_text)
    version = lsp.VersionedTextDocumentIdentifier(uri=uri, version=2)
    client.text_document_did_change(
        lsp.DidChangeTextDocumentParams(text_document=version, content_changes=[change])
    )
    found = await told.get()
    assert found.version == 2 and all(one.severity != 1 for one in found.diagnostics), found

    at = lsp.Position(line=3, character=17)
    hover = await client.text_document_hover_async(lsp.HoverParams(text_document=document, position=at))
    assert "amount: number" in hover.contents.value
    items = await client.text_document_completion_async(
        lsp.CompletionParams(text_document=document, position=lsp.Position(line=3, character=10))
    )
    assert any(item.label == "vars.amount" and item.detail == "number" for item in items), items
    # Without snippets, what is written is whole words.
    assert all("$" not in item.text_edit.new_text for item in items if item.label != "contact has")
    edit = await client.text_document_rename_async(
        lsp.RenameParams(text_document=document, position=at, new_name="total")
    )
    assert [one.new_text for one in edit.changes[uri]] == ["total", "total"]
    symbols = await client.text_document_document_symbol_async(
        lsp.DocumentSymbolParams(text_document=document)
    )
    assert [symbol.name for symbol in symbols] == ["p"]
    tokens = await client.text_document_semantic_tokens_full_async(
        lsp.SemanticTokensParams(text_document=document)
    )
    # The comment with a wide character: three characters in UTF-32.
    assert list(tokens.data[:3]) == [0, 0, 3], tokens.data[:5]
    whole = lsp.Range(start=lsp.Position(line=0, character=0), end=lsp.Position(line=9, character=0))
    hints = await client.text_document_inlay_hint_async(
        lsp.InlayHintParams(text_document=document, range=whole)
    )
    assert [hint.label for hint in hints] == ["0s", "on failure"], hints

    await client.shutdown_async(None)
    client.exit(None)
    assert await server.wait() == 0
    await client.stop()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="spine-editors-") as folder:
        asyncio.run(session(sys.argv[1], Path(folder).resolve()))
    print("session: ok")


main()
