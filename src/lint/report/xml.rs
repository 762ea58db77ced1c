//! Text in XML.

/// Text for an attribute or between elements. What XML 1.0 has no way to write becomes `U+FFFD`.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\t' => out.push_str("&#9;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn everything_that_means_something_is_escaped() {
        assert_eq!(super::escaped("a<b>&\"'\n\u{1}ä"), "a&lt;b&gt;&amp;&quot;&apos;&#10;\u{fffd}ä");
    }
}
