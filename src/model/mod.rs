//! The words of the domain.
//!
//! **Knows** ids, channels, confirmations, outcomes, reasons, money, durations, instants, times of
//! day and windows. **Does not know** any behaviour that spans more than one of these words, any
//! I/O, any clock and any source of randomness: an instant is always handed in, and of a clock there
//! is only the trait that one must fulfil.
//!
//! [`schema`] says what is wrong with a value that does not have its form.

mod canonical;
mod clock;
mod clock_change;
mod country;
mod fault;
mod id;
mod money;
mod quoted;
pub mod schema;
mod scope;
pub mod shapes;
mod span;
mod time;
mod words;

pub use canonical::{canonical, write_canonical, write_canonical_string};
pub use clock::{Clock, Ids};
pub use clock_change::ClockChange;
pub use country::is_country;
pub use fault::Fault;
pub use id::{Id, IdError, IdKind, kinds};
pub use money::{Currency, Money, MoneyError};
pub(crate) use quoted::quoted;
pub use scope::{Environment, ScopeId};
pub use span::{Span, SpanError};
pub use time::{Days, Instant, TimeOfDay, Window, Zone, ZoneTable};
pub use words::{
    Channel, Confirmation, ContactField, Outcome, Priority, Reason, StageState, Status, UnknownWord,
};
