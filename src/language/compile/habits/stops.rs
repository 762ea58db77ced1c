//! Full stops that a keyboard sets by itself: for two blanks, with a capital letter behind them.

use crate::language::words::{ENDS, quoted};
use crate::model::Channel;

use super::Meant;
use super::text::Around;

/// `push. Then sms`: a full stop behind a stage, and a word of the language behind it.
pub(super) fn between_words(around: &Around<'_>) -> Option<Meant> {
    around.text().starts_with('.').then_some(())?;
    let stop = around.at.start..around.at.start + 1;
    let (at, word) = around.word_from(stop.end).filter(|(at, _)| at.start < around.line_end(stop.end))?;
    let small = word.to_lowercase();
    let is_known = ENDS.contains(&small.as_str()) || small.parse::<Channel>().is_ok();
    is_known.then_some(())?;
    let meant = Meant::told(stop.clone()).saying("`.` does not belong here").changing(stop, "");
    Some(match small == word {
        true => meant.help("leave it out"),
        false => meant.help(format!("leave it out, and write `{small}`")).and(at, &small),
    })
}

/// `vars..degrees`, `contact. Locale`: a stop too many, or a blank behind it.
pub(super) fn in_name(around: &Around<'_>) -> Option<Meant> {
    let owner = around.text();
    ["vars", "contact"].contains(&owner).then_some(())?;
    let rest = around.part(around.at.end..around.line_end(around.at.end));
    // The comma is on the key beside.
    let name = rest.trim_start_matches(['.', ' ', ',']);
    let joint = rest.get(..rest.len() - name.len()).filter(|joint| joint.contains(['.', ',']))?;
    let length = name.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(name.len());
    let name = name.get(..length)?.to_lowercase();
    super::super::is_name(&name).then_some(())?;
    let whole = around.at.start..around.at.end + joint.len() + length;
    let meant = format!("{owner}.{name}");
    let message = match joint {
        joint if joint.contains(',') => "`,` stands where `.` is meant".to_owned(),
        joint if joint.contains("..") => {
            format!("there is a full stop too many in {}", quoted(around.part(whole.clone())))
        }
        _ => format!("there is a blank in `{meant}`"),
    };
    Some(Meant::write(whole, &meant).named("bad-name").saying(message))
}

/// `0..10 EUR`: an amount with two stops.
pub(super) fn in_amount(around: &Around<'_>) -> Option<Meant> {
    let rest = around.part(around.at.start..around.line_end(around.at.start));
    let length = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
    let said = rest.get(..length).filter(|said| said.contains(".."))?;
    let (whole, cents) = said.split_once("..")?;
    let cents = cents.trim_start_matches('.');
    let is_amount = !whole.contains('.') && !cents.contains('.') && !whole.is_empty() && !cents.is_empty();
    let message = format!("there is a full stop too many in {}", quoted(said));
    let at = around.at.start..around.at.start + length;
    is_amount.then(|| Meant::write(at, &format!("{whole}.{cents}")).named("bad-limit").saying(message))
}
