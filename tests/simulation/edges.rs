//! Which edges of its policy's graph a message went along, told from its transitions.
//!
//! Every kind of edge is named here, so that one that is added to the machine does not compile until it is
//! said how it is seen.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use petgraph::algo::has_path_connecting;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef as _;
use serde_json::Value;
use spine::language::{Library, Used, compile};
use spine::machine::{Machine, Node, StageId, Way};

use super::history::POLICIES;

/// The words for the kinds of edges.
pub(crate) const WORDS: [&str; 11] = [
    "first",
    "fork",
    "join",
    "run",
    "failed",
    "passed",
    "after",
    "alongside",
    "over",
    "reached",
    "exhausted",
];

const fn word(way: Way) -> &'static str {
    match way {
        Way::First(_) => WORDS[0],
        Way::Fork => WORDS[1],
        Way::Join => WORDS[2],
        Way::Run => WORDS[3],
        Way::Failed => WORDS[4],
        Way::Passed => WORDS[5],
        Way::After(_) => WORDS[6],
        Way::Alongside => WORDS[7],
        Way::Over => WORDS[8],
        Way::Reached => WORDS[9],
        Way::Exhausted => WORDS[10],
    }
}

/// The policies of the world, each of which may use those before it.
struct Before(Vec<Used>);

impl Library for Before {
    fn policy(&self, reference: &str) -> Option<Used> {
        let name = reference.split('@').next();
        self.0.iter().find(|used| Some(used.policy_name.as_str()) == name).cloned()
    }
}

fn machine(policy: &str) -> Option<&'static Machine> {
    static MACHINES: OnceLock<BTreeMap<&'static str, Machine>> = OnceLock::new();
    let machines = MACHINES.get_or_init(|| {
        let (mut before, mut machines) = (Before(Vec::new()), BTreeMap::new());
        for (name, source) in POLICIES {
            let compiled = compile(source, Some(name), &before);
            let policy = compiled.policies.into_iter().find(|policy| policy.name == *name);
            let policy = policy.expect("a policy of the world compiles");
            before.0.push(Used {
                name_at_version: format!("{name}@1"),
                source: (*source).to_owned(),
                policy_name: (*name).to_owned(),
                uses: policy.uses.clone(),
            });
            machines.insert(*name, spine::machine::compile(&policy));
        }
        machines
    });
    machines.get(policy)
}

/// The kinds of edges that a message of this policy went along, each as often as it did.
pub(crate) fn taken(policy: &str, lines: &[Value]) -> Vec<&'static str> {
    let Some(machine) = machine(policy) else { return Vec::new() };
    let message = Message { machine, lines };
    let edges = machine.graph().edge_references();
    let taken = edges.filter(|edge| message.went(edge.source(), edge.target(), *edge.weight()));
    taken.map(|edge| word(*edge.weight())).collect()
}

/// A message with its transitions.
struct Message<'a> {
    machine: &'a Machine,
    lines: &'a [Value],
}

