//! Templates that were used lately, read and compiled once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::content::Template;
use super::records::TemplateRecord;
use crate::model::shapes::text::{Category, NameRef};
use crate::store::StoreError;
use crate::store::rows::{Names, VersionKind, VersionName};
use crate::store::seal::Scope;

/// A version of a template, as sends need it.
pub(super) struct Version {
    /// Its name and number.
    pub(super) names: Names,
    /// The policy of messages that name none.
    pub(super) default_policy: Option<NameRef>,
    /// What its messages are for.
    pub(super) category: Option<Category>,
    /// `None` where it does not compile, which none that was published does.
    pub(super) compiled: Option<Arc<Template>>,
}

/// How many versions are held, and how many names.
const HELD_MAX: usize = 256;

/// The versions that were used lately, and what is known of their names.
#[derive(Default)]
pub(super) struct Templates {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    versions: HashMap<Names, Arc<Version>>,
    names: HashMap<String, VersionName>,
    /// How often a name has changed: what was read before a change is not held after it.
    changes: u64,
}

impl Templates {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A template of this name was published or deleted.
    pub(super) fn changed(&self, name: &str) {
        let mut held = self.held();
        held.changes += 1;
        held.names.remove(name);
    }

    /// Any name may have been published or deleted, by another node.
    pub(super) fn all_changed(&self) {
        let mut held = self.held();
        held.changes += 1;
        held.names.clear();
    }

    /// The version that a caller means; the newest without one. `None` where there is none, or it
    /// is gone for callers.
    pub(super) async fn find(
        &self,
        scope: &Scope,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<Arc<Version>>, StoreError> {
        let Some((newest, deleted)) = self.name(scope, name).await? else { return Ok(None) };
        let version = version.unwrap_or(newest);
        if version <= deleted || version > newest {
            return Ok(None);
        }
        self.version(scope, &Names { name: name.to_owned(), version }).await
    }

    /// The newest version of a name, and the newest one that is deleted.
    async fn name(&self, scope: &Scope, name: &str) -> Result<Option<(u32, u32)>, StoreError> {
        let changes = {
            let held = self.held();
            if let Some(known) = held.names.get(name) {
                return Ok(Some((known.newest, known.deleted)));
            }
            held.changes
        };
        let Some(known) = scope.version_name(VersionKind::Template, name).await? else { return Ok(None) };
        let found = (known.newest, known.deleted);
        let mut held = self.held();
        if held.changes == changes {
            if held.names.len() >= HELD_MAX {
                held.names.clear();
            }
            held.names.insert(name.to_owned(), known);
        }
        Ok(Some(found))
    }

    /// A version that was published; also of one that is gone for callers.
    pub(super) async fn version(
        &self,
        scope: &Scope,
        names: &Names,
    ) -> Result<Option<Arc<Version>>, StoreError> {
        if let Some(version) = self.held().versions.get(names) {
            return Ok(Some(Arc::clone(version)));
        }
        let row = scope.version(VersionKind::Template, &names.name, Some(names.version)).await?;
        let Some(row) = row else { return Ok(None) };
        let record = TemplateRecord::read(&row.doc)?;
        let version = Arc::new(Version {
            names: names.clone(),
            compiled: TemplateRecord::compile(&record.bodies).ok().map(Arc::new),
            default_policy: record.default_policy,
            category: record.category,
        });
        let mut held = self.held();
        // A version never changes, so nothing here is ever stale.
        if held.versions.len() >= HELD_MAX {
            held.versions.clear();
        }
        held.versions.insert(names.clone(), Arc::clone(&version));
        Ok(Some(version))
    }
}
