//! What people write out of habit, and what they mean by it.
//!
//! The checker says what is wrong where it is found. Here a finding is looked at once more with the words
//! around it: a comma for a `then`, `10 minuts`, `9pm`, `send sms`. Where the habit is known, the finding
//! says what to write instead, and what only follows from it is not told.

mod absent;
pub(super) mod brackets;
mod comparing;
pub(super) mod conditions;
mod cut;
mod days;
mod endings;
pub(super) mod everyday;
mod forms;
pub(super) mod groups;
pub(super) mod headers;
mod headings;
mod leftovers;
mod letters;
mod lists;
mod machines;
mod markup;
mod pasted;
mod programs;
mod routes;
mod schedules;
mod sending;
mod sentences;
mod shares;
mod spans;
mod spelling;
mod stage;
mod stages;
pub(super) mod text;
mod turned;
mod twice;
mod values;
mod windows;

use super::{Diagnostic, Edit};
use crate::language::policy::TextRange;

use text::Around;
pub(super) use windows::is_day;

/// What is known of a finding beyond what the checker said.
struct Meant {
    /// Another name, where the habit is about something else than it looked.
    rule: Option<&'static str>,
    at: TextRange,
    /// Another message; the checker's where there is none.
    message: Option<String>,
    help: String,
    fix: Vec<Edit>,
    /// What begins from the finding on and before this byte follows from it.
    until: usize,
}

impl Meant {
    /// To be replaced by `text`.
    fn write(at: TextRange, text: &str) -> Meant {
        let until = at.end;
        let fix = vec![Edit { at: at.clone(), text: text.to_owned() }];
        let help = format!("write `{}`", text.trim());
        Meant { rule: None, at, message: None, help, fix, until }
    }

    /// Told without a change: what was meant is not known.
    fn told(at: TextRange) -> Meant {
        Meant { rule: None, until: at.end, at, message: None, help: String::new(), fix: Vec::new() }
    }

    /// To be left out, with the blanks behind it; at the end of a line with those before it.
    fn leave_out(around: &Around<'_>, at: TextRange) -> Meant {
        Meant::told(at.clone()).changing(around.left_out(at), "").help("leave it out")
    }

    fn saying(mut self, message: impl Into<String>) -> Meant {
        self.message = Some(message.into());
        self
    }

    fn help(mut self, help: impl Into<String>) -> Meant {
        self.help = help.into();
        self
    }

    fn named(mut self, rule: &'static str) -> Meant {
        self.rule = Some(rule);
        self
    }

    /// Told of another place than is changed.
    fn about(mut self, at: TextRange) -> Meant {
        self.at = at;
        self
    }

    /// By this change, and by no other.
    fn changing(mut self, at: TextRange, text: &str) -> Meant {
        self.fix = vec![Edit { at, text: text.to_owned() }];
        self
    }

    fn until(mut self, end: usize) -> Meant {
        self.until = self.until.max(end);
        self
    }

    fn and(mut self, at: TextRange, text: &str) -> Meant {
        self.until = self.until.max(at.end);
        self.fix.push(Edit { at, text: text.to_owned() });
        self
    }
}

/// Looks at findings, in the order of the text, once more.
pub(super) fn understood(source: &str, findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut out: Vec<Diagnostic> = Vec::with_capacity(findings.len());
    let mut follows = 0..0;
    for finding in findings {
        if follows.contains(&finding.at.start) && finding.rule != "too-many-findings" {
            continue;
        }
        let around = Around { source, at: finding.at.clone() };
        let Some(meant) = meant(&around, &finding) else {
            out.push(finding);
            continue;
        };
        let start = meant.at.start.min(finding.at.start);
        follows = start..meant.until.max(start);
        out.push(Diagnostic {
            rule: meant.rule.unwrap_or(finding.rule),
            at: meant.at,
            message: meant.message.unwrap_or(finding.message),
            help: Some(meant.help),
            fix: meant.fix.into_iter().map(|edit| around.kept_apart(edit)).collect(),
            ..finding
        });
    }
    out
}

