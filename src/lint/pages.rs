//! The pages of rules, for commands, editors and the documentation.

use schemars::JsonSchema;
use serde::Serialize;

use crate::language::Severity;

use super::house::HouseRule;
use super::{Rule, rules};

/// A rule's page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Page {
    /// The rule.
    pub name: String,
    /// How its findings count where nothing else is set.
    pub severity: Severity,
    /// What it finds, in one sentence.
    pub summary: String,
    /// What it finds, why that matters, what to do; Markdown.
    pub page: String,
    /// Texts in which it finds something, and texts in which it finds nothing.
    pub examples: Vec<PageExample>,
}

/// A text on a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PageExample {
    /// The policy text.
    pub source: String,
    /// Whether the rule finds something in it.
    pub fires: bool,
}

/// The pages of all rules, and of what the compiler itself finds, in the order of their names.
#[must_use]
pub fn pages() -> Vec<Page> {
    let mut all: Vec<Page> = rules::pages().map(Page::of).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

impl Page {
    /// The page of a rule.
    #[must_use]
    pub fn of(rule: &dyn Rule) -> Page {
        let page = tidy(rule.page());
        let examples = rule.examples().iter();
        let examples =
            examples.map(|e| PageExample { source: e.source.to_owned(), fires: e.fires }).collect();
        let (name, severity) = (rule.name().to_owned(), rule.severity());
        Page { name, severity, summary: summary(&page), page, examples }
    }

    /// The page for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        self.written(&|source| source.lines().map(|line| format!("    {line}\n")).collect())
    }

    /// The page as Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        self.written(&|source| format!("```policy\n{source}\n```\n"))
    }

    fn written(&self, example: &dyn Fn(&str) -> String) -> String {
        let mut out = format!("# {}\n\n*{}*\n\n{}\n", self.name, self.severity.word(), self.page);
        for (fires, title) in [(true, "Something is found in"), (false, "Nothing is found in")] {
            let examples: Vec<&PageExample> = self.examples.iter().filter(|e| e.fires == fires).collect();
            if examples.is_empty() {
                continue;
            }
            out.push_str(&format!("\n## {title}\n"));
            for one in examples {
                out.push_str(&format!("\n{}", example(one.source.trim_end())));
            }
        }
        out
    }
}

impl HouseRule {
    /// The page of a rule of the house.
    #[must_use]
    pub fn page(&self) -> Page {
        let asked = format!("{}.", self.says());
        let mut page = format!("A rule of the house: {asked}");
        if let Some(message) = &self.message {
            page.push_str(&format!("\n\nIt is told as: {message}"));
        }
        if !self.paths.is_empty() {
            let paths: Vec<String> = self.paths.iter().map(|glob| format!("`{}`", glob.text())).collect();
            page.push_str(&format!("\n\nIt holds for {}.", paths.join(", ")));
        }
        let (name, severity) = (self.name.to_owned(), self.severity);
        Page { name, severity, summary: format!("House rule: {asked}"), page, examples: Vec::new() }
    }
}

/// The first sentence of a page.
fn summary(page: &str) -> String {
    let first = page.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    match first.split_once(". ") {
        Some((sentence, _)) => format!("{sentence}."),
        None => first,
    }
}

/// A doc comment as text: each of its lines begins with a blank.
fn tidy(page: &str) -> String {
    let lines: Vec<&str> =
        page.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
    lines.join("\n").trim().to_owned()
}

/// The index of the pages, as Markdown.
#[must_use]
pub fn index(pages: &[Page]) -> String {
    let mut out = String::from(
        "# Rules\n\nWhat `spine policy check` finds. `spine policy rule NAME` prints a page; how levels are set and \
         findings are allowed stands in [linting](../linting.md). These pages are written from the rules.\n\n\
         | rule | level | what it finds |\n|---|---|---|\n",
    );
    for page in pages {
        let summary = page.summary.replace('|', "\\|");
        out.push_str(&format!("| [{0}]({0}.md) | {1} | {summary} |\n", page.name, page.severity.word()));
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    /// Set to write the pages of `docs/rules` anew.
    const UPDATE: &str = "UPDATE_RULE_PAGES";

    #[test]
    fn the_pages_of_the_documentation_are_those_of_the_rules() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules");
        let pages = pages();
        let mut expected: BTreeMap<String, String> =
            pages.iter().map(|page| (format!("{}.md", page.name), page.markdown())).collect();
        expected.insert("README.md".to_owned(), index(&pages));
        if std::env::var_os(UPDATE).is_some() {
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).unwrap();
            for (name, text) in &expected {
                std::fs::write(folder.join(name), text).unwrap();
            }
        }
        let written = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            (entry.file_name().to_string_lossy().into_owned(), text)
        });
        let written: BTreeMap<String, String> = written.collect();
        let told = format!("write them anew: {UPDATE}=1 cargo test --lib lint::pages");
        let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&written), names(&expected), "{told}");
        for (name, text) in &expected {
            assert_eq!(&written[name], text, "{name}; {told}");
        }
    }

    #[test]
    fn a_page_begins_with_a_sentence_that_says_what_is_found() {
        for page in pages() {
            assert!(
                page.summary.ends_with('.') && page.summary.len() < 250,
                "{}: {}",
                page.name,
                page.summary
            );
            assert!(page.text().starts_with(&format!("# {}\n", page.name)));
        }
    }
}
