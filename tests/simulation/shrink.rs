//! A failing history made short: whatever is not needed for the failure is left out.

use super::history::{Call, History, Reaction, What};

/// Makes a history shorter while `fails` says that it fails in the same way, within so many tries.
pub(crate) fn shrunk(history: &History, tries_max: u32, mut fails: impl FnMut(&History) -> bool) -> History {
    let (mut best, mut tries) = (history.clone(), 0);
    let mut changed = true;
    while changed && tries < tries_max {
        changed = false;
        for candidate in candidates(&best) {
            tries += 1;
            if tries > tries_max {
                break;
            }
            if fails(&candidate) {
                best = candidate;
                changed = true;
                break;
            }
        }
    }
    best
}

/// Shorter ones, the much shorter first.
fn candidates(history: &History) -> Vec<History> {
    let mut all = Vec::new();
    let count = history.steps.len();
    let mut size = count / 2;
    while size > 0 {
        for from in (0..count).step_by(size) {
            let mut less = history.clone();
            less.steps.drain(from..(from + size).min(count));
            all.push(less);
        }
        size /= 2;
    }
    let mut with = |change: &dyn Fn(&mut History)| {
        let mut less = history.clone();
        change(&mut less);
        if less != *history {
            all.push(less);
        }
    };
    if history.nodes > 1 {
        with(&|less| less.nodes -= 1);
    }
    with(&|less| less.endpoints = 0);
    with(&|less| less.quota = None);
    with(&|less| less.rate = None);
    with(&|less| less.delay_ms = 0);
    with(&|less| less.duties_fail = 0);
    with(&|less| less.ahead_ms.iter_mut().for_each(|ahead| *ahead = 0));
    for place in 0..count {
        with(&|less| {
            if let What::Send(send) = &mut less.steps[place].what {
                send.script = vec![Call { reaction: Reaction::Accept, after_ms: 1, receipts: Vec::new() }];
            }
        });
        with(&|less| {
            if let What::Send(send) = &mut less.steps[place].what {
                (send.send_at_ms, send.expires_in_s, send.urgent, send.mute) = (None, None, false, None);
            }
        });
        with(&|less| {
            if let What::Send(send) = &mut less.steps[place].what {
                send.script.truncate(1);
            }
        });
        with(&|less| {
            if let What::Send(send) = &mut less.steps[place].what {
                for call in &mut send.script {
                    call.receipts.pop();
                }
            }
        });
        with(&|less| {
            if let What::Send(send) = &mut less.steps[place].what {
                send.policy = 0;
            }
        });
    }
    all
}
