//! What the schema of an installation is made of.

/// One step of a schema, and whether it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaStep {
    /// Of what: the database, or a file of the data folder.
    pub part: String,
    /// Its number.
    pub version: i64,
    /// Whether it was taken.
    pub applied: bool,
}
