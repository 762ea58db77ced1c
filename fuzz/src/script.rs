//! Outcome scripts and facts, as the command line, policy tests and the sandbox take them.

use serde_json::Value;
use spine::language::facts_text::GivenFacts;
use spine::language::script::{Script, Scripts};
use spine::model::{Channel, Confirmation};

use super::told;

/// Reads a text in each of the ways in which it can be meant.
pub fn look_at(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Script::parse(text) {
        Ok(script) => looked_up(&script),
        Err(faults) => all_told(text, &faults),
    }
    match Scripts::parse(text) {
        Ok(scripts) => {
            scripts.iter().for_each(|(_, script)| looked_up(script));
            let of_channel =
                |key: &str| key.parse::<Channel>().ok().map(|c| c.default_confirmations().to_vec());
            scripts.check(of_channel).iter().for_each(|(_, fault)| told::words(fault));
            for channel in Channel::ALL {
                let _ = scripts.of("meta", *channel);
            }
        }
        Err(faults) => all_told(text, &faults),
    }
    if let Err(faults) = GivenFacts::parse(text) {
        all_told(text, &faults);
    }
    // As JSON holds them.
    let Ok(Value::Object(fields)) = serde_json::from_str(text) else { return };
    if let Err(faults) = GivenFacts::from_map(&fields) {
        assert!(!faults.is_empty());
        faults.iter().for_each(|(_, fault)| told::words(fault));
    }
    let texts = fields.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
    if let Err(faults) = Scripts::from_map(texts) {
        assert!(!faults.is_empty());
        for (key, fault) in &faults {
            told::words(fault);
            let text = fields.get(key).and_then(Value::as_str).unwrap_or_default();
            assert!(text.get(fault.at.clone()).is_some(), "{fault:?} is about no range of the text");
        }
    }
}

fn all_told(text: &str, faults: &[spine::language::Diagnostic]) {
    assert!(!faults.is_empty(), "refused without a word");
    faults.iter().for_each(|fault| told::well(text, fault));
}

/// There is an answer to every attempt, the last one for ever.
fn looked_up(script: &Script) {
    let last = script.attempt(usize::MAX);
    for n in [0, 1, 2, 1_000, 1 << 20] {
        let step = script.attempt(n);
        for later in &step.then {
            assert!(later.after.ms() >= 0);
        }
        assert!(n < 1 << 20 || step == last);
    }
    assert!(script.beyond(&[]).len() <= Confirmation::ALL.len());
    assert!(script.beyond(Confirmation::ALL).is_empty());
}
