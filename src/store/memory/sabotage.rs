//! The store, broken on purpose: what a simulation must find, or it proves nothing.

/// One promise that the store does not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sabotage {
    /// A commit is written whichever version of the message its caller has seen, and whatever became
    /// of the caller's lease.
    DropsTheFence,
    /// What a node owns whose lease holds is adopted all the same.
    ForgetsTheLease,
    /// The records of idempotency keys are not looked at.
    ForgetsKeys,
    /// The limits of quotas are not looked at.
    ForgetsLimits,
    /// A commit is answered before it is durable, and a crash of the store loses it.
    AnswersTooEarly,
    /// A commit is answered at once and written a little later.
    WritesLater,
    /// A message that begins is not written, and is answered as if it were.
    LosesMessages,
    /// A transition is written twice.
    WritesTwice,
    /// A transition is left out.
    SkipsATransition,
    /// An event is left out.
    DropsAnEvent,
    /// A row is written to another scope too.
    LeaksToAnotherScope,
    /// An end is changed by whatever comes later.
    ChangesAnEnd,
    /// An entry of the audit is written over.
    RewritesTheAudit,
    /// Each of two nodes gets the same duty.
    SharesClaims,
}

impl Sabotage {
    /// All of them.
    pub const ALL: &'static [Sabotage] = &[
        Sabotage::DropsTheFence,
        Sabotage::ForgetsTheLease,
        Sabotage::ForgetsKeys,
        Sabotage::ForgetsLimits,
        Sabotage::AnswersTooEarly,
        Sabotage::WritesLater,
        Sabotage::LosesMessages,
        Sabotage::WritesTwice,
        Sabotage::SkipsATransition,
        Sabotage::DropsAnEvent,
        Sabotage::LeaksToAnotherScope,
        Sabotage::ChangesAnEnd,
        Sabotage::RewritesTheAudit,
        Sabotage::SharesClaims,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Sabotage::DropsTheFence => "drops-the-fence",
            Sabotage::ForgetsTheLease => "forgets-the-lease",
            Sabotage::ForgetsKeys => "forgets-keys",
            Sabotage::ForgetsLimits => "forgets-limits",
            Sabotage::AnswersTooEarly => "answers-too-early",
            Sabotage::WritesLater => "writes-later",
            Sabotage::LosesMessages => "loses-messages",
            Sabotage::WritesTwice => "writes-twice",
            Sabotage::SkipsATransition => "skips-a-transition",
            Sabotage::DropsAnEvent => "drops-an-event",
            Sabotage::LeaksToAnotherScope => "leaks-to-another-scope",
            Sabotage::ChangesAnEnd => "changes-an-end",
            Sabotage::RewritesTheAudit => "rewrites-the-audit",
            Sabotage::SharesClaims => "shares-claims",
        }
    }
}
