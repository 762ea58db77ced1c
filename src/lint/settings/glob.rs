//! Patterns for paths: `*` within a folder's name, `**` over folders, `?`, `{a,b}` and `[a-z]`.

/// A pattern that a path matches or not. One without `/` means files of that name in any folder; one
/// that ends in `/`, everything below the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    /// `{a,b}` opened; any of them.
    ways: Vec<Vec<Part>>,
}

/// What is wrong with a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// Nothing in it.
    #[error("the pattern is empty")]
    Empty,
    /// `{` or `[` that does not end.
    #[error("the pattern lacks a closing `}}` or `]`")]
    Unclosed,
    /// More than [`WAYS_MAX`] combinations.
    #[error("the pattern has more than {WAYS_MAX} combinations of `{{…}}`")]
    TooMany,
    /// It leads out of the folder.
    #[error(
        "paths count from the folder of this file; write them without `..`, without a drive and without `/` at the beginning"
    )]
    Outside,
}

/// Combinations that the `{…}` of a pattern open to.
const WAYS_MAX: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// `**`: any number of folders.
    Folders,
    /// One name.
    Name(Vec<Sign>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Sign {
    Char(char),
    Any,
    Many,
    OneOf { not: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Glob, GlobError> {
        let plain = text.trim().trim_start_matches("./");
        if plain.is_empty() {
            return Err(GlobError::Empty);
        }
        if plain.starts_with('/') || plain.contains(':') || plain.split('/').any(|part| part == "..") {
            return Err(GlobError::Outside);
        }
        let below = if plain.ends_with('/') { format!("{plain}**") } else { plain.to_owned() };
        let whole = if below.contains('/') || below == "**" { below } else { format!("**/{below}") };
        let mut ways = Vec::new();
        for way in opened(&whole)? {
            ways.push(parts(&way)?);
        }
        Ok(Glob { text: text.to_owned(), ways })
    }

    /// The pattern, as written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a path, with `/` between its names, matches.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
        self.ways.iter().any(|way| fits(way, &names))
    }
}

/// `{a,b}` opened, one level at a time.
fn opened(text: &str) -> Result<Vec<String>, GlobError> {
    let mut done = Vec::new();
    let mut open = vec![text.to_owned()];
    while let Some(text) = open.pop() {
        if done.len() + open.len() > WAYS_MAX {
            return Err(GlobError::TooMany);
        }
        let Some(start) = text.find('{') else {
            done.push(text);
            continue;
        };
        let (mut depth, mut commas, mut end) = (0_usize, vec![start], None);
        for (at, c) in text.char_indices().skip_while(|(at, _)| *at < start) {
            match c {
                '{' => depth += 1,
                ',' if depth == 1 => commas.push(at),
                '}' if depth == 1 => {
                    end = Some(at);
                    break;
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
        let end = end.ok_or(GlobError::Unclosed)?;
        commas.push(end);
        for pair in commas.windows(2) {
            open.push(format!("{}{}{}", &text[..start], &text[pair[0] + 1..pair[1]], &text[end + 1..]));
        }
    }
    Ok(done)
}

fn parts(text: &str) -> Result<Vec<Part>, GlobError> {
    let names = text.split('/').filter(|name| !name.is_empty() && *name != ".");
    names.map(|name| if name == "**" { Ok(Part::Folders) } else { signs(name).map(Part::Name) }).collect()
}

fn signs(name: &str) -> Result<Vec<Sign>, GlobError> {
    let mut signs = Vec::new();
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        signs.push(match c {
            '*' if signs.last() == Some(&Sign::Many) => continue,
            '*' => Sign::Many,
            '?' => Sign::Any,
            '[' => {
                let not = chars.next_if(|c| matches!(c, '!' | '^')).is_some();
                let mut ranges = Vec::new();
                loop {
                    let from = chars.next().ok_or(GlobError::Unclosed)?;
                    if from == ']' && !ranges.is_empty() {
                        break;
                    }
                    let to = match chars.next_if(|c| *c == '-') {
                        Some(_) => chars.next().ok_or(GlobError::Unclosed)?,
                        None => from,
                    };
                    ranges.push((from, to));
                }
                Sign::OneOf { not, ranges }
            }
            c => Sign::Char(c),
        });
    }
    Ok(signs)
}

/// Whether names fit a pattern. Each state is looked at once, so the time is bounded by their product.
fn fits(way: &[Part], names: &[&str]) -> bool {
    let mut reached = vec![false; names.len() + 1];
    reached[0] = true;
    for part in way {
        let mut next = vec![false; names.len() + 1];
        for (at, _) in reached.iter().enumerate().filter(|(_, is)| **is) {
            match part {
                Part::Folders => next[at..].iter_mut().for_each(|is| *is = true),
                Part::Name(signs) => {
                    if names.get(at).is_some_and(|name| fits_name(signs, name)) {
                        next[at + 1] = true;
                    }
                }
            }
        }
        reached = next;
    }
    reached[names.len()]
}

fn fits_name(signs: &[Sign], name: &str) -> bool {
    let chars: Vec<char> = name.chars().collect();
    let mut reached = vec![false; chars.len() + 1];
    reached[0] = true;
    for sign in signs {
        let mut next = vec![false; chars.len() + 1];
        for (at, _) in reached.iter().enumerate().filter(|(_, is)| **is) {
            let here = chars.get(at);
            let takes = match sign {
                Sign::Many => {
                    next[at..].iter_mut().for_each(|is| *is = true);
                    false
                }
                Sign::Any => here.is_some(),
                Sign::Char(c) => here == Some(c),
                Sign::OneOf { not, ranges } => {
                    here.is_some_and(|c| ranges.iter().any(|(from, to)| (from..=to).contains(&c)) != *not)
                }
            };
            if takes {
                next[at + 1] = true;
            }
        }
        reached = next;
    }
    reached[chars.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_matches_or_not() {
        for (pattern, path, expected) in [
            ("policies/**/*.policy", "policies/a.policy", true),
            ("policies/**/*.policy", "policies/x/y/a.policy", true),
            ("policies/**/*.policy", "other/a.policy", false),
            ("policies/*.policy", "policies/x/a.policy", false),
            ("*.policy", "policies/x/a.policy", true),
            ("otp*", "a/otp_login.policy", true),
            ("marketing/", "marketing/x/a.policy", true),
            ("marketing/", "x/marketing/a.policy", false),
            ("**/marketing/**", "x/marketing/a.policy", true),
            ("./a/?.policy", "a/b.policy", true),
            ("a/?.policy", "a/bc.policy", false),
            ("{a,b/c}/*", "b/c/x", true),
            ("{a,b/c}/*", "b/x", false),
            ("a/[a-c]x", "a/bx", true),
            ("a/[!a-c]x", "a/bx", false),
            ("a/[]x]y", "a/]y", true),
            ("**", "anything/at/all", true),
            ("ä*", "ärger", true),
            ("a*b*c*d", "aXbXcXd", true),
        ] {
            assert_eq!(Glob::new(pattern).unwrap().matches(path), expected, "{pattern} {path}");
        }
        for (pattern, error) in [
            ("", GlobError::Empty),
            ("{a", GlobError::Unclosed),
            ("[a", GlobError::Unclosed),
            ("../a", GlobError::Outside),
            ("/a", GlobError::Outside),
            ("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", GlobError::TooMany),
        ] {
            assert_eq!(Glob::new(pattern), Err(error), "{pattern}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = format!("{}b", "*a".repeat(200));
        assert!(!Glob::new(&pattern).unwrap().matches(&"a".repeat(2_000)));
    }
}
