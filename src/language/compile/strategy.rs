//! A policy as a whole, and strategies: stages joined by `then`.

use std::collections::{BTreeMap, HashMap};

use crate::model::{Channel, Currency};

use super::super::limits;
use super::super::policy::{Headers, Policy, Strategy, TextRange, ValueType};
use super::super::words::{HEADERS, near, quoted, synonym};
use super::unit::{Draft, Resolution, merge_vars};
use super::value::{did_you_mean, replace};
use super::{Faults, Library, Node, Rule};

/// The walk through one policy.
pub(super) struct Walk<'a, 's> {
    pub(super) faults: &'a mut Faults<'s>,
    pub(super) uses: HashMap<String, Resolution>,
    /// The policy's own `vars` header, and those of the policies that it uses.
    pub(super) vars: Option<BTreeMap<String, super::super::policy::VarDeclaration>>,
    pub(super) used_vars: BTreeMap<String, super::super::policy::VarDeclaration>,
    /// Types of names that nothing declares, by what they were first compared with.
    pub(super) inferred: HashMap<String, ValueType>,
    /// The one currency: the scope's, or the first that the policy names.
    pub(super) currency: Option<Currency>,
    pub(super) stages: usize,
    pub(super) parts: usize,
    /// Groups and uses around the place that is being read, and the most that were met.
    pub(super) groups: usize,
    pub(super) depth: usize,
    told: [bool; 3],
}

/// Where a strategy stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Policy,
    Bare,
    Member,
}

/// What stands before the piece that is being read.
enum Before {
    Nothing,
    Stage { faulty: bool },
    Joiner { at: TextRange, faulty: bool },
}

/// A limit of a whole policy.
#[derive(Clone, Copy)]
pub(super) enum Limit {
    Stages = 0,
    Parts = 1,
    Depth = 2,
}

const MODIFIERS: [&str; 10] =
    ["after", "unless", "if", "via", "until", "retry", "repeat", "between", "valid", "then"];

impl<'a, 's> Walk<'a, 's> {
    pub(super) fn new(
        faults: &'a mut Faults<'s>,
        library: &dyn Library,
        uses: HashMap<String, Resolution>,
    ) -> Self {
        Walk {
            faults,
            uses,
            vars: None,
            used_vars: BTreeMap::new(),
            inferred: HashMap::new(),
            currency: library.currency(),
            stages: 0,
            parts: 0,
            groups: 0,
            depth: 0,
            told: [false; 3],
        }
    }

    pub(super) fn policy(
        &mut self,
        name: String,
        at: TextRange,
        bare: bool,
        pieces: &[Node<'s>],
    ) -> Option<Draft> {
        for resolution in self.uses.values() {
            if let Resolution::Ready(draft, _) = resolution
                && let Some(vars) = &draft.policy.headers.vars
            {
                merge_vars(&mut self.used_vars, vars);
            }
        }
        let is_header = |n: &&Node<'s>| {
            matches!(n.rule(), Rule::category | Rule::expires | Rule::quiet | Rule::limit | Rule::vars)
        };
        let headers: Vec<&Node<'s>> = pieces.iter().filter(is_header).collect();
        if bare && let Some(first) = headers.first() {
            let word =
                self.faults.text(&self.faults.range(first)).split_whitespace().next().unwrap_or_default();
            let message = format!("`{word}` goes with a named policy only");
            let help = "put it all into `policy NAME { … }`, or leave this line out";
            self.faults.tell("header-without-policy", self.faults.range(first), message, help);
        }
        let mut read = self.headers(&headers);
        let rest: Vec<Node<'s>> =
            if bare { pieces.iter().filter(|n| !is_header(n)).cloned().collect() } else { pieces.to_vec() };
        let place = if bare { Place::Bare } else { Place::Policy };
        let (strategy, otherwise) = self.strategy(&rest, place, &at);
        read.vars = self.all_vars();
        self.draft(name, at, read, strategy?, otherwise)
    }

    fn all_vars(&mut self) -> Option<BTreeMap<String, super::super::policy::VarDeclaration>> {
        let mut all = self.vars.clone();
        if !self.used_vars.is_empty() {
            // Clashes were told at the `use`.
            merge_vars(all.get_or_insert_default(), &self.used_vars);
        }
        all
    }

