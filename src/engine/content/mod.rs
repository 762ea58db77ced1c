//! What a person is told: templates in MiniJinja, compiled and rendered.
//!
//! **Knows** bodies by channel and locale, the variables they use, and how much a template may do.
//! **Does not know** messages, storage, and where vars and contacts come from. Pure: no I/O, no clock.
//!
//! The vars stand at the top, the contact's fields under `contact`. Values are text: they are
//! printed, never evaluated; in the `html` of an e-mail they are escaped.

mod scan;
mod values;

use std::collections::{BTreeSet, HashSet};

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};
use serde_json::Map;

use crate::model::{Channel, Fault};

/// The steps that one text of a template may take; a step also stands for 64 bytes of what it makes.
pub const STEPS_MAX: u64 = 10_000;
/// The most bytes of one text of a template's source.
pub const SOURCE_BYTES_MAX: usize = 128 * 1024;
/// The most bytes of one text as rendered.
pub const OUTPUT_BYTES_MAX: usize = 256 * 1024;

/// What a template says on one channel, in one language.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    /// On which channel.
    pub channel: Channel,
    /// A BCP 47 tag; none for the one that is used where no other fits.
    pub locale: Option<String>,
    /// The subject, of an e-mail or a push notification.
    pub subject: Option<String>,
    /// The text.
    pub body: String,
    /// HTML beside the text; e-mail only.
    pub html: Option<String>,
    /// Where it stands in the request, for the pointers of faults: `/bodies/0`.
    pub pointer: String,
}

/// The three texts of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Subject,
    Body,
    Html,
}

impl Part {
    const fn word(self) -> &'static str {
        match self {
            Part::Subject => "subject",
            Part::Body => "body",
            Part::Html => "html",
        }
    }
}

/// A body that compiles.
struct Compiled {
    channel: Channel,
    locale: Option<String>,
    parts: Vec<Part>,
    /// Names at the top that its texts use, the contact left out.
    uses: BTreeSet<String>,
    /// Those of them without which it cannot be rendered.
    needs: BTreeSet<String>,
}

/// A template whose bodies all compile.
pub struct Template {
    environment: Environment<'static>,
    absent: Value,
    bodies: Vec<Compiled>,
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Template").field("bodies", &self.bodies.len()).finish_non_exhaustive()
    }
}

/// What a person is told. Personal: it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The locale of the body that was used.
    pub locale: Option<String>,
    /// The subject, on one line.
    pub subject: Option<String>,
    /// The text.
    pub body: String,
    /// The HTML.
    pub html: Option<String>,
}

/// Why there is nothing to tell. Its text holds no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// No body for the channel and locale: `no_template`.
    #[error("the template has no body for this channel and locale")]
    NoBody,
    /// A name that is used has no value.
    #[error("`{part}`, line {line}: a name that is used there has no value; give it, or write a `default`")]
    Missing {
        /// Which text.
        part: &'static str,
        /// The line in it, from 1.
        line: usize,
    },
    /// It does too much, or gives too much.
    #[error("`{part}` does or gives too much: at most {STEPS_MAX} steps and {OUTPUT_BYTES_MAX} bytes")]
    TooMuch {
        /// Which text.
        part: &'static str,
    },
    /// A value is not of the kind that the template uses it as.
    #[error("`{part}`, line {line}: {what}")]
    Failed {
        /// Which text.
        part: &'static str,
        /// The line in it, from 1.
        line: usize,
        /// What went wrong, in general words.
        what: String,
    },
}

impl Template {
    /// Compiles all bodies.
    ///
    /// # Errors
    /// All faults of all bodies, each with its pointer.
    pub fn compile(bodies: &[Body]) -> Result<Template, Vec<Fault>> {
        let environment = environment();
        let absent = values::absent(&environment);
        let mut template = Template { environment, absent, bodies: Vec::new() };
        let (mut faults, mut seen) = (Vec::new(), HashSet::new());
        for body in bodies {
            let locale = body.locale.as_deref().map(normal);
            if !seen.insert((body.channel, locale.clone())) {
                faults.push(Fault::new(
                    body.pointer.clone(),
                    "is a second body for the same channel and locale; keep one of them",
                ));
            }
            match template.add(body, locale) {
                Ok(compiled) => template.bodies.push(compiled),
                Err(found) => faults.extend(found),
            }
        }
        if faults.is_empty() { Ok(template) } else { Err(faults) }
    }

