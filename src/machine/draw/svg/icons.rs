//! A small mark for each channel, drawn in lines within 16 by 16.

use crate::model::Channel;

/// The path of a channel's mark.
pub(super) fn path(channel: Channel) -> &'static str {
    match channel {
        // A speech bubble with three lines of talk in it.
        Channel::Sms => "M2 3h12v8H8l-3 3v-3H2zM5 6h6M5 8.5h4",
        // A round bubble with a tick.
        Channel::Whatsapp => "M2.5 13.5l.9-3A6 6 0 1 1 5.6 12.7zM5.5 8l2 2 3.5-4",
        Channel::Email => "M1.5 3.5h13v9h-13zM1.5 4l6.5 5 6.5-5",
        // A bell.
        Channel::Push => "M8 2a4 4 0 0 1 4 4v3l1.5 2.5h-11L4 9V6a4 4 0 0 1 4-4zM6.5 13.5h3",
        // A receiver.
        Channel::Voice => {
            "M3 2.5l2.5-.5 1.5 3.5-1.5 1.2a8 8 0 0 0 3.8 3.8L10.500 9l3.500 1.500-.5 2.500c-.1.6-.6 1-1.200 1C7 14 2 9 2 3.700c0-.6.4-1.100 1-1.200z"
        }
        Channel::Slack => "M6 2L5 14M11 2l-1 12M2.5 5.500h11.500M2 10.500h11.500",
        // A paper plane.
        Channel::Telegram => {
            "M1.500 8L14.500 2.500 12 13.500 7.500 10.500zM7.500 10.500L14.500 2.500M7.500 10.500V14l2-2.200"
        }
        // Two links of a chain.
        Channel::Webhook => "M6 5H5a3 3 0 0 0 0 6h1.500M10 5h1a3 3 0 0 1 0 6H9.500M5.500 8h5",
    }
}

/// A clock.
pub(super) const CLOCK: &str = "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zM8 4.500V8l2.500 1.500";
