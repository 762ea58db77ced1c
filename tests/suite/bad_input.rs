//! Bad input: what the fuzz targets look at, over the corpus that is committed with them.
//!
//! `fuzz/src` holds what must hold of a text from outside; the fuzzer makes texts up, and this test
//! takes those of `fuzz/corpus`, so that neither the targets nor what they once found is forgotten.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[expect(unreachable_pub, reason = "the same file is a library for the fuzzer")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

type LookAt = fn(&[u8]);

/// A target by the name of its folder and of its program.
const TARGETS: [(&str, LookAt); 4] = [
    ("api", targets::api::look_at),
    ("callback", targets::callback::look_at),
    ("policy", targets::policy::look_at),
    ("script", targets::script::look_at),
];

fn fuzz() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"))
}

/// Looks at every text of a target's corpus, and names those of which something does not hold.
fn replay(target: &str, look_at: LookAt) {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for entry in fs::read_dir(fuzz().join("corpus").join(target)).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        seen += 1;
        if catch_unwind(AssertUnwindSafe(|| look_at(&bytes))).is_err() {
            wrong.push(path.display().to_string());
        }
    }
    assert!(seen >= 10, "the corpus of {target} holds {seen} texts");
    assert!(wrong.is_empty(), "{target}:\n{}", wrong.join("\n"));
}

#[test]
fn the_corpus_of_policies_finds_nothing() {
    replay("policy", targets::policy::look_at);
}

#[test]
fn the_corpus_of_scripts_finds_nothing() {
    replay("script", targets::script::look_at);
}

#[test]
fn the_corpus_of_requests_finds_nothing() {
    replay("api", targets::api::look_at);
}

#[test]
fn the_corpus_of_callbacks_finds_nothing() {
    replay("callback", targets::callback::look_at);
}

#[test]
fn every_target_has_a_program_a_corpus_and_a_dictionary() {
    let files = |folder: &str, ending: &str| {
        let names = fs::read_dir(fuzz().join(folder)).unwrap().map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.trim_end_matches(ending).to_owned()
        });
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    let known: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files("corpus", ""), known);
    assert_eq!(files("fuzz_targets", ".rs"), known);
    assert_eq!(files("dictionaries", ".dict"), known);
}

#[test]
fn every_endpoint_that_takes_a_body_has_a_text_in_the_corpus() {
    let checks = spine::api::checks::Checks::new(&spine::api::sizes::Sizes::default()).unwrap();
    let heads: Vec<String> = fs::read_dir(fuzz().join("corpus/api"))
        .unwrap()
        .map(|entry| String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap()).into_owned())
        .map(|text| text.lines().next().unwrap_or_default().to_owned())
        .collect();
    for endpoint in checks.endpoints().iter().filter(|endpoint| endpoint.takes.is_some()) {
        let head = format!("{} {}", endpoint.method, endpoint.path);
        let has = heads.iter().any(|line| line.split('?').next() == Some(head.as_str()));
        assert!(has, "no text for `{head}`");
    }
}

/// Changes of texts of a corpus, the same for the same seed: a byte, a stretch left out or doubled,
/// a word of the dictionary, the head of one text before the tail of another.
struct Mutants {
    corpus: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
    state: u64,
}

impl Mutants {
    fn of(target: &str, seed: u64) -> Mutants {
        let mut files: Vec<_> =
            fs::read_dir(fuzz().join("corpus").join(target)).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        let dictionary = fuzz().join("dictionaries").join(format!("{target}.dict"));
        let words = fs::read_to_string(dictionary).unwrap();
        let words = words.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
        let unescaped = |word: &str| {
            let word = word.replace("\\x0a", "\n").replace("\\\"", "\"").replace("\\\\", "\\");
            word.into_bytes()
        };
        Mutants {
            corpus: files.iter().map(|file| fs::read(file).unwrap()).collect(),
            words: words.map(unescaped).collect(),
            state: seed,
        }
    }

    /// A number below `below` (splitmix64).
    fn below(&mut self, below: usize) -> usize {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(below.max(1)).unwrap()).unwrap()
    }

    fn next(&mut self) -> Vec<u8> {
        let n = self.below(self.corpus.len());
        let mut text = self.corpus[n].clone();
        for _ in 0..=self.below(5) {
            let at = self.below(text.len() + 1);
            let end = (at + self.below(16)).min(text.len());
            match self.below(6) {
                0 => drop(text.drain(at..end)),
                1 if at < text.len() => text[at] = u8::try_from(self.below(256)).unwrap(),
                2 => {
                    let twice = text[at..end].to_vec();
                    drop(text.splice(at..at, twice));
                }
                3 => {
                    let n = self.below(self.corpus.len());
                    let other = self.corpus[n].clone();
                    text.truncate(at);
                    text.extend_from_slice(&other[self.below(other.len() + 1)..]);
                }
                _ => {
                    let n = self.below(self.words.len());
                    let word = self.words[n].clone();
                    let end = if self.below(2) == 0 { at } else { end };
                    drop(text.splice(at..end, word));
                }
            }
        }
        text
    }
}

/// Looks at changes of the texts: a few hundred in each test run, for `BAD_INPUT_SECONDS` where that
/// is set, from `BAD_INPUT_SEED`.
fn mutate(target: &str, look_at: LookAt) {
    const USUAL: usize = 300;
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let (seconds, seed) = (number("BAD_INPUT_SECONDS"), number("BAD_INPUT_SEED").unwrap_or(1));
    let mut mutants = Mutants::of(target, seed);
    let (begun, mut looked) = (std::time::Instant::now(), 0_usize);
    while seconds.map_or(looked < USUAL, |seconds| begun.elapsed().as_secs() < seconds) {
        let text = mutants.next();
        looked += 1;
        if catch_unwind(AssertUnwindSafe(|| look_at(&text))).is_err() {
            let shown = String::from_utf8_lossy(&text).into_owned();
            panic!("{target}, number {looked} from {seed}:\n{shown}\nas bytes: {text:?}");
        }
    }
    println!("{target}: {looked} texts in {:?}", begun.elapsed());
}

#[test]
fn changes_of_policies_find_nothing() {
    mutate("policy", targets::policy::look_at);
}

#[test]
fn changes_of_scripts_find_nothing() {
    mutate("script", targets::script::look_at);
}

#[test]
fn changes_of_requests_find_nothing() {
    mutate("api", targets::api::look_at);
}

#[test]
fn changes_of_callbacks_find_nothing() {
    mutate("callback", targets::callback::look_at);
}