    fn add(&mut self, body: &Body, locale: Option<String>) -> Result<Compiled, Vec<Fault>> {
        let texts = [
            (Part::Subject, body.subject.as_ref()),
            (Part::Body, Some(&body.body)),
            (Part::Html, body.html.as_ref()),
        ];
        let place = self.bodies.len();
        let (mut parts, mut faults) = (Vec::new(), Vec::new());
        let (mut uses, mut needs) = (BTreeSet::new(), BTreeSet::new());
        if body.html.is_some() && body.channel != Channel::Email {
            faults.push(Fault::new(format!("{}/html", body.pointer), "goes with the channel `email` only"));
        }
        for (part, text) in texts {
            let Some(text) = text else { continue };
            let pointer = format!("{}/{}", body.pointer, part.word());
            match self.add_text(&name(place, part), text) {
                Ok(names) => {
                    needs.extend(names.iter().filter(|name| scan::needs(text, name)).cloned());
                    uses.extend(names);
                    parts.push(part);
                }
                Err(messages) => faults.extend(messages.into_iter().map(|m| Fault::new(&pointer, m))),
            }
        }
        if faults.is_empty() {
            Ok(Compiled { channel: body.channel, locale, parts, uses, needs })
        } else {
            Err(faults)
        }
    }

    /// Compiles one text and gives the names at the top that it uses, or what is wrong with it.
    fn add_text(&mut self, name: &str, text: &str) -> Result<Vec<String>, Vec<String>> {
        if text.len() > SOURCE_BYTES_MAX {
            return Err(vec![format!("is longer than {SOURCE_BYTES_MAX} bytes")]);
        }
        self.environment.add_template_owned(name.to_owned(), text.to_owned()).map_err(|error| {
            let line = error.line().unwrap_or(1);
            vec![format!("line {line}: {}", error.detail().unwrap_or("is not a template"))]
        })?;
        // The engine would find these only while rendering.
        let unknown: Vec<String> = scan::called(text)
            .into_iter()
            .filter(|called| !known(&self.environment, called))
            .map(|called| format!("line {}: unknown {} `{}`", called.line, called.kind.word(), called.name))
            .collect();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let found = self.environment.get_template(name).map_err(|error| vec![error.to_string()])?;
        let mut names: Vec<String> = found.undeclared_variables(false).into_iter().collect();
        names.retain(|name| name != values::CONTACT && !FUNCTIONS.contains(&name.as_str()));
        names.sort();
        Ok(names)
    }

    /// The names that the bodies use, in order: a template's `vars`.
    #[must_use]
    pub fn vars(&self) -> BTreeSet<String> {
        self.bodies.iter().flat_map(|body| body.uses.iter().cloned()).collect()
    }

    /// The names that a body for one of these channels uses without a default: a send that lacks
    /// one of them is refused.
    #[must_use]
    pub fn needs(&self, channels: &[Channel]) -> BTreeSet<String> {
        let wanted = self.bodies.iter().filter(|body| channels.contains(&body.channel));
        wanted.flat_map(|body| body.needs.iter().cloned()).collect()
    }

    /// The channels for which there is a body.
    #[must_use]
    pub fn channels(&self) -> BTreeSet<Channel> {
        self.bodies.iter().map(|body| body.channel).collect()
    }

    /// Whether there is a body for the channel and locale.
    #[must_use]
    pub fn has_body(&self, channel: Channel, locale: Option<&str>) -> bool {
        self.find(channel, locale).is_some()
    }

