//! Facts as people give them to a simulation: `vars.amount=5, quota.sms=used`, or a mapping of the
//! same names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::model::{Channel, ContactField, Priority, Span, TimeOfDay};

use super::diagnostic::{Diagnostic, Edit, Severity};
use super::limits::SCRIPT_BYTES_MAX;
use super::policy::TextRange;
use super::words::{listed, near, quoted};

/// A value that a condition can look at.
#[derive(Debug, Clone, PartialEq)]
pub enum FactValue {
    /// Text; also a duration or a time of day, which a condition reads as what it compares with.
    String(String),
    /// A number.
    Number(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// Several.
    List(Vec<FactValue>),
}

impl FactValue {
    /// It as a duration, where it is one.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        match self {
            FactValue::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// It as a time of day, where it is one.
    #[must_use]
    pub fn time(&self) -> Option<TimeOfDay> {
        match self {
            FactValue::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A value of JSON or YAML; `None` for null and for mappings.
    #[must_use]
    pub fn from_json(value: &serde_json::Value) -> Option<FactValue> {
        use serde_json::Value;
        Some(match value {
            Value::String(text) => FactValue::String(text.clone()),
            Value::Number(number) => FactValue::Number(number.as_f64()?),
            Value::Bool(yes) => FactValue::Boolean(*yes),
            Value::Array(values) => {
                FactValue::List(values.iter().map(FactValue::from_json).collect::<Option<_>>()?)
            }
            Value::Null | Value::Object(_) => return None,
        })
    }

    /// A value as the command line holds it: what looks like a number or a boolean is one.
    fn from_text(text: &str) -> FactValue {
        let list = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        if let Some(list) = list {
            return FactValue::List(
                parts(list).into_iter().map(|at| FactValue::from_text(&list[at])).collect(),
            );
        }
        if let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
            return FactValue::String(inner.replace("\\\"", "\"").replace("\\\\", "\\"));
        }
        let numeric = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
        match text {
            "true" => FactValue::Boolean(true),
            "false" => FactValue::Boolean(false),
            _ => match text.parse::<f64>().ok().filter(|n| numeric && n.is_finite()) {
                Some(number) => FactValue::Number(number),
                None => FactValue::String(text.to_owned()),
            },
        }
    }
}

/// What somebody says about the world of a simulated run. What is not said is ordinary: every
/// channel has an address, no quota is used up, no breaker is open, nobody has opted out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GivenFacts {
    /// `vars.NAME`.
    pub vars: BTreeMap<String, FactValue>,
    /// `contact.NAME`, fields and attributes alike.
    pub contact: BTreeMap<String, FactValue>,
    /// `contact.has.CHANNEL`.
    pub has_address: BTreeMap<Channel, bool>,
    /// `priority`.
    pub priority: Option<Priority>,
    /// `category`.
    pub category: Option<String>,
    /// `quota.CHANNEL=used`.
    pub quota_used: BTreeSet<Channel>,
    /// `breaker.PROVIDER=open`.
    pub breaker_open: BTreeSet<String>,
    /// `opted_out.CHANNEL=true`.
    pub opted_out: BTreeSet<Channel>,
}

/// The forms of a fact's name.
const FORMS: &str =
    "facts are such as `vars.NAME`, `contact.NAME`, `contact.has.CHANNEL`, `priority` or `quota.CHANNEL`";

/// Where a fact could not be taken: in its name or in its value.
enum Wrong {
    Name(String, String, Option<String>),
    Value(String, String),
}

impl GivenFacts {
    /// Nothing is said.
    pub const NONE: GivenFacts = GivenFacts {
        vars: BTreeMap::new(),
        contact: BTreeMap::new(),
        has_address: BTreeMap::new(),
        priority: None,
        category: None,
        quota_used: BTreeSet::new(),
        breaker_open: BTreeSet::new(),
        opted_out: BTreeSet::new(),
    };

