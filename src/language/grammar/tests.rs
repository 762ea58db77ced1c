//! The reader against the parser that is made from `grammar/policy.pest`: both give one tree.

use pest::Parser;
use pest::iterators::Pair;
use proptest::prelude::*;

use super::{NESTED_MAX, Node, read};

/// The parser of the grammar.
mod reference {
    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/policy.pest"]
    pub(super) struct Grammar;
}

/// A node: how deep it stands, what it is, and its bytes.
type Told = (usize, String, usize, usize);

fn told_of_node(node: Node<'_>, depth: usize, out: &mut Vec<Told>) {
    out.push((depth, format!("{:?}", node.rule()), node.start(), node.end()));
    node.children().for_each(|child| told_of_node(child, depth + 1, out));
}

fn told_of_pair(pair: Pair<'_, reference::Rule>, depth: usize, out: &mut Vec<Told>) {
    let span = pair.as_span();
    out.push((depth, format!("{:?}", pair.as_rule()), span.start(), span.end()));
    pair.into_inner().for_each(|child| told_of_pair(child, depth + 1, out));
}

fn is_read_as_the_grammar_says(source: &str) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let tree = read(source).unwrap();
    tree.pieces().for_each(|piece| told_of_node(piece, 0, &mut ours));
    let file = reference::Grammar::parse(reference::Rule::file, source).unwrap().next().unwrap();
    let pieces = file.into_inner().filter(|piece| piece.as_rule() != reference::Rule::EOI);
    pieces.for_each(|piece| told_of_pair(piece, 0, &mut theirs));
    if let Some((ours, theirs)) = ours.iter().zip(&theirs).find(|(ours, theirs)| ours != theirs) {
        panic!("read {ours:?}, and by the grammar it is {theirs:?}, of {source:?}");
    }
    assert_eq!(ours.len(), theirs.len(), "{source:?}");
}

/// Pages of cases, most of which are texts with faults, and some policies.
const PAGES: [&str; 12] = [
    include_str!("../../../tests/cases/language/headers.md"),
    include_str!("../../../tests/cases/language/joints.md"),
    include_str!("../../../tests/cases/language/modifiers.md"),
    include_str!("../../../tests/cases/language/types.md"),
    include_str!("../../../tests/cases/language/typing.md"),
    include_str!("../../../tests/cases/language/typing_several.md"),
    include_str!("../../../tests/cases/language/typing_tired.md"),
    include_str!("../../../tests/cases/language/words.md"),
    include_str!("../../../tests/cases/format/comments.md"),
    include_str!("../../../policies/appointment_reminder.policy"),
    include_str!("../../../policies/incident_page.policy"),
    include_str!("../../../policies/two_way_confirmation.policy"),
];

#[test]
fn the_texts_of_the_cases_are_read_as_the_grammar_says() {
    let mut texts = 0;
    for text in PAGES.iter().flat_map(|page| page.split("```")) {
        texts += 1;
        is_read_as_the_grammar_says(text);
        // Without a word of it, and cut off behind that word, at some places.
        let ends: Vec<usize> = text.match_indices([' ', '\n']).map(|(at, _)| at).collect();
        let few = ends.len() / 8 + 1;
        for pair in ends.windows(2).step_by(few) {
            is_read_as_the_grammar_says(&[&text[..pair[0]], &text[pair[1]..]].concat());
            is_read_as_the_grammar_says(&text[..pair[1]]);
        }
    }
    assert!(texts > 500);
}

/// What texts are made of: all words of the grammar, words that look like them, signs, broken ones too.
const PARTS: &str = "policy p policy_ policyx after until unless if in on doubt of to and till for else fail times \
    time sends send messages message attempts from then otherwise via retry repeat between valid category \
    expires quiet limit vars or next wait use any all move every backoff not is has contains equals \
    milliseconds seconds sec minutes min minutesx hours hr days weeks ms s m h d 30 30s 1h30m 12.5 12. 0.30 \
    08:00 21:00 -5 - -x 5% 70% EUR EURO eur euros USDT usd € $ £ €5 €5@3 5€ 3:4 3/4 3@4 mon tuesday weekdays on_ \
    Europe/Berlin vars.x contact.timezone contact sms email whatsapp read replied true UTC a.b a. a@3 a-b a+ \
    ( ) [ ] { } , : ; ;; > >> -> => =< = == != < <= >= <> ! || && | & % . / @ + \" \"a\" \"a\\\" \\ \"\\ ' 'a' '' “a” \
    “a “a“ „a“ „a” „ «a» « « é é ñ ２ ½ ª \u{a0} \u{feff} # #c \n # c\n \r\n \t 😀 optional string number";

fn parts() -> impl Strategy<Value = String> {
    let words: Vec<&'static str> = PARTS.split(' ').chain([" ", "# a comment\n"]).collect();
    let part = (prop::sample::select(words), prop::sample::select(vec![" ", " ", " ", " ", "", "\n"]));
    prop::collection::vec(part, 0..40)
        .prop_map(|parts| parts.into_iter().flat_map(|(word, behind)| [word, behind]).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_words_are_read_as_the_grammar_says(text in parts()) {
        is_read_as_the_grammar_says(&text);
    }

    #[test]
    fn any_characters_are_read_as_the_grammar_says(text in "[ -~“”„«»é\u{301}\u{a0}\n]{0,60}") {
        is_read_as_the_grammar_says(&text);
    }
}

#[test]
fn brackets_that_are_nested_too_deeply_are_not_read() {
    let nested = |brackets: usize| format!("sms if {}quota", "(".repeat(brackets));
    is_read_as_the_grammar_says(&nested(NESTED_MAX));
    is_read_as_the_grammar_says(&"any of ( ] ".repeat(NESTED_MAX));
    assert!(read(&nested(NESTED_MAX + 1)).is_none());
    assert!(read(&nested(100_000)).is_none());
}
