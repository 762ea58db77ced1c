//! A machine as a picture for people.
//!
//! It shows what a tenant wrote, not every node of the graph: a stage is one box with what it says, a
//! group is a frame with its members side by side, and what leads from one stage to the next stands
//! between them in words. What reaches the person leaves to the right, what does not goes down.
//!
//! A policy is a tree of stages, so its places follow from that tree: `content` says what each box
//! holds and how large it is, `place` puts the boxes below and beside one another, `write` makes the
//! document. Nothing can overlap, and the same policy gives the same bytes.

mod content;
mod icons;
mod look;
mod place;
mod text;
mod write;

use super::super::plan::Machine;

pub(super) use content::headers;
pub use look::Theme;

/// How a picture is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SvgOptions {
    /// Its colours.
    pub theme: Theme,
}

/// Draws a machine as an SVG document.
#[must_use]
pub fn svg(machine: &Machine, options: &SvgOptions) -> String {
    write::document(machine, &place::scene(machine), options.theme)
}
