//! What starts together, and what was sent before.

use crate::language::condition::Expr;
use crate::language::policy::{Action, GroupKind};

use super::{Analysis, Place, Strict, Table};

impl<'a> Analysis<'a> {
    /// The stages from one up to another around it, that one left out.
    fn up_to(&self, id: usize, end: Option<usize>) -> impl Iterator<Item = &Place<'a>> {
        self.around(id).take_while(move |place| Some(place.id) != end)
    }

    /// The first stage that a group needs and that comes too late for a limit: those that start with the
    /// group before it use it up.
    pub(in crate::lint) fn cut_in_group(&self, group: usize, limit: u32) -> Option<&Place<'a>> {
        let mut sent = 0_u32;
        for place in self.places().iter().skip(group + 1).take_while(|place| self.is_inside(place.id, group))
        {
            let mut way = self.up_to(place.id, Some(group));
            if place.channel().is_none() || !way.all(|one| at_once(one) && !one.is_guarded()) {
                continue;
            }
            let needed = self
                .up_to(place.id, Some(group))
                .skip(1)
                .all(|around| !matches!(&around.stage.action, Action::Group { kind: GroupKind::Any, .. }));
            if needed && sent >= limit {
                return Some(place);
            }
            sent = sent.saturating_add(1);
        }
        None
    }

    fn is_inside(&self, id: usize, group: usize) -> bool {
        self.around(id).skip(1).any(|place| place.id == group)
    }

    /// Whether two stages start in the instant in which a group around both starts.
    pub(in crate::lint) fn start_together(&self, one: usize, other: usize) -> bool {
        let Some((mine, their)) = self.parting(one, other) else { return false };
        let from_the_start = |id: usize, last: &Place<'a>| self.up_to(id, last.parent).all(at_once);
        mine.member != their.member && from_the_start(one, mine) && from_the_start(other, their)
    }

    /// Whether the conditions of two stages, and of what is around them, let both start in one message.
    pub(in crate::lint) fn both_may_start(&self, one: usize, other: usize) -> bool {
        let around = self.around(one).chain(self.around(other));
        let wanted: Vec<(&Expr, bool)> =
            around.flat_map(Analysis::guards).map(|(condition, so)| (&condition.expr, so)).collect();
        let exprs: Vec<&Expr> = wanted.iter().map(|(condition, _)| *condition).collect();
        let table = Table::of(&exprs, &self.scope(None, Strict::Logic));
        table.is_some_and(|table| table.allows(&wanted))
    }
}

/// Whether a stage starts in the instant in which its strategy does.
fn at_once(place: &Place<'_>) -> bool {
    place.index == 0 && place.stage.after.is_none()
}
