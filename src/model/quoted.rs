//! A user's own text in a message.

/// How many letters of it are shown.
const CHARS_MAX: usize = 40;

/// The user's text in backticks, on one line, cut where it is long.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("`");
    let mut chars = text.trim().chars();
    for c in chars.by_ref().take(CHARS_MAX) {
        out.push(if c.is_control() || c == '`' { ' ' } else { c });
    }
    if chars.next().is_some() {
        out.push('…');
    }
    out.push('`');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_text_stays_on_one_line_and_short() {
        assert_eq!(quoted("a\nb"), "`a b`");
        assert_eq!(quoted(&"x".repeat(100)).chars().count(), CHARS_MAX + 3);
    }

    #[test]
    fn every_fault_of_a_value_is_short_however_long_the_value() {
        let long = "9\0".repeat(300);
        let told = [
            long.parse::<crate::model::Span>().unwrap_err().to_string(),
            "9".repeat(300).parse::<crate::model::Span>().unwrap_err().to_string(),
            long.parse::<crate::model::Instant>().unwrap_err().to_string(),
            long.parse::<crate::model::TimeOfDay>().unwrap_err().to_string(),
            long.parse::<crate::model::Currency>().unwrap_err().to_string(),
            crate::model::Money::parse_amount(&long).unwrap_err().to_string(),
            long.parse::<crate::model::Channel>().unwrap_err().to_string(),
            long.parse::<crate::model::Id<crate::model::kinds::Message>>().unwrap_err().to_string(),
        ];
        for told in told {
            assert!(told.chars().count() < 250 && !told.contains(char::is_control), "{told:?}");
        }
    }
}
