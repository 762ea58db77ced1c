//! A history: all that is decided beforehand, as a list from which anything can be left out.

use super::random::Random;

/// The policies of the world, by name, and how they are chosen. Their times are short, so that a
/// history is.
pub(crate) const POLICIES: &[(&str, &str)] = &[
    ("one", "sms"),
    ("fallback", "sms then email after 10s"),
    ("read", "whatsapp until read then sms after 8s then voice after 20s"),
    ("any", "any of (push, sms) then email after 12s"),
    ("all", "all of (email then push after 4s unless replied, sms)"),
    ("route", "sms via a or b retry 2 times every 3s then email via b"),
    ("split", "sms via 70% a, 30% b"),
    ("repeat", "sms until replied repeat 2 times every 6s then email after 25s"),
    ("wait", "sms then wait 9s then email"),
    ("move", "sms on doubt move on then email"),
    ("resend", "sms on doubt resend then email after 15s"),
    ("quota", "sms unless quota then email after 5s"),
    ("has", "push if contact has push then sms after 6s"),
    (
        "bounds",
        "policy bounds {\n  expires after 25s\n  limit 2 sends, 0.25 EUR\n  sms via a then email via a after 7s then voice via a after 7s\n  otherwise fail \"nobody answered\"\n}",
    ),
    (
        "quiet",
        "policy quiet {\n  quiet 11:00 to 12:01 in UTC unless priority is urgent\n  sms then email after 5s\n}",
    ),
    (
        "never",
        "policy never {\n  quiet 00:00 to 12:00 in UTC\n  sms between 06:00 and 10:00 in UTC then email\n}",
    ),
    ("window", "email between 12:00 and 12:02 in UTC then sms after 3s"),
    ("guards", "sms then email after 4s unless delivered then voice after 4s if elapsed > 6s and sends < 3"),
    ("nested", "use fallback then voice after 20s unless read"),
    ("until", "wait until 12:03 in contact.timezone else UTC then sms"),
    ("clock", "sms then wait until 12:02 in contact.timezone then email unless replied"),
    ("nowhere", "sms via nowhere then email after 3s unless quiet"),
    (
        "silent",
        "policy silent {\n  quiet 11:00 to 12:01 in UTC unless category is otp\n  slack then sms unless quiet then wait 5s then voice\n}",
    ),
    ("tripped", "sms via a retry 3 times every 1s then sms via a unless tripped then email via b"),
    (
        "seen",
        "sms until replied then wait 6s then voice until replied unless read then push unless replied then email unless delivered",
    ),
    ("valid", "sms valid 10s until delivered then any of (whatsapp, email then voice after 5s) after 12s"),
    ("groups", "all of (sms then email after 6s, push unless tripped) then voice after 30s"),
    ("backoff", "email via a retry 3 times backoff 1s to 4s then sms via b if priority >= high"),
];

/// What the sandbox's providers do.
const SANDBOX: &[&str] = &[
    "accepted, delivered after 2s",
    "transient x2 then accepted, read after 5s",
    "in doubt then accepted, delivered after 1s",
    "accepted after 3s, failed after 4s",
    "rate limited for 4s then accepted",
    "recipient fault",
    "account fault",
    "accepted",
];

/// What a gateway does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// Takes it and says so.
    Accept,
    /// Takes it, and the answer never comes: the connection breaks.
    TakeAndBreak,
    /// Takes it and says nothing, until the caller gives up.
    TakeAndHang,
    /// Does not take it, and the connection breaks all the same.
    Break,
    /// Cannot be reached.
    NotThere,
    /// 503.
    Unavailable,
    /// 429, for so many seconds.
    TooMany(u32),
    /// 500 with something that is no answer.
    Garbage,
    /// Takes it, and answers with something that is no answer and status 200.
    TakeAndBabble,
    /// Refuses the recipient.
    Recipient,
    /// Refuses the content.
    Content,
    /// Refuses us.
    Account,
}

/// What comes later about a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Later {
    Delivered,
    Read,
    Failed,
    Replied,
}

/// By what a receipt names its send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// By our id.
    Attempt,
    /// By the gateway's.
    Gateway,
    /// By an id that nobody gave.
    Nobody,
    /// By no text at all.
    Empty,
}

/// A receipt or a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) what: Later,
    /// Counted from the call, so that it may come before its answer.
    pub(crate) after_ms: i64,
    pub(crate) named: Named,
    /// To which node it goes.
    pub(crate) node: usize,
    pub(crate) twice: bool,
}

/// One call's part of a message's script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) reaction: Reaction,
    pub(crate) after_ms: i64,
    pub(crate) receipts: Vec<Receipt>,
}

/// To whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    /// To addresses on all channels.
    Everywhere,
    /// To a phone alone.
    Phone,
    /// To one of the contacts.
    Contact(usize),
}

