//! Renaming: a policy in the whole workspace and in the test files beside it, a var wherever policies share it.

use std::collections::BTreeMap;

use gen_lsp_types::{PrepareRenamePlaceholder, Range, Uri, WorkspaceEdit};
use serde_json::{Value, json};

use super::navigate::{Name, Spot, name_at, policy_spots, var_spots};
use super::server::{Client, Refusal};
use super::text::Text;
use super::world::{Document, World, uri_of};
use crate::language::yaml::Place;

/// What would be renamed at a place.
pub(super) fn prepare(
    world: &World<'_>,
    document: &Document,
    byte: usize,
) -> Option<PrepareRenamePlaceholder> {
    let (name, at) = name_at(document, byte)?;
    let placeholder = match name {
        Name::Policy(name) | Name::Var(name, _) => name,
    };
    Some(PrepareRenamePlaceholder { range: world.range(document, &at), placeholder })
}

/// The edits of a renaming.
///
/// # Errors
/// Where nothing has a name there, or the new one cannot be.
pub(super) fn rename(
    world: &World<'_>,
    document: &Document,
    byte: usize,
    new_name: &str,
    client: Client,
) -> Result<Option<WorkspaceEdit>, Refusal> {
    let Some((name, _)) = name_at(document, byte) else {
        return Err(Refusal::failed("only policies and vars can be renamed; no name of one stands here"));
    };
    if let Some(help) = crate::language::bad_name(new_name) {
        return Err(Refusal::failed(format!("`{new_name}` is no name: {help}")));
    }
    match name {
        Name::Policy(name) => policy(world, document, &name, new_name, client).map(Some),
        Name::Var(name, byte) => {
            let spots = var_spots(world, document, byte, &name);
            let taken = !var_spots(world, document, byte, new_name).is_empty();
            if taken && name != new_name {
                return Err(Refusal::failed(format!("there is a var `{new_name}` already")));
            }
            let spots = self::spots(world, spots.into_iter().map(|(spot, _)| spot).collect());
            Ok(Some(edit(spots.collect(), new_name, client, None)))
        }
    }
}

fn policy(
    world: &World<'_>,
    document: &Document,
    name: &str,
    new_name: &str,
    client: Client,
) -> Result<WorkspaceEdit, Refusal> {
    let Some((home, node)) = world.policy(document, name) else {
        return Err(Refusal::failed(format!("no policy `{name}` is known here")));
    };
    if name != new_name && world.policy(home, new_name).is_some() {
        return Err(Refusal::failed(format!("there is a policy `{new_name}` already")));
    }
    let mut file = None;
    if node.bare {
        // A bare strategy has its file's name.
        let renamed = home.path.as_ref().map(|path| path.with_file_name(format!("{new_name}.policy")));
        let Some(to) = renamed.filter(|_| client.renames_files && client.versioned_edits) else {
            return Err(Refusal::failed(format!(
                "policy `{name}` has the name of its file; rename the file, which this editor cannot be asked to do"
            )));
        };
        file = Some(json!({"kind": "rename", "oldUri": home.uri, "newUri": uri_of(&to)}));
    }
    let changes = spots(world, policy_spots(world, document, name)).chain(suites(world, home, name));
    Ok(edit(changes.collect(), new_name, client, file))
}

/// Where something is written anew.
struct Change {
    uri: Uri,
    version: Option<i32>,
    range: Range,
}

fn spots<'w>(world: &World<'_>, spots: Vec<Spot<'w>>) -> impl Iterator<Item = Change> {
    spots.into_iter().map(|(home, at)| Change {
        uri: home.uri.clone(),
        version: home.version,
        range: world.range(home, &at),
    })
}

/// Where the test files beside a policy's file name it.
fn suites(world: &World<'_>, home: &Document, name: &str) -> impl Iterator<Item = Change> {
    world.suites_beside(home).into_iter().filter_map(move |(path, source)| {
        let text = Text::new(source);
        let at = Place::find(text.source(), &["policy".into()], false)?;
        let line = text.line(at.line.checked_sub(1)?);
        let before: usize =
            text.slice(&line).chars().take(at.column.checked_sub(1)?).map(char::len_utf8).sum();
        let value = text.source().get(line.start + before..line.end)?;
        // It may stand in quotes.
        let start = line.start + before + (value.len() - value.trim_start_matches(['"', '\'']).len());
        let at = start..start + name.len();
        let behind = text.source().get(at.end..).and_then(|behind| behind.chars().next());
        let is_it = text.source().get(at.clone()) == Some(name)
            && behind.is_none_or(|c| c.is_whitespace() || matches!(c, '"' | '\'' | '#'));
        is_it.then(|| Change { uri: uri_of(&path), version: None, range: text.range(&at, world.encoding) })
    })
}

fn edit(changes: Vec<Change>, new_name: &str, client: Client, file: Option<Value>) -> WorkspaceEdit {
    let mut by_document: BTreeMap<String, (Option<i32>, Vec<Value>)> = BTreeMap::new();
    for Change { uri, version, range } in changes {
        let edit = json!({"range": range, "newText": new_name});
        by_document.entry(uri.as_ref().to_owned()).or_insert_with(|| (version, Vec::new())).1.push(edit);
    }
    let whole = if client.versioned_edits {
        let edits = by_document.iter().map(|(uri, (version, edits))| {
            json!({"textDocument": {"uri": uri, "version": version}, "edits": edits})
        });
        json!({"documentChanges": edits.chain(file).collect::<Vec<_>>()})
    } else {
        let changes: BTreeMap<&String, &Vec<Value>> =
            by_document.iter().map(|(uri, (_, edits))| (uri, edits)).collect();
        json!({"changes": changes})
    };
    serde_json::from_value(whole).unwrap_or_default()
}
