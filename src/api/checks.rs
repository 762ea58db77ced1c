//! What stands between the text of a request and its handler: every check that needs nothing but
//! the text. The pipeline makes them on the way; [`Checks`] makes them without a server, for tests
//! and for whoever wants to look at a body beforehand.

use serde_json::Value;

use super::conventions::json;
use super::conventions::problem::{Fault, Problem};
use super::conventions::validate::Validators;
use super::endpoint::{Endpoint, Surroundings};
use super::sizes::Sizes;
use super::{openapi, resources};

/// The checks of every endpoint, with nothing behind them.
#[derive(Debug)]
pub struct Checks {
    endpoints: Vec<Endpoint>,
    validators: Validators,
}

impl Checks {
    /// Those of a server with these limits.
    ///
    /// # Errors
    /// A fault of the program: two types of one name in the document.
    pub fn new(sizes: &Sizes) -> Result<Checks, String> {
        let endpoints = resources::all();
        let mut document = openapi::document(&endpoints)?;
        sizes.write(&mut document);
        let checked = openapi::of_requests(&document, &endpoints);
        Ok(Checks { validators: Validators::of(checked, openapi::FORMATS)?, endpoints })
    }

    /// All endpoints, in the order of the document.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The body of an endpoint, read and checked as on the way to its handler. A batch is told by
    /// its items: the faults of each stand under the item's place.
    ///
    /// # Errors
    /// `malformed_json`, or every fault at once.
    pub fn body(
        &self,
        endpoint: &Endpoint,
        bytes: &[u8],
        surroundings: &Surroundings,
    ) -> Result<Value, Problem> {
        let value = json::read(bytes)?;
        let Some(takes) = &endpoint.takes else { return Ok(value) };
        if endpoint.tells_faults {
            return match resources::batch_faults(&self.validators, surroundings, value.clone()) {
                faults if faults.is_empty() => Ok(value),
                faults => Err(Problem::invalid(faults)),
            };
        }
        let faults = body_faults(&self.validators, endpoint, bytes, &value, surroundings);
        if !faults.is_empty() {
            return Err(Problem::invalid(faults));
        }
        match (takes.reads)(value.clone()) {
            Ok(()) => Ok(value),
            Err(faults) => Err(Problem::invalid(faults)),
        }
    }

    /// The query of an endpoint, checked.
    ///
    /// # Errors
    /// Every parameter that cannot be taken.
    pub fn query(&self, endpoint: &Endpoint, text: &str) -> Result<Value, Problem> {
        query(&self.validators, endpoint, text)
    }
}

/// Every fault of a body, by its schema, its characters, and what lies across its fields. None where
/// the handler tells them.
pub(super) fn body_faults(
    validators: &Validators,
    endpoint: &Endpoint,
    bytes: &[u8],
    value: &Value,
    surroundings: &Surroundings,
) -> Vec<Fault> {
    let Some(takes) = endpoint.takes.as_ref().filter(|_| !endpoint.tells_faults) else {
        return Vec::new();
    };
    let mut faults = validators.faults_at(&takes.pointer, value);
    faults.extend(json::nul_faults(bytes, value));
    (takes.across)(value, surroundings, &mut faults);
    faults
}

/// The query of an endpoint, checked; the faults in the order of the parameters' names.
pub(super) fn query(validators: &Validators, endpoint: &Endpoint, text: &str) -> Result<Value, Problem> {
    validators.query(&endpoint.query.name, text).map_err(|mut faults| {
        faults.sort_by(|a, b| a.parameter.cmp(&b.parameter));
        Problem::parameters(faults)
    })
}
