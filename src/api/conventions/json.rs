//! Bodies: read strictly, once, into a tree.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::problem::{Code, Fault, Problem};

/// How deep objects and arrays may nest.
pub const DEPTH_MAX: usize = 64;

/// Reads a body.
///
/// # Errors
/// `malformed_json` with line and column for invalid UTF-8, half of a surrogate pair, a name that
/// stands twice in one object, a depth over [`DEPTH_MAX`], and every break of the syntax.
pub fn read(bytes: &[u8]) -> Result<Value, Problem> {
    let malformed = |detail: String| Problem::new(Code::MalformedJson, detail);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(malformed("the body is empty; it should be a JSON object".into()));
    }
    // The reader looks at the encoding of strings alone; the whole text must be UTF-8.
    let text = std::str::from_utf8(bytes)
        .map_err(|e| malformed(format!("the body is not UTF-8: byte {} is wrong", e.valid_up_to() + 1)))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    // The depth is watched below, with a message of its own.
    let value = Strict { depth: 0 }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|e| malformed(e.to_string()))
}

/// The faults of strings that hold `\u0000`, which no database column and no provider takes.
///
/// `bytes` is the text that `value` was read from.
#[must_use]
pub fn nul_faults(bytes: &[u8], value: &Value) -> Vec<Fault> {
    // A NUL can stand in JSON only as this escape; most bodies have none and are not walked.
    let mut faults = Vec::new();
    if bytes.windows(6).any(|w| w == b"\\u0000") {
        walk(value, &mut String::new(), &mut faults);
    }
    faults
}

/// As [`nul_faults`], for a part of what was read.
#[must_use]
pub fn nul_faults_in(value: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    walk(value, &mut String::new(), &mut faults);
    faults
}

fn walk(value: &Value, at: &mut String, faults: &mut Vec<Fault>) {
    const MESSAGE: &str = "holds the character \\u0000, which a text cannot have";
    match value {
        Value::String(text) if text.contains('\0') => faults.push(Fault::at(at.clone(), MESSAGE)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                within(at, &index.to_string(), |at| walk(item, at, faults));
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                within(at, name, |at| {
                    if name.contains('\0') {
                        faults.push(Fault::at(at.clone(), MESSAGE));
                    }
                    walk(field, at, faults);
                });
            }
        }
        _ => {}
    }
}

fn within(at: &mut String, segment: &str, then: impl FnOnce(&mut String)) {
    let length = at.len();
    push_segment(at, segment);
    then(at);
    at.truncate(length);
}

/// Appends a segment to a JSON pointer (RFC 6901).
pub fn push_segment(pointer: &mut String, segment: &str) {
    pointer.push('/');
    for c in segment.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

struct Strict {
    depth: usize,
}

impl Strict {
    fn inside<E: Error>(&self) -> Result<usize, E> {
        if self.depth == DEPTH_MAX {
            return Err(E::custom(format_args!("nested deeper than {DEPTH_MAX} levels")));
        }
        Ok(self.depth + 1)
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }
    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }
    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let depth = self.inside()?;
        let mut out = Vec::new();
        while let Some(item) = items.next_element_seed(Strict { depth })? {
            out.push(item);
        }
        Ok(Value::Array(out))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let depth = self.inside()?;
        let mut out = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            if out.contains_key(&name) {
                // The name is the caller's and may be long or private: only where it stands is told.
                return Err(A::Error::custom("a name stands twice in one object"));
            }
            let value = fields.next_value_seed(Strict { depth })?;
            out.insert(name, value);
        }
        Ok(Value::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(bytes: &[u8]) -> String {
        let problem = read(bytes).unwrap_err();
        assert_eq!(problem.code, Code::MalformedJson);
        problem.detail
    }

    #[test]
    fn what_is_no_strict_json_is_refused_with_what_and_where() {
        assert!(detail(b"").contains("empty"));
        assert!(detail(b" \n").contains("empty"));
        assert!(detail(b"{\"a\": \"\xff\"}").contains("byte 8"));
        assert!(detail(br#"{"a": "\ud800"}"#).contains("line 1"));
        assert!(detail(br#"{"a": "\udc00"}"#).contains("line 1"));
        assert!(detail(br#"{"a": 1, "b": {"c": 1, "c": 2}}"#).contains("stands twice"));
        assert!(detail(br#"{"a": 1, "\u0061": 2}"#).contains("stands twice"));
        assert!(detail(b"{} {}").contains("trailing"));
        assert!(detail(b"{'a': 1}").contains("line 1 column 2"));
        assert!(detail(b"{\"a\": NaN}").contains("line 1"));
        assert!(detail(b"{\"a\": 1e999}").contains("out of range"));
    }

    #[test]
    fn sixty_four_levels_are_read_and_one_more_is_not() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(read(nested(64).as_bytes()).is_ok());
        assert!(detail(nested(65).as_bytes()).contains("deeper than 64"));
        assert!(detail("[".repeat(1_000_000).as_bytes()).contains("deeper than 64"));
    }

    #[test]
    fn values_come_through_as_they_are() {
        let text = r#"{"b":[1,-2,0.5,true,null,"\u00e4\ud83d\ude00"],"a":{"":{}}}"#;
        assert_eq!(
            read(text.as_bytes()).unwrap().to_string(),
            r#"{"b":[1,-2,0.5,true,null,"ä😀"],"a":{"":{}}}"#
        );
    }

    #[test]
    fn a_nul_is_a_fault_at_its_place() {
        let text = br#"{"a": ["x", "y\u0000"], "b/c\u0000": "\\u0000"}"#;
        let faults = nul_faults(text, &read(text).unwrap());
        let at: Vec<_> = faults.iter().filter_map(|f| f.pointer.as_deref()).collect();
        assert_eq!(at, ["/a/1", "/b~1c\0"]);
    }
}