    fn draft(
        &mut self,
        name: String,
        at: TextRange,
        headers: Headers,
        strategy: Strategy,
        otherwise: Option<String>,
    ) -> Option<Draft> {
        let (mut plain, mut pinned, mut nested, mut use_depth) = (Vec::new(), Vec::new(), Vec::new(), 0);
        self.gather_uses(&strategy, &mut plain, &mut pinned, &mut nested, &mut use_depth);
        if use_depth > limits::USE_DEPTH_MAX {
            let message =
                format!("policies use one another in a chain of more than {}", limits::USE_DEPTH_MAX);
            let at = at.start..at.start + 1;
            self.faults.tell("use-too-deep", at, message, "use fewer policies in a chain");
        }
        let mut uses: Vec<String> = Vec::new();
        for reference in plain.into_iter().chain(pinned).chain(nested) {
            if !uses.contains(&reference) {
                uses.push(reference);
            }
        }
        Some(Draft {
            policy: Policy { name, headers, strategy, otherwise, uses, at },
            stages: self.stages,
            parts: self.parts,
            depth: self.depth,
            use_depth,
        })
    }

    /// The `name@version`s of a strategy: those named without a version, those named with one, and
    /// those that they use in turn.
    fn gather_uses(
        &self,
        strategy: &Strategy,
        plain: &mut Vec<String>,
        pinned: &mut Vec<String>,
        nested: &mut Vec<String>,
        use_depth: &mut usize,
    ) {
        use super::super::policy::Action;
        for stage in &strategy.stages {
            match &stage.action {
                Action::Use { policy, .. } => {
                    for (reference, resolution) in &self.uses {
                        let Resolution::Ready(draft, label) = resolution else { continue };
                        if label != policy {
                            continue;
                        }
                        *use_depth = (*use_depth).max(draft.use_depth + 1);
                        if reference.contains('@') {
                            pinned.push(label.clone())
                        } else {
                            plain.push(label.clone())
                        }
                        nested.extend(draft.policy.uses.iter().cloned());
                    }
                }
                Action::Group { members, .. } => {
                    for member in members {
                        self.gather_uses(member, plain, pinned, nested, use_depth);
                    }
                }
                Action::Channel(_) | Action::Wait(_) => {}
            }
        }
    }

