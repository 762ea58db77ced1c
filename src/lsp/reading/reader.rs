//! The walk along a source: files, policies, and strategies.

use std::ops::Range;

use super::outline::{PolicyNode, StageNode};
use super::token::{self, Kind, Token};
use super::{Expect, Mark, Reading, Role, Takes};
use crate::language::limits::BRACKETS_DEPTH_MAX;

/// Words that never are an argument: where one stands, the argument before it is missing.
const RESERVED: [&str; 11] =
    ["then", "otherwise", "after", "unless", "until", "if", "via", "retry", "repeat", "between", "valid"];

/// Where a strategy stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    File,
    Policy,
    Member,
}

/// What stands before the piece that is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Stage,
    Joiner,
}

pub(super) struct Reader<'s> {
    pub(super) source: &'s str,
    at: usize,
    /// The end of the last word that was taken.
    last: usize,
    pub(super) out: Reading,
    /// Something is missing at the end: nothing else may follow.
    settled: bool,
    pub(super) depth: usize,
    /// The policy that is being read.
    pub(super) policy: PolicyNode,
    /// What the stage takes whose modifiers are being read.
    pub(super) takes: Takes,
}

impl<'s> Reader<'s> {
    pub(super) fn new(source: &'s str) -> Reader<'s> {
        let mut reader = Reader {
            source,
            at: 0,
            last: 0,
            out: Reading::default(),
            settled: false,
            depth: 0,
            policy: PolicyNode::default(),
            takes: Takes::All,
        };
        reader.skip();
        reader
    }

    // ---------------------------------------------------------------------------- words

    fn skip(&mut self) {
        let comments = &mut self.out.comments;
        self.at = token::skip(self.source, self.at, &mut |comment| comments.push(comment));
    }

    pub(super) fn peek(&self) -> Option<Token> {
        token::token(self.source, self.at, false)
    }

    /// The word that comes next; empty where none does.
    pub(super) fn word(&self) -> &'s str {
        match self.peek() {
            Some(Token { kind: Kind::Word, at }) => &self.source[at],
            _ => "",
        }
    }

