//! A machine's graph, as data, as text for the tools that draw, and as a picture.

mod svg;

use std::fmt::Write as _;

use petgraph::visit::EdgeRef;
use schemars::JsonSchema;
use serde::Serialize;

use crate::language::policy::{ChannelStage, GroupKind, OnDoubt, Retry, Route, Wait};
use crate::model::{Days, Window};

pub use svg::{SvgOptions, Theme, svg};

use super::plan::{Kind, Machine, Node, StageId, Way};

/// A graph, in the shape that other tools read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Drawing {
    /// In the order of the text.
    pub nodes: Vec<DrawnNode>,
    /// In the order of the text.
    pub edges: Vec<DrawnEdge>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DrawnNode {
    /// Unique in the drawing, and the same for the same policy.
    pub id: String,
    /// For people.
    pub label: String,
    /// Whether the message came by here; false where it is about no message.
    pub taken: bool,
}

/// An edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DrawnEdge {
    /// A node's id.
    pub from: String,
    /// A node's id.
    pub to: String,
    /// For people.
    pub label: String,
    /// Whether the message went this way; false where it is about no message.
    pub taken: bool,
}

/// Draws a machine.
#[must_use]
pub fn draw(machine: &Machine) -> Drawing {
    let graph = machine.graph();
    let nodes = graph.node_indices().map(|index| DrawnNode {
        id: id(graph[index]),
        label: machine.label(graph[index]),
        taken: false,
    });
    let edges = graph.edge_references().map(|edge| DrawnEdge {
        from: id(graph[edge.source()]),
        to: id(graph[edge.target()]),
        label: way(*edge.weight()),
        taken: false,
    });
    Drawing { nodes: nodes.collect(), edges: edges.collect() }
}

impl Drawing {
    /// In the language of Graphviz.
    #[must_use]
    pub fn to_dot(&self, name: &str) -> String {
        let mut out = String::new();
        let quoted = |text: &str| {
            let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            format!("\"{escaped}\"")
        };
        _ = writeln!(out, "digraph {} {{\n  rankdir=TB;\n  node [shape=box, style=rounded];", quoted(name));
        for node in &self.nodes {
            _ = writeln!(out, "  {} [label={}];", quoted(&node.id), quoted(&node.label));
        }
        for edge in &self.edges {
            let (from, to) = (quoted(&edge.from), quoted(&edge.to));
            _ = writeln!(out, "  {from} -> {to} [label={}];", quoted(&edge.label));
        }
        out.push_str("}\n");
        out
    }

    /// In the language of Mermaid.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut out = String::from("flowchart TD\n");
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "#quot;").replace('\n', "<br>"));
        for node in &self.nodes {
            _ = writeln!(out, "  {}[{}]", node.id, quoted(&node.label));
        }
        for edge in &self.edges {
            if edge.label.is_empty() {
                _ = writeln!(out, "  {} --> {}", edge.from, edge.to);
            } else {
                _ = writeln!(out, "  {} -->|{}| {}", edge.from, quoted(&edge.label), edge.to);
            }
        }
        out
    }
}

fn id(node: Node) -> String {
    match node {
        Node::Start => "start".to_owned(),
        Node::Begin(stage) => format!("begin_{}", stage.0 + 1),
        Node::End(stage) => format!("end_{}", stage.0 + 1),
        Node::Reached => "reached".to_owned(),
        Node::Unreached => "unreached".to_owned(),
    }
}

fn way(way: Way) -> String {
    match way {
        Way::First(None) | Way::Fork | Way::Join | Way::Run => String::new(),
        Way::First(Some(after)) | Way::After(after) => format!("after {after}"),
        Way::Failed => "failed".to_owned(),
        Way::Passed => "skipped".to_owned(),
        Way::Alongside => "started".to_owned(),
        Way::Over => "over".to_owned(),
        Way::Reached => "reached".to_owned(),
        Way::Exhausted => "not reached".to_owned(),
    }
}

impl Machine {
    fn label(&self, node: Node) -> String {
        match node {
            Node::Start => {
                let head = format!("{}: accepted", self.name());
                [head].into_iter().chain(svg::headers(self)).collect::<Vec<_>>().join("\n")
            }
            Node::Reached => "reached".to_owned(),
            Node::Unreached => match self.otherwise() {
                Some(why) => format!("failed: {why}"),
                None => "not reached".to_owned(),
            },
            Node::Begin(stage) => self.begin_label(stage),
            Node::End(stage) => format!("{} at its end", self.short_label(stage)),
        }
    }

    /// A stage in a word or two: its channel, `wait 10m`, `any of`.
    #[must_use]
    pub fn stage_name(&self, id: StageId) -> String {
        self.short_label(id)
    }

    fn short_label(&self, id: StageId) -> String {
        match &self.stage(id).kind {
            Kind::Channel(channel) => channel.channel.word().to_owned(),
            Kind::Wait(Wait::For(span)) => format!("wait {span}"),
            Kind::Wait(Wait::Until { time, days, zone }) => {
                format!("wait until {time}{} in {zone}", on(*days))
            }
            Kind::Group { used: Some(policy), .. } => format!("use {policy}"),
            Kind::Group { kind: GroupKind::Any, .. } => "any of".to_owned(),
            Kind::Group { kind: GroupKind::All, .. } => "all of".to_owned(),
        }
    }

    fn begin_label(&self, id: StageId) -> String {
        let stage = self.stage(id);
        let mut label = self.short_label(id);
        if let Kind::Channel(channel) = &stage.kind {
            modifiers(channel, &mut label);
        }
        if let Some(guard) = &stage.only_if {
            _ = write!(label, " if {}", guard.text);
        }
        if let Some(guard) = &stage.unless {
            _ = write!(label, " unless {}", guard.text);
        }
        if let Some(between) = &stage.between {
            let Window { from, to, days, zone } = between;
            _ = write!(label, " between {from} and {to}{} in {zone}", on(*days));
        }
        label
    }
}

/// What belongs to a channel alone, as the language writes it.
fn modifiers(channel: &ChannelStage, label: &mut String) {
    match &channel.route {
        Route::Default => {}
        Route::Failover(names) => _ = write!(label, " via {}", names.join(" or ")),
        Route::Weighted(shares) => {
            let shares: Vec<_> = shares.iter().map(|(share, name)| format!("{share}% {name}")).collect();
            _ = write!(label, " via {}", shares.join(", "));
        }
    }
    if let Some(goal) = channel.until {
        _ = write!(label, " until {goal}");
    }
    if channel.retry != Retry::DEFAULT {
        let Retry { times, from, to } = channel.retry;
        _ = write!(label, " retry {times} times");
        _ = if from == to {
            write!(label, " every {from}")
        } else {
            write!(label, " backoff {from} to {to}")
        };
    }
    if let Some(repeat) = channel.repeat {
        _ = write!(label, " repeat {} times every {}", repeat.times, repeat.every);
    }
    if let Some(valid) = channel.valid {
        _ = write!(label, " valid {valid}");
    }
    label.push_str(match channel.on_doubt {
        OnDoubt::Wait => "",
        OnDoubt::MoveOn => " on doubt move on",
        OnDoubt::Resend => " on doubt resend",
    });
}

/// ` on weekdays`; nothing where every day is meant.
fn on(days: Days) -> String {
    if days == Days::ALL { String::new() } else { format!(" on {days}") }
}