fn meant(around: &Around<'_>, finding: &Diagnostic) -> Option<Meant> {
    let text = around.text();
    if around.on_short_line()
        && let Some(meant) = forms::meant(around, finding.rule, text)
    {
        return Some(meant);
    }
    let pasted = markup::entity(around)
        .or_else(|| pasted::unseen(around))
        .or_else(|| pasted::hyphenated(around, text))
        .or_else(|| pasted::fence(around))
        .or_else(|| pasted::chat_head(around, text));
    if pasted.is_some() {
        return pasted;
    }
    match finding.rule {
        "unknown-channel" => twice::word(around, text)
            .or_else(|| absent::header(around, text))
            .or_else(|| absent::other_zone(around, text))
            .or_else(|| absent::quiet_guard(around, text))
            .or_else(|| headers::other_word(around, text))
            .or_else(|| programs::in_order(around, text))
            .or_else(|| programs::time_first(around, text))
            .or_else(|| groups::numbered(around, text, false))
            .or_else(|| headers::limit_parts(around, text))
            .or_else(|| groups::then_fail(around, text))
            .or_else(|| everyday::in_two_words(around, text))
            .or_else(|| spelling::grown_together(around, text))
            .or_else(|| groups::not_used(around, text))
            .or_else(|| groups::parallel(around, text))
            .or_else(|| groups::other_use(around, text))
            .or_else(|| stages::channel(around, text, finding)),
        "unknown-word" => twice::word(around, text)
            .or_else(|| leftovers::duration(around, text))
            .or_else(|| values::thousands(around, text))
            .or_else(|| pasted::line_number(around, text))
            .or_else(|| leftovers::goal(around, text))
            .or_else(|| groups::throw(around, text))
            .or_else(|| headers::valid(around, text))
            .or_else(|| values::retry_setting(around, text))
            .or_else(|| twice::joint(around))
            .or_else(|| turned::phrase(around))
            .or_else(|| absent::behind_stage(around, text))
            .or_else(|| groups::fail(around, text))
            .or_else(|| groups::numbered(around, text, true))
            .or_else(|| routes::share_behind(around))
            .or_else(|| windows::from_to(around, text))
            .or_else(|| spelling::of_window(around, text))
            .or_else(|| spelling::grown_together(around, text))
            .or_else(|| everyday::word(around, text))
            .or_else(|| conditions::behind(around, text))
            .or_else(|| routes::missing_joint(around, text)),
        "wrong-joiner" => groups::fail(around, text)
            .or_else(|| stages::two_goals(around))
            .or_else(|| sentences::joined(around, text))
            .or_else(|| spans::two(around))
            .or_else(|| stages::joiner(around, text)),
        "stray-text" => pasted::ellipsis(around)
            .or_else(|| markup::section(around))
            .or_else(|| markup::merged(around, text))
            .or_else(|| absent::vars(around, text))
            .or_else(|| programs::in_order(around, text))
            .or_else(|| headers::sign(around, text))
            .or_else(|| brackets::stray(around, text))
            .or_else(|| brackets::unopened_condition(around, text))
            .or_else(|| sentences::joined(around, text))
            .or_else(|| groups::listed(around, text))
            .or_else(|| stages::stray(around, text)),
        "missing-stage" => absent::wait(around, text)
            .or_else(|| absent::header(around, text))
            .or_else(|| headers::other_word(around, text))
            .or_else(|| programs::block(around, text))
            .or_else(|| programs::before_stage(around, text))
            .or_else(|| headers::limit_parts(around, text))
            .or_else(|| stages::missing(around, text)),
        "missing-then" => conditions::has(around)
            .or_else(|| twice::action(around, text))
            .or_else(|| turned::doubt_as_stage(around, text))
            .or_else(|| groups::missing_comma(around))
            .or_else(|| leftovers::channel(around, text)),
        "no-stage" => pasted::ellipsis(around)
            .or_else(|| headers::closed_twice(around))
            .or_else(|| twice::comma(around, text))
            .or_else(|| groups::last_comma(around, text))
            .or_else(|| headers::alone(around)),
        "unclosed-bracket" if text == "policy" => pasted::hunk(around)
            .or_else(|| headers::alone(around))
            .or_else(|| twice::heading(around))
            .or_else(|| cut::vars(around))
            .or_else(|| cut::unclosed_vars(around))
            .or_else(|| groups::close(around)),
        "unclosed-bracket" => brackets::in_comment(around, text)
            .or_else(|| cut::vars(around).filter(|_| text == "vars"))
            .or_else(|| cut::unclosed_vars(around))
            .or_else(|| headers::other_brace(around))
            .or_else(|| spelling::other_bracket(around, text))
            .or_else(|| brackets::unclosed(around, text)),
        "after-otherwise" => twice::otherwise(around, text),
        "unknown-goal" => {
            spans::doubled(around, text).or_else(|| cut::value(around)).or_else(|| stages::goal(around, text))
        }
        "bad-group" => stages::group(around)
            .or_else(|| brackets::beside_the_key(around))
            .or_else(|| brackets::unopened(around))
            .or_else(|| groups::members(around)),
        "bad-route" => {
            spans::doubled(around, text).or_else(|| cut::value(around)).or_else(|| brackets::route(around))
        }
        "bad-otherwise" => stages::otherwise(around).or_else(|| groups::otherwise(around)),
        "bad-policy" => headings::other_brace(around)
            .or_else(|| groups::parentheses(around))
            .or_else(|| headings::policy(around)),
        "outside-policy" if headers::is_header(text) => Some(headers::above(around, text)),
        "outside-policy" if text.trim() == "}" => Some(Meant::leave_out(around, around.at.clone())),
        "unknown-policy" => spans::doubled(around, text)
            .or_else(|| headings::tagged(around, text))
            .or_else(|| headings::at_sign(around))
            .or_else(|| cut::value(around))
            .or_else(|| headings::used(around))
            .or_else(|| groups::used(around, text)),
        "bad-shares" => {
            routes::comma(around).or_else(|| routes::percent(around)).or_else(|| cut::share(around, text))
        }
        "unknown-name" => lists::one_of(around, text)
            .or_else(|| conditions::in_words(around))
            .or_else(|| conditions::other_value(around, text))
            .or_else(|| values::in_digits(around, text))
            .or_else(|| spelling::opening_quote(around, text)),
        "unknown-priority" => conditions::priority_word(around, text),
        "unclosed-text" => Some(stages::close_text(around)),
        "bad-name" => cut::value(around)
            .or_else(|| letters::in_share(around, text))
            .or_else(|| twice::name(around, text))
            .or_else(|| twice::owner(around, text))
            .or_else(|| conditions::has_in_one_word(around, text))
            .or_else(|| routes::slash(around, text))
            .or_else(|| routes::fractions(around, text))
            .or_else(|| stages::name(around, text)),
        "bad-retry" | "bad-repeat" => spans::doubled(around, text)
            .or_else(|| values::retry_setting(around, text))
            .or_else(|| twice::within(around))
            .or_else(|| spans::dashed(around, text))
            .or_else(|| turned::pauses(around))
            .or_else(|| values::again(around, text))
            .or_else(|| spelling::again(around, text)),
        "bad-duration" => spans::doubled(around, text)
            .or_else(|| cut::value(around))
            .or_else(|| absent::until_time(around, text))
            .or_else(|| letters::in_number(around, text))
            .or_else(|| values::half(around, text))
            .or_else(|| values::multiplied(around, text))
            .or_else(|| values::duration(around, text))
            .or_else(|| spelling::wait(around, text))
            .or_else(|| spans::more_or_less(around, text)),
        "bad-time" => schedules::cron(around)
            .or_else(|| cut::value(around))
            .or_else(|| letters::in_number(around, text))
            .or_else(|| values::time(around, text)),
        "missing-duration" => spans::doubled(around, text)
            .or_else(|| schedules::step(around))
            .or_else(|| spans::hidden(around))
            .or_else(|| headers::sign_behind(around))
            .or_else(|| spans::valid_until(around)),
        "missing-zone" | "missing-time" => schedules::cron(around)
            .or_else(|| headers::sign(around, text))
            .or_else(|| windows::placeholder(around))
            .or_else(|| twice::within(around))
            .or_else(|| cut::second_time(around))
            .or_else(|| windows::no_time(around, text))
            .or_else(|| windows::window(around)),
        "unknown-zone" => cut::value(around)
            .or_else(|| windows::beside_the_key(around, text))
            .or_else(|| windows::days_and_zone(around, text))
            .or_else(|| windows::zone(around, text)),
        "unknown-day" => windows::numbers(around, text)
            .or_else(|| windows::two_letters(around))
            .or_else(|| windows::days_apart(around, text)),
        "bad-number" => twice::word(around, text)
            .or_else(|| letters::in_number(around, text))
            .or_else(|| values::count(around, text)),
        "bad-doubt" => {
            cut::value(around).or_else(|| headers::sign_behind(around)).or_else(|| values::doubt(around))
        }
        "bad-wait" | "bad-valid" if text == "for" => Some(Meant::leave_out(around, around.at.clone())),
        "unknown-header" => cut::vars_beside_the_key(around, text).or_else(|| headers::vars(around, text)),
        "header-without-policy" => Some(headings::lost(around, finding)),
        "bad-limit" => twice::word(around, text)
            .or_else(|| letters::in_number(around, text))
            .or_else(|| absent::currency(around, text))
            .or_else(|| headers::limit(around, text)),
        "bad-category" => twice::word(around, text).or_else(|| headers::category(around, text)),
        "bad-expires" => headers::expires(around),
        "bad-var" => headers::var(around, text),
        "missing-condition" if ["if", "unless"].contains(&text) => spans::doubled(around, text)
            .or_else(|| markup::braced(around, text))
            .or_else(|| conditions::missing(around)),
        "missing-condition" => conditions::missing(around),
        "unknown-condition" => cut::value(around)
            .or_else(|| markup::joined_by_call(around, text))
            .or_else(|| conditions::urgency(around, text))
            .or_else(|| twice::owner(around, text))
            .or_else(|| conditions::other_letters(around, text))
            .or_else(|| sentences::opposite(around, text))
            .or_else(|| conditions::name(around, text))
            .or_else(|| conditions::word(around, text))
            .or_else(|| sentences::sentence(around, text)),
        "bad-condition" => conditions::split_name(around, text),
        "bad-comparison" => pasted::marked_up(around)
            .or_else(|| lists::alternatives(around))
            .or_else(|| conditions::twice(around, text))
            .or_else(|| conditions::alone(around, text))
            .or_else(|| conditions::value(around, text)),
        "bad-money" => conditions::amount(around, text),
        "types-differ" => {
            conditions::priority(around, text).or_else(|| conditions::typed(around, text, finding))
        }
        "bad-list" => lists::other_quotes(around)
            .or_else(|| lists::missing_quote(around))
            .or_else(|| lists::missing_commas(around))
            .or_else(|| lists::list(around, text)),
        "missing-value" => pasted::marked_up(around)
            .or_else(|| lists::alternatives(around))
            .or_else(|| lists::words(around))
            .or_else(|| lists::parentheses(around))
            .or_else(|| sentences::clock(around)),
        _ => None,
    }
}
