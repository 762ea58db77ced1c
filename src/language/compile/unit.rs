//! One source: its policies, and the policies that these use, in the order in which they are needed.

use std::collections::HashMap;
use std::rc::Rc;

use super::super::diagnostic::{Diagnostic, Severity};
use super::super::grammar::{self, Node, Rule, Tree};
use super::super::policy::{Policy, TextRange};
use super::super::source::Scan;
use super::super::words::{ENDS, near, plain_letters, quoted};
use super::super::{
    limits,
    policy::{ValueType, VarDeclaration},
};
use super::strategy::Walk;
use super::value::did_you_mean;
use super::{BARE_NAME, Faults, Library, Parsed};

/// Policies that may be under way at once, each because the one before uses it: what keeps the stack
/// small. A chain that is short enough to be allowed never comes near it.
const UNDER_WAY_MAX: usize = limits::POLICIES_MAX + limits::USE_DEPTH_MAX;

/// A checked policy with what its users need to know.
pub(super) struct Draft {
    pub(super) policy: Policy,
    /// Stages and parts of conditions, every `use` opened.
    pub(super) stages: usize,
    pub(super) parts: usize,
    /// Groups and uses one inside the other, every `use` opened.
    pub(super) depth: usize,
    /// The longest chain of `use` below it.
    pub(super) use_depth: usize,
}

/// What came of a `use`.
#[derive(Clone)]
pub(super) enum Resolution {
    /// The policy, and how it is named with its version.
    Ready(Rc<Draft>, String),
    /// There is none of the name; perhaps this one was meant.
    Unknown(Option<String>),
    /// There is one of the name, and of its versions nothing is known, or not of this one.
    UnknownVersion,
    /// It has faults; told where they are, if they are in this source.
    Faulty { told: bool },
    /// It uses itself, along this way.
    Recursive(Vec<String>),
    /// The chain of uses is too long to be followed.
    TooLong,
}

/// What is shared by a source and all that it uses.
pub(super) struct Session<'l> {
    known: &'l dyn Library,
    ready: HashMap<String, Resolution>,
    under_way: Vec<String>,
    units: usize,
    cycle: Option<Vec<String>>,
}

impl<'l> Session<'l> {
    pub(super) fn new(library: &'l dyn Library) -> Self {
        Session { known: library, ready: HashMap::new(), under_way: Vec::new(), units: 0, cycle: None }
    }

    pub(super) fn known(&self) -> &'l dyn Library {
        self.known
    }

    /// The policy of the library that `reference` names in a source with these pins.
    fn find(&mut self, reference: &str, pins: &[String]) -> Resolution {
        let pinned = pins.iter().find(|pin| pin.split('@').next() == Some(reference));
        let Some(used) = self.known.policy(pinned.map_or(reference, String::as_str)) else {
            return Resolution::Unknown(None);
        };
        let key = used.name_at_version.clone();
        if let Some(known) = self.ready.get(&key) {
            return known.clone();
        }
        if let Some(cycle) = self.cycle_to(&key) {
            return Resolution::Recursive(cycle);
        }
        if self.under_way.len() >= UNDER_WAY_MAX {
            return Resolution::TooLong;
        }
        self.under_way.push(key.clone());
        let draft = Text::read(&used.source).ok().and_then(|text| {
            let mut unit = Unit::of(&text, Some(&used.policy_name), &used.uses);
            let index = unit.index_of(&used.policy_name)?;
            unit.ensure(index, self);
            unit.drafts.get(index)?.clone()?
        });
        self.under_way.pop();
        let resolution = match (draft, &self.cycle) {
            (Some(draft), _) => Resolution::Ready(draft, key.clone()),
            (None, Some(cycle)) => Resolution::Recursive(cycle.clone()),
            (None, None) => Resolution::Faulty { told: false },
        };
        self.ready.insert(key, resolution.clone());
        resolution
    }

    fn cycle_to(&mut self, key: &str) -> Option<Vec<String>> {
        let from = self.under_way.iter().position(|k| k == key)?;
        let mut cycle: Vec<String> = Vec::new();
        let mut before: Option<&str> = None;
        for step in self.under_way.iter().skip(from).map(String::as_str).chain([key]) {
            // A policy of the library is under way twice: as such, and as one of its source.
            let (of_source, name) = step.split_once('#').map_or((false, step), |(_, name)| (true, name));
            let again = of_source && before.and_then(|b| b.split('@').next()) == Some(name);
            before = (!of_source).then_some(step);
            if !again {
                cycle.push(name.to_owned());
            }
        }
        self.cycle = Some(cycle.clone());
        Some(cycle)
    }
}

