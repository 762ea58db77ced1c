//! Paths as they are compared: from one folder, with `/` between names.

/// From where paths count. Both are whole paths, or both empty, where paths are taken as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Root {
    /// The working folder, to which the paths of sources are relative.
    pub working: String,
    /// The folder from which they are to count.
    pub folder: String,
}

impl Root {
    /// A source's path, counted from the folder; whole where it lies outside of it.
    #[must_use]
    pub fn path_of(&self, path: &str) -> String {
        let path = path.replace('\\', "/");
        if path.starts_with('<') {
            return path;
        }
        let is_whole = path.starts_with('/') || path.get(1..3) == Some(":/");
        let whole = match is_whole || self.working.is_empty() {
            true => normal(&path),
            false => normal(&format!("{}/{path}", self.working.replace('\\', "/"))),
        };
        let folder = normal(&self.folder.replace('\\', "/"));
        match whole.strip_prefix(&folder).and_then(|rest| rest.strip_prefix('/')) {
            Some(below) => below.to_owned(),
            None if folder == "/" => whole.trim_start_matches('/').to_owned(),
            None => whole,
        }
    }
}

/// Without `.`, empty names and, as far as they lead somewhere, `..`.
fn normal(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/').filter(|name| !name.is_empty() && *name != ".") {
        match name {
            ".." if names.last().is_some_and(|last| *last != "..") => _ = names.pop(),
            name => names.push(name),
        }
    }
    format!("{}{}", if path.starts_with('/') { "/" } else { "" }, names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_counts_from_the_folder() {
        let root = |working: &str, folder: &str| Root { working: working.into(), folder: folder.into() };
        for (root, path, expected) in [
            (root("", ""), "./a//b.policy", "a/b.policy"),
            (root("", ""), "<stdin>", "<stdin>"),
            (root("/w/x", "/w"), "p/a.policy", "x/p/a.policy"),
            (root("/w/x", "/w"), "../p/a.policy", "p/a.policy"),
            (root("/w/x", "/w"), "/w/p/a.policy", "p/a.policy"),
            (root("/w/x", "/w"), "/else/a.policy", "/else/a.policy"),
            (root("/w/x", "/wx"), "a.policy", "/w/x/a.policy"),
            (root("/", "/"), "a.policy", "a.policy"),
            (root("C:\\w", "C:\\w"), "p\\a.policy", "p/a.policy"),
        ] {
            assert_eq!(root.path_of(path), expected, "{root:?} {path}");
        }
    }
}