    /// Reads the form of the command line, `vars.amount=5, quota.sms=used`.
    ///
    /// # Errors
    /// Every fault of the text, with its bytes.
    pub fn parse(text: &str) -> Result<GivenFacts, Vec<Diagnostic>> {
        if text.len() > SCRIPT_BYTES_MAX {
            let message = format!("the facts are too long: {} bytes", text.len());
            return Err(vec![fault(0..0, message, format!("write at most {SCRIPT_BYTES_MAX} bytes"), None)]);
        }
        let (mut facts, mut faults, mut seen) = (GivenFacts::default(), Vec::new(), BTreeSet::new());
        for at in parts(text) {
            let part = &text[at.clone()];
            let Some((name, value)) = part.split_once('=') else {
                let message = format!("{} gives no value", quoted(part));
                faults.push(fault(
                    at,
                    message,
                    "write `NAME=VALUE`, for example `quota.sms=used`".to_owned(),
                    None,
                ));
                continue;
            };
            let name_at = at.start..at.start + name.trim_end().len();
            let value_at = at.end - value.trim_start().len()..at.end;
            let (name, value) = (name.trim(), value.trim());
            // The fields of a contact are texts, also where one looks like a number.
            let field = name.strip_prefix("contact.").is_some_and(|f| f.parse::<ContactField>().is_ok());
            let value = match FactValue::from_text(value) {
                FactValue::Number(_) | FactValue::Boolean(_) if field => FactValue::String(value.to_owned()),
                read => read,
            };
            if !seen.insert(name) {
                let message = format!("{} is given twice", quoted(name));
                faults.push(fault(name_at, message, "leave one of them out".to_owned(), None));
                continue;
            }
            match facts.set(name, value) {
                Ok(()) => {}
                Err(Wrong::Name(message, help, meant)) => faults.push(fault(name_at, message, help, meant)),
                Err(Wrong::Value(message, help)) => faults.push(fault(value_at, message, help, None)),
            }
        }
        if faults.is_empty() { Ok(facts) } else { Err(faults) }
    }

