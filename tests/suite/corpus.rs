//! Two hundred policies as people write them, with the findings on record: a new false alarm shows in
//! review. Run with `UPDATE_CASES=1` to write what came.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use spine::language::{Library, Used, line_column, names};
use spine::lint::{SourceFile, check};

/// The policies of the corpus, for those that use one another.
struct Corpus(HashMap<String, String>);

impl Library for Corpus {
    fn policy(&self, reference: &str) -> Option<Used> {
        let source = self.0.get(reference)?.clone();
        let name = reference.to_owned();
        Some(Used { name_at_version: name.clone(), source, policy_name: name, uses: Vec::new() })
    }
}

#[test]
fn the_findings_of_the_corpus_are_those_on_record() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<SourceFile> = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "policy") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            files.push(SourceFile { path: name.clone(), text, bare_name: Some(name) });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(files.len() >= 200, "{}", files.len());
    let named = |file: &SourceFile| -> Vec<(String, String)> {
        let names = names(&file.text).names.into_iter().chain(file.bare_name.clone());
        names.map(|name| (name, file.text.clone())).collect()
    };
    let corpus = Corpus(files.iter().flat_map(named).collect());
    let (mut out, mut clean) = (String::new(), 0);
    for file in check(&files, &corpus) {
        clean += usize::from(file.findings.is_empty());
        for f in &file.findings {
            let (line, column) = line_column(&file.source, f.at.start);
            let word = f.severity.word();
            writeln!(out, "{} {line}:{column} {word} {}: {}", file.path, f.rule, f.message).unwrap();
        }
    }
    assert!(clean >= 110, "{clean}");
    let record = folder.join("findings.txt");
    if std::env::var_os("UPDATE_CASES").is_some() {
        std::fs::write(&record, &out).unwrap();
    }
    let recorded = std::fs::read_to_string(&record).unwrap();
    let new: Vec<&str> = out.lines().filter(|line| !recorded.lines().any(|known| known == *line)).collect();
    let gone: Vec<&str> = recorded.lines().filter(|line| !out.lines().any(|now| now == *line)).collect();
    assert!(new.is_empty() && gone.is_empty(), "new:\n{}\ngone:\n{}", new.join("\n"), gone.join("\n"));
}
