//! The engine: intake, driving of instances, timers, dispatch, receipts, recovery.
//!
//! **Knows** what a message's machine asks for, when it is due, and which provider is to be called.
//! **Does not know** HTTP of our own surface, SQL, and how a provider is spoken to.
//!
//! Each scope that is open has a desk: what is held of it in memory, one lock under which facts are
//! read and places are taken, and one task for its timers. A change of a message is decided by the
//! machine, committed, and only then followed by what it asks for.

mod advance;
mod breaker;
mod callers;
mod clock;
pub mod content;
mod decide;
mod desk;
mod dispatch;
mod doc;
mod drive;
mod export;
pub mod front;
mod health;
mod hub;
pub mod ids;
mod intake;
pub mod journal;
mod load;
mod nodes;
mod policies;
mod providers;
mod quota;
mod rate;
mod receipts;
pub mod records;
mod retention;
mod running;
mod settings;
mod show;
mod sure;
mod surface;
mod tell;
mod templates;
mod timers;
mod together;
mod verify;

pub use breaker::BreakerSettings;
pub use clock::{Clocks, RealTime, SystemTime};
pub use doc::State;
pub use export::{EXPORT_FORMAT, Lines, entry as export_entry, export, export_page, line as export_line};
pub use hub::{Beside, Engine, Setup};
pub use providers::health_of_providers;
pub use retention::Retention;
pub use settings::Settings;
pub use tell::{plain_data, read_event};
pub use verify::{Fault as AuditFault, Verified, verify, verify_some};
