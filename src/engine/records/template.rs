//! A version of a template.

use serde::{Deserialize, Serialize};

use super::{read, unreadable, write};
use crate::engine::content::{Body, Template};
use crate::model::shapes::text::{BodyText, Category, Locale, NameRef, SubjectText};
use crate::model::{Channel, Fault};
use crate::store::StoreError;

const FORM: u8 = 1;

/// A version of a template as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct TemplateRecord {
    /// What it says.
    pub bodies: Vec<BodyRecord>,
    /// The policy of messages that name none.
    pub default_policy: Option<NameRef>,
    /// What its messages are for.
    pub category: Option<Category>,
    /// The names that the bodies use.
    pub vars: Vec<String>,
}

/// What a template says on one channel, in one language.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyRecord {
    /// On which channel.
    pub channel: Channel,
    /// In which language; none for where no other fits.
    pub locale: Option<Locale>,
    /// The subject.
    pub subject: Option<SubjectText>,
    /// The text.
    pub body: BodyText,
    /// The same as HTML.
    pub html: Option<BodyText>,
}

#[derive(Serialize, Deserialize)]
struct Doc {
    form: u8,
    bodies: Vec<BodyRecord>,
    default_policy: Option<NameRef>,
    category: Option<Category>,
    vars: Vec<String>,
}

impl TemplateRecord {
    /// Its bytes.
    ///
    /// # Errors
    /// Where they cannot be written, which no template does.
    pub fn doc(&self) -> Result<Vec<u8>, StoreError> {
        write(&Doc {
            form: FORM,
            bodies: self.bodies.clone(),
            default_policy: self.default_policy.clone(),
            category: self.category.clone(),
            vars: self.vars.clone(),
        })
    }

    /// From its bytes.
    ///
    /// # Errors
    /// Where another program wrote them.
    pub fn read(doc: &[u8]) -> Result<TemplateRecord, StoreError> {
        let doc: Doc = read(doc)?;
        if doc.form != FORM {
            return Err(unreadable());
        }
        let Doc { bodies, default_policy, category, vars, .. } = doc;
        Ok(TemplateRecord { bodies, default_policy, category, vars })
    }

    /// Its bodies, compiled.
    ///
    /// # Errors
    /// All faults of all bodies, with pointers from `/bodies`.
    pub fn compile(bodies: &[BodyRecord]) -> Result<Template, Vec<Fault>> {
        let bodies: Vec<Body> = bodies
            .iter()
            .enumerate()
            .map(|(at, body)| Body {
                channel: body.channel,
                locale: body.locale.as_ref().map(|l| l.as_str().to_owned()),
                subject: body.subject.as_ref().map(|s| s.as_str().to_owned()),
                body: body.body.as_str().to_owned(),
                html: body.html.as_ref().map(|h| h.as_str().to_owned()),
                pointer: format!("/bodies/{at}"),
            })
            .collect();
        Template::compile(&bodies)
    }
}
