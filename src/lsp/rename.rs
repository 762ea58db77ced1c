//! Renaming: a policy in the whole workspace, a var wherever policies share it.

use std::collections::BTreeMap;

use gen_lsp_types::{PrepareRenamePlaceholder, WorkspaceEdit};
use serde_json::{Value, json};

use super::navigate::{Name, Spot, name_at, policy_spots, var_spots};
use super::server::{Client, Refusal};
use super::world::{Document, World, uri_of};

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
            Ok(Some(edit(world, spots.into_iter().map(|(spot, _)| spot).collect(), new_name, client, None)))
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
    Ok(edit(world, policy_spots(world, document, name), new_name, client, file))
}

fn edit(
    world: &World<'_>,
    spots: Vec<Spot<'_>>,
    new_name: &str,
    client: Client,
    file: Option<Value>,
) -> WorkspaceEdit {
    let mut by_document: BTreeMap<&str, (&Document, Vec<Value>)> = BTreeMap::new();
    for (home, at) in spots {
        let edit = json!({"range": world.range(home, &at), "newText": new_name});
        by_document.entry(home.uri.as_ref()).or_insert_with(|| (home, Vec::new())).1.push(edit);
    }
    let whole = if client.versioned_edits {
        let edits = by_document.values().map(|(home, edits)| {
            json!({"textDocument": {"uri": home.uri, "version": home.version}, "edits": edits})
        });
        json!({"documentChanges": edits.chain(file).collect::<Vec<_>>()})
    } else {
        let changes: BTreeMap<&str, &Vec<Value>> =
            by_document.iter().map(|(uri, (_, edits))| (*uri, edits)).collect();
        json!({"changes": changes})
    };
    serde_json::from_value(whole).unwrap_or_default()
}
