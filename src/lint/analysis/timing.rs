//! The walk through a policy: where each stage stands, and when it can start.
//!
//! Two times are found for each stage. The earliest counts with every luck: a channel can fail in the
//! instant in which it starts, so only waits and the first `after` delay what follows. The other one is
//! that of the silent run, in which all that is tried is accepted and nothing is ever heard of it: there
//! only `after` leads on.

use crate::language::Policy;
use crate::language::policy::{Action, GroupKind, Strategy, TextRange, Wait};
use crate::machine::catalog::Catalog;
use crate::model::{Confirmation, Span};

use super::Place;

/// Walks through a policy.
pub(super) fn walk<'a>(policy: &'a Policy, catalog: &Catalog) -> Vec<Place<'a>> {
    let mut walk = Walk { places: Vec::new(), catalog };
    let around =
        Around { used_at: None, followed: false, written: false, parent: None, member: 0, sure: true };
    walk.strategy(&policy.strategy, &around, Turn { earliest: 0, silent: Some(0) });
    walk.places
}

struct Walk<'a, 'c> {
    places: Vec<Place<'a>>,
    catalog: &'c Catalog,
}

struct Around {
    used_at: Option<TextRange>,
    followed: bool,
    written: bool,
    parent: Option<usize>,
    member: usize,
    sure: bool,
}

/// When a stage has its turn.
#[derive(Clone, Copy)]
struct Turn {
    earliest: i64,
    silent: Option<i64>,
}

/// What is known of the stage before.
struct Before {
    id: usize,
    turn: Turn,
    is_wait: bool,
    /// The earliest instant at which it can have passed its turn on, failed or skipped.
    passes: i64,
    /// Whether it may pass its turn on although all that is tried stays silent.
    skippable: bool,
    /// Whether it may be neither reached nor failed.
    silent: bool,
    /// In the silent run: the earliest start of what was tried last, up to and with it.
    tried: Option<i64>,
    /// In the silent run: whether nothing up to and with it need have been tried.
    untried: bool,
}

/// How a strategy or stage comes out.
struct Out {
    /// The earliest instant at which it can have failed.
    fails: i64,
    /// Whether it may be neither reached nor failed.
    silent: bool,
}