    /// The sign that comes next; empty where none does.
    pub(super) fn sign(&self) -> &'s str {
        match self.peek() {
            Some(Token { kind: Kind::Sign, at }) => &self.source[at],
            _ => "",
        }
    }

    pub(super) fn at_end(&self) -> bool {
        self.at >= self.source.len()
    }

    pub(super) fn start(&self) -> usize {
        self.at
    }

    /// From `start` to the end of the last word.
    pub(super) fn since(&self, start: usize) -> Range<usize> {
        start..self.last.max(start)
    }

    pub(super) fn mark(&mut self, at: Range<usize>, role: Role) {
        self.out.marks.push(Mark { at, role });
    }

    fn pass(&mut self, token: &Token) {
        if let Kind::Text { closed: false } = token.kind {
            self.out.in_text = token.at.end == self.source.len();
        }
        (self.at, self.last) = (token.at.end, token.at.end);
        self.skip();
    }

    /// Takes what comes next.
    pub(super) fn take(&mut self, role: Role) -> Option<Range<usize>> {
        let token = self.peek()?;
        self.pass(&token);
        self.mark(token.at.clone(), role);
        Some(token.at)
    }

    /// Takes the next word up to the first sign in it.
    pub(super) fn take_plain(&mut self, role: Role) -> Option<Range<usize>> {
        let token = token::token(self.source, self.at, true)?;
        self.pass(&token);
        self.mark(token.at.clone(), role);
        Some(token.at)
    }

    /// Takes the next word in parts, each with its role; the parts are lengths.
    pub(super) fn take_parts(&mut self, parts: &[(usize, Option<Role>)]) -> Option<Range<usize>> {
        let token = self.peek()?;
        self.pass(&token);
        let mut from = token.at.start;
        for (length, role) in parts {
            if let Some(role) = role.filter(|_| *length > 0) {
                self.mark(from..from + length, role);
            }
            from += length;
        }
        Some(token.at)
    }

    /// Takes `word` as a keyword, where it comes next.
    pub(super) fn keyword(&mut self, word: &str) -> bool {
        let found = self.word() == word;
        if found {
            self.take(Role::Keyword);
        }
        found
    }

    pub(super) fn eat_sign(&mut self, sign: &str) -> bool {
        let found = self.sign() == sign;
        if found {
            self.take(Role::Sign);
        }
        found
    }

    /// Whether the next word ends what stands before it.
    pub(super) fn reserved(&self) -> bool {
        let word = self.word();
        RESERVED.contains(&word)
            || word == "on" && self.second_word() == "doubt"
            || word == "policy" && self.policy_follows()
    }

    pub(super) fn section(&self) -> bool {
        matches!(self.word(), "category" | "expires" | "quiet" | "limit")
    }

    /// Whether a word comes next that can be an argument.
    pub(super) fn argument(&self) -> bool {
        !self.word().is_empty() && !self.reserved()
    }

    fn after_next(&self) -> usize {
        self.peek().map_or(self.at, |next| token::skip(self.source, next.at.end, &mut |_| {}))
    }

    /// What comes behind the next word.
    pub(super) fn second(&self) -> Option<Token> {
        self.peek()?;
        token::token(self.source, self.after_next(), false)
    }

    pub(super) fn second_word(&self) -> &'s str {
        match self.second() {
            Some(Token { kind: Kind::Word, at }) => &self.source[at],
            _ => "",
        }
    }

    pub(super) fn second_text(&self) -> &'s str {
        self.second().map_or("", |token| &self.source[token.at])
    }

    /// `policy NAME {`, with three words at most for a name.
    fn policy_follows(&self) -> bool {
        let mut at = self.after_next();
        for _ in 0..=3 {
            match token::token(self.source, at, false) {
                Some(Token { kind: Kind::Sign, at }) => return &self.source[at] == "{",
                Some(token) => at = token::skip(self.source, token.at.end, &mut |_| {}),
                None => return false,
            }
        }
        false
    }

    // ------------------------------------------------------------------- what may follow

    /// Something that may come next.
    pub(super) fn may(&mut self, expect: Expect) {
        if self.at_end() && !self.settled && !self.out.expected.contains(&expect) {
            self.out.expected.push(expect);
        }
    }

    /// Nothing else may come next.
    pub(super) fn settle(&mut self) {
        if self.at_end() {
            self.settled = true;
        }
    }

    /// Something that must come next, so that nothing else may.
    pub(super) fn must(&mut self, expect: Expect) {
        self.may(expect);
        self.settle();
    }

    // ------------------------------------------------------------------------ structure

    pub(super) fn file(mut self) -> Reading {
        let mut outside: Option<PolicyNode> = None;
        loop {
            let named = self.word() == "policy" && (self.policy_follows() || self.names_no_stage());
            if named {
                let policy = self.named();
                self.out.outline.policies.push(policy);
            } else if self.at_end() {
                break;
            } else {
                let start = self.at;
                self.policy = PolicyNode { bare: true, ..PolicyNode::default() };
                let stages = self.strategy(Place::File);
                let mut bare = std::mem::take(&mut self.policy);
                bare.stages = stages;
                bare.at = self.since(start);
                bare.body = bare.at.clone();
                let empty = bare.stages.is_empty() && bare.headers.is_empty();
                if outside.is_none() && !empty {
                    outside = Some(bare);
                }
            }
        }
        if self.out.outline.policies.is_empty() {
            if outside.is_none() {
                self.may(Expect::PolicyStart);
                self.may(Expect::Action);
            }
            self.out.outline.policies.extend(outside);
        } else {
            self.may(Expect::PolicyStart);
        }
        self.out
    }

    /// Whether `policy` begins one that is not written to its brace yet.
    fn names_no_stage(&self) -> bool {
        matches!(self.second(), None | Some(Token { kind: Kind::Word, .. })) && self.last_is_no_joiner()
    }

    fn last_is_no_joiner(&self) -> bool {
        self.out.marks.last().is_none_or(|mark| &self.source[mark.at.clone()] != "then")
    }

    fn named(&mut self) -> PolicyNode {
        let start = self.at;
        self.policy = PolicyNode::default();
        self.take(Role::Keyword);
        self.must(Expect::PolicyName);
        let name_start = self.at;
        for _ in 0..3 {
            let more = matches!(self.peek(), Some(Token { kind: Kind::Word | Kind::Text { .. }, .. }));
            if more && (self.at == name_start || self.policy_follows() || self.second_text() == "{") {
                self.take(Role::Policy);
            }
        }
        let name = self.since(name_start);
        self.policy.name = Some(name).filter(|name| !name.is_empty());
        self.must(Expect::OpenBrace);
        let mut body = self.last..self.last;
        if self.eat_sign("{") {
            body.start = self.last;
            let stages = self.strategy(Place::Policy);
            self.policy.stages = stages;
            body.end = if self.sign() == "}" { self.at } else { self.last.max(body.start) };
            // What is not closed goes on.
            self.settle();
            self.eat_sign("}");
        }
        let mut policy = std::mem::take(&mut self.policy);
        policy.at = self.since(start);
        policy.body = body;
        policy
    }

    /// Stages joined by `then`, with what else may stand among them.
    pub(super) fn strategy(&mut self, place: Place) -> Vec<StageNode> {
        let (mut stages, mut before, mut ended) = (Vec::new(), Before::Nothing, false);
        loop {
            self.expect_piece(place, before, ended);
            let (word, sign) = (self.word(), self.sign());
            let closes = match place {
                Place::File => word == "policy" && (self.policy_follows() || self.names_no_stage()),
                Place::Policy => sign == "}" || word == "policy" && self.policy_follows(),
                Place::Member => matches!(sign, ")" | "," | "}") || word == "policy" && self.policy_follows(),
            };
            if self.at_end() || closes {
                return stages;
            }
            if word.is_empty() && self.joiner_sign() {
                self.take(Role::Operator);
                before = Before::Joiner;
            } else if word.is_empty() {
                self.take(Role::Unknown);
            } else if word == "then" {
                self.take(Role::Keyword);
                before = Before::Joiner;
            } else if matches!(word, "else" | "or" | "and" | "next") {
                self.take(Role::Unknown);
                before = Before::Joiner;
            } else if word == "otherwise" {
                self.otherwise();
                ended = true;
            } else if place == Place::Member || !self.header() {
                stages.push(self.stage());
                before = Before::Stage;
            }
        }
    }

    fn joiner_sign(&self) -> bool {
        matches!(self.sign(), "->" | "=>" | ";" | "||" | "&&" | ">")
    }

    fn expect_piece(&mut self, place: Place, before: Before, ended: bool) {
        match (before, place) {
            _ if ended => {}
            (Before::Joiner, _) => return self.must(Expect::Action),
            (Before::Nothing, Place::Policy) => {
                let used = self.policy.headers.iter().map(|(header, _)| *header).collect();
                self.may(Expect::Header { used });
                self.may(Expect::Action);
            }
            (Before::Nothing, _) => self.may(Expect::Action),
            (Before::Stage, _) => {
                self.may(Expect::Then);
                if place == Place::Member {
                    self.may(Expect::MemberEnd);
                } else {
                    self.may(Expect::Otherwise);
                }
            }
        }
        if place == Place::Policy && (before == Before::Stage || ended) {
            self.may(Expect::CloseBrace);
        }
    }

    fn otherwise(&mut self) {
        let start = self.at;
        self.take(Role::Keyword);
        self.must(Expect::Fail);
        self.keyword("fail");
        self.must(Expect::Why);
        if matches!(self.peek(), Some(Token { kind: Kind::Text { .. }, .. })) {
            self.take(Role::Text);
        } else if self.argument() {
            self.take(Role::Unknown);
        }
        self.policy.otherwise = Some(self.since(start));
    }

    /// Runs `inner` where brackets are not nested too deeply; else takes what comes next.
    pub(super) fn nested(&mut self, inner: impl FnOnce(&mut Self)) {
        if self.depth >= BRACKETS_DEPTH_MAX {
            return;
        }
        self.depth += 1;
        inner(self);
        self.depth -= 1;
    }
}
