//! Durations, times, windows, numbers, money, routes.

use super::fault;

fault! {
    /// A duration is missing.
    ///
    /// Durations are a number and a unit: `500ms`, `30s`, `5m`, `1h30m`, `2d`.
    MissingDuration, "missing-duration";
    true => "sms then email after",
    true => "sms then wait",
    false => "sms then email after 5m",
}

fault! {
    /// A duration is not written as durations are.
    ///
    /// A number and a unit, without a blank: `30s`, `5m`, `1h30m`, `2d`. The units are `ms`, `s`, `m`,
    /// `h` and `d`, from large to small.
    BadDuration, "bad-duration";
    true => "sms then email after 30",
    true => "sms then email after 5 minutes",
    true => "sms then email after 30m1h",
    false => "sms then email after 5m",
}

fault! {
    /// A duration is nothing.
    ///
    /// Leave the modifier out, or write a time that lasts.
    ZeroDuration, "zero-duration";
    true => "wait 0s then sms",
    false => "wait 5s then sms",
}

fault! {
    /// A duration is longer than ten years.
    ///
    /// Write a shorter one; mostly another unit was meant.
    DurationTooLong, "duration-too-long";
    true => "wait 9999d then sms",
    false => "wait 9d then sms",
}

fault! {
    /// A time of day is missing.
    ///
    /// `between` and `quiet` take two, `wait until` one: `between 08:00 and 21:00 in Europe/Berlin`.
    MissingTime, "missing-time";
    true => "sms between 08:00 in UTC",
    true => "wait until in UTC then sms",
    false => "sms between 08:00 and 21:00 in UTC",
}

fault! {
    /// A time of day is not written as times are.
    ///
    /// Hours and minutes, from `00:00` to `23:59`.
    BadTime, "bad-time";
    true => "sms between 8 and 20 in UTC",
    true => "sms between 08:00 and 24:00 in UTC",
    false => "sms between 08:00 and 20:00 in UTC",
}

fault! {
    /// A window or a `wait until` does not say in which zone its times are meant.
    ///
    /// Add `in` and a zone: `in contact.timezone else Europe/Berlin`.
    MissingZone, "missing-zone";
    true => "sms between 08:00 and 20:00",
    false => "sms between 08:00 and 20:00 in UTC",
}

fault! {
    /// The times of a window are not joined as they should be.
    ///
    /// `between` joins its times by `and`, `quiet` by `to`.
    BadWindow, "bad-window";
    true => "sms between 08:00 to 20:00 in UTC",
    false => "sms between 08:00 and 20:00 in UTC",
    false => "policy p { quiet 21:00 to 08:00 in UTC sms }",
}

fault! {
    /// A window ends when it begins.
    ///
    /// The two times must differ.
    EmptyWindow, "empty-window";
    true => "sms between 08:00 and 08:00 in UTC",
    false => "sms between 08:00 and 20:00 in UTC",
}

fault! {
    /// `wait` has words that it does not take.
    ///
    /// Write `wait 10m` or `wait until 09:00 in Europe/Berlin`.
    BadWait, "bad-wait";
    true => "wait for 10m then sms",
    false => "wait 10m then sms",
}

fault! {
    /// `valid` has words that it does not take.
    ///
    /// Write `valid 10m`.
    BadValid, "bad-valid";
    true => "sms valid for 10m",
    false => "sms valid 10m",
}

fault! {
    /// `expires` lacks its `after`.
    ///
    /// Write `expires after 2h`.
    BadExpires, "bad-expires";
    true => "policy p { expires 2h sms }",
    false => "policy p { expires after 2h sms }",
}

fault! {
    /// `retry` does not say how often and with which pauses.
    ///
    /// Write `retry 2 times every 1m` or `retry 3 times backoff 1s to 30s`.
    BadRetry, "bad-retry";
    true => "sms retry 3 times",
    true => "sms retry 3 every 1m",
    false => "sms retry 3 times every 1m",
}

fault! {
    /// `repeat` does not say how often and with which pauses.
    ///
    /// Write `repeat 2 times every 5m`.
    BadRepeat, "bad-repeat";
    true => "voice repeat 2 times",
    false => "voice repeat 2 times every 5m",
}

fault! {
    /// `on doubt` does not say what is done.
    ///
    /// Write `on doubt wait`, `on doubt move on` or `on doubt resend`.
    BadDoubt, "bad-doubt";
    true => "sms on doubt ignore",
    false => "sms on doubt resend",
}

fault! {
    /// A number is not one, or out of its range.
    ///
    /// Numbers are written in digits.
    BadNumber, "bad-number";
    true => "sms retry three times every 1m",
    true => "sms retry 500 times every 1m",
    false => "sms retry 3 times every 1m",
}

fault! {
    /// An amount of money is not written as amounts are.
    ///
    /// A number, a blank and three capital letters: `0.25 EUR`.
    BadMoney, "bad-money";
    true => "policy p { limit 0.25 € sms }",
    false => "policy p { limit 0.25 EUR sms }",
}

fault! {
    /// An amount is in another currency than the others.
    ///
    /// A scope has one currency.
    OtherCurrency, "other-currency";
    true => "policy p { limit 0.25 EUR sms if cost < 0.10 USD }",
    false => "policy p { limit 0.25 EUR sms if cost < 0.10 EUR }",
}

fault! {
    /// `limit` does not say what it allows.
    ///
    /// Write `limit 3 sends`, `limit 0.25 EUR`, or both with a comma between.
    BadLimit, "bad-limit";
    true => "policy p { limit sms }",
    true => "policy p { limit 3 messages sms }",
    false => "policy p { limit 3 sends, 0.25 EUR sms }",
}

fault! {
    /// A category is no word of small letters, digits and `_`.
    ///
    /// Write for example `category transactional`.
    BadCategory, "bad-category";
    true => "policy p { category Marketing! sms }",
    false => "policy p { category marketing sms }",
}

fault! {
    /// A var is not declared as vars are.
    ///
    /// Write `vars { time: string, amount: number optional }`.
    BadVar, "bad-var";
    true => "policy p { vars { time } sms }",
    true => "policy p { vars { time: string amount: number } sms }",
    false => "policy p { vars { time: string, amount: number optional } sms }",
}

fault! {
    /// The providers of `via` are not written as a route.
    ///
    /// Write `via a`, `via a or b`, or `via 70% a, 30% b`.
    BadRoute, "bad-route";
    true => "sms via a and b",
    true => "sms via",
    false => "sms via a or b",
}

fault! {
    /// The shares of a route do not fit.
    ///
    /// Every provider has one, whole numbers from 1 to 100 that make 100 together.
    BadShares, "bad-shares";
    true => "sms via 70% a, 20% b",
    true => "sms via 70% a, b",
    false => "sms via 70% a, 30% b",
}

fault! {
    /// A provider stands twice in one `via`.
    ///
    /// Leave one of them out.
    ProviderTwice, "provider-twice";
    true => "sms via a or a",
    false => "sms via a or b",
}
