//! Faults that others had, as histories by name: each is decided to the last step.

use super::history::{
    Call, History, Later, Mood, Named, POLICIES, Reaction, Receipt, Send, Step, StoreFault, To, What, Whose,
};

/// A history and what it is about.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) history: History,
}

fn policy(name: &str) -> usize {
    POLICIES.iter().position(|(known, _)| *known == name).expect("a policy of the world")
}

fn plain(after_ms: i64) -> Call {
    Call { reaction: Reaction::Accept, after_ms, receipts: Vec::new() }
}

fn receipt(what: Later, after_ms: i64, node: usize) -> Receipt {
    Receipt { what, after_ms, named: Named::Attempt, node, twice: false }
}

fn send(name: &str, script: Vec<Call>) -> What {
    What::Send(Box::new(Send {
        whose: Whose::Live,
        policy: policy(name),
        inline: false,
        to: To::Everywhere,
        urgent: false,
        mute: None,
        send_at_ms: None,
        expires_in_s: None,
        script,
        sandbox: "accepted",
    }))
}

/// A message under the test key.
fn scripted(name: &str, sandbox: &'static str) -> What {
    match send(name, vec![plain(50)]) {
        What::Send(send) => What::Send(Box::new(Send { whose: Whose::Test, sandbox, ..*send })),
        other => other,
    }
}

