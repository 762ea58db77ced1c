//! How wide a text is, and where it is broken.

/// Widths of the printable ASCII characters, from the blank on, in thousandths of the font size: those
/// of a wide sans-serif face, so that a text fits in whichever the reader's machine has.
const WIDTHS: [u16; 95] = [
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636,
    636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632, 575, 775, 752, 295,
    295, 656, 557, 863, 748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838,
    500, 500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521,
    392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838,
];
/// Of every other character.
const WIDTH_ELSEWHERE: u16 = 1_000;
/// By how much bold letters are wider.
const BOLD: f64 = 1.12;

/// The width of a text in pixels.
pub(super) fn width(text: &str, size: f64, bold: bool) -> f64 {
    let of = |c: char| {
        let place = usize::try_from(u32::from(c)).ok().and_then(|code| code.checked_sub(32));
        place.and_then(|place| WIDTHS.get(place)).copied().unwrap_or(WIDTH_ELSEWHERE)
    };
    let thousandths: u32 = text.chars().map(|c| u32::from(of(c))).sum();
    f64::from(thousandths) / 1_000.0 * size * if bold { BOLD } else { 1.0 }
}

/// Lines no wider than `most`, broken at blanks, and within a word only where it is wider itself.
pub(super) fn wrapped(text: &str, size: f64, bold: bool, most: f64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if width(&joined, size, bold) <= most {
            line = joined;
            continue;
        }
        if !line.is_empty() {
            let rest = before_link(&line).map_or_else(String::new, |at| line.split_off(at));
            lines.push(line.trim_end().to_owned());
            line = rest;
            let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if width(&joined, size, bold) <= most {
                line = joined;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
        }
        for c in word.chars() {
            line.push(c);
            if width(&line, size, bold) > most {
                line.pop();
                lines.push(std::mem::replace(&mut line, c.to_string()));
            }
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Where a full line is better broken: before the last `and` or `or`, if not much of it is lost.
fn before_link(line: &str) -> Option<usize> {
    let at = [" and ", " or "].into_iter().filter_map(|link| line.rfind(link)).max()? + 1;
    (at * 2 >= line.len()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_blanks_and_hold_all_of_the_text() {
        let text = "unless quota or opted_out and contact.a_very_long_name_that_has_no_blank is \"日本\"";
        for most in [40.0, 80.0, 200.0] {
            let lines = wrapped(text, 12.0, false, most);
            assert!(lines.iter().all(|line| width(line, 12.0, false) <= most), "{lines:?}");
            let whole = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            assert_eq!(whole(&lines.concat()), whole(text));
        }
        let guard = "only if vars.amount >= 50 and contact has sms";
        assert_eq!(wrapped(guard, 12.0, false, 240.0), ["only if vars.amount >= 50", "and contact has sms"]);
        assert_eq!(wrapped("one two", 12.0, false, 1_000.0), ["one two"]);
        assert_eq!(wrapped("", 12.0, false, 10.0), [""; 0]);
    }
}