impl<'a> Walk<'a, '_> {
    fn strategy(&mut self, of: &'a Strategy, around: &Around, start: Turn) -> Out {
        let mut before: Option<Before> = None;
        let (mut fails, mut silent) = (start.earliest, false);
        let last = of.stages.len().saturating_sub(1);
        for (index, stage) in of.stages.iter().enumerate() {
            let is_wait = matches!(stage.action, Action::Wait(_));
            let turn = match &before {
                None => start.later(stage.after.map_or(0, Span::ms)),
                Some(before) => before.next(stage.after, is_wait),
            };
            let id = self.places.len();
            let guarded = stage.only_if.is_some() || stage.unless.is_some();
            let (route, goal) = self.route(&stage.action);
            let at = around.used_at.clone().unwrap_or_else(|| stage.at.clone());
            let followed = around.followed || index < last;
            let written = around.written || index < last;
            let sure = around.sure && !guarded && turn.silent.is_some();
            if let Some(before) = &before {
                self.places[before.id].next = Some(id);
            }
            let no_route = route.is_empty();
            self.places.push(Place {
                id,
                stage,
                at: at.clone(),
                used: around.used_at.is_some(),
                followed,
                followed_where_written: written,
                parent: around.parent,
                member: around.member,
                index,
                before: before.as_ref().map(|before| before.id),
                next: None,
                route,
                goal,
                earliest: turn.earliest,
                silent: turn.silent,
                sure,
                can_be_silent: false,
            });
            let out = match &stage.action {
                Action::Channel(_) => Out {
                    fails: turn.earliest,
                    silent: !no_route && goal.is_some_and(|goal| goal > Confirmation::Accepted),
                },
                Action::Wait(wait) => Out { fails: turn.earliest.saturating_add(least(wait)), silent: false },
                Action::Group { kind, members } => {
                    let inside = |member| Around {
                        used_at: around.used_at.clone(),
                        followed,
                        written,
                        parent: Some(id),
                        member,
                        sure,
                    };
                    let outs = members.iter().enumerate().map(|(n, m)| self.strategy(m, &inside(n), turn));
                    let outs: Vec<Out> = outs.collect();
                    let fails = outs.iter().map(|out| out.fails);
                    match kind {
                        GroupKind::Any => Out {
                            fails: fails.max().unwrap_or(turn.earliest),
                            silent: outs.iter().all(|out| out.silent),
                        },
                        GroupKind::All => Out {
                            fails: fails.min().unwrap_or(turn.earliest),
                            silent: outs.iter().any(|out| out.silent),
                        },
                    }
                }
                Action::Use { strategy, .. } => {
                    let used_at = Some(at.clone());
                    let inside =
                        Around { used_at, followed, written: false, parent: Some(id), member: 0, sure };
                    self.strategy(strategy, &inside, turn)
                }
            };
            self.places[id].can_be_silent = out.silent;
            let skippable = guarded || (goal.is_some() && no_route);
            let tried = if is_wait { turn.later(wait_of(&stage.action)).silent } else { turn.silent };
            let (tried_before, untried_before) =
                before.as_ref().map_or((None, true), |before| (before.tried, before.untried));
            let now = Before {
                id,
                turn,
                is_wait,
                passes: if skippable { turn.earliest } else { out.fails },
                skippable,
                silent: out.silent,
                tried: if skippable { [tried, tried_before].into_iter().flatten().min() } else { tried },
                untried: skippable && untried_before,
            };
            fails = now.passes;
            silent |= out.silent;
            before = Some(now);
        }
        Out { fails, silent }
    }

    fn route(&self, action: &Action) -> (Vec<crate::machine::facts::RouteProvider>, Option<Confirmation>) {
        let Action::Channel(channel) = action else { return (Vec::new(), None) };
        let route = self.catalog.route(channel.channel, &channel.route);
        let usual = channel.channel.default_confirmations().contains(&Confirmation::Delivered);
        let confirmed = route.iter().any(|provider| provider.confirms.contains(&Confirmation::Delivered));
        let delivers = if route.is_empty() { usual } else { confirmed };
        let goal =
            channel.until.unwrap_or(if delivers { Confirmation::Delivered } else { Confirmation::Accepted });
        (route, Some(goal))
    }
}

impl Turn {
    fn later(self, ms: i64) -> Turn {
        Turn {
            earliest: self.earliest.saturating_add(ms),
            silent: self.silent.map(|silent| silent.saturating_add(ms)),
        }
    }
}

impl Before {
    /// When the stage after it has its turn.
    fn next(&self, after: Option<Span>, is_wait: bool) -> Turn {
        let patience = after.map_or(0, Span::ms);
        if self.is_wait {
            // What `tried` says of a wait is its end; a wait is always over.
            let turn = Turn { earliest: self.passes, silent: self.turn.silent.and(self.tried) };
            return turn.later(patience);
        }
        let goes_on = self.silent || self.skippable;
        if is_wait {
            return Turn { earliest: self.turn.earliest, silent: self.turn.silent.filter(|_| goes_on) };
        }
        let by_clock = after.map(|after| self.turn.earliest.saturating_add(after.ms()));
        let earliest = by_clock.map_or(self.passes, |clock| clock.min(self.passes));
        let behind_silence = after.filter(|_| self.silent).and(self.turn.silent);
        let behind_silence = behind_silence.map(|start| start.saturating_add(patience));
        let behind_skip = self.turn.silent.filter(|_| self.skippable).map(|turn| match (after, self.tried) {
            (Some(_), Some(tried)) if !self.untried => turn.max(tried.saturating_add(patience)),
            _ => turn,
        });
        Turn { earliest, silent: [behind_silence, behind_skip].into_iter().flatten().min() }
    }
}

fn wait_of(action: &Action) -> i64 {
    match action {
        Action::Wait(wait) => least(wait),
        Action::Channel(_) | Action::Group { .. } | Action::Use { .. } => 0,
    }
}

/// The shortest time that a wait can last.
fn least(wait: &Wait) -> i64 {
    match wait {
        Wait::For(span) => span.ms(),
        Wait::Until { .. } => 0,
    }
}
