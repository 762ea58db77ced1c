//! Queries that are put together from fixed parts.

use std::fmt::Write as _;

/// A value in a query.
#[derive(Clone)]
pub(in crate::store) enum Value {
    /// A number.
    Int(Option<i64>),
    /// Yes or no.
    Flag(bool),
    /// A text.
    Text(Option<String>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
    /// An id or a hash of 16 bytes.
    Key([u8; 16]),
}

macro_rules! from {
    ($($of:ty => |$value:ident| $made:expr),+ $(,)?) => {
        $(impl From<$of> for Value {
            fn from($value: $of) -> Value {
                $made
            }
        })+
    };
}
from! {
    i64 => |value| Value::Int(Some(value)),
    Option<i64> => |value| Value::Int(value),
    bool => |value| Value::Flag(value),
    String => |value| Value::Text(Some(value)),
    &str => |value| Value::Text(Some(value.to_owned())),
    &String => |value| Value::Text(Some(value.clone())),
    &Option<String> => |value| Value::Text(value.clone()),
    Vec<u8> => |value| Value::Bytes(Some(value)),
    &Vec<u8> => |value| Value::Bytes(Some(value.clone())),
    &Option<Vec<u8>> => |value| Value::Bytes(value.clone()),
    [u8; 16] => |value| Value::Key(value),
}

/// A query with its values. It is written down by the database that is asked, which may add
/// conditions of its own.
pub(in crate::store) struct Question {
    select: String,
    conditions: Vec<String>,
    end: String,
    values: Vec<Value>,
    listed_by: Option<&'static str>,
}

impl Question {
    /// `SELECT … FROM …`
    pub(in crate::store) fn new(select: impl Into<String>) -> Question {
        Question {
            select: select.into(),
            conditions: Vec::new(),
            end: String::new(),
            values: Vec::new(),
            listed_by: None,
        }
    }

    /// Adds a condition with one `?`.
    pub(in crate::store) fn and(mut self, condition: &str, value: impl Into<Value>) -> Question {
        let condition = self.marked(condition, [value.into()]);
        self.conditions.push(condition);
        self
    }

    /// Adds a condition with one `?`, if there is a value.
    pub(in crate::store) fn and_maybe(self, condition: &str, value: Option<impl Into<Value>>) -> Question {
        match value {
            Some(value) => self.and(condition, value),
            None => self,
        }
    }

    /// Adds a condition without a value.
    pub(in crate::store) fn and_that(mut self, condition: &str) -> Question {
        self.conditions.push(condition.to_owned());
        self
    }

    /// Adds a condition with two `?`.
    pub(in crate::store) fn and_both(
        mut self,
        condition: &str,
        one: impl Into<Value>,
        other: impl Into<Value>,
    ) -> Question {
        let condition = self.marked(condition, [one.into(), other.into()]);
        self.conditions.push(condition);
        self
    }

    /// Adds a condition with many `?`, `{}` standing for them.
    pub(in crate::store) fn and_among<T: Into<Value>>(
        mut self,
        condition: &str,
        values: impl IntoIterator<Item = T>,
    ) -> Question {
        let values: Vec<Value> = values.into_iter().map(Into::into).collect();
        let marks = vec!["?"; values.len()].join(",");
        let condition = self.marked(&condition.replace("{}", &marks), values);
        self.conditions.push(condition);
        self
    }

    /// Sets what stands at the end, `ORDER BY … LIMIT ?`.
    pub(in crate::store) fn end(mut self, end: &str, value: i64) -> Question {
        self.end = self.marked(end, [Value::from(value)]);
        self
    }

    /// The answer is a list by this column, which holds positions, that somebody may read on from:
    /// it must end below every row that could still appear before its last.
    pub(in crate::store) const fn listed_by(mut self, column: &'static str) -> Question {
        self.listed_by = Some(column);
        self
    }

    /// By which column of positions the answer is listed.
    pub(in crate::store) const fn is_listed_by(&self) -> Option<&'static str> {
        self.listed_by
    }

    /// The text, with `$1`, `$2` and so on, and the values.
    pub(in crate::store) fn written(self) -> (String, Vec<Value>) {
        let mut sql = self.select;
        for (index, condition) in self.conditions.iter().enumerate() {
            sql.push_str(if index == 0 { " WHERE " } else { " AND " });
            sql.push_str(condition);
        }
        if !self.end.is_empty() {
            sql.push(' ');
            sql.push_str(&self.end);
        }
        (sql, self.values)
    }

    /// The text with numbers for its marks; the values are taken.
    fn marked(&mut self, text: &str, values: impl IntoIterator<Item = Value>) -> String {
        let mut out = String::with_capacity(text.len() + 8);
        let mut values = values.into_iter();
        for part in text.split_inclusive('?') {
            match part.strip_suffix('?') {
                None => out.push_str(part),
                Some(before) => {
                    out.push_str(before);
                    self.values.extend(values.next());
                    // Writing into a string does not fail.
                    let _ = write!(out, "${}", self.values.len());
                }
            }
        }
        out
    }
}
