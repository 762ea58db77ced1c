//! Where a name is declared, and where it is used.

use std::collections::BTreeSet;
use std::ops::Range;

use gen_lsp_types::{DocumentHighlight, DocumentHighlightKind, Location};

use super::reading::{PolicyNode, Role};
use super::world::{Document, World};

/// A name at a place, with what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// A policy.
    Policy(String),
    /// A var of the policy that stands at this byte.
    Var(String, usize),
}

/// The name at a byte, with its bytes; of a `use` with a version, those of the name alone.
pub(super) fn name_at(document: &Document, byte: usize) -> Option<(Name, Range<usize>)> {
    let mark = document.reading.mark_at(byte)?;
    let text = document.text.slice(&mark.at);
    match mark.role {
        Role::Policy => Some((Name::Policy(text.to_owned()), mark.at.clone())),
        Role::PolicyUse => {
            let name = text.split('@').next().unwrap_or(text);
            Some((Name::Policy(name.to_owned()), mark.at.start..mark.at.start + name.len()))
        }
        Role::Var | Role::VarUse => Some((Name::Var(text.to_owned(), mark.at.start), mark.at.clone())),
        _ => None,
    }
}

/// A place in a document.
pub(super) type Spot<'w> = (&'w Document, Range<usize>);

/// Where what stands at a byte is declared.
pub(super) fn definitions<'w>(world: &'w World<'_>, document: &'w Document, byte: usize) -> Vec<Spot<'w>> {
    match name_at(document, byte) {
        Some((Name::Policy(name), _)) => {
            world.policy(document, &name).map(|(home, policy)| (home, head(policy))).into_iter().collect()
        }
        Some((Name::Var(name, byte), _)) => declared(world, document, byte, &name),
        None => Vec::new(),
    }
}

/// The bytes that stand for a policy: its name, or of a bare strategy its beginning.
pub(super) fn head(policy: &PolicyNode) -> Range<usize> {
    policy.name.clone().unwrap_or(policy.at.start..policy.at.start)
}

/// Declarations of a var: in its policy, else in those that it uses.
fn declared<'w>(world: &'w World<'_>, document: &'w Document, byte: usize, name: &str) -> Vec<Spot<'w>> {
    let Some(policy) = document.outline().policy_at(byte) else { return Vec::new() };
    let mut open: Vec<(&Document, &PolicyNode)> = vec![(document, policy)];
    let mut seen: BTreeSet<(String, usize)> = BTreeSet::new();
    let mut found = Vec::new();
    while let Some((home, policy)) = open.pop() {
        if !seen.insert((home.uri.as_ref().to_owned(), policy.at.start)) {
            continue;
        }
        let own = policy.vars.iter().find(|var| home.text.slice(&var.name) == name);
        match own {
            Some(var) => found.push((home, var.name.clone())),
            None => open.extend(used_by(world, home, policy)),
        }
    }
    found.sort_by_key(|(home, at)| (home.uri.as_ref().to_owned(), at.start));
    found
}

/// The policies that a policy uses.
fn used_by<'w>(
    world: &'w World<'_>,
    home: &'w Document,
    policy: &'w PolicyNode,
) -> impl Iterator<Item = (&'w Document, &'w PolicyNode)> {
    policy.uses.iter().filter_map(move |at| {
        let reference = home.text.slice(at);
        world.policy(home, reference.split('@').next().unwrap_or(reference))
    })
}

/// Everywhere that a policy is named; the first, where it has a name of its own, is its declaration.
pub(super) fn policy_spots<'w>(world: &'w World<'_>, document: &'w Document, name: &str) -> Vec<Spot<'w>> {
    let home = world.policy(document, name);
    let mut spots: Vec<Spot<'w>> = Vec::new();
    if let Some((home, policy)) = home
        && policy.name.is_some()
    {
        spots.push((home, head(policy)));
    }
    for user in world.documents() {
        for at in user.outline().policies.iter().flat_map(|policy| &policy.uses) {
            let reference = user.text.slice(at);
            let named = reference.split('@').next().unwrap_or(reference);
            if named != name {
                continue;
            }
            let meant = world.policy(user, name).map(|(home, policy)| (&home.uri, policy.at.start));
            if meant == home.map(|(home, policy)| (&home.uri, policy.at.start)) {
                spots.push((user, at.start..at.start + named.len()));
            }
        }
    }
    spots
}

