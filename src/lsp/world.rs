//! Documents: those that the editor has open, and the policy files of its folders.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use gen_lsp_types::{Location, Position, Range, Uri};
use url::Url;

use super::reading::{self, Outline, PolicyNode, Reading};
use super::text::{Encoding, Text};
use super::{Disk, Settings};
use crate::language::{Compiled, Diagnostic, KnownProvider, KnownTemplate, Library, Used, uses};
use crate::lint::house::HouseRule;
use crate::lint::pages::Page;
use crate::lint::{SourceFile, check_by};
use crate::machine::catalog::CatalogProvider;
use crate::model::Currency;

/// Files of one workspace that are looked at.
const FILES_MAX: usize = 20_000;

/// By what a document is known: its path, or the address of one that is not on the disk.
pub(super) type Key = String;

/// A document.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) uri: Uri,
    pub(super) path: Option<PathBuf>,
    /// The editor's number, of one that is open.
    pub(super) version: Option<i32>,
    pub(super) text: Text,
    pub(super) reading: Reading,
}

impl Document {
    fn new(uri: Uri, path: Option<PathBuf>, version: Option<i32>, text: Text) -> Document {
        let reading = reading::read(text.source());
        Document { uri, path, version, text, reading }
    }

    /// The name of its policy, where it holds a bare strategy.
    pub(super) fn bare_name(&self) -> Option<String> {
        self.path.as_deref()?.file_stem().map(|stem| stem.to_string_lossy().into_owned())
    }

    fn folder(&self) -> Option<&Path> {
        self.path.as_deref()?.parent()
    }

    pub(super) fn outline(&self) -> &Outline {
        &self.reading.outline
    }

    /// The name of one of its policies.
    pub(super) fn name_of(&self, policy: &PolicyNode) -> Option<String> {
        match &policy.name {
            Some(at) => Some(self.text.slice(at).to_owned()),
            None if policy.bare => self.bare_name(),
            None => None,
        }
    }

    pub(super) fn policy_named(&self, name: &str) -> Option<&PolicyNode> {
        self.outline().policies.iter().find(|policy| self.name_of(policy).as_deref() == Some(name))
    }
}

/// What the compiler and the linter made of a document.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) compiled: Compiled,
    pub(super) findings: Vec<Diagnostic>,
}

type Cache<T> = RefCell<BTreeMap<Key, T>>;

/// Everything that is known.
pub(super) struct World<'d> {
    disk: &'d dyn Disk,
    pub(super) encoding: Encoding,
    roots: Vec<PathBuf>,
    documents: BTreeMap<Key, Document>,
    /// Where the policies of a name are.
    names: BTreeMap<String, Vec<Key>>,
    /// Rises with each change of anything.
    generation: u64,
    settings: RefCell<BTreeMap<PathBuf, Rc<Settings>>>,
    checked: Cache<(u64, Rc<Checked>)>,
}

/// The path of an address, where it is one of a file.
pub(super) fn path_of(uri: &Uri) -> Option<PathBuf> {
    Url::parse(uri.as_ref()).ok().filter(|url| url.scheme() == "file")?.to_file_path().ok()
}

/// The address of a file.
pub(super) fn uri_of(path: &Path) -> Uri {
    match Url::from_file_path(path) {
        Ok(url) => Uri::from(url.as_str()),
        Err(()) => Uri::from(path.to_string_lossy()),
    }
}

fn key_of(uri: &Uri) -> Key {
    path_of(uri).map_or_else(|| uri.as_ref().to_owned(), |path| path.to_string_lossy().into_owned())
}

