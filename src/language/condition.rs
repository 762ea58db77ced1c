//! Conditions, checked: every comparison is between values of one type.

use crate::model::{Channel, Confirmation, ContactField, Priority, Span, TimeOfDay};

use super::policy::TextRange;

/// A condition with the text that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What it says.
    pub expr: Expr,
    /// As written, for the audit and for `explain`; white space folded.
    pub text: String,
    /// Its bytes of the source.
    pub at: TextRange,
}

/// The tree of a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// All of them; never empty.
    And(Vec<Expr>),
    /// One of them; never empty.
    Or(Vec<Expr>),
    /// Not it.
    Not(Box<Expr>),
    /// One of the words about the stage or the message.
    Word(Word),
    /// `contact has CHANNEL`.
    HasAddress(Channel),
    /// A comparison; false where a name in it is missing.
    Compare(Comparison),
}

impl Expr {
    /// The words, addresses and comparisons of which it is made, in the order of the text.
    pub fn leaves(&self) -> impl Iterator<Item = &Expr> {
        let mut left = vec![self];
        std::iter::from_fn(move || {
            loop {
                match left.pop()? {
                    Expr::And(parts) | Expr::Or(parts) => left.extend(parts.iter().rev()),
                    Expr::Not(part) => left.push(part),
                    leaf => return Some(leaf),
                }
            }
        })
    }

    /// Whether it compares anything.
    #[must_use]
    pub fn compares(&self) -> bool {
        self.leaves().any(|leaf| matches!(leaf, Expr::Compare(_)))
    }
}

/// The words that stand for a whole condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Word {
    /// The stage's channel has used up the tenant's quota.
    Quota,
    /// Inside the quiet window.
    Quiet,
    /// The person does not want the stage's channel.
    OptedOut,
    /// Every provider of the stage's route has an open breaker.
    Tripped,
    /// Some stage of the message has been confirmed so, or more: `Delivered`, `Read`, `Replied`.
    Confirmed(Confirmation),
}

impl Word {
    /// As they are written.
    pub(crate) const WORDS: [&'static str; 7] =
        ["quota", "quiet", "opted_out", "tripped", "read", "replied", "delivered"];
}

/// `LEFT OP RIGHT`, with its own text for the audit.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What is compared.
    pub left: Operand,
    /// How.
    pub op: Op,
    /// With what. For [`Op::In`] always a list; for [`Op::Has`] `left` is a list.
    pub right: Operand,
    /// As written, white space folded.
    pub text: String,
}

impl Comparison {
    /// Whether it names something that only the world outside an instance knows: `vars`, `contact`,
    /// `priority`, `category`.
    #[must_use]
    pub fn needs_facts(&self) -> bool {
        [&self.left, &self.right].into_iter().any(|side| {
            matches!(
                side,
                Operand::Var(_)
                    | Operand::Contact(_)
                    | Operand::Attribute(_)
                    | Operand::Priority
                    | Operand::Category
            )
        })
    }
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// `==`, `is`.
    Is,
    /// `!=`, `is not`.
    IsNot,
    /// `<`.
    Less,
    /// `<=`.
    AtMost,
    /// `>`.
    More,
    /// `>=`.
    AtLeast,
    /// `in [ … ]`.
    In,
    /// `has`: a list holds a value.
    Has,
}

/// A side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// `vars.NAME`.
    Var(String),
    /// `contact.NAME`, a field.
    Contact(ContactField),
    /// `contact.NAME`, an attribute.
    Attribute(String),
    /// `priority`.
    Priority,
    /// `category`.
    Category,
    /// `elapsed`: since the start of the message.
    Elapsed,
    /// `sends`: attempts answered accepted or in doubt.
    Sends,
    /// `cost`: of those, in millionths of the scope's currency.
    Cost,
    /// Written out.
    Literal(Literal),
}

/// A value written out.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `"text"`.
    String(String),
    /// `12.5`.
    Number(f64),
    /// `true`.
    Boolean(bool),
    /// `30s`.
    Duration(Span),
    /// `08:00`.
    Time(TimeOfDay),
    /// `0.25 EUR`, or a plain number beside `cost`: millionths.
    Money(i64),
    /// `low`, beside `priority`.
    Priority(Priority),
    /// `[ … ]`, all of one type.
    List(Vec<Literal>),
}
