//! Paths and methods: which endpoint is meant, and what a path takes.

use axum::http::Method;

/// A path with its variable segments, `/things/{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Fixed(String),
    Variable,
}

impl Pattern {
    fn of(path: &str) -> Pattern {
        let segment = |s: &str| match s.strip_prefix('{') {
            Some(_) => Segment::Variable,
            None => Segment::Fixed(s.to_owned()),
        };
        Pattern(path.split('/').skip(1).map(segment).collect())
    }

    /// The variables of `segments`, where they fit.
    fn fit(&self, segments: &[&str]) -> Option<Vec<String>> {
        if self.0.len() != segments.len() {
            return None;
        }
        let mut variables = Vec::new();
        for (want, given) in self.0.iter().zip(segments) {
            match want {
                Segment::Fixed(text) if text == given => {}
                Segment::Fixed(_) => return None,
                Segment::Variable => variables.push(decoded(given).filter(|v| !v.is_empty())?),
            }
        }
        Some(variables)
    }

    fn fixed(&self) -> usize {
        self.0.iter().filter(|s| matches!(s, Segment::Fixed(_))).count()
    }
}

/// A segment without its percent escapes; `None` where they make no UTF-8.
fn decoded(segment: &str) -> Option<String> {
    if !segment.contains('%') {
        return Some(segment.to_owned());
    }
    let mut out = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
            let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
            out.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

/// The table of all paths; each entry is an index of the caller's list.
#[derive(Debug, Default)]
pub struct Routes(Vec<(Method, Pattern, usize)>);

/// What a method and a path lead to.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// This entry, with the values of its path's variables in their order.
    Endpoint(usize, Vec<String>),
    /// The path exists, and takes only these methods (as `Allow` tells them).
    OtherMethods(String),
    /// No such path.
    Nothing,
}

impl Routes {
    /// Adds an entry.
    pub fn add(&mut self, method: Method, path: &str, index: usize) {
        self.0.push((method, Pattern::of(path), index));
        // Fixed segments win over variable ones.
        self.0.sort_by_key(|(_, pattern, _)| std::cmp::Reverse(pattern.fixed()));
    }

    /// Looks a request up. `HEAD` is answered where `GET` is.
    #[must_use]
    pub fn find(&self, method: &Method, path: &str) -> Found {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        let mut others: Vec<&str> = Vec::new();
        for (takes, pattern, index) in &self.0 {
            let Some(variables) = pattern.fit(&segments) else { continue };
            if takes == wanted {
                return Found::Endpoint(*index, variables);
            }
            others.push(takes.as_str());
        }
        if others.is_empty() {
            return Found::Nothing;
        }
        if others.contains(&"GET") {
            others.push("HEAD");
        }
        others.sort_unstable();
        others.dedup();
        Found::OtherMethods(others.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_with_more_fixed_segments_wins_for_its_methods_alone() {
        let mut routes = Routes::default();
        for (index, (method, path)) in [
            (Method::GET, "/a/{name}"),
            (Method::DELETE, "/a/{name}"),
            (Method::POST, "/a/check"),
            (Method::GET, "/a"),
            (Method::GET, "/a/{x}/b/{y}"),
        ]
        .into_iter()
        .enumerate()
        {
            routes.add(method, path, index);
        }
        let found = |method, path| routes.find(&method, path);
        assert_eq!(found(Method::POST, "/a/check"), Found::Endpoint(2, vec![]));
        assert_eq!(found(Method::GET, "/a/check"), Found::Endpoint(0, vec!["check".into()]));
        assert_eq!(found(Method::PUT, "/a/check"), Found::OtherMethods("DELETE, GET, HEAD, POST".into()));
        assert_eq!(found(Method::POST, "/a/x"), Found::OtherMethods("DELETE, GET, HEAD".into()));
        assert_eq!(found(Method::HEAD, "/a"), Found::Endpoint(3, vec![]));
        assert_eq!(
            found(Method::GET, "/a/1%2F2/b/%C3%A4"),
            Found::Endpoint(4, vec!["1/2".into(), "ä".into()])
        );
        for path in ["/", "/a/", "/a//", "/b", "/a/%ff", "/a/%4", "/a/x/b"] {
            assert_eq!(found(Method::GET, path), Found::Nothing, "{path}");
        }
    }
}
