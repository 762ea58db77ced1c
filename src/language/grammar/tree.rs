//! The tree of a source.

use super::Rule;

/// A source that was read: its nodes, each before those inside it.
pub(crate) struct Tree<'s> {
    source: &'s str,
    nodes: Vec<Entry>,
}

/// What a node is, and its bytes of the source, the blanks and comments behind it included.
pub(super) struct Entry {
    pub(super) rule: Rule,
    pub(super) start: usize,
    pub(super) end: usize,
    /// The place of the first node that is not inside it.
    pub(super) after: usize,
}

/// A node of a tree.
#[derive(Clone, Copy)]
pub(crate) struct Node<'t> {
    tree: &'t Tree<'t>,
    place: usize,
}

/// Nodes one after the other.
#[derive(Clone)]
pub(crate) struct Nodes<'t> {
    tree: &'t Tree<'t>,
    next: usize,
    end: usize,
    /// Whether those inside them are told too.
    all: bool,
}

impl<'s> Tree<'s> {
    pub(super) fn new(source: &'s str, nodes: Vec<Entry>) -> Tree<'s> {
        Tree { source, nodes }
    }

    /// What the source consists of.
    pub(crate) fn pieces(&self) -> Nodes<'_> {
        Node { tree: self, place: 0 }.children()
    }

    pub(crate) fn source(&self) -> &'s str {
        self.source
    }
}

impl<'t> Node<'t> {
    fn entry(self) -> &'t Entry {
        &self.tree.nodes[self.place]
    }

    /// What it is.
    pub(crate) fn rule(self) -> Rule {
        self.entry().rule
    }

    /// Its first byte.
    pub(crate) fn start(self) -> usize {
        self.entry().start
    }

    /// The byte behind it and the blanks that follow it.
    pub(crate) fn end(self) -> usize {
        self.entry().end
    }

    /// Its text, with the blanks behind it.
    pub(crate) fn text(self) -> &'t str {
        &self.tree.source[self.start()..self.end()]
    }

    /// The nodes right inside it.
    pub(crate) fn children(self) -> Nodes<'t> {
        Nodes { tree: self.tree, next: self.place + 1, end: self.entry().after, all: false }
    }

    /// The first of them that is of a kind.
    pub(crate) fn child(self, rule: Rule) -> Option<Node<'t>> {
        self.children().find(|node| node.rule() == rule)
    }

    /// Itself and all nodes inside it, each before those inside it.
    pub(crate) fn with_all_inside(self) -> Nodes<'t> {
        Nodes { tree: self.tree, next: self.place, end: self.entry().after, all: true }
    }
}

impl<'t> Iterator for Nodes<'t> {
    type Item = Node<'t>;

    fn next(&mut self) -> Option<Node<'t>> {
        if self.next >= self.end {
            return None;
        }
        let node = Node { tree: self.tree, place: self.next };
        self.next = if self.all { self.next + 1 } else { node.entry().after };
        Some(node)
    }
}