struct Entry<'s> {
    name: String,
    at: TextRange,
    pieces: Vec<Node<'s>>,
    bare: bool,
}

/// The policies that came of a source.
pub(super) struct Policies {
    pub(super) clean: Vec<Policy>,
    pub(super) bare: bool,
    pub(super) found: usize,
}

/// A source that was read.
pub(super) struct Text<'s> {
    scan: Scan,
    tree: Tree<'s>,
}

impl<'s> Text<'s> {
    /// Reads a source.
    ///
    /// # Errors
    /// The fault of one that is too large or nested too deeply to be read at all.
    pub(super) fn read(source: &'s str) -> Result<Text<'s>, Diagnostic> {
        let fault = |rule, at, message: String, help: String| Diagnostic {
            rule,
            severity: Severity::Error,
            at,
            message,
            help: Some(help),
            fix: Vec::new(),
            counterexample: None,
        };
        if source.len() > limits::SOURCE_BYTES_MAX {
            let message = format!("the file is too large: {} bytes", source.len());
            let help = format!("a policy file holds at most {} bytes", limits::SOURCE_BYTES_MAX);
            return Err(fault("source-too-large", 0..0, message, help));
        }
        let scan = Scan::of(source);
        if let Some(at) = scan.too_deep {
            let message = "brackets are nested too deeply here".to_owned();
            let help = format!("write at most {} brackets one inside the other", limits::BRACKETS_DEPTH_MAX);
            return Err(fault("nested-too-deeply", at..at + 1, message, help));
        }
        let Some(tree) = grammar::read(source) else {
            let message = "this is not a policy".to_owned();
            let help = "write for example `sms then email after 30s`".to_owned();
            return Err(fault("unreadable", 0..0, message, help));
        };
        Ok(Text { scan, tree })
    }
}

/// One source.
pub(super) struct Unit<'s> {
    faults: Faults<'s>,
    pins: &'s [String],
    entries: Vec<Entry<'s>>,
    /// For each entry: not yet, or what came of it.
    drafts: Vec<Option<Option<Rc<Draft>>>>,
    id: usize,
}