    pub(super) fn member(&mut self, pieces: &[Node<'s>], group: &TextRange) -> Option<Strategy> {
        self.strategy(pieces, Place::Member, group).0
    }

    fn strategy(
        &mut self,
        pieces: &[Node<'s>],
        place: Place,
        owner: &TextRange,
    ) -> (Option<Strategy>, Option<String>) {
        let (mut stages, mut otherwise, mut before) = (Vec::new(), None, Before::Nothing);
        let (mut saw_stage, mut told_after_end) = (false, false);
        let at_start = self.faults.count();
        for piece in pieces {
            let ended = otherwise.is_some();
            if ended && !told_after_end {
                told_after_end = true;
                let message = format!("{} stands after `otherwise fail`", self.faults.quoted(piece));
                let help = "`otherwise fail` is the last of a policy: move it behind this, or leave this out";
                self.faults.tell("after-otherwise", self.faults.range(piece), message, help);
            }
            if ended {
                continue;
            }
            match piece.rule() {
                Rule::stage => {
                    saw_stage = true;
                    let faults = self.faults.count();
                    let quiet = self.joint(piece, &before);
                    if !quiet && let Some(stage) = self.stage(piece) {
                        stages.push(stage);
                    }
                    before = Before::Stage { faulty: quiet || self.faults.count() > faults };
                }
                Rule::joiner => before = self.joiner(piece, &before, place),
                Rule::comma => before = self.comma(piece, before),
                Rule::otherwise => {
                    self.dangling(&before);
                    before = Before::Stage { faulty: false };
                    otherwise = Some(self.otherwise(piece, place));
                }
                Rule::stray | Rule::stray_inside | Rule::stray_member | Rule::left_over => {
                    self.stray(piece, &before);
                    before = Before::Stage { faulty: true };
                }
                Rule::unclosed => {}
                _ => self.misplaced_header(piece, &before, place),
            }
        }
        if otherwise.is_none() {
            self.dangling(&before);
        }
        if stages.is_empty() {
            // What is never closed has swallowed what the policy does.
            let is_swallowed = place != Place::Member && self.faults.has_unclosed_since(owner.start);
            if !saw_stage && self.faults.count() == at_start && !is_swallowed {
                let (message, help) = match place {
                    Place::Member => {
                        ("a member of the group is missing", "write a strategy between the commas")
                    }
                    _ => ("the policy does nothing", "write at least one stage, for example `sms`"),
                };
                self.faults.tell("no-stage", owner.clone(), message.to_owned(), help);
            }
            return (None, otherwise.flatten());
        }
        (Some(Strategy { stages }), otherwise.flatten())
    }

    /// Looks at what joins a stage to what is before it. Whether the stage is to be passed over,
    /// being part of a mistake that was told.
    fn joint(&mut self, stage: &Node<'s>, before: &Before) -> bool {
        let hole = self.hole(stage);
        match before {
            Before::Stage { faulty: true } => true,
            Before::Stage { faulty: false } => {
                match hole {
                    Some(word) => self.unknown_word(&word),
                    None => {
                        let at = self.faults.range(stage);
                        let message = format!("there is no `then` before {}", self.faults.quoted(stage));
                        let fix = replace(at.start..at.start, "then ");
                        self.faults.tell_fix("missing-then", at, message, "join stages by `then`", fix);
                    }
                }
                true
            }
            Before::Nothing | Before::Joiner { .. } => false,
        }
    }

    /// The word of a stage that is no action of the language.
    fn hole(&self, stage: &Node<'s>) -> Option<Node<'s>> {
        let channel = stage.child(Rule::channel)?;
        let known = self.faults.text(&self.faults.range(&channel)).parse::<Channel>().is_ok();
        (!known).then_some(channel)
    }

    fn unknown_word(&mut self, word: &Node<'s>) {
        let at = self.faults.range(word);
        let text = self.faults.text(&at);
        let meant = near(text, MODIFIERS).or_else(|| near(text, Channel::WORDS.iter().copied()));
        let message = format!("unknown word {}{}", quoted(text), did_you_mean(meant));
        let help = match meant {
            Some(meant) => format!("write `{meant}`"),
            None => {
                "behind a stage stands `then`, or what is said of it, such as `after 30s` or `unless quota`"
                    .to_owned()
            }
        };
        let fix = meant.map(|m| replace(at.clone(), m)).unwrap_or_default();
        self.faults.tell_fix("unknown-word", at, message, help, fix);
    }

    fn joiner(&mut self, piece: &Node<'s>, before: &Before, place: Place) -> Before {
        let at = self.faults.range(piece);
        let word = self.faults.text(&at);
        let faults = self.faults.count();
        match before {
            Before::Stage { faulty: true } | Before::Joiner { faulty: true, .. } => {}
            Before::Stage { faulty: false } if word == "then" => {}
            Before::Stage { faulty: false } => {
                let message = format!("stages are joined by `then`, not by {}", quoted(word));
                let mut help = "write `then`".to_owned();
                if place == Place::Member {
                    help.push_str(", or `,` between the members of the group");
                }
                let fix = replace(at.clone(), "then");
                self.faults.tell_fix("wrong-joiner", at.clone(), message, help, fix);
            }
            Before::Nothing => {
                let message = format!("there is no stage before {}", quoted(word));
                let help = "write a stage before it, or leave it out";
                self.faults.tell("missing-stage", at.clone(), message, help);
            }
            Before::Joiner { at: before, .. } if self.faults.text(before) == word => {
                let message = format!("{} stands twice, with no stage between", quoted(word));
                let help = "leave one of them out, or write a stage between them";
                self.faults.tell("missing-stage", at.clone(), message, help);
            }
            Before::Joiner { .. } => {
                let message = format!("there is no stage between {} and the word before it", quoted(word));
                let help = "write a stage between them, or leave one out";
                self.faults.tell("missing-stage", at.clone(), message, help);
            }
        }
        Before::Joiner { at, faulty: self.faults.count() > faults }
    }

    /// A comma outside of a group.
    fn comma(&mut self, piece: &Node<'s>, before: Before) -> Before {
        let at = self.faults.range(piece);
        match before {
            Before::Stage { faulty: true } => before,
            Before::Stage { faulty: false } => {
                let message = "`,` joins no stages".to_owned();
                let help = "write `then` between stages, `any of (a, b)` for both at once, or `via a or b` for providers";
                self.faults.tell("wrong-joiner", at, message, help);
                Before::Stage { faulty: true }
            }
            Before::Nothing | Before::Joiner { .. } => {
                self.faults.tell("stray-text", at, "`,` does not belong here".to_owned(), "leave it out");
                before
            }
        }
    }

    fn dangling(&mut self, before: &Before) {
        if let Before::Joiner { at, faulty: false } = before {
            let message = format!("there is no stage after {}", quoted(self.faults.text(at)));
            self.faults.tell("missing-stage", at.clone(), message, "write a stage after it, or leave it out");
        }
    }

    fn stray(&mut self, piece: &Node<'s>, before: &Before) {
        if matches!(before, Before::Stage { faulty: true }) {
            return;
        }
        let message = format!("{} does not belong here", self.faults.quoted(piece));
        self.faults.tell("stray-text", self.faults.range(piece), message, "leave it out");
    }

    fn misplaced_header(&mut self, piece: &Node<'s>, before: &Before, place: Place) {
        let follows_fault = matches!(before, Before::Stage { faulty: true });
        let allowed = place == Place::Policy && matches!(before, Before::Nothing);
        if allowed || follows_fault {
            return;
        }
        let at = self.faults.range(piece);
        let word = self.faults.text(&at).split_whitespace().next().unwrap_or_default();
        let (message, help) = match place {
            Place::Member => {
                (format!("the header `{word}` stands in a group"), "headers stand before the strategy")
            }
            _ => {
                (format!("the header `{word}` stands behind the strategy"), "move it before the first stage")
            }
        };
        self.faults.tell("misplaced-header", at, message, help);
    }

    fn otherwise(&mut self, piece: &Node<'s>, place: Place) -> Option<String> {
        let at = self.faults.range(piece);
        if place == Place::Member {
            let message = "`otherwise` stands in a group".to_owned();
            self.faults.tell(
                "misplaced-otherwise",
                at,
                message,
                "`otherwise fail` is the last of the whole policy",
            );
            return None;
        }
        let why = piece.child(Rule::why);
        let text = why.as_ref().and_then(|w| w.child(Rule::string));
        let has_fail = piece.child(Rule::fail_word).is_some();
        match text {
            Some(text) if has_fail => self.faults.string(&text),
            _ => {
                let message = "`otherwise` does not say with which text the message fails".to_owned();
                self.faults.tell("bad-otherwise", at, message, "write `otherwise fail \"why\"`");
                None
            }
        }
    }

    /// Tells a word where an action should be.
    pub(super) fn unknown_channel(&mut self, channel: &Node<'s>) {
        let at = self.faults.range(channel);
        let text = self.faults.text(&at);
        let actions = Channel::WORDS.iter().copied().chain(["wait", "use"]);
        let meant = synonym(text).or_else(|| near(text, actions));
        let header = near(text, HEADERS).filter(|_| meant.is_none());
        if let Some(header) = header {
            let message = format!("unknown header {}; did you mean `{header}`?", quoted(text));
            self.faults.tell_replace("unknown-header", at, message, header);
            return;
        }
        if text == "policy" {
            let message = "`policy` begins no policy here".to_owned();
            self.faults.tell("bad-policy", at, message, "write `policy NAME { … }`");
            return;
        }
        let message = format!("unknown channel {}{}", quoted(text), did_you_mean(meant));
        let help = match meant {
            Some(meant) => format!("write `{meant}`"),
            None => "a stage begins with a channel, such as `sms`, `email` or `push`".to_owned(),
        };
        let fix = meant.map(|m| replace(at.clone(), m)).unwrap_or_default();
        self.faults.tell_fix("unknown-channel", at, message, help, fix);
    }

    /// Tells a limit of the whole policy, once.
    pub(super) fn over(&mut self, limit: Limit, at: TextRange, message: String, help: &str) {
        if !std::mem::replace(&mut self.told[limit as usize], true) {
            let rule = match limit {
                Limit::Stages => "too-many-stages",
                Limit::Parts => "conditions-too-long",
                Limit::Depth => "nested-too-deeply",
            };
            self.faults.tell(rule, at, message, help);
        }
    }

    /// Counts a stage, and those that come with it.
    pub(super) fn count_stages(&mut self, more: usize, at: &TextRange) -> bool {
        self.stages = self.stages.saturating_add(more);
        let fits = self.stages <= limits::STAGES_MAX;
        if !fits {
            let message =
                format!("the policy has more than {} stages, every `use` opened", limits::STAGES_MAX);
            self.over(Limit::Stages, at.clone(), message, "leave some out, or use less of other policies");
        }
        fits
    }

    /// Counts words and values of conditions.
    pub(super) fn count_parts(&mut self, more: usize, at: &TextRange) -> bool {
        self.parts = self.parts.saturating_add(more);
        let fits = self.parts <= limits::CONDITION_PARTS_MAX;
        if !fits {
            let message =
                format!("the policy's conditions have more than {} parts", limits::CONDITION_PARTS_MAX);
            self.over(Limit::Parts, at.clone(), message, "make them shorter");
        }
        fits
    }
}