/// Whose message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whose {
    Live,
    Test,
    /// Another tenant's.
    Other,
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Send {
    pub(crate) whose: Whose,
    pub(crate) policy: usize,
    /// The text itself goes with the request.
    pub(crate) inline: bool,
    pub(crate) to: To,
    pub(crate) urgent: bool,
    /// On which channel it says nothing.
    pub(crate) mute: Option<&'static str>,
    pub(crate) send_at_ms: Option<i64>,
    pub(crate) expires_in_s: Option<i64>,
    /// What the gateway does with its calls; the last goes on for ever.
    pub(crate) script: Vec<Call>,
    /// Under a test key: the sandbox's script.
    pub(crate) sandbox: &'static str,
}

/// What goes wrong with a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreFault {
    Full,
    Unavailable,
    /// It is made, and its answer is lost.
    AnswerLost,
}

/// What happens at one moment. `of` is the number of a message's step in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Send(Box<Send>),
    /// The same request under the same key.
    Again {
        of: u32,
    },
    /// Another request under the same key.
    Other {
        of: u32,
    },
    Cancel {
        of: u32,
    },
    Confirm {
        of: u32,
        read: bool,
    },
    /// The node does nothing for a while.
    Pause {
        for_ms: i64,
    },
    /// It is killed, and comes back under its name.
    Kill {
        back_after_ms: i64,
    },
    /// It is stopped by its operator, and comes back.
    Stop {
        back_after_ms: i64,
    },
    Fault(StoreFault),
    /// The store stops hard.
    StoreCrash,
    Slow {
        for_ms: i64,
    },
    Quota {
        day: Option<u64>,
    },
    Consent {
        contact: usize,
        opted_out: bool,
    },
    Publish {
        policy: usize,
        source: usize,
    },
    Rate {
        per_second: Option<u32>,
    },
    Erase {
        contact: usize,
    },
    Advance {
        by_s: i64,
    },
    /// A receiver of webhooks answers so from now on.
    Receiver {
        endpoint: usize,
        mood: Mood,
    },
}

/// What a receiver of webhooks does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Takes,
    Refuses,
    TakesAndBreaks,
    Hangs,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// By which others name it.
    pub(crate) no: u32,
    pub(crate) at_ms: i64,
    /// At which node.
    pub(crate) node: usize,
    pub(crate) what: What,
}

/// A history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct History {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    /// Whether the store is one for several nodes.
    pub(crate) is_shared: bool,
    /// How long a step of the store takes at most.
    pub(crate) delay_ms: i64,
    /// How many of a hundred questions about leases, duties and adoptions fail, done or not.
    pub(crate) duties_fail: u64,
    /// How far each node's clock is ahead.
    pub(crate) ahead_ms: Vec<i64>,
    pub(crate) quota: Option<u64>,
    pub(crate) rate: Option<u32>,
    pub(crate) endpoints: usize,
    pub(crate) steps: Vec<Step>,
}

impl History {
    /// The history of a seed, on so many nodes at most; with more than one, on a store that they share.
    pub(crate) fn of(seed: u64, nodes_max: u64) -> History {
        let mut random = Random::new(seed);
        let nodes = 1 + usize::try_from(random.below(nodes_max)).unwrap_or_default();
        let mut history = History {
            seed,
            nodes,
            is_shared: nodes_max > 1 && (nodes > 1 || random.percent(50)),
            delay_ms: *random.pick(&[0, 2, 15, 80]),
            duties_fail: 0,
            ahead_ms: (0..nodes)
                .map(|_| if random.percent(30) { random.between(-150, 150) } else { 0 })
                .collect(),
            quota: random.percent(20).then(|| 1 + random.below(4)),
            rate: random.percent(15).then_some(1),
            endpoints: usize::try_from(random.below(3)).unwrap_or_default(),
            steps: Vec::new(),
        };
        let whose = match random.below(10) {
            0..7 => &[Whose::Live][..],
            7 => &[Whose::Test],
            8 => &[Whose::Live, Whose::Other],
            _ => &[Whose::Live, Whose::Test],
        };
        let messages = 1 + random.below(5);
        let troubles = random.below(6);
        let mut no = 0;
        let mut step = |at_ms, node, what| {
            no += 1;
            history.steps.push(Step { no, at_ms, node, what });
            no
        };
        let mut sent = Vec::new();
        for _ in 0..messages {
            let at = random.between(0, 15_000);
            let node = random.below(3) as usize % nodes;
            let whose = *random.pick(whose);
            sent.push((step(at, node, What::Send(Box::new(send(&mut random, whose, nodes)))), at, whose));
        }
        for (of, at, whose) in &sent {
            let of = *of;
            let later = |random: &mut Random| at + random.between(0, 25_000);
            if random.percent(25) {
                let at = at + random.between(0, 3_000);
                step(at, random.below(3) as usize % nodes, What::Again { of });
            }
            if random.percent(5) {
                step(later(&mut random), random.below(3) as usize % nodes, What::Other { of });
            }
            if random.percent(15) {
                step(later(&mut random), random.below(3) as usize % nodes, What::Cancel { of });
            }
            if random.percent(15) {
                let read = random.percent(50);
                step(later(&mut random), random.below(3) as usize % nodes, What::Confirm { of, read });
            }
            if *whose == Whose::Test && random.percent(60) {
                let by_s = *random.pick(&[1, 7, 30, 3_600]);
                step(later(&mut random), random.below(3) as usize % nodes, What::Advance { by_s });
            }
        }
        for _ in 0..troubles {
            let (at, node) = (random.between(0, 30_000), random.below(3) as usize % nodes);
            step(at, node, trouble(&mut random));
        }
        history.steps.sort_by_key(|step| step.at_ms);
        if history.is_shared && random.percent(15) {
            history.duties_fail = 10;
        }
        history
    }