impl<'d> World<'d> {
    pub(super) fn new(disk: &'d dyn Disk) -> World<'d> {
        World {
            disk,
            encoding: Encoding::default(),
            roots: Vec::new(),
            documents: BTreeMap::new(),
            names: BTreeMap::new(),
            generation: 0,
            settings: RefCell::default(),
            checked: RefCell::default(),
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    // ------------------------------------------------------------------------- documents

    fn put(&mut self, key: Key, document: Document) {
        self.forget_names(&key);
        for policy in &document.outline().policies {
            if let Some(name) = document.name_of(policy) {
                let keys = self.names.entry(name).or_default();
                if let Err(place) = keys.binary_search(&key) {
                    keys.insert(place, key.clone());
                }
            }
        }
        self.documents.insert(key, document);
        self.generation += 1;
    }

    fn forget_names(&mut self, key: &Key) {
        let Some(document) = self.documents.get(key) else { return };
        for policy in &document.outline().policies {
            if let Some(keys) = document.name_of(policy).and_then(|name| self.names.get_mut(&name)) {
                keys.retain(|known| known != key);
            }
        }
    }

    fn remove(&mut self, key: &Key) {
        self.forget_names(key);
        self.documents.remove(key);
        self.checked.borrow_mut().remove(key);
        self.generation += 1;
    }

    pub(super) fn add_root(&mut self, root: PathBuf) {
        for (path, text) in self.disk.policies(&root, true) {
            self.add_file(path, text);
        }
        self.roots.push(root);
    }

    pub(super) fn remove_root(&mut self, root: &Path) {
        self.roots.retain(|known| known != root);
        let gone = |document: &Document| {
            let path = document.path.as_deref();
            document.version.is_none()
                && path.is_some_and(|path| {
                    path.starts_with(root) && !self.roots.iter().any(|root| path.starts_with(root))
                })
        };
        let keys: Vec<Key> = self
            .documents
            .iter()
            .filter(|(_, document)| gone(document))
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            self.remove(&key);
        }
    }

    /// A file of the disk; what the editor has open wins.
    fn add_file(&mut self, path: PathBuf, text: String) {
        let uri = uri_of(&path);
        let key = key_of(&uri);
        let open = self.documents.get(&key).is_some_and(|document| document.version.is_some());
        if !open && (self.documents.contains_key(&key) || self.documents.len() < FILES_MAX) {
            self.put(key, Document::new(uri, Some(path), None, Text::new(text)));
        }
    }

    pub(super) fn open(&mut self, uri: Uri, version: i32, text: String) {
        let path = path_of(&uri);
        let folder = path.as_deref().and_then(Path::parent).map(Path::to_owned);
        if let Some(folder) = folder
            && !self.roots.iter().any(|root| folder.starts_with(root))
            && !self.documents.values().any(|document| document.folder() == Some(&folder))
        {
            for (path, text) in self.disk.policies(&folder, false) {
                self.add_file(path, text);
            }
        }
        let key = key_of(&uri);
        self.put(key, Document::new(uri, path, Some(version), Text::new(text)));
    }

    /// What the editor makes of an open document.
    pub(super) fn change(&mut self, uri: &Uri, version: i32, change: impl FnOnce(&Text, Encoding) -> Text) {
        let key = key_of(uri);
        let Some(document) = self.documents.get(&key) else { return };
        let text = change(&document.text, self.encoding);
        let changed = Document::new(document.uri.clone(), document.path.clone(), Some(version), text);
        self.put(key, changed);
    }

    /// The editor has closed a document: what counts is again what lies on the disk.
    pub(super) fn close(&mut self, uri: &Uri) {
        let key = key_of(uri);
        let Some(path) = self.documents.get(&key).and_then(|document| document.path.clone()) else {
            return self.remove(&key);
        };
        self.remove(&key);
        if let Some(text) = self.disk.read(&path) {
            self.add_file(path, text);
        }
    }

    /// A file was made, changed or deleted by somebody else.
    pub(super) fn file_changed(&mut self, uri: &Uri) {
        let Some(path) = path_of(uri) else { return };
        if path.extension().is_some_and(|ending| ending == "policy") {
            let key = key_of(uri);
            if self.documents.get(&key).is_some_and(|document| document.version.is_some()) {
                return;
            }
            match self.disk.read(&path) {
                Some(text) => self.add_file(path, text),
                None => self.remove(&key),
            }
        } else {
            self.settings.borrow_mut().clear();
            self.generation += 1;
        }
    }

    pub(super) fn document(&self, uri: &Uri) -> Option<&Document> {
        self.documents.get(&key_of(uri))
    }

    pub(super) fn documents(&self) -> impl Iterator<Item = &Document> {
        self.documents.values()
    }

    pub(super) fn open_documents(&self) -> impl Iterator<Item = &Document> {
        self.documents.values().filter(|document| document.version.is_some())
    }

    // ---------------------------------------------------------------------------- places

    pub(super) fn byte(&self, document: &Document, position: Position) -> usize {
        document.text.byte(position, self.encoding)
    }

    pub(super) fn range(&self, document: &Document, at: &std::ops::Range<usize>) -> Range {
        document.text.range(at, self.encoding)
    }

    pub(super) fn location(&self, document: &Document, at: &std::ops::Range<usize>) -> Location {
        Location { uri: document.uri.clone(), range: self.range(document, at) }
    }

    // ------------------------------------------------------------------------- knowledge

    /// The test files beside a document.
    pub(super) fn suites_beside(&self, document: &Document) -> Vec<(PathBuf, String)> {
        document.folder().map(|folder| self.disk.suites(folder)).unwrap_or_default()
    }

    pub(super) fn settings(&self, document: &Document) -> Rc<Settings> {
        let Some(folder) = document.folder().or(self.roots.first().map(PathBuf::as_path)) else {
            return Rc::default();
        };
        if let Some(known) = self.settings.borrow().get(folder) {
            return Rc::clone(known);
        }
        let settings = Rc::new(self.disk.settings(folder));
        self.settings.borrow_mut().insert(folder.to_owned(), Rc::clone(&settings));
        settings
    }

    /// The page of a rule of the house, of any folder whose settings were read.
    pub(super) fn house_rule(&self, name: &str) -> Option<Page> {
        let settings = self.settings.borrow();
        let rule = settings.values().flat_map(|settings| &settings.lint.house).find(|rule| rule.name == name);
        rule.map(HouseRule::page)
    }

    /// The policy of a name, as a document sees it: its own, one of its folder, any other.
    pub(super) fn policy<'w>(
        &'w self,
        from: &'w Document,
        name: &str,
    ) -> Option<(&'w Document, &'w PolicyNode)> {
        let own = from.policy_named(name).filter(|policy| !policy.bare);
        if let Some(own) = own {
            return Some((from, own));
        }
        let homes = self.names.get(name)?;
        let candidates = homes.iter().filter_map(|key| self.documents.get(key));
        let (near, far): (Vec<_>, Vec<_>) = candidates
            .partition(|document| document.folder().is_some() && document.folder() == from.folder());
        let home = near.into_iter().chain(far).next()?;
        Some((home, home.policy_named(name)?))
    }

    /// The names of all policies.
    pub(super) fn policy_names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter(|(_, homes)| !homes.is_empty()).map(|(name, _)| name.as_str())
    }