    /// Reads a mapping of the same names, as JSON and YAML hold it. A mapping may also be nested,
    /// `{"vars": {"amount": 5}}`.
    ///
    /// # Errors
    /// Every fault, each with the name that it was found under.
    pub fn from_map(
        map: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<GivenFacts, Vec<(String, Diagnostic)>> {
        let (mut facts, mut faults) = (GivenFacts::default(), Vec::new());
        facts.take_map("", map, &mut faults, 0);
        if faults.is_empty() { Ok(facts) } else { Err(faults) }
    }

    fn take_map(
        &mut self,
        before: &str,
        map: &serde_json::Map<String, serde_json::Value>,
        faults: &mut Vec<(String, Diagnostic)>,
        depth: usize,
    ) {
        for (name, value) in map {
            let name = if before.is_empty() { name.clone() } else { format!("{before}.{name}") };
            // `contact: { has: { sms: false } }` is as deep as a fact goes.
            if let serde_json::Value::Object(inner) = value
                && depth < 2
            {
                self.take_map(&name, inner, faults, depth + 1);
                continue;
            }
            let result = match FactValue::from_json(value) {
                Some(value) => self.set(&name, value),
                None => {
                    let help = "write a text, a number, `true`, `false` or a list of these";
                    Err(Wrong::Value(
                        format!("{} has no value that a fact can have", quoted(&name)),
                        help.to_owned(),
                    ))
                }
            };
            if let Err(Wrong::Name(message, help, _) | Wrong::Value(message, help)) = result {
                faults.push((name, fault(0..0, message, help, None)));
            }
        }
    }

    fn set(&mut self, name: &str, value: FactValue) -> Result<(), Wrong> {
        if let Some(var) = name.strip_prefix("vars.").filter(|n| !n.is_empty()) {
            self.vars.insert(var.to_owned(), value);
            return Ok(());
        }
        let has = name.strip_prefix("contact.has.").or_else(|| name.strip_prefix("contact has "));
        if let Some(channel) = has {
            let channel = channel_of(channel.trim(), "contact.has")?;
            self.has_address.insert(channel, boolean(name, &value)?);
            return Ok(());
        }
        if let Some(field) = name.strip_prefix("contact.").filter(|n| !n.is_empty()) {
            return self.set_contact(name, field, value);
        }
        if let Some(channel) = name.strip_prefix("quota.") {
            let channel = channel_of(channel, "quota")?;
            if switch(name, &value, ("used", "free"))? {
                self.quota_used.insert(channel);
            }
            return Ok(());
        }
        if let Some(channel) = name.strip_prefix("opted_out.") {
            let channel = channel_of(channel, "opted_out")?;
            if boolean(name, &value)? {
                self.opted_out.insert(channel);
            }
            return Ok(());
        }
        if let Some(provider) = name.strip_prefix("breaker.").filter(|n| !n.is_empty()) {
            if switch(name, &value, ("open", "closed"))? {
                self.breaker_open.insert(provider.to_owned());
            }
            return Ok(());
        }
        match (name, value) {
            ("priority", FactValue::String(word)) => match word.parse() {
                Ok(priority) => self.priority = Some(priority),
                Err(_) => {
                    let message = format!("unknown priority {}", quoted(&word));
                    return Err(Wrong::Value(
                        message,
                        format!("write {}", listed(Priority::WORDS.iter().copied(), "or")),
                    ));
                }
            },
            ("category", FactValue::String(word)) => self.category = Some(word),
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    fn set_contact(&mut self, name: &str, field: &str, value: FactValue) -> Result<(), Wrong> {
        let known = field.parse::<ContactField>().is_ok();
        if known && !matches!(value, FactValue::String(_)) {
            let message = format!("{} is a text", quoted(name));
            return Err(Wrong::Value(message, "write a text".to_owned()));
        }
        let meant = near(field, ContactField::WORDS.iter().copied())
            .filter(|m| !known && m.chars().next() == field.chars().next());
        if let Some(meant) = meant {
            let message = format!("unknown field {}; did you mean `contact.{meant}`?", quoted(name));
            return Err(Wrong::Name(
                message,
                format!("write `contact.{meant}`"),
                Some(format!("contact.{meant}")),
            ));
        }
        self.contact.insert(field.to_owned(), value);
        Ok(())
    }
}

fn channel_of(word: &str, before: &str) -> Result<Channel, Wrong> {
    word.parse().map_err(|_| {
        let meant = super::words::synonym(word).or_else(|| near(word, Channel::WORDS.iter().copied()));
        let did_you_mean = meant.map(|m| format!("; did you mean {}?", quoted(m))).unwrap_or_default();
        let message = format!("unknown channel {}{did_you_mean}", quoted(word));
        let help = "write a channel, such as `sms`, `email` or `push`".to_owned();
        Wrong::Name(message, help, meant.map(|m| format!("{before}.{m}")))
    })
}

fn boolean(name: &str, value: &FactValue) -> Result<bool, Wrong> {
    match value {
        FactValue::Boolean(yes) => Ok(*yes),
        _ => Err(Wrong::Value(
            format!("{} is true or false", quoted(name)),
            format!("write `{name}=true` or `{name}=false`"),
        )),
    }
}

/// One of two words, or `true` and `false`.
fn switch(name: &str, value: &FactValue, (on, off): (&str, &str)) -> Result<bool, Wrong> {
    match value {
        FactValue::Boolean(yes) => Ok(*yes),
        FactValue::String(word) if word == on => Ok(true),
        FactValue::String(word) if word == off => Ok(false),
        _ => Err(Wrong::Value(
            format!("{} is `{on}` or `{off}`", quoted(name)),
            format!("write `{name}={on}` or `{name}={off}`"),
        )),
    }
}

fn unknown(name: &str) -> Wrong {
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    let meant = near(first, ["vars", "contact", "priority", "category", "quota", "breaker", "opted_out"])
        .map(|m| if rest.is_empty() { m.to_owned() } else { format!("{m}.{rest}") })
        .filter(|m| m != name);
    let did_you_mean = meant.as_ref().map(|m| format!("; did you mean {}?", quoted(m))).unwrap_or_default();
    Wrong::Name(format!("unknown fact {}{did_you_mean}", quoted(name)), FORMS.to_owned(), meant)
}

/// The facts of a text: separated by commas outside of quotes and brackets.
fn parts(text: &str) -> Vec<TextRange> {
    let (mut out, mut start, mut inside, mut depth) = (Vec::new(), 0, false, 0_usize);
    let mut escaped = false;
    let mut push = |start: usize, end: usize| {
        let part = &text[start..end];
        let from = start + (part.len() - part.trim_start().len());
        if !part.trim().is_empty() {
            out.push(from..from + part.trim().len());
        }
    };
    for (at, c) in text.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match c {
            '\\' if inside => escaped = true,
            '"' => inside = !inside,
            '[' if !inside => depth += 1,
            ']' if !inside => depth = depth.saturating_sub(1),
            ',' if !inside && depth == 0 => {
                push(start, at);
                start = at + 1;
            }
            _ => {}
        }
    }
    push(start, text.len());
    out
}

impl fmt::Display for FactValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // What reads as itself stands bare.
            FactValue::String(text) if is_bare(text) => f.write_str(text),
            FactValue::String(text) => {
                write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            }
            FactValue::Number(number) => write!(f, "{number}"),
            FactValue::Boolean(truth) => write!(f, "{truth}"),
            FactValue::List(values) => {
                let values: Vec<String> = values.iter().map(FactValue::to_string).collect();
                write!(f, "[{}]", values.join(", "))
            }
        }
    }
}

/// Whether a text is read as itself without quotes.
fn is_bare(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/' | '+' | '@');
    !text.is_empty()
        && text.chars().all(plain)
        && FactValue::from_text(text) == FactValue::String(text.to_owned())
}

