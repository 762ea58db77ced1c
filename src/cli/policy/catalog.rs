//! The `catalog:` of a `spine.yaml`: what the tools are told of the world that the server knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;

use serde_yaml::{Mapping, Value};

use crate::cli::CliError;
use crate::cli::config::YamlFile;
use crate::language::words::{near, quoted};
use crate::language::{KnownProvider, KnownTemplate, Library, Used, Validity};
use crate::machine::catalog::{Catalog, CatalogProvider};
use crate::model::{Channel, Confirmation, Currency, Money, Span, ZoneTable};

use super::settings::{Reader, text_of};

/// The settings of a catalog.
const SETTINGS: [&str; 4] = ["timezone", "providers", "templates", "policies"];
/// The settings of a provider.
const OF_PROVIDER: [&str; 5] = ["channels", "price", "confirms", "horizon", "validity"];
/// The settings of a template.
const OF_TEMPLATE: [&str; 3] = ["channels", "vars", "policy"];

/// The catalog of a file; an empty one without a file.
pub(crate) fn load(path: Option<&Path>) -> Result<Catalog, CliError> {
    let Some(path) = path else { return Ok(Catalog::default()) };
    of(&YamlFile::read(path)?)
}

/// The catalog of a file that was read.
pub(crate) fn of(file: &YamlFile) -> Result<Catalog, CliError> {
    let mut reader = Reader::of(file);
    let catalog = reader.catalog();
    if reader.faults.is_empty() {
        return Ok(catalog);
    }
    Err(file.refused(reader.faults))
}

impl<'a> Reader<'a> {
    /// The `catalog:` of the file.
    pub(super) fn catalog(&mut self) -> Catalog {
        let Some(catalog) = self.file.value.get("catalog") else {
            let message = "it has no `catalog:`; write one, or leave `--catalog` out".to_owned();
            self.wrong(&[], message);
            return Catalog::default();
        };
        let Some(catalog) = self.mapping(catalog, &["catalog"], &SETTINGS) else { return Catalog::default() };
        let zone = catalog.get("timezone").and_then(|zone| self.zone(zone));
        let providers = catalog.get("providers").map(|providers| self.providers(providers));
        let templates = catalog.get("templates").map(|templates| self.templates(templates));
        if let Some(names) = catalog.get("policies") {
            self.texts(names, &["catalog", "policies"]);
        }
        Catalog { zone, providers, templates }
    }

    fn zone(&mut self, value: &Value) -> Option<String> {
        let name = value.as_str().filter(|name| ZoneTable.get(name).is_some());
        if name.is_none() {
            self.wrong(&["catalog", "timezone"], "must be a time zone, such as `Europe/Vienna`".to_owned());
        }
        name.map(str::to_owned)
    }

    fn providers(&mut self, value: &'a Value) -> Vec<CatalogProvider> {
        let Some(mapping) = self.mapping(value, &["catalog", "providers"], &[]) else { return Vec::new() };
        let mut currency: Option<Currency> = None;
        let mut providers = Vec::new();
        for (name, value) in mapping {
            let name = text_of(name);
            let path = ["catalog", "providers", name.as_str()];
            if !is_name(&name) {
                let message = "a provider's name has small letters, digits, `_` and `-`".to_owned();
                self.wrong_name(&path, message);
            }
            let Some(settings) = self.mapping(value, &path, &OF_PROVIDER) else { continue };
            let channels = self.channels(settings, &path);
            let mut provider = CatalogProvider { name: name.clone(), channels, ..CatalogProvider::default() };
            let what = "a price, such as `0.05 EUR`";
            provider.prices = self.by_channel(settings, "price", &provider, parsed::<Money>, what);
            let what = "a duration, such as `72h`";
            provider.horizon = self.by_channel(settings, "horizon", &provider, parsed::<Span>, what);
            let what = "a list of `delivered`, `read` and `replied`";
            provider.confirms = self.by_channel(settings, "confirms", &provider, confirmations, what);
            let what = "`none`, or the shortest time that it can be told, such as `1m`";
            provider.validity = self.by_channel(settings, "validity", &provider, validity, what);
            for (channel, price) in &provider.prices {
                if currency.is_some_and(|currency| currency != price.currency) {
                    let message = "prices have one currency throughout the catalog".to_owned();
                    let path = [&path[..], &["price", channel.word()]].concat();
                    self.wrong(&path, message);
                }
                currency.get_or_insert(price.currency);
            }
            providers.push(provider);
        }
        providers
    }

