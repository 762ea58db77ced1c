//! Facts that stop a channel for good, and are one where nobody asks which of them it was.

use std::collections::BTreeSet;

use crate::machine::plan::Machine;
use crate::model::Channel;

use super::key::tree;
use super::open::Places;
use super::space::windows;
use super::walk::Care;

/// For each channel the facts that stop it for good, where neither a guard nor the visitor asks which of
/// them did. Those that are asked before the windows are one with each other; a quota and a breaker only
/// where no window stands between.
pub(super) fn stops(
    machine: &Machine,
    places: &Places,
    routes: &[Vec<String>],
    care: &Care,
) -> Vec<BTreeSet<usize>> {
    if care.reasons {
        return Vec::new();
    }
    let mut asked: BTreeSet<usize> = care.facts.clone();
    for id in machine.ids() {
        let stage = machine.stage(id);
        let channel = machine.channel(id).map(|channel| channel.channel);
        let route = routes.get(usize::from(id.0)).map_or(&[][..], Vec::as_slice);
        let breakers: Vec<usize> =
            route.iter().filter_map(|provider| places.breaker.get(provider)).copied().collect();
        for guard in [&stage.only_if, &stage.unless].into_iter().flatten() {
            tree(&guard.tree, places, channel, &breakers, &mut asked);
        }
    }
    if let Some(guard) = &machine.quiet_unless {
        tree(&guard.tree, places, None, &[], &mut asked);
    }
    let no_windows = windows(machine).is_empty();
    // Providers that are the only one of their stages, and stand on no other channel.
    let only = |channel: Channel| -> Option<usize> {
        let mut names: BTreeSet<&Vec<String>> = BTreeSet::new();
        let stages = machine.channel_stages().filter(|(_, stage)| stage.channel == channel);
        names.extend(stages.filter_map(|(id, _)| routes.get(usize::from(id.0))));
        let name = match names.into_iter().collect::<Vec<_>>()[..] {
            [route] if route.len() == 1 => route.first()?,
            _ => return None,
        };
        let elsewhere = machine.channel_stages().any(|(id, stage)| {
            stage.channel != channel
                && routes.get(usize::from(id.0)).is_some_and(|route| route.contains(name))
        });
        places.breaker.get(name).copied().filter(|_| !elsewhere)
    };
    let of = |channel: &Channel| {
        let mut stops: BTreeSet<usize> = BTreeSet::new();
        stops.extend(places.has.get(channel));
        stops.extend(places.opted_out.get(channel));
        if no_windows {
            stops.extend(places.quota.get(channel));
            stops.extend(only(*channel));
        }
        stops.retain(|question| !asked.contains(question));
        stops
    };
    places.has.keys().map(of).collect()
}