/// The form of the command line, which [`GivenFacts::parse`] reads.
impl fmt::Display for GivenFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all: Vec<String> = Vec::new();
        all.extend(self.vars.iter().map(|(name, value)| format!("vars.{name}={value}")));
        for (name, value) in &self.contact {
            // The fields of a contact are texts, also where one looks like a number.
            all.push(format!("contact.{name}={value}"));
        }
        all.extend(self.has_address.iter().map(|(channel, has)| format!("contact.has.{channel}={has}")));
        all.extend(self.priority.iter().map(|priority| format!("priority={priority}")));
        all.extend(self.category.iter().map(|word| format!("category={}", FactValue::String(word.clone()))));
        all.extend(self.quota_used.iter().map(|channel| format!("quota.{channel}=used")));
        all.extend(self.breaker_open.iter().map(|provider| format!("breaker.{provider}=open")));
        all.extend(self.opted_out.iter().map(|channel| format!("opted_out.{channel}=true")));
        f.write_str(&all.join(", "))
    }
}

fn fault(at: TextRange, message: String, help: String, mended: Option<String>) -> Diagnostic {
    let fix = mended.map(|text| Edit { at: at.clone(), text }).into_iter().collect();
    Diagnostic {
        rule: "bad-fact",
        severity: Severity::Error,
        at,
        message,
        help: Some(help),
        fix,
        counterexample: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_fact_is_read() {
        let text = "vars.amount=5, vars.tags=[\"a\", b], vars.urgent=true, vars.when=08:00, vars.note=\"a, b\", \
                    contact.country=AT, contact.plan=gold, contact.has.sms=false, contact has push=true, \
                    priority=high, category=marketing, quota.sms=used, breaker.meta=open, opted_out.email=true";
        let facts = GivenFacts::parse(text).unwrap();
        assert_eq!(facts.vars["amount"], FactValue::Number(5.0));
        assert_eq!(
            facts.vars["tags"],
            FactValue::List(vec![FactValue::String("a".into()), FactValue::String("b".into())])
        );
        assert_eq!(facts.vars["when"].time(), "08:00".parse().ok());
        assert_eq!(facts.vars["note"], FactValue::String("a, b".into()));
        assert_eq!(facts.contact["country"], FactValue::String("AT".into()));
        assert_eq!(facts.has_address, BTreeMap::from([(Channel::Sms, false), (Channel::Push, true)]));
        assert_eq!((facts.priority, facts.category.as_deref()), (Some(Priority::High), Some("marketing")));
        assert!(facts.quota_used.contains(&Channel::Sms) && facts.opted_out.contains(&Channel::Email));
        assert!(facts.breaker_open.contains("meta"));
        assert_eq!(GivenFacts::parse("").unwrap(), GivenFacts::default());
    }

    #[test]
    fn facts_are_written_as_they_are_read() {
        let text = "vars.amount=5.5, vars.code=\"007\", vars.note=\"a, \\\"b\\\" \\\\ c\", \
                    vars.tags=[a, \"b, c\", 3, true], vars.urgent=false, contact.country=AT, \
                    contact.plan=\"true\", contact.has.sms=false, priority=high, category=marketing, \
                    quota.sms=used, breaker.meta=open, opted_out.email=true";
        let facts = GivenFacts::parse(text).unwrap();
        assert_eq!(facts.vars["note"], FactValue::String("a, \"b\" \\ c".into()));
        assert_eq!(facts.to_string(), text);
    }

    #[test]
    fn a_mapping_says_the_same_flat_or_nested() {
        let flat = serde_json::json!({"vars.amount": 5, "quota.sms": "used", "contact.has.push": false});
        let nested = serde_json::json!({"vars": {"amount": 5}, "quota": {"sms": "used"}, "contact": {"has": {"push": false}}});
        let read = |v: &serde_json::Value| GivenFacts::from_map(v.as_object().unwrap()).unwrap();
        assert_eq!(read(&flat), read(&nested));
        assert_eq!(
            read(&flat),
            GivenFacts::parse("vars.amount=5, quota.sms=used, contact.has.push=false").unwrap()
        );
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let text = "quota.smss=used, quota.sms=full, var.x=1, priority=top, contact.contry=AT, vars.a, opted_out.sms=maybe, vars.b=1, vars.b=2";
        let faults = GivenFacts::parse(text).unwrap_err();
        let told: Vec<_> = faults.iter().map(|f| (&text[f.at.clone()], f.message.as_str())).collect();
        assert_eq!(
            told,
            [
                ("quota.smss", "unknown channel `smss`; did you mean `sms`?"),
                ("full", "`quota.sms` is `used` or `free`"),
                ("var.x", "unknown fact `var.x`; did you mean `vars.x`?"),
                ("top", "unknown priority `top`"),
                ("contact.contry", "unknown field `contact.contry`; did you mean `contact.country`?"),
                ("vars.a", "`vars.a` gives no value"),
                ("maybe", "`opted_out.sms` is true or false"),
                ("vars.b", "`vars.b` is given twice"),
            ]
        );
    }
}