impl<'s> Unit<'s> {
    /// Takes a source apart into its policies.
    pub(super) fn of(text: &'s Text<'s>, bare_name: Option<&str>, pins: &'s [String]) -> Unit<'s> {
        let mut unit = Unit {
            faults: Faults { source: text.tree.source(), scan: &text.scan, found: Vec::new() },
            pins,
            entries: Vec::new(),
            drafts: Vec::new(),
            id: 0,
        };
        let (mut bare, mut named) = (Vec::new(), Vec::new());
        for piece in text.tree.pieces() {
            match piece.rule() {
                Rule::policy => named.push(piece),
                _ => bare.push(piece),
            }
        }
        unit.add_named(named);
        unit.add_bare(bare, bare_name);
        unit
    }

    fn add_named(&mut self, named: Vec<Node<'s>>) {
        for node in named {
            let at = self.faults.range(&node);
            let Some(mut name) = self.policy_name(&node) else { continue };
            if self.entries.len() == limits::POLICIES_MAX {
                let message = format!("the file holds more than {} policies", limits::POLICIES_MAX);
                self.faults.tell(
                    "too-many-policies",
                    at.start..at.start + 6,
                    message,
                    "split it into several files",
                );
                break;
            }
            if self.entries.iter().any(|e| !name.0.is_empty() && e.name == name.0) {
                let message = format!("the file has two policies named `{}`", name.0);
                self.faults.tell("policy-twice", name.1, message, "give one of them another name");
                name.0.clear();
            }
            let mut pieces: Vec<_> = node.children().filter(|n| n.rule() != Rule::policy_name).collect();
            if pieces.last().is_some_and(|n| n.rule() == Rule::unclosed) {
                pieces.pop();
                // A text or a bracket inside that is not closed has swallowed the brace.
                let inside = |n: &Node<'_>| n.with_all_inside().any(|n| n.rule() == Rule::unclosed);
                let swallowed = pieces.iter().any(inside);
                let message = "the `{` of the policy is never closed".to_owned();
                if !swallowed {
                    let word = at.start..at.start + "policy".len();
                    self.faults.tell("unclosed-bracket", word, message, "end the policy with `}`");
                }
            }
            self.entries.push(Entry { name: name.0, at, pieces, bare: false });
            self.drafts.push(None);
        }
    }

    /// The name with its place; empty where it is missing or wrong, and so cannot be used.
    fn policy_name(&mut self, node: &Node<'_>) -> Option<(String, TextRange)> {
        let named = node.child(Rule::policy_name)?;
        let at = self.faults.range(&named);
        let text = self.faults.text(&at);
        if text.is_empty() {
            let at = node.start()..node.start() + "policy".len();
            self.faults.tell(
                "bad-name",
                at.clone(),
                "the policy has no name".to_owned(),
                "write `policy NAME { … }`",
            );
            return Some((String::new(), at));
        }
        if let Some(help) = bad_name(text) {
            let message = format!("{} is no name for a policy", quoted(text));
            self.faults.tell("bad-name", at.clone(), message, help);
            return Some((String::new(), at));
        }
        Some((text.to_owned(), at))
    }

    fn add_bare(&mut self, bare: Vec<Node<'s>>, name: Option<&str>) {
        let (Some(first), Some(last)) = (bare.first(), bare.last()) else {
            if self.entries.is_empty() && self.faults.count() == 0 {
                let message = "there is no policy here".to_owned();
                let help = "write a strategy like `sms then email after 30s`, or `policy NAME { … }`";
                self.faults.tell("no-policy", 0..0, message, help);
            }
            return;
        };
        let at = first.start()..last.end();
        let at = self.faults.scan.tight(self.faults.source, at);
        if !self.entries.is_empty() {
            let message = format!("{} stands outside of every policy", self.faults.quoted(first));
            let help = "a file holds one strategy alone, or policies in `policy NAME { … }`";
            let at = self.faults.range(first);
            self.faults.tell("outside-policy", at, message, help);
            return;
        }
        let name = name.unwrap_or(BARE_NAME).to_owned();
        self.entries.push(Entry { name, at, pieces: bare, bare: true });
        self.drafts.push(None);
    }

    pub(super) fn names(&self) -> Parsed {
        let bare = self.entries.first().is_some_and(|e| e.bare);
        let named = self.entries.iter().filter(|e| !e.bare && !e.name.is_empty());
        Parsed { names: named.map(|e| e.name.clone()).collect(), bare }
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|e| e.name == name)
    }

