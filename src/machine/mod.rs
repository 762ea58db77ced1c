//! From a checked policy to what it does.
//!
//! **Knows** the graph of a policy, the one function [`step`] that decides what happens next, the
//! instance that it takes along, the bounds of a policy, its simulator and its drawings.
//! **Does not know** who drives it: it has no clock, no randomness and no I/O. An event carries its
//! instant and the [`Facts`] of that instant; what is to be done comes back as [`Effect`]s.

mod bounds;
pub mod catalog;
mod compile;
mod draw;
mod effect;
mod event;
pub mod explore;
pub mod facts;
mod instance;
pub mod known;
mod outline;
mod plan;
pub mod replay;
mod same;
mod simulate;
mod step;
mod view;

pub use bounds::{Bounds, Start, bounds, starts};
pub use compile::compile;
pub use draw::{Drawing, DrawnEdge, DrawnNode, SvgOptions, Theme, draw, svg};
pub use effect::{Effect, Effects, Moved, Told, Transition, Was};
pub use event::{Event, What};
pub use explore::{Ending, Endings, Witness, all_endings};
pub use facts::{Facts, Recorded, Recorder};
pub use instance::{Ended, FORMAT, Instance, InstanceError, ReachedBy, SEMANTICS};
pub use outline::{Outline, OutlineAction};
pub use plan::{Machine, Node, StageId, StrategyId, Way};
pub use replay::{ChangeInput, JournalEntry, Mismatch, Replayed, WhatRecord, replay};
pub use simulate::{
    DEFAULT_CATEGORY, End, EndReason, Entry, Scenario, Timeline, simulate, simulate_recorded,
    simulate_watched,
};
pub use step::{Beginning, next_due, step};
pub use view::{StageReason, StageView};
