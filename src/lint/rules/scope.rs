//! The scope of an example: providers in a few words.

use std::collections::BTreeMap;

use crate::language::{KnownProvider, KnownTemplate, Library, Used, Validity};
use crate::lint::Example;
use crate::model::{Channel, Confirmation, Currency, Money};

/// What an example's scope knows.
#[derive(Debug, Clone)]
pub struct ExampleScope {
    providers: Vec<KnownProvider>,
    templates: Vec<KnownTemplate>,
}

impl ExampleScope {
    /// The scope of an example.
    #[must_use]
    pub fn of(example: &Example) -> ExampleScope {
        let (mut providers, mut templates) = (Vec::new(), Vec::new());
        for text in example.providers {
            match text.strip_prefix("template ") {
                Some(text) => templates.push(template(text)),
                None => providers.push(read(text)),
            }
        }
        ExampleScope { providers, templates }
    }
}

/// `code: sms voice vars amount policy p`: a name, the channels for which it has a body, the vars that it
/// uses, and its policy; what is left out is not told.
fn template(text: &str) -> KnownTemplate {
    let (name, words) = text.split_once(':').unwrap_or((text, ""));
    let mut template = KnownTemplate { name: name.to_owned(), ..KnownTemplate::default() };
    let (mut in_vars, mut words) = (false, words.split_whitespace());
    while let Some(word) = words.next() {
        match (word, word.parse()) {
            ("vars", _) => (in_vars, template.vars) = (true, Some(Vec::new())),
            ("policy", _) => template.policy = words.next().map(str::to_owned),
            (_, Ok(channel)) if !in_vars => template.channels.get_or_insert_default().push(channel),
            _ => template.vars.get_or_insert_default().push(word.to_owned()),
        }
    }
    template
}

/// `meta: whatsapp 0.05 EUR valid 1m delivered read`, or a bare name, which serves `sms`; `valid none` for one
/// that cannot be told how long a message is worth delivering.
fn read(text: &str) -> KnownProvider {
    let (name, words) = text.split_once(':').unwrap_or((text, ""));
    let mut words = words.split_whitespace().peekable();
    let channel = words.next().and_then(|word| word.parse().ok()).unwrap_or(Channel::Sms);
    let mut prices = BTreeMap::new();
    let price = words.peek().and_then(|word| Money::parse_amount(word).ok());
    if let Some(micros) = price {
        words.next();
        let currency = words.next().and_then(|word| word.parse().ok()).unwrap_or(Currency::EUR);
        prices.insert(channel, Money { micros, currency });
    }
    let mut validity = BTreeMap::new();
    if words.next_if_eq(&"valid").is_some() {
        let least = words.next().and_then(|word| word.parse().ok());
        validity.insert(channel, least.map_or(Validity::Untold, Validity::AtLeast));
    }
    let told = words.peek().is_some();
    let confirms: Vec<Confirmation> = words.filter_map(|word| word.parse().ok()).collect();
    let confirms = if told { confirms } else { channel.default_confirmations().to_vec() };
    let channels = vec![(channel, confirms)];
    KnownProvider { name: name.to_owned(), channels, prices, horizons: BTreeMap::new(), validity }
}

impl Library for ExampleScope {
    fn policy(&self, _: &str) -> Option<Used> {
        None
    }
    fn providers(&self) -> Option<Vec<KnownProvider>> {
        (!self.providers.is_empty()).then(|| self.providers.clone())
    }
    fn templates(&self) -> Option<Vec<KnownTemplate>> {
        (!self.templates.is_empty()).then(|| self.templates.clone())
    }
}
