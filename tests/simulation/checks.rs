//! The checks by name, and what must always hold that each belongs to.

macro_rules! checks {
    ($($name:ident, $invariant:literal, $words:literal;)*) => {
        /// What is looked for after a history.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Check { $($name,)* }

        impl Check {
            /// The number of what must always hold.
            pub(crate) const fn invariant(self) -> u8 {
                match self { $(Check::$name => $invariant,)* }
            }

            /// Its name, which says what holds.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Check::$name => $words,)* }
            }
        }
    };
}

checks! {
    AllEnds, 1, "nothing is left to do";
    AnsweredStands, 1, "what was answered stands";
    Ended, 1, "a message has ended";
    Outcomes, 1, "an attempt has an outcome";
    IntentFirst, 2, "the intent is durable at the call";
    CallsCounted, 2, "no more calls than intents";
    CallHasRow, 2, "a call has a row";
    Readable, 3, "the rows can be read";
    Replay, 3, "chain and replay";
    TransitionOnce, 3, "a transition is written once";
    EndTold, 3, "a transition tells of the end";
    OneId, 4, "one id for a request";
    OneMessage, 4, "one message for a key";
    OneAnswer, 4, "one answer for a key";
    SendsAgree, 4, "what the gateway took counts as sent";
    QuotaKept, 4, "no more passes than a quota lets";
    NoPlaceHeld, 4, "no place is left held";
    NothingBeforeStart, 5, "nothing before the start";
    NothingAfterEnd, 5, "nothing after the end";
    TimeForward, 5, "time goes forward";
    PolicyTimes, 5, "a stage waits for its time";
    CalledInTime, 5, "a call waits for its time";
    EventNumbers, 6, "events are numbered without gaps";
    EventTold, 6, "an event is taken or a dead letter";
    OneTeller, 6, "no try by two nodes at once";
    OwnScope, 7, "a message stands in its own scope alone";
    EndsWritten, 8, "an end is written once";
    EndsStand, 8, "an end stands as it was written";
    AuditChain, 9, "the chain of the audit";
    AuditWhole, 9, "the audit holds what was added";
}