    /// The body that is used: `de-AT` falls back to `de`, then to the one without a locale.
    fn find(&self, channel: Channel, locale: Option<&str>) -> Option<(usize, &Compiled)> {
        let with = |wanted: Option<&str>| {
            self.bodies
                .iter()
                .enumerate()
                .find(|(_, body)| body.channel == channel && body.locale.as_deref() == wanted)
        };
        let mut tag = locale.map(normal);
        while let Some(tried) = tag {
            if let Some(found) = with(Some(&tried)) {
                return Some(found);
            }
            tag = tried.rsplit_once('-').map(|(shorter, _)| shorter.to_owned());
        }
        with(None)
    }

    /// Renders the body for a channel and locale. A var that is `null` counts as not given; a field
    /// that the contact lacks prints as nothing.
    ///
    /// # Errors
    /// Where there is no such body, or it cannot be rendered from these values.
    pub fn render(
        &self,
        channel: Channel,
        locale: Option<&str>,
        vars: &Map<String, serde_json::Value>,
        contact: Option<&Map<String, serde_json::Value>>,
    ) -> Result<Rendered, RenderError> {
        let (place, body) = self.find(channel, locale).ok_or(RenderError::NoBody)?;
        let context = values::context(&self.absent, vars, contact);
        let mut rendered =
            Rendered { locale: body.locale.clone(), subject: None, body: String::new(), html: None };
        for part in &body.parts {
            let text = self.render_part(&name(place, *part), *part, &context)?;
            match part {
                Part::Subject => rendered.subject = Some(one_line(&text)),
                Part::Body => rendered.body = text,
                Part::Html => rendered.html = Some(text),
            }
        }
        Ok(rendered)
    }

    fn render_part(&self, name: &str, part: Part, context: &Value) -> Result<String, RenderError> {
        let part = part.word();
        let rendered = self.environment.get_template(name).and_then(|found| found.render(context));
        match rendered {
            Ok(text) if text.len() <= OUTPUT_BYTES_MAX => Ok(text),
            Ok(_) => Err(RenderError::TooMuch { part }),
            Err(error) => {
                let line = error.line().unwrap_or(1);
                Err(match error.kind() {
                    ErrorKind::OutOfFuel => RenderError::TooMuch { part },
                    ErrorKind::UndefinedError => RenderError::Missing { part, line },
                    // The detail may quote a value; the kind does not.
                    kind => RenderError::Failed { part, line, what: kind.to_string() },
                })
            }
        }
    }
}

/// The functions of MiniJinja that a template may call.
static FUNCTIONS: &[&str] = &["range", "dict", "namespace"];

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(STEPS_MAX));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| {
        if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
    });
    // It prints all there is.
    environment.remove_global("debug");
    environment
}

/// Whether there is such a filter, test or function.
fn known(environment: &Environment<'_>, called: &scan::Called) -> bool {
    let asked = match called.kind {
        scan::Kind::Function => return FUNCTIONS.contains(&called.name.as_str()),
        scan::Kind::Filter => "name is filter",
        scan::Kind::Test => "name is test",
    };
    let answer = environment
        .compile_expression(asked)
        .and_then(|asked| asked.eval(Value::from_pairs([("name", Value::from(called.name.as_str()))])));
    answer.is_ok_and(|answer| answer.is_true())
}

fn name(place: usize, part: Part) -> String {
    format!("{place}.{}", part.word())
}

/// A tag as tags are compared: `de_at` is `de-AT`.
fn normal(tag: &str) -> String {
    let mut subtags = tag.split(['-', '_']);
    let mut normal = subtags.next().unwrap_or_default().to_ascii_lowercase();
    for subtag in subtags {
        normal.push('-');
        match subtag.len() {
            2 => normal.push_str(&subtag.to_ascii_uppercase()),
            4 => {
                let (first, rest) = subtag.split_at_checked(1).unwrap_or((subtag, ""));
                normal.push_str(&first.to_ascii_uppercase());
                normal.push_str(&rest.to_ascii_lowercase());
            }
            _ => normal.push_str(&subtag.to_ascii_lowercase()),
        }
    }
    normal
}

/// A subject is one line, so that no value puts a header after it.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control())
        .filter(|s| !s.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests;
