//! Settings and credentials against the schema of the type that reads them: all faults at once.

use std::marker::PhantomData;

use jsonschema::Validator;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::model::{Fault, schema};

/// The faults told of one value at most.
const FAULTS_MAX: usize = 100;

/// Reads values as a `T`. Made once a type: compiling a schema costs more than reading with it.
pub(super) struct Reader<T> {
    validator: Result<Validator, String>,
    reads: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + JsonSchema> Reader<T> {
    /// Compiles the schema of the type.
    pub(super) fn new() -> Reader<T> {
        let settings = SchemaSettings::draft2020_12().for_deserialize();
        let root = settings.into_generator().into_root_schema_for::<T>();
        let built = jsonschema::options().build(root.as_value());
        Reader { validator: built.map_err(|error| error.masked_with("it").to_string()), reads: PhantomData }
    }

    /// The value as a `T`, or everything that is wrong with it; pointers start with `under`.
    pub(super) fn read(&self, value: &Value, under: &str) -> Result<T, Vec<Fault>> {
        let mut found = Vec::new();
        match &self.validator {
            Ok(validator) => found = schema::faults(validator, value, FAULTS_MAX),
            Err(error) => found.push(Fault::new("", format!("cannot be checked: {error}"))),
        }
        if found.is_empty() {
            match serde_path_to_error::deserialize(value) {
                Ok(read) => return Ok(read),
                Err(error) => {
                    found.push(Fault::new(schema::pointer(error.path()), error.inner().to_string()))
                }
            }
        }
        found.sort();
        found.dedup();
        Err(found.into_iter().map(|fault| fault.under(under)).collect())
    }
}
