//! Every outcome of a policy, over every choice of facts that can make a difference.
//!
//! [`FactSpace`] says which facts a machine asks about, and of each the few values that can make a
//! difference. [`Walk`] goes through all that providers may say, and decides a fact only when it is
//! asked about: so what nobody asks costs nothing. What is found comes as a [`Witness`], which
//! `simulate` plays again. The walk takes shorter scripts first, so what is seen first is seen with a
//! shortest script.

mod endings;
mod instants;
mod key;
mod left;
mod meet;
mod moves;
mod open;
mod parts;
mod space;
mod stops;
mod trace;
mod values;
mod walk;
mod witness;

pub use endings::{Ending, Endings, all_endings};
pub use key::compared_age;
pub use meet::{Met, MetBounds, meet_bounds};
pub use parts::{GuardWord, Part, Parts};
pub use space::{Choice, FactName, FactSpace, Question};
pub use walk::{Care, Go, STATES_MAX, Seen, Visitor, Walk, Walked};
pub use witness::{Witness, shell};