impl Message<'_> {
    fn went(&self, from: NodeIndex, to: NodeIndex, way: Way) -> bool {
        let graph = self.machine.graph();
        let has_ended = !self.at(None, &["message_ended"]).is_empty();
        match way {
            // A strategy or a member begins with it: its turn came.
            Way::First(_) | Way::Fork => self.turn(to).is_some(),
            Way::Run => self.happened(from, &["attempt_started"]),
            Way::Failed => self.follows(from, to, "stage_failed"),
            Way::Passed => self.follows(from, to, "stage_skipped"),
            // Its time brought it, and not the end of the one before.
            Way::After(_) => {
                let by_end = ["stage_failed", "stage_skipped"].into_iter();
                let before = self.end_of(from);
                self.happened(to, &["attempt_started"])
                    && !by_end.into_iter().any(|end| self.follows(before, to, end))
            }
            // A wait begins with the stage before it.
            Way::Alongside => self.turn(from).is_some(),
            // A wait is over where what stands behind it had its turn.
            Way::Over => match graph[to] {
                Node::Begin(_) => self.turn(to).is_some(),
                _ => graph.neighbors(to).any(|next| self.turn(next).is_some()),
            },
            // A member came to its end, and the group's end hangs on it.
            Way::Join => {
                self.happened(from, &["stage_reached", "stage_failed", "stage_skipped", "stage_dropped"])
            }
            Way::Reached => has_ended && self.happened(from, &["stage_reached"]),
            Way::Exhausted => {
                let by_itself = self.lines.iter().any(|line| {
                    text(line, "event") == "message_ended"
                        && matches!(text(line, "to"), "sent" | "failed" | "delivered")
                });
                by_itself && self.turn(from).is_some() && self.at(None, &["stage_reached"]).is_empty()
            }
        }
    }

    /// When the turn of a node's stage came, by the first thing that is told of it.
    fn turn(&self, node: NodeIndex) -> Option<&str> {
        let told = [
            "attempt_started",
            "stage_failed",
            "stage_skipped",
            "stage_held",
            "provider_busy",
            "provider_paused",
        ];
        self.stages(node).into_iter().flat_map(|number| self.at(Some(number), &told)).min()
    }

    /// Whether the turn of one stage came at the instant of something about the one before.
    fn follows(&self, before: NodeIndex, node: NodeIndex, event: &str) -> bool {
        let ends: Vec<&str> =
            self.stages(before).into_iter().flat_map(|number| self.at(Some(number), &[event])).collect();
        self.turn(node).is_some_and(|turn| ends.contains(&turn))
    }

    fn happened(&self, node: NodeIndex, events: &[&str]) -> bool {
        self.stages(node).into_iter().any(|number| !self.at(Some(number), events).is_empty())
    }

    /// When these things happened, to one stage alone where its number is given.
    fn at(&self, stage: Option<u16>, events: &[&str]) -> Vec<&str> {
        let own = |line: &&Value| {
            stage.is_none_or(|number| line.get("stage").and_then(Value::as_u64) == Some(u64::from(number)))
        };
        let lines = self.lines.iter().filter(|line| events.contains(&text(line, "event"))).filter(own);
        lines.map(|line| text(line, "at")).collect()
    }

    /// The end of the stage that begins, or ends, at a node.
    fn end_of(&self, node: NodeIndex) -> NodeIndex {
        let graph = self.machine.graph();
        let id = match graph[node] {
            Node::Begin(id) | Node::End(id) => id,
            Node::Start | Node::Reached | Node::Unreached => return node,
        };
        self.node(Node::End(id)).unwrap_or(node)
    }

    fn node(&self, node: Node) -> Option<NodeIndex> {
        let graph = self.machine.graph();
        graph.node_indices().find(|index| graph[*index] == node)
    }

    /// The numbers of the channel stages of a node: its own, or those within its group.
    fn stages(&self, node: NodeIndex) -> Vec<u16> {
        let graph = self.machine.graph();
        let (Node::Begin(id) | Node::End(id)) = graph[node] else { return Vec::new() };
        if let Some(number) = self.machine.number(id) {
            return vec![number];
        }
        let (Some(begin), Some(end)) = (self.node(Node::Begin(id)), self.node(Node::End(id))) else {
            return Vec::new();
        };
        let within = |stage: &StageId| {
            let (Some(from), Some(to)) = (self.node(Node::Begin(*stage)), self.node(Node::End(*stage)))
            else {
                return false;
            };
            has_path_connecting(graph, begin, from, None) && has_path_connecting(graph, to, end, None)
        };
        let channels = self.machine.channel_stages().map(|(stage, _)| stage).filter(within);
        channels.filter_map(|stage| self.machine.number(stage)).collect()
    }
}

fn text<'a>(line: &'a Value, name: &str) -> &'a str {
    line.get(name).and_then(Value::as_str).unwrap_or_default()
}
