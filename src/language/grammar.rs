//! The grammar, made into a parser when the crate is built.

#[derive(pest_derive::Parser)]
#[grammar = "../grammar/policy.pest"]
pub(crate) struct PolicyGrammar;
