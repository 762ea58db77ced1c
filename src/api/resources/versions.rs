//! What is published in versions under a name: templates and policies alike.

use serde::Serialize;

use super::lists::PlainQuery;
use crate::api::call::{Answer, CONFLICTS_MAX, Call, Deed, Uncommitted};
use crate::api::conventions::problem::{Code, Problem};
use crate::api::kept::Keep;
use crate::engine::front::Changed;
use crate::model::shapes::text::NameRef;
use crate::store::rows::{VersionKind, VersionRow};
use crate::store::{Change, VersionChange};

/// One of the kinds of what has versions.
pub(super) struct Versioned {
    /// Its rows.
    pub(super) kind: VersionKind,
    /// A version's id, as it is shown.
    pub(super) id: fn(&VersionRow) -> String,
    /// The deed of the audit when a version is published.
    pub(super) published: &'static str,
    /// The deed of the audit when a name is deleted.
    pub(super) deleted: &'static str,
    /// What the engine is told of a name.
    pub(super) changed: fn(String) -> Changed,
}

impl Versioned {
    /// The version that a path names: the newest, or that of `name@version`. What was deleted is gone.
    pub(super) async fn of_path(&self, call: &Call, path: &str) -> Result<VersionRow, Problem> {
        let (name, version) = NameRef::new(path).parts_of_path().ok_or_else(Problem::not_found)?;
        let known = call.scope.version_name(self.kind, &name).await?.ok_or_else(Problem::not_found)?;
        let version = version.unwrap_or(known.newest);
        if version <= known.deleted || version > known.newest {
            return Err(Problem::not_found());
        }
        call.scope.version(self.kind, &name, Some(version)).await?.ok_or_else(Problem::not_found)
    }

    /// Whether a name in a body is there.
    pub(super) async fn exists(&self, call: &Call, name: &NameRef) -> Result<bool, Problem> {
        match self.of_path(call, name.as_str()).await {
            Ok(_) => Ok(true),
            Err(problem) if problem.code == Code::NotFound => Ok(false),
            Err(problem) => Err(problem),
        }
    }

    /// Commits new versions, all or none; with none there is nothing to do. `None` where somebody
    /// else published one of the names in between: then they are to be made anew.
    pub(super) async fn publish(
        &self,
        call: &Call,
        new: Vec<VersionRow>,
        answer: Answer,
    ) -> Result<Option<Answer>, Problem> {
        let Some((first, others)) = new.split_first() else { return Ok(Some(answer)) };
        let mut change = Change::default();
        for other in others {
            let deed = Deed { what: self.published, object_id: &(self.id)(other) };
            change.audit.push(call.audit(deed, call.now()));
        }
        change.versions = new.iter().map(|row| VersionChange::Publish(self.kind, row.clone())).collect();
        let deed = Deed { what: self.published, object_id: &(self.id)(first) };
        match call.commit(change, deed, answer, Keep::Plain).await {
            Err(Uncommitted::Conflict) => Ok(None),
            Err(Uncommitted::Problem(problem)) => Err(problem),
            Ok(answer) => {
                for row in new {
                    call.app.front.changed(call.scope.id(), (self.changed)(row.name));
                }
                Ok(Some(answer))
            }
        }
    }

    /// Lists the newest version of each name.
    pub(super) async fn list<T: Serialize>(
        &self,
        call: Call,
        query: PlainQuery,
        read: fn(VersionRow) -> Result<T, Problem>,
    ) -> Result<Answer, Problem> {
        let (page, bound) = query.parts();
        let page = call.page(&page, &bound)?;
        let listed = call.scope.newest_versions(self.kind, page).await?;
        call.listed(page, &bound, listed, read)
    }

    /// Lists the versions of the name in the path.
    pub(super) async fn versions<T: Serialize>(
        &self,
        call: Call,
        query: PlainQuery,
        read: fn(VersionRow) -> Result<T, Problem>,
    ) -> Result<Answer, Problem> {
        let (page, bound) = query.parts();
        let page = call.page(&page, &bound)?;
        let name = self.of_path(&call, call.text(0)).await?.name;
        let listed = call.scope.versions(self.kind, &name, page).await?;
        call.listed(page, &bound, listed, read)
    }

    /// Deletes the name in the path with all its versions.
    pub(super) async fn delete(&self, call: Call) -> Result<Answer, Problem> {
        for _ in 0..CONFLICTS_MAX {
            let newest = self.of_path(&call, call.text(0)).await?;
            if newest.name != call.text(0) {
                return Err(Problem::not_found());
            }
            let name = newest.name.clone();
            let gone = VersionChange::Delete(self.kind, newest.name, newest.version);
            let change = Change { versions: vec![gone], ..Change::default() };
            let deed = Deed { what: self.deleted, object_id: &name };
            match call.commit(change, deed, Answer::empty(204), Keep::Plain).await {
                Err(Uncommitted::Conflict) => {}
                Err(Uncommitted::Problem(problem)) => return Err(problem),
                Ok(answer) => {
                    call.app.front.changed(call.scope.id(), (self.changed)(name));
                    return Ok(answer);
                }
            }
        }
        Err(Uncommitted::Conflict.into())
    }
}