    /// What a document compiles to and what is found in it; worked out once a change.
    pub(super) fn checked(&self, document: &Document) -> Rc<Checked> {
        let key = key_of(&document.uri);
        if let Some((generation, checked)) = self.checked.borrow().get(&key)
            && *generation == self.generation
        {
            return Rc::clone(checked);
        }
        let file = SourceFile {
            path: document.path.as_ref().map_or(key.clone(), |path| path.display().to_string()),
            text: document.text.source().to_owned(),
            bare_name: document.bare_name(),
        };
        let around = Around { world: self, document, settings: self.settings(document) };
        let (compiled, found) = check_by(&file, &around, &around.settings.lint);
        let checked = Rc::new(Checked { compiled, findings: found.findings });
        self.checked.borrow_mut().insert(key, (self.generation, Rc::clone(&checked)));
        checked
    }
}

/// What the compiler may ask about the world around a document.
struct Around<'w, 'd> {
    world: &'w World<'d>,
    document: &'w Document,
    settings: Rc<Settings>,
}

impl Library for Around<'_, '_> {
    fn policy(&self, reference: &str) -> Option<Used> {
        let (home, _) = self.world.policy(self.document, reference)?;
        Some(Used {
            name_at_version: reference.to_owned(),
            source: home.text.source().to_owned(),
            policy_name: reference.to_owned(),
            uses: Vec::new(),
        })
    }

    fn currency(&self) -> Option<Currency> {
        self.settings.catalog.currency()
    }

    fn providers(&self) -> Option<Vec<KnownProvider>> {
        let known = |provider: &CatalogProvider| KnownProvider {
            name: provider.name.clone(),
            channels: provider.channels.iter().map(|c| (*c, provider.confirmations(*c))).collect(),
            prices: provider.prices.clone(),
            horizons: provider.horizon.clone(),
            validity: provider.validity.clone(),
        };
        Some(self.settings.catalog.providers.as_ref()?.iter().map(known).collect())
    }

    fn templates(&self) -> Option<Vec<KnownTemplate>> {
        self.settings.catalog.templates.clone()
    }

    fn is_used(&self, name: &str) -> bool {
        let others = self.world.documents.values().filter(|document| document.uri != self.document.uri);
        others.into_iter().any(|document| uses(document.text.source()).contains(name))
    }
}