/// Everywhere that a var is named: in its policy, and in those that are joined with it by `use`,
/// which share their vars. Whether each is a declaration.
pub(super) fn var_spots<'w>(
    world: &'w World<'_>,
    document: &'w Document,
    byte: usize,
    name: &str,
) -> Vec<(Spot<'w>, bool)> {
    let mut spots = Vec::new();
    for (home, policy) in joined(world, document, byte) {
        let is_it = |at: &&Range<usize>| home.text.slice(at) == name;
        let declared = policy.vars.iter().map(|var| &var.name).filter(is_it);
        spots.extend(declared.map(|at| ((home, at.clone()), true)));
        spots.extend(policy.var_uses.iter().filter(is_it).map(|at| ((home, at.clone()), false)));
    }
    spots.sort_by_key(|((home, at), _)| (home.uri.as_ref().to_owned(), at.start));
    spots
}

/// The policy at a byte, and all that are joined with it by `use`, in either direction.
fn joined<'w>(
    world: &'w World<'_>,
    document: &'w Document,
    byte: usize,
) -> Vec<(&'w Document, &'w PolicyNode)> {
    let Some(policy) = document.outline().policy_at(byte) else { return Vec::new() };
    let id = |home: &Document, policy: &PolicyNode| (home.uri.as_ref().to_owned(), policy.at.start);
    // Each policy with those that it uses.
    let mut edges = Vec::new();
    for user in world.documents() {
        for policy in user.outline().policies.iter().filter(|policy| !policy.uses.is_empty()) {
            edges.extend(used_by(world, user, policy).map(|used| ((user, policy), used)));
        }
    }
    let mut found = vec![(document, policy)];
    let mut seen = BTreeSet::from([id(document, policy)]);
    let mut next = 0;
    while let Some((home, policy)) = found.get(next).copied() {
        next += 1;
        let this = id(home, policy);
        for ((user, using), (other, used)) in &edges {
            let neighbour = if id(user, using) == this {
                (*other, *used)
            } else if id(other, used) == this {
                (*user, *using)
            } else {
                continue;
            };
            if seen.insert(id(neighbour.0, neighbour.1)) {
                found.push(neighbour);
            }
        }
    }
    found
}

// ---------------------------------------------------------------------------------- requests

pub(super) fn definition(world: &World<'_>, document: &Document, byte: usize) -> Vec<Location> {
    definitions(world, document, byte).into_iter().map(|(home, at)| world.location(home, &at)).collect()
}

pub(super) fn references(
    world: &World<'_>,
    document: &Document,
    byte: usize,
    with_declaration: bool,
) -> Vec<Location> {
    spots(world, document, byte)
        .into_iter()
        .filter(|(_, declares)| with_declaration || !declares)
        .map(|((home, at), _)| world.location(home, &at))
        .collect()
}

pub(super) fn highlights(world: &World<'_>, document: &Document, byte: usize) -> Vec<DocumentHighlight> {
    spots(world, document, byte)
        .into_iter()
        .filter(|((home, _), _)| home.uri == document.uri)
        .map(|((home, at), declares)| DocumentHighlight {
            range: world.range(home, &at),
            kind: Some(if declares { DocumentHighlightKind::Write } else { DocumentHighlightKind::Read }),
        })
        .collect()
}

fn spots<'w>(world: &'w World<'_>, document: &'w Document, byte: usize) -> Vec<(Spot<'w>, bool)> {
    match name_at(document, byte) {
        Some((Name::Policy(name), _)) => {
            let declared = world.policy(document, &name).map(|(home, policy)| (&home.uri, head(policy)));
            let is_declared =
                |(home, at): &Spot<'_>| declared.as_ref().is_some_and(|d| d.0 == &home.uri && d.1 == *at);
            let all = policy_spots(world, document, &name);
            all.into_iter().map(|spot| (is_declared(&spot), spot)).map(|(is, spot)| (spot, is)).collect()
        }
        Some((Name::Var(name, byte), _)) => var_spots(world, document, byte, &name),
        None => Vec::new(),
    }
}