    /// A list of names, or a mapping of names to what is known of each.
    fn templates(&mut self, value: &'a Value) -> Vec<KnownTemplate> {
        let path = ["catalog", "templates"];
        if let Some(names) = value.as_sequence() {
            self.texts(value, &path);
            let named = |name: &Value| KnownTemplate { name: text_of(name), ..KnownTemplate::default() };
            return names.iter().map(named).collect();
        }
        if !value.is_mapping() {
            self.wrong(&path, "must be a list of names, or hold templates, `name: { … }`".to_owned());
            return Vec::new();
        }
        let Some(mapping) = self.mapping(value, &path, &[]) else { return Vec::new() };
        let mut templates = Vec::new();
        for (name, value) in mapping {
            let mut template = KnownTemplate { name: text_of(name), ..KnownTemplate::default() };
            let name = template.name.clone();
            let path = ["catalog", "templates", name.as_str()];
            if let Some(settings) =
                (!value.is_null()).then(|| self.mapping(value, &path, &OF_TEMPLATE)).flatten()
            {
                if settings.contains_key("channels") {
                    template.channels = Some(self.channels(settings, &path).into_iter().collect());
                }
                if let Some(vars) = settings.get("vars") {
                    self.texts(vars, &[&path[..], &["vars"]].concat());
                    template.vars = vars.as_sequence().map(|all| all.iter().map(text_of).collect());
                }
                template.policy = settings.get("policy").map(text_of);
            }
            templates.push(template);
        }
        templates
    }

    fn channels(&mut self, settings: &'a Mapping, path: &[&str]) -> BTreeSet<Channel> {
        let path = [path, &["channels"]].concat();
        let Some(listed) = settings.get("channels").and_then(Value::as_sequence) else {
            let message = "must have `channels`, a list such as `[sms, voice]`".to_owned();
            self.wrong(if settings.contains_key("channels") { &path } else { &path[..3] }, message);
            return BTreeSet::new();
        };
        let mut channels = BTreeSet::new();
        for value in listed {
            match Channel::from_str(&text_of(value)) {
                Ok(channel) => _ = channels.insert(channel),
                Err(_) => {
                    let message = unknown_channel(&text_of(value));
                    self.wrong(&path, message);
                }
            }
        }
        if listed.is_empty() {
            self.wrong(&path, "must have one channel at least".to_owned());
        }
        channels
    }

    /// What a setting says for each channel; each is one that the provider serves.
    fn by_channel<T>(
        &mut self,
        settings: &'a Mapping,
        name: &str,
        provider: &CatalogProvider,
        read: impl Fn(&Value) -> Option<T>,
        what: &str,
    ) -> BTreeMap<Channel, T> {
        let path = ["catalog", "providers", provider.name.as_str(), name];
        let Some(value) = settings.get(name) else { return BTreeMap::new() };
        let Some(mapping) = self.mapping(value, &path, &[]) else { return BTreeMap::new() };
        let mut all = BTreeMap::new();
        for (channel, value) in mapping {
            let word = text_of(channel);
            let path = [&path[..], &[word.as_str()]].concat();
            let known = Channel::from_str(&word).ok();
            let is_served = known.is_some_and(|channel| provider.channels.contains(&channel));
            if !is_served {
                let message = match known {
                    None => unknown_channel(&word),
                    Some(_) => format!(
                        "{} does not serve `{word}`; add it to its `channels`",
                        quoted(&provider.name)
                    ),
                };
                self.wrong_name(&path, message);
            }
            match (known, read(value)) {
                (Some(channel), Some(value)) => _ = all.insert(channel, value),
                (_, None) => self.wrong(&path, format!("must be {what}")),
                (None, Some(_)) => {}
            }
        }
        all
    }

    fn texts(&mut self, value: &Value, path: &[&str]) {
        let all = value.as_sequence().is_some_and(|all| all.iter().all(Value::is_string));
        if !all {
            self.wrong(path, "must be a list of texts".to_owned());
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
}

fn parsed<T: FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}

fn confirmations(value: &Value) -> Option<Vec<Confirmation>> {
    let read = |value: &Value| parsed::<Confirmation>(value).filter(|c| *c != Confirmation::Accepted);
    value.as_sequence()?.iter().map(read).collect()
}

fn validity(value: &Value) -> Option<Validity> {
    match value.as_str()? {
        "none" => Some(Validity::Untold),
        text => text.parse().ok().map(Validity::AtLeast),
    }
}

fn unknown_channel(word: &str) -> String {
    match near(word, Channel::WORDS.iter().copied()) {
        Some(meant) => format!("unknown channel {}; did you mean `{meant}`?", quoted(word)),
        None => format!("unknown channel {}; write one such as `sms`, `email` or `push`", quoted(word)),
    }
}

/// The policies of a folder together with what a catalog says.
pub(crate) struct WithCatalog<'a> {
    pub(crate) policies: &'a (dyn Library + Sync),
    pub(crate) catalog: &'a Catalog,
}

impl Library for WithCatalog<'_> {
    fn policy(&self, reference: &str) -> Option<Used> {
        self.policies.policy(reference)
    }

    fn currency(&self) -> Option<Currency> {
        self.catalog.currency()
    }

    fn providers(&self) -> Option<Vec<KnownProvider>> {
        let known = |provider: &CatalogProvider| KnownProvider {
            name: provider.name.clone(),
            channels: provider
                .channels
                .iter()
                .map(|channel| (*channel, provider.confirmations(*channel)))
                .collect(),
            prices: provider.prices.clone(),
            horizons: provider.horizon.clone(),
            validity: provider.validity.clone(),
        };
        Some(self.catalog.providers.as_ref()?.iter().map(known).collect())
    }

    fn templates(&self) -> Option<Vec<KnownTemplate>> {
        self.catalog.templates.clone()
    }

    fn is_used(&self, name: &str) -> bool {
        self.policies.is_used(name)
    }
}
