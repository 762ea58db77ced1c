//! What stands where: policies, headers, stages and their modifiers.

use std::ops::Range;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Outline {
    /// In the order of the text; a bare strategy is one without a name.
    pub(crate) policies: Vec<PolicyNode>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PolicyNode {
    /// `None` of a bare strategy, and where it is missing.
    pub(crate) name: Option<Range<usize>>,
    pub(crate) bare: bool,
    pub(crate) at: Range<usize>,
    /// Between its braces.
    pub(crate) body: Range<usize>,
    pub(crate) headers: Vec<(Header, Range<usize>)>,
    pub(crate) vars: Vec<VarNode>,
    pub(crate) stages: Vec<StageNode>,
    pub(crate) otherwise: Option<Range<usize>>,
    /// Names behind `use`, with their versions.
    pub(crate) uses: Vec<Range<usize>>,
    /// NAME of each `vars.NAME`.
    pub(crate) var_uses: Vec<Range<usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Header {
    Category,
    Expires,
    Quiet,
    Limit,
    Vars,
}

impl Header {
    pub(crate) const ALL: [Header; 5] =
        [Header::Category, Header::Expires, Header::Quiet, Header::Limit, Header::Vars];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Header::Category => "category",
            Header::Expires => "expires",
            Header::Quiet => "quiet",
            Header::Limit => "limit",
            Header::Vars => "vars",
        }
    }
}

/// An entry of `vars`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VarNode {
    pub(crate) name: Range<usize>,
    /// With its type.
    pub(crate) at: Range<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StageNode {
    pub(crate) action: Action,
    pub(crate) at: Range<usize>,
    /// The word or words that say what it does.
    pub(crate) word: Range<usize>,
    pub(crate) modifiers: Vec<(Modifier, Range<usize>)>,
    /// Of a group: each a strategy.
    pub(crate) members: Vec<Vec<StageNode>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Channel,
    AnyOf,
    AllOf,
    Use,
    Wait,
    /// Modifiers stand alone.
    Missing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Modifier {
    Via,
    After,
    Until,
    If,
    Unless,
    Between,
    Retry,
    Repeat,
    Valid,
    OnDoubt,
}

impl Modifier {
    pub(crate) const ALL: [Modifier; 10] = [
        Modifier::Via,
        Modifier::After,
        Modifier::Until,
        Modifier::If,
        Modifier::Unless,
        Modifier::Between,
        Modifier::Retry,
        Modifier::Repeat,
        Modifier::Valid,
        Modifier::OnDoubt,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Modifier::Via => "via",
            Modifier::After => "after",
            Modifier::Until => "until",
            Modifier::If => "if",
            Modifier::Unless => "unless",
            Modifier::Between => "between",
            Modifier::Retry => "retry",
            Modifier::Repeat => "repeat",
            Modifier::Valid => "valid",
            Modifier::OnDoubt => "on doubt",
        }
    }

    pub(super) fn begun_by(word: &str) -> Option<Modifier> {
        Modifier::ALL.into_iter().find(|modifier| modifier.word() == word)
    }

    /// Whether it goes with a channel only.
    pub(crate) fn of_channels(self) -> bool {
        !matches!(self, Modifier::After | Modifier::If | Modifier::Unless | Modifier::Between)
    }
}

impl Outline {
    /// The policy that a byte stands in; one that is not closed goes on up to the next.
    pub(crate) fn policy_at(&self, byte: usize) -> Option<&PolicyNode> {
        let open = |policy: &&PolicyNode| policy.bare || policy.body.end == policy.at.end;
        let inside = self.policies.iter().find(|policy| holds(&policy.at, byte));
        inside.or_else(|| self.policies.iter().rfind(|policy| policy.at.start <= byte).filter(open))
    }

    /// The innermost stage that a byte stands in.
    pub(crate) fn stage_at(&self, byte: usize) -> Option<&StageNode> {
        let mut found: Option<&StageNode> = None;
        let mut stages = &self.policy_at(byte)?.stages;
        while let Some(stage) = stages.iter().find(|stage| holds(&stage.at, byte)) {
            found = Some(stage);
            let inside = |member: &&Vec<StageNode>| member.iter().any(|stage| holds(&stage.at, byte));
            match stage.members.iter().find(inside) {
                Some(member) => stages = member,
                None => break,
            }
        }
        found
    }
}

impl PolicyNode {
    /// Every stage, groups before their members.
    pub(crate) fn every_stage(&self) -> Vec<&StageNode> {
        let mut all = Vec::new();
        let mut open: Vec<&StageNode> = self.stages.iter().rev().collect();
        while let Some(stage) = open.pop() {
            all.push(stage);
            open.extend(stage.members.iter().flatten().rev());
        }
        all
    }
}

fn holds(range: &Range<usize>, byte: usize) -> bool {
    range.start <= byte && byte <= range.end
}
