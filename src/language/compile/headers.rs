//! What stands before the strategy.

use std::collections::BTreeMap;

use super::super::limits;
use super::super::policy::{Headers, Quiet, ValueType, VarDeclaration};
use super::super::words::{near, quoted};
use super::condition::About;
use super::strategy::Walk;
use super::unit::bad_name;
use super::value::{What, did_you_mean, replace};
use super::{Node, Rule};

/// The types of `vars`.
pub(super) const TYPES: [(&str, ValueType); 6] = [
    ("string", ValueType::String),
    ("number", ValueType::Number),
    ("boolean", ValueType::Boolean),
    ("duration", ValueType::Duration),
    ("time", ValueType::Time),
    ("list", ValueType::List),
];

/// The word for a type of `vars`.
pub(super) fn type_word(kind: ValueType) -> &'static str {
    TYPES.iter().find(|(_, known)| *known == kind).map_or("string", |(word, _)| *word)
}

impl<'s> Walk<'_, 's> {
    pub(super) fn headers(&mut self, nodes: &[&Node<'s>]) -> Headers {
        let mut read = Headers::default();
        // Conditions of `quiet` may name vars that are declared behind it.
        for node in nodes.iter().filter(|n| n.rule() == Rule::vars) {
            if self.vars.is_none() {
                self.vars = Some(self.declared(node));
            }
        }
        let mut seen: Vec<(Rule, usize)> = Vec::new();
        for node in nodes {
            let rule = node.rule();
            let at = self.faults.range(node);
            if let Some((_, first)) = seen.iter().find(|(known, _)| *known == rule) {
                let word = self.faults.text(&at).split_whitespace().next().unwrap_or_default();
                let line = self.faults.text(&(0..*first)).matches('\n').count() + 1;
                let message = format!("the header `{word}` stands twice, the first in line {line}");
                self.faults.tell("repeated-header", at, message, "leave one of them out");
                continue;
            }
            seen.push((rule, at.start));
            match rule {
                Rule::category => read.category = self.category(node),
                Rule::expires => {
                    let help = "write for example `expires after 2h`";
                    if node.child(Rule::after_word).is_none() {
                        let message = "there is no `after` behind `expires`".to_owned();
                        self.faults.tell("bad-expires", at, message, help);
                    } else {
                        let amount = node.child(Rule::amount);
                        read.expires = self.faults.lasting(node, amount, What("expires after", help));
                    }
                }
                Rule::quiet => read.quiet = self.quiet(node),
                Rule::limit => self.limit(node, &mut read),
                _ => {}
            }
        }
        read
    }

    fn category(&mut self, node: &Node<'s>) -> Option<String> {
        let at = self.faults.range(node);
        let help = "write a word of small letters, digits and `_`, 64 at most: `category transactional`";
        let Some(value) = node.child(Rule::value) else {
            self.faults.tell("bad-category", at, "the word after `category` is missing".to_owned(), help);
            return None;
        };
        let at = self.faults.range(&value);
        let word = self.faults.text(&at);
        if !is_category(word) {
            self.faults.tell("bad-category", at, format!("{} is no category", quoted(word)), help);
            return None;
        }
        Some(word.to_owned())
    }

    fn quiet(&mut self, node: &Node<'s>) -> Option<Quiet> {
        let window = self.faults.window(node, "quiet", "to");
        let (mut unless, mut seen) = (None, false);
        for part in node.children() {
            match part.rule() {
                Rule::unless if !seen => {
                    seen = true;
                    unless = self.condition(&part, "unless", About::Quiet);
                }
                Rule::unless => {
                    let message = "`unless` stands twice behind `quiet`".to_owned();
                    self.faults.tell(
                        "repeated-modifier",
                        self.faults.range(&part),
                        message,
                        "join the conditions by `or` after one `unless`",
                    );
                }
                Rule::only_if => {
                    let message = "`quiet` takes `unless`, not `if`".to_owned();
                    self.faults.tell(
                        "misplaced-modifier",
                        self.faults.range(&part),
                        message,
                        "write `unless` and the opposite",
                    );
                }
                _ => {}
            }
        }
        Some(Quiet { window: window?, unless })
    }

    fn limit(&mut self, node: &Node<'s>, read: &mut Headers) {
        let help = "write `limit 3 sends`, `limit 0.25 EUR`, or both with a comma between";
        let (mut parts, before) = (0, self.faults.count());
        for part in node.children() {
            parts += 1;
            let at = self.faults.range(&part);
            if let Some(money) = part.child(Rule::money) {
                let Some(amount) = self.faults.money(&money) else { continue };
                self.one_currency(amount.currency, &at);
                if read.limit_cost.replace(amount).is_some() {
                    self.faults.tell("bad-limit", at, "`limit` has two amounts of money".to_owned(), help);
                }
                continue;
            }
            if part
                .child(Rule::sends_word)
                .is_none_or(|w| !self.faults.text(&self.faults.range(&w)).starts_with("send"))
            {
                let message = format!("{} is no limit", self.faults.quoted(&part));
                self.faults.tell("bad-limit", at, message, help);
                continue;
            }
            let Some(sends) = self.faults.count_of(&part, "limit", (1, limits::LIMIT_SENDS_MAX)) else {
                continue;
            };
            if read.limit_sends.replace(sends).is_some() {
                self.faults.tell("bad-limit", at, "`limit` has two numbers of sends".to_owned(), help);
            }
        }
        let at = self.faults.range(node);
        let text = self.faults.text(&at);
        if parts == 0 {
            self.faults.tell("bad-limit", at, "`limit` does not say what it allows".to_owned(), help);
        } else if text.ends_with([',']) || text.ends_with(" and") {
            self.faults.tell("bad-limit", at, "a part of `limit` is missing".to_owned(), help);
        } else if text.contains(" and ") && self.faults.count() == before {
            let message = "the parts of `limit` are joined by `,`, not by `and`".to_owned();
            let joint = at.start + text.find(" and ").unwrap_or_default();
            let fix = replace(joint..joint + " and".len(), ",");
            self.faults.tell_fix("bad-limit", at, message, help, fix);
        }
    }

    fn declared(&mut self, node: &Node<'s>) -> BTreeMap<String, VarDeclaration> {
        let mut vars: BTreeMap<String, VarDeclaration> = BTreeMap::new();
        let at = self.faults.range(node);
        let (mut after_entry, mut entry_end, mut told) = (false, at.end, false);
        for part in node.children() {
            match part.rule() {
                Rule::comma => after_entry = false,
                Rule::unclosed => {
                    let at = at.start..at.start + "vars".len();
                    let message = "the `{` of `vars` is never closed".to_owned();
                    self.faults.tell("unclosed-bracket", at, message, "end the list with `}`");
                }
                Rule::var_entry => {
                    let entry_at = self.faults.range(&part);
                    if after_entry && !told {
                        let message = format!("there is no `,` before {}", self.faults.quoted(&part));
                        let fix = replace(entry_end..entry_end, ",");
                        let help = "write commas between the vars";
                        self.faults.tell_fix("bad-var", entry_at.clone(), message, help, fix);
                    }
                    (after_entry, entry_end, told) = (true, entry_at.end, false);
                    let Some((name, declared)) = self.declaration(&part) else { continue };
                    if vars.len() == limits::VARS_MAX {
                        let message = format!("`vars` declares more than {} names", limits::VARS_MAX);
                        self.faults.tell("too-many-vars", entry_at, message, "leave some out");
                        return vars;
                    }
                    if vars.insert(name.clone(), declared).is_some() {
                        let message = format!("`vars` declares `{name}` twice");
                        let help = "leave one of them out, or write the other name that is meant";
                        self.faults.tell("bad-var", entry_at, message, help);
                    }
                }
                _ => {
                    told = true;
                    let message = format!("{} does not belong here", self.faults.quoted(&part));
                    self.faults.tell(
                        "bad-var",
                        self.faults.range(&part),
                        message,
                        "write for example `vars { time: string, amount: number optional }`",
                    );
                }
            }
        }
        vars
    }

    /// `NAME: TYPE [optional]`. A name whose type is wrong is still known.
    fn declaration(&mut self, entry: &Node<'s>) -> Option<(String, VarDeclaration)> {
        let at = self.faults.range(entry);
        let words: Vec<Node<'s>> = entry.children().filter(|n| n.rule() == Rule::plain).collect();
        let name = words.first()?.text().to_owned();
        let shape = format!("write for example `{name}: string` or `{name}: number optional`");
        if let Some(help) = bad_name(&name).filter(|h| !h.starts_with("it is a word")) {
            self.faults.tell("bad-name", at, format!("{} is no name for a var", quoted(&name)), help);
            return None;
        }
        let mut declared = VarDeclaration { kind: ValueType::String, optional: false };
        if entry.child(Rule::colon).is_none() || words.len() < 2 {
            self.faults.tell("bad-var", at, format!("var `{name}` has no type"), shape);
            return Some((name, declared));
        }
        let type_word = words.get(1)?.text();
        match TYPES.iter().find(|(word, _)| *word == type_word) {
            Some((_, kind)) => declared.kind = *kind,
            None => {
                let meant = match type_word {
                    "text" | "str" | "char" | "varchar" | "url" | "uri" | "uuid" | "id" | "email"
                    | "enum" => Some("string"),
                    "int" | "integer" | "float" | "decimal" | "double" | "zahl" | "nummer" => Some("number"),
                    "bool" | "flag" | "yesno" | "jein" => Some("boolean"),
                    "array" | "liste" | "set" => Some("list"),
                    "dauer" | "span" | "interval" => Some("duration"),
                    "zeit" | "uhrzeit" | "clock" | "date" | "datetime" | "timestamp" | "instant" => {
                        Some("time")
                    }
                    _ => near(type_word, TYPES.iter().map(|(w, _)| *w)),
                };
                let message = format!("unknown type {}{}", quoted(type_word), did_you_mean(meant));
                let at = words.get(1).map(|w| self.faults.range(w)).unwrap_or(at.clone());
                match meant {
                    Some(meant) => self.faults.tell_replace("unknown-type", at, message, meant),
                    None => {
                        let help = "write a type such as `string`, `number`, `boolean`, `time` or `duration`";
                        self.faults.tell("unknown-type", at, message, help);
                    }
                }
            }
        }
        match words.get(2).map(|w| w.text()) {
            None => {}
            Some("optional") if words.len() == 3 => declared.optional = true,
            Some(word) => {
                let message = format!("{} does not belong behind the type of var `{name}`", quoted(word));
                self.faults.tell("bad-var", at, message, shape);
            }
        }
        Some((name, declared))
    }
}

/// Whether a word is a category: `[a-z0-9_]{1,64}`.
fn is_category(word: &str) -> bool {
    (1..=64).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
