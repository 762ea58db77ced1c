//! Colours, light and dark.

use crate::model::Channel;

/// The colours of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// Light, or dark where the reader prefers that.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// What a shape or a text is, and so how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    Ground,
    Title,
    Ink,
    Muted,
    Line,
    ReachedLine,
    Frame,
    Start,
    Wait,
    Reached,
    Unreached,
    Failed,
    OnEnd,
    Channel(Channel),
    Accent(Channel),
}

/// Fill and stroke.
#[derive(Debug, Clone, Copy)]
pub(super) struct Colours {
    pub(super) fill: &'static str,
    pub(super) stroke: &'static str,
}

const NONE: &str = "none";

const fn colours(fill: &'static str, stroke: &'static str) -> Colours {
    Colours { fill, stroke }
}

impl Look {
    pub(super) fn class(self) -> String {
        match self {
            Look::Ground => "ground".to_owned(),
            Look::Title => "title".to_owned(),
            Look::Ink => "ink".to_owned(),
            Look::Muted => "muted".to_owned(),
            Look::Line => "line".to_owned(),
            Look::ReachedLine => "reached-line".to_owned(),
            Look::Frame => "frame".to_owned(),
            Look::Start => "start".to_owned(),
            Look::Wait => "wait".to_owned(),
            Look::Reached => "reached".to_owned(),
            Look::Unreached => "unreached".to_owned(),
            Look::Failed => "failed".to_owned(),
            Look::OnEnd => "on-end".to_owned(),
            Look::Channel(channel) => channel.word().to_owned(),
            Look::Accent(channel) => format!("{}-accent", channel.word()),
        }
    }

    pub(super) fn colours(self, dark: bool) -> Colours {
        match (self, dark) {
            (Look::Ground, false) => colours("#ffffff", NONE),
            (Look::Ground, true) => colours("#14171f", NONE),
            (Look::Title | Look::Ink, false) => colours("#1f2430", NONE),
            (Look::Title | Look::Ink, true) => colours("#e8ebf2", NONE),
            (Look::Muted, false) => colours("#525c6e", NONE),
            (Look::Muted, true) => colours("#a9b3c6", NONE),
            (Look::Line, false) => colours(NONE, "#7d879a"),
            (Look::Line, true) => colours(NONE, "#7f8aa1"),
            (Look::ReachedLine, false) => colours(NONE, "#2b9a5b"),
            (Look::ReachedLine, true) => colours(NONE, "#3fae70"),
            (Look::Frame, false) => colours("#f5f6f9", "#c5ccd9"),
            (Look::Frame, true) => colours("#1b202b", "#3d475a"),
            (Look::Start, false) => colours("#ffffff", "#7d879a"),
            (Look::Start, true) => colours("#1b202b", "#7f8aa1"),
            (Look::Wait, false) => colours("#ffffff", "#7d879a"),
            (Look::Wait, true) => colours("#14171f", "#7f8aa1"),
            (Look::Reached, _) => colours("#1c7c47", NONE),
            (Look::Unreached, _) => colours("#8a5a0b", NONE),
            (Look::Failed, _) => colours("#b02a44", NONE),
            (Look::OnEnd, _) => colours("#ffffff", NONE),
            (Look::Channel(channel), dark) => Self::of(channel, dark).0,
            (Look::Accent(channel), dark) => colours(Self::of(channel, dark).1, NONE),
        }
    }

    /// A channel's box, and its mark.
    fn of(channel: Channel, dark: bool) -> (Colours, &'static str) {
        let (fill, stroke) = match (channel, dark) {
            (Channel::Sms, false) => ("#e9f1fd", "#2f6fd0"),
            (Channel::Sms, true) => ("#16263f", "#6aa3f0"),
            (Channel::Whatsapp, false) => ("#e6f6ec", "#178a4c"),
            (Channel::Whatsapp, true) => ("#11301e", "#4cc381"),
            (Channel::Email, false) => ("#fdf4e3", "#b06f0c"),
            (Channel::Email, true) => ("#352711", "#e0a84a"),
            (Channel::Push, false) => ("#f2edfd", "#7a4fd0"),
            (Channel::Push, true) => ("#281e41", "#ab8df0"),
            (Channel::Voice, false) => ("#fdeff1", "#c43a57"),
            (Channel::Voice, true) => ("#3a1b23", "#ee8499"),
            (Channel::Slack, false) => ("#e4f5f5", "#12797d"),
            (Channel::Slack, true) => ("#10302f", "#4bc1c6"),
            (Channel::Telegram, false) => ("#e5f4fc", "#17799f"),
            (Channel::Telegram, true) => ("#102938", "#5bb9ea"),
            (Channel::Webhook, false) => ("#eff1f5", "#5d687e"),
            (Channel::Webhook, true) => ("#232935", "#9aa6bd"),
        };
        (colours(fill, stroke), stroke)
    }
}
