//! Compiled templates that were used lately.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use super::Template;
use crate::model::{Id, kinds};

/// Holds compiled versions of templates; the oldest goes where there are too many. A version never
/// changes, so nothing here is ever stale.
#[derive(Debug)]
pub struct TemplateCache {
    templates_max: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    templates: HashMap<Id<kinds::Template>, Arc<Template>>,
    order: VecDeque<Id<kinds::Template>>,
}

impl TemplateCache {
    /// One that holds so many, at least one.
    #[must_use]
    pub fn new(templates_max: usize) -> TemplateCache {
        TemplateCache { templates_max: templates_max.max(1), held: Mutex::default() }
    }

    /// The compiled version, if it is held.
    #[must_use]
    pub fn get(&self, id: Id<kinds::Template>) -> Option<Arc<Template>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).templates.get(&id).cloned()
    }

    /// Holds a version, and gives it back.
    pub fn put(&self, id: Id<kinds::Template>, template: Template) -> Arc<Template> {
        let template = Arc::new(template);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.templates.insert(id, Arc::clone(&template)).is_none() {
            held.order.push_back(id);
        }
        while held.order.len() > self.templates_max {
            if let Some(oldest) = held.order.pop_front() {
                held.templates.remove(&oldest);
            }
        }
        template
    }
}