fn history(nodes: usize, steps: Vec<(i64, usize, What)>) -> History {
    let steps = (1_u32..).zip(steps).map(|(no, (at_ms, node, what))| Step { no, at_ms, node, what });
    History {
        seed: 7,
        nodes,
        is_shared: nodes > 1,
        delay_ms: 15,
        duties_fail: 0,
        ahead_ms: vec![0; nodes],
        quota: None,
        rate: None,
        endpoints: 1,
        steps: steps.collect(),
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    let case = |name, about, history: History| Case { name, about, history };
    vec![
        case(
            "a rescuer overwrites what is completed",
            "a node is paused in the middle of a call; another adopts the message and ends it; the first comes \
             back with the answer that it got, and must not write it over the end",
            history(
                2,
                vec![
                    (
                        0,
                        0,
                        send(
                            "one",
                            vec![
                                plain(300),
                                Call { receipts: vec![receipt(Later::Delivered, 14_000, 1)], ..plain(50) },
                            ],
                        ),
                    ),
                    (200, 0, What::Pause { for_ms: 25_000 }),
                ],
            ),
        ),
        case(
            "a message is adopted while its owner still runs",
            "the owner is paused past its lease, and goes on with timers and a call of its own while the other \
             has the message",
            history(
                2,
                vec![
                    (0, 0, send("fallback", vec![plain(9_000), plain(20)])),
                    (8_500, 0, What::Pause { for_ms: 11_500 }),
                    (21_000, 1, What::Cancel { of: 1 }),
                ],
            ),
        ),
        case(
            "a node comes back under the old name",
            "a killed node starts again at once, while its own lease still holds: it is another one, and waits \
             for what the first one had",
            history(
                2,
                vec![
                    (0, 0, send("fallback", vec![plain(4_000), plain(20)])),
                    (1_000, 0, What::Kill { back_after_ms: 0 }),
                    (2_000, 0, What::Again { of: 1 }),
                    (2_500, 0, What::Confirm { of: 1, read: false }),
                ],
            ),
        ),
        case(
            "recovery runs what is alive",
            "a second node starts while the first one's call is under way: it is no call of a dead process",
            history(
                2,
                vec![
                    (0, 1, What::Kill { back_after_ms: 3_000 }),
                    (
                        2_000,
                        0,
                        send(
                            "one",
                            vec![Call {
                                receipts: vec![receipt(Later::Delivered, 9_000, 1)],
                                ..plain(8_000)
                            }],
                        ),
                    ),
                ],
            ),
        ),
        case(
            "recovery runs what is alive, whose call then fails",
            "the same; the first call fails, late. Had the second node called again under the same key, what it \
             sent would count as not sent, and be sent once more",
            history(
                2,
                vec![
                    (0, 1, What::Kill { back_after_ms: 3_000 }),
                    (
                        2_000,
                        0,
                        send(
                            "one",
                            vec![
                                Call { reaction: Reaction::NotThere, ..plain(8_000) },
                                plain(12_000),
                                plain(50),
                            ],
                        ),
                    ),
                ],
            ),
        ),
        case(
            "two nodes change what has ended",
            "one has a call of a message under way that has ended; another is sent a receipt for it, and leaves it to \
             the first one, which then gets its answer",
            history(
                2,
                vec![(
                    0,
                    0,
                    send(
                        "one",
                        vec![Call {
                            reaction: Reaction::TakeAndHang,
                            after_ms: 5,
                            receipts: vec![
                                receipt(Later::Delivered, 1_000, 0),
                                receipt(Later::Read, 2_000, 1),
                                receipt(Later::Replied, 16_000, 1),
                            ],
                        }],
                    ),
                )],
            ),
        ),
        case(
            "two nodes change a message at once",
            "one says what a script says of its messages, while the other takes them over for the test clock: each \
             has seen the same version, and one of them writes",
            history(2, {
                let sends =
                    (0..40).map(|place| (place * 60, 0, scripted("read", "accepted, delivered after 2s")));
                let moves = (0..10).map(|place| (2_010 + place * 170, 1, What::Advance { by_s: 1 }));
                sends.chain(moves).collect()
            }),
        ),
        case(
            "two replies to one message come to two nodes at once",
            "the message has ended, so any node may write what comes; each decides on the same version, and gives \
             its event the same number: one of them writes, and the other decides anew",
            History {
                delay_ms: 80,
                ..history(2, {
                    let reply =
                        |named, after_ms, node| Receipt { named, ..receipt(Later::Replied, after_ms, node) };
                    let replies = [
                        reply(Named::Attempt, 1_000, 0),
                        reply(Named::Gateway, 3_000, 0),
                        reply(Named::Nobody, 3_000, 1),
                    ];
                    let call = Call { receipts: replies.to_vec(), ..plain(5) };
                    (0..4).map(|place| (place * 700, 0, send("one", vec![call.clone()]))).collect()
                })
            },
        ),
        case(
            "a use of a quota is forgotten with its call",
            "a message ends while its call is under way, and the node dies: what the gateway took is a use all \
             the same",
            History {
                quota: Some(1),
                ..history(
                    1,
                    vec![
                        (0, 0, send("one", vec![Call { reaction: Reaction::TakeAndHang, ..plain(5) }])),
                        (1_000, 0, What::Cancel { of: 1 }),
                        (3_000, 0, What::Kill { back_after_ms: 500 }),
                        (5_000, 0, send("one", vec![plain(5)])),
                    ],
                )
            },
        ),
        case(
            "a clock that is behind goes on with a message",
            "the clock of who takes a message in is ahead of who goes on with it: within the message, time does \
             not go back",
            History {
                ahead_ms: vec![150, -150],
                delay_ms: 0,
                ..history(
                    2,
                    vec![
                        (0, 0, What::Fault(StoreFault::AnswerLost)),
                        (
                            4_000,
                            0,
                            send(
                                "one",
                                vec![
                                    Call { reaction: Reaction::TooMany(4), ..plain(17) },
                                    Call { reaction: Reaction::TooMany(4), ..plain(17) },
                                    plain(5),
                                ],
                            ),
                        ),
                    ],
                )
            },
        ),
        case(
            "two nodes take the last place of a quota",
            "each is asked for a message at the same instant, and knows of no use: one of them passes",
            History {
                quota: Some(1),
                ..history(
                    2,
                    vec![(1_000, 0, send("one", vec![plain(5)])), (1_000, 1, send("one", vec![plain(5)]))],
                )
            },
        ),
        case(
            "recovery of a lone node",
            "a node dies with a call under way and comes back: the call is in doubt and made again under its key",
            history(
                1,
                vec![
                    (0, 0, send("fallback", vec![plain(8_000), plain(20)])),
                    (3_000, 0, What::Kill { back_after_ms: 500 }),
                    (9_000, 0, What::Kill { back_after_ms: 500 }),
                ],
            ),
        ),
        case(
            "an empty id makes a ghost",
            "receipts and replies with an empty id, or with one that nobody gave, belong to no message",
            history(
                1,
                vec![(
                    0,
                    0,
                    send(
                        "one",
                        vec![Call {
                            receipts: [Named::Empty, Named::Nobody, Named::Empty]
                                .into_iter()
                                .zip([Later::Delivered, Later::Read, Later::Replied])
                                .map(|(named, what)| Receipt { named, ..receipt(what, 500, 0) })
                                .collect(),
                            ..plain(100)
                        }],
                    ),
                )],
            ),
        ),
        case(
            "a retry whose time lies in the past is never picked up",
            "a retry, a fallback and a send whose time passes while the node is down are taken up when it is back",
            history(
                1,
                vec![
                    (0, 0, send("route", vec![Call { reaction: Reaction::Unavailable, ..plain(5) }])),
                    (10, 0, send("fallback", vec![plain(5)])),
                    (20, 0, {
                        let What::Send(mut later) = send("one", vec![plain(5)]) else { unreachable!() };
                        later.send_at_ms = Some(3_000);
                        What::Send(later)
                    }),
                    (500, 0, What::Kill { back_after_ms: 30_000 }),
                ],
            ),
        ),
        case(
            "a retry whose time lies in the past is never picked up by another node",
            "the same, where the one that is down does not come back before another takes over",
            history(
                2,
                vec![
                    (0, 0, send("route", vec![Call { reaction: Reaction::Unavailable, ..plain(5) }])),
                    (10, 0, send("fallback", vec![plain(5)])),
                    (500, 0, What::Kill { back_after_ms: 40_000 }),
                ],
            ),
        ),
        case(
            "a commit was made and its answer was lost",
            "whoever asked does so again under the same key; whoever was calling is in doubt",
            history(
                1,
                vec![
                    (0, 0, What::Fault(StoreFault::AnswerLost)),
                    (1_000, 0, send("fallback", vec![plain(500), plain(5)])),
                    (6_000, 0, send("one", vec![plain(900)])),
                    (6_400, 0, What::Fault(StoreFault::AnswerLost)),
                    (12_000, 0, What::Fault(StoreFault::AnswerLost)),
                    (12_100, 0, What::Cancel { of: 2 }),
                ],
            ),
        ),
        case(
            "the last place of a quota is taken twice",
            "a send in doubt has the one place that the quota has left, and its policy sends anew: the new send \
             is no part of it",
            History {
                quota: Some(1),
                ..history(
                    1,
                    vec![(0, 0, send("resend", vec![Call { reaction: Reaction::TakeAndBreak, ..plain(5) }]))],
                )
            },
        ),
        case(
            "the last place of a quota is taken twice, among several nodes",
            "the same, where the store looks at the limit: it refuses what the node decides, however often",
            History {
                quota: Some(1),
                ..history(
                    2,
                    vec![(0, 0, send("resend", vec![Call { reaction: Reaction::TakeAndBreak, ..plain(5) }]))],
                )
            },
        ),
        case(
            "a node ends its lease with an event on its way",
            "one is told to stop while a receiver keeps it waiting: whoever takes the endpoint over tries the \
             same event only once that try has ended",
            history(
                2,
                vec![
                    (0, 0, What::Receiver { endpoint: 0, mood: Mood::Hangs }),
                    (1_000, 0, send("one", vec![plain(5)])),
                    (1_100, 1, send("one", vec![plain(5)])),
                    (4_000, 0, What::Stop { back_after_ms: 15_000 }),
                    (26_000, 1, What::Stop { back_after_ms: 1_000 }),
                ],
            ),
        ),
        case(
            "the store stops hard in mid-commit",
            "what was not durable is gone and was not answered; what was durable stands, answered or not",
            History {
                delay_ms: 400,
                ..history(
                    1,
                    vec![
                        (100, 0, send("fallback", vec![plain(50), plain(5)])),
                        (180, 0, What::StoreCrash),
                        (300, 0, What::StoreCrash),
                        (450, 0, What::StoreCrash),
                        (900, 0, What::StoreCrash),
                        (1_700, 0, What::StoreCrash),
                        (2_600, 0, What::StoreCrash),
                    ],
                )
            },
        ),
    ]
}
