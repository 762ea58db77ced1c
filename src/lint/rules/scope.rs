//! The scope of an example: providers in a few words.

use std::collections::BTreeMap;

use crate::language::{KnownProvider, Library, Used};
use crate::lint::Example;
use crate::model::{Channel, Confirmation, Currency, Money};

/// What an example's scope knows.
#[derive(Debug, Clone)]
pub struct ExampleScope {
    providers: Vec<KnownProvider>,
}

impl ExampleScope {
    /// The scope of an example.
    #[must_use]
    pub fn of(example: &Example) -> ExampleScope {
        ExampleScope { providers: example.providers.iter().map(|text| read(text)).collect() }
    }
}

/// `meta: whatsapp 0.05 EUR delivered read`, or a bare name, which serves `sms`.
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
    let told = words.peek().is_some();
    let confirms: Vec<Confirmation> = words.filter_map(|word| word.parse().ok()).collect();
    let confirms = if told { confirms } else { channel.default_confirmations().to_vec() };
    let channels = vec![(channel, confirms)];
    KnownProvider { name: name.to_owned(), channels, prices, horizons: BTreeMap::new() }
}

impl Library for ExampleScope {
    fn policy(&self, _: &str) -> Option<Used> {
        None
    }
    fn providers(&self) -> Option<Vec<KnownProvider>> {
        (!self.providers.is_empty()).then(|| self.providers.clone())
    }
}
