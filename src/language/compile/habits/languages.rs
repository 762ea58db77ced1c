//! The words of the language in other languages, for those who write as they think.

use crate::language::words::quoted;

use super::Meant;
use super::text::Around;

/// Behind a stage: French, German, Spanish, Italian and Dutch.
const OF_STAGES: [(&str, &[&str]); 8] = [
    (
        "then",
        &["puis", "ensuite", "dann", "danach", "luego", "después", "despues", "entonces", "poi", "daarna"],
    ),
    ("after", &["après", "apres", "nach", "tras", "dopo"]),
    ("until", &["jusqu'à", "jusqu’à", "jusque", "bis", "hasta", "tot"]),
    ("if", &["si", "wenn", "falls", "als", "indien"]),
    ("unless", &["sauf", "außer", "ausser", "salvo", "tranne", "tenzij"]),
    ("otherwise", &["sonst", "sinon", "altrimenti", "anders"]),
    ("via", &["mit", "über", "par", "con", "por", "met"]),
    ("every", &["alle", "jede", "chaque", "cada", "ogni", "elke"]),
];
/// Between conditions.
const JOINTS: [(&str, &[&str]); 2] =
    [("and", &["et", "und", "y", "e", "en"]), ("or", &["oder", "ou", "o", "oppure", "eller", "lub", "of"])];
/// What a message comes to.
const STATES: [(&str, &[&str]); 3] = [
    ("read", &["lu", "lue", "gelesen", "geöffnet", "leído", "leido", "letto", "gelezen"]),
    (
        "delivered",
        &[
            "livré",
            "livre",
            "délivré",
            "geliefert",
            "zugestellt",
            "entregado",
            "consegnato",
            "bezorgd",
            "geleverd",
        ],
    ),
    (
        "replied",
        &["répondu", "repondu", "beantwortet", "geantwortet", "respondido", "risposto", "beantwoord"],
    ),
];
/// Yes and no, and those of other tools.
const ANSWERS: [(&str, &[&str]); 2] = [
    (
        "true",
        &[
            "yes",
            "y",
            "on",
            "1",
            "ja",
            "wahr",
            "oui",
            "vrai",
            "sí",
            "si",
            "verdadero",
            "vero",
            "waar",
            "true",
        ],
    ),
    ("false", &["no", "n", "off", "0", "nein", "falsch", "non", "faux", "falso", "nee", "onwaar", "false"]),
];

fn find(words: &[(&'static str, &[&str])], word: &str) -> Option<&'static str> {
    let lower = word.to_lowercase();
    words.iter().find(|(_, others)| others.contains(&lower.as_str())).map(|(meant, _)| *meant)
}

/// The word behind a stage.
pub(in super::super) fn of_stage(word: &str) -> Option<&'static str> {
    find(&OF_STAGES, word)
}

/// What a message comes to: a goal, or a word of conditions.
pub(in super::super) fn state(word: &str) -> Option<&'static str> {
    find(&STATES, word)
}

/// `true` or `false`.
pub(super) fn answer(word: &str) -> Option<&'static str> {
    find(&ANSWERS, word)
}

/// `if vars.delay > 120 oder read`: what joins conditions.
pub(super) fn joint(around: &Around<'_>) -> Option<Meant> {
    let meant = find(&JOINTS, around.text())?;
    let before = around.part(around.line_start(around.at.start)..around.at.start);
    let guard = ["if ", "unless "].iter().filter_map(|word| before.rfind(word)).max()?;
    let message = format!("unknown word {}; did you mean `{meant}`?", quoted(around.text()));
    let is_within = !before.get(guard..)?.contains(" then ");
    is_within.then(|| Meant::write(around.at.clone(), meant).saying(message))
}