    /// The step of a number.
    pub(crate) fn step(&self, no: u32) -> Option<&Step> {
        self.steps.iter().find(|step| step.no == no)
    }
}

fn send(random: &mut Random, whose: Whose, nodes: usize) -> Send {
    let policy = random.below(POLICIES.len() as u64) as usize;
    let calls = 1 + random.below(4);
    Send {
        whose,
        policy,
        inline: random.percent(30) && !POLICIES[policy].1.starts_with("policy"),
        to: match random.below(10) {
            0..5 => To::Everywhere,
            5..6 => To::Phone,
            _ => To::Contact(random.below(2) as usize),
        },
        urgent: random.percent(20),
        mute: random.percent(10).then(|| *random.pick(&["sms", "email", "voice"])),
        send_at_ms: random.percent(12).then(|| random.between(-5_000, 12_000)),
        expires_in_s: random.percent(15).then(|| random.between(3, 40)),
        script: (0..calls).map(|_| call(random, nodes)).collect(),
        sandbox: SANDBOX[random.below(SANDBOX.len() as u64) as usize],
    }
}

fn call(random: &mut Random, nodes: usize) -> Call {
    use Reaction::*;
    let reaction = match random.below(100) {
        0..58 => Accept,
        58..64 => TakeAndBreak,
        64..67 => TakeAndHang,
        67..70 => Break,
        70..74 => NotThere,
        74..81 => Unavailable,
        81..85 => TooMany(1 + random.below(6) as u32),
        85..87 => Garbage,
        87..89 => TakeAndBabble,
        89..93 => Recipient,
        93..96 => Content,
        _ => Account,
    };
    let after_ms = match random.below(4) {
        0 => 0,
        1 => random.between(1, 50),
        2 => random.between(50, 2_000),
        _ => random.between(2_000, 12_000),
    };
    let mut receipts = Vec::new();
    for _ in 0..random.below(4) {
        receipts.push(Receipt {
            what: *random.pick(&[
                Later::Delivered,
                Later::Delivered,
                Later::Read,
                Later::Failed,
                Later::Replied,
            ]),
            after_ms: if random.percent(20) { random.between(0, 200) } else { random.between(200, 30_000) },
            named: match random.below(20) {
                0 => Named::Nobody,
                1 => Named::Empty,
                2..12 => Named::Gateway,
                _ => Named::Attempt,
            },
            node: random.below(3) as usize % nodes,
            twice: random.percent(25),
        });
    }
    Call { reaction, after_ms, receipts }
}

fn trouble(random: &mut Random) -> What {
    match random.below(100) {
        0..16 => What::Pause { for_ms: *random.pick(&[300, 4_000, 12_000, 40_000]) },
        16..34 => What::Kill { back_after_ms: *random.pick(&[0, 500, 8_000, 25_000]) },
        34..44 => What::Stop { back_after_ms: *random.pick(&[0, 1_000, 15_000]) },
        44..50 => What::Fault(StoreFault::AnswerLost),
        50..56 => What::Fault(StoreFault::Unavailable),
        56..60 => What::Fault(StoreFault::Full),
        60..64 => What::StoreCrash,
        64..69 => What::Slow { for_ms: random.between(500, 6_000) },
        69..74 => What::Quota { day: random.percent(70).then(|| random.below(4)) },
        74..80 => What::Consent { contact: random.below(2) as usize, opted_out: random.percent(70) },
        80..85 => {
            let policy = random.below(3) as usize;
            What::Publish { policy, source: random.below(12) as usize }
        }
        85..88 => What::Rate { per_second: random.percent(50).then_some(1) },
        88..91 => What::Erase { contact: random.below(2) as usize },
        _ => What::Receiver {
            endpoint: random.below(2) as usize,
            mood: *random.pick(&[Mood::Refuses, Mood::TakesAndBreaks, Mood::Hangs, Mood::Takes]),
        },
    }
}