    pub(super) fn compile_all(&mut self, session: &mut Session<'_>) -> Policies {
        session.units += 1;
        self.id = session.units;
        for index in 0..self.entries.len() {
            self.ensure(index, session);
        }
        let drafts = std::mem::take(&mut self.drafts);
        let clean = drafts.into_iter().flatten().flatten().map(|d| match Rc::try_unwrap(d) {
            Ok(draft) => draft.policy,
            Err(shared) => shared.policy.clone(),
        });
        Policies {
            clean: clean.collect(),
            bare: self.entries.first().is_some_and(|e| e.bare),
            found: self.entries.len(),
        }
    }

    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.faults.found
    }

    fn key(&self, index: usize) -> String {
        format!("{}#{}", self.id, self.entries[index].name)
    }

    /// Compiles an entry, after those that it uses.
    fn ensure(&mut self, index: usize, session: &mut Session<'_>) {
        if self.drafts[index].is_some() {
            return;
        }
        if self.id == 0 {
            session.units += 1;
            self.id = session.units;
        }
        session.under_way.push(self.key(index));
        let pieces = self.entries[index].pieces.clone();
        let mut uses = HashMap::new();
        if self.faults.text(&self.entries[index].at).contains("use") {
            let nodes = pieces.iter().flat_map(|piece| piece.with_all_inside());
            for node in nodes.filter(|n| n.rule() == Rule::use_policy) {
                if let Some(atom) = node.child(Rule::atom) {
                    let reference = atom.text();
                    if !uses.contains_key(reference) {
                        uses.insert(reference.to_owned(), self.resolve(reference, session));
                    }
                }
            }
        }
        let draft = self.compile_one(index, &pieces, uses, session);
        session.under_way.pop();
        self.drafts[index] = Some(draft.map(Rc::new));
    }

    fn resolve(&mut self, reference: &str, session: &mut Session<'_>) -> Resolution {
        let Some(index) = self.index_of(reference).filter(|i| !self.entries[*i].bare) else {
            return match session.find(reference, self.pins) {
                Resolution::Unknown(_) if self.knows_without_version(reference, session) => {
                    Resolution::UnknownVersion
                }
                Resolution::Unknown(_) => {
                    let names = self.entries.iter().map(|e| e.name.as_str());
                    Resolution::Unknown(near(reference, names).map(str::to_owned))
                }
                found => found,
            };
        };
        if self.drafts[index].is_none() {
            if let Some(cycle) = session.cycle_to(&self.key(index)) {
                return Resolution::Recursive(cycle);
            }
            if session.under_way.len() >= UNDER_WAY_MAX {
                return Resolution::TooLong;
            }
            self.ensure(index, session);
        }
        match &self.drafts[index] {
            Some(Some(draft)) => Resolution::Ready(Rc::clone(draft), reference.to_owned()),
            _ => Resolution::Faulty { told: true },
        }
    }

    /// Whether `name@3` names a policy that is known but for its version.
    fn knows_without_version(&self, reference: &str, session: &Session<'_>) -> bool {
        reference.split_once('@').is_some_and(|(name, _)| {
            self.index_of(name).is_some_and(|index| !self.entries[index].bare)
                || session.known.policy(name).is_some()
        })
    }

    fn compile_one(
        &mut self,
        index: usize,
        pieces: &[Node<'s>],
        uses: HashMap<String, Resolution>,
        session: &Session<'_>,
    ) -> Option<Draft> {
        let before = self.faults.count();
        let entry = &self.entries[index];
        let (name, at, bare) = (entry.name.clone(), entry.at.clone(), entry.bare);
        let faulty_use = uses.values().any(|u| !matches!(u, Resolution::Ready(..)));
        let mut walk = Walk::new(&mut self.faults, session.known(), uses);
        let draft = walk.policy(name, at, bare, pieces);
        let clean = self.faults.count() == before && !faulty_use && !self.entries[index].name.is_empty();
        draft.filter(|_| clean)
    }
}

/// What is wrong with a policy's or var's name, as the help that says how to write it.
pub(crate) fn bad_name(name: &str) -> Option<String> {
    let start = name.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if start && rest && name.len() <= limits::NAME_CHARS_MAX {
        return (ENDS.contains(&name)).then(|| "it is a word of the language; choose another".to_owned());
    }
    let mended: String = plain_letters(name.trim_matches('"'))
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .take(limits::NAME_CHARS_MAX)
        .collect();
    let shape = "a name is a small letter, then at most 63 small letters, digits and `_`";
    let usable = mended.starts_with(|c: char| c.is_ascii_lowercase());
    Some(if usable { format!("write `{mended}`: {shape}") } else { shape.to_owned() })
}

/// Adds the vars of a used policy; gives the names that both declare with different types.
pub(super) fn merge_vars(
    into: &mut std::collections::BTreeMap<String, VarDeclaration>,
    from: &std::collections::BTreeMap<String, VarDeclaration>,
) -> Vec<(String, [ValueType; 2])> {
    let mut clashes = Vec::new();
    for (name, declared) in from {
        match into.get_mut(name) {
            Some(own) if own.kind != declared.kind => {
                clashes.push((name.clone(), [own.kind, declared.kind]));
            }
            Some(own) => own.optional &= declared.optional,
            None => {
                into.insert(name.clone(), *declared);
            }
        }
    }
    clashes
}

/// `unknown policy …`, with what was probably meant.
pub(super) fn unknown_policy(reference: &str, meant: Option<&str>) -> String {
    format!("unknown policy {}{}", quoted(reference), did_you_mean(meant))
}
