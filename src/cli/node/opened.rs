//! The store that a node is started on.

use std::sync::Arc;

use super::NodeSettings;
use crate::store::{Store, StoreError, postgres, sqlite};

/// An open store, and where it is, for people.
pub(super) struct Opened {
    pub(super) store: Arc<dyn Store>,
    pub(super) place: String,
}

/// Opens the database where one is named, else the folder.
pub(super) async fn open(settings: &NodeSettings) -> Result<Opened, StoreError> {
    match settings.database_options() {
        Some(options) => {
            let store = postgres::open(options).await?;
            let place = format!("the database {}", store.place());
            Ok(Opened { store: Arc::new(store), place })
        }
        None => {
            let store = sqlite::open(settings.folder_options()).await?;
            let place = store.folder().display().to_string();
            Ok(Opened { store: Arc::new(store), place })
        }
    }
}
