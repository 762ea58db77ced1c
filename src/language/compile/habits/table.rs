//! Which habits are looked for where the checker says what.

use super::text::Around;
use super::{Diagnostic, Meant};
use super::{
    absent, brackets, calls, category, comparing, conditions, cut, dictated, endings, everyday, groups,
    headers, headings, keywords, languages, leftovers, letters, limits, lists, machines, markup, moved,
    names, pasted, priorities, programs, repeats, routes, schedules, sending, sentences, shares, spans,
    spelling, spoken, stages, stops, turned, twice, types, values, windows,
};

/// Looks at the words of a finding and around it, and says what was meant, where this is it.
pub(super) type Habit = fn(&Around<'_>) -> Option<Meant>;

/// The habits behind findings of some rules, the likeliest reading first.
pub(super) struct Habits {
    rules: &'static [&'static str],
    /// Only where the finding is about one of these words; about any where there are none.
    words: &'static [&'static str],
    each: &'static [Habit],
    /// Comes last, and looks at what the checker itself said.
    last: Option<fn(&Around<'_>, &Diagnostic) -> Option<Meant>>,
}

impl Habits {
    const fn of(rules: &'static [&'static str], each: &'static [Habit]) -> Habits {
        Habits { rules, words: &[], each, last: None }
    }

    const fn about(self, words: &'static [&'static str]) -> Habits {
        Habits { words, ..self }
    }

    const fn last(self, last: fn(&Around<'_>, &Diagnostic) -> Option<Meant>) -> Habits {
        Habits { last: Some(last), ..self }
    }
}

/// What was meant by what a finding is about: the first row that is of it says.
pub(super) fn meant(around: &Around<'_>, finding: &Diagnostic) -> Option<Meant> {
    let text = around.text();
    let is_of =
        |of: &&Habits| of.rules.contains(&finding.rule) && (of.words.is_empty() || of.words.contains(&text));
    let of = TABLE.iter().find(is_of)?;
    let meant = of.each.iter().find_map(|habit| habit(around));
    meant.or_else(|| of.last.and_then(|last| last(around, finding)))
}

/// What is looked for whatever the finding says.
pub(super) const ANYWHERE: [Habit; 6] = [
    markup::entity,
    pasted::unseen,
    pasted::hyphenated,
    pasted::fence,
    pasted::chat_head,
    dictated::sign_in_words,
];

const TABLE: &[Habits] = &[
    Habits::of(
        &["unknown-channel"],
        &[
            sending::phone,
            groups::both_kinds,
            category::alone,
            leftovers::value,
            leftovers::used,
            twice::word,
            absent::header,
            absent::other_zone,
            absent::quiet_guard,
            headers::urgency,
            headers::other_word,
            programs::in_order,
            programs::choice,
            programs::time_first,
            shares::of_channels,
            groups::numbered_stage,
            limits::limit_parts,
            groups::then_fail,
            everyday::in_two_words,
            spelling::grown_together,
            spelling::header_grown_together,
            groups::not_used,
            groups::parallel,
            groups::other_use,
            sending::no_channel,
            spelling::wait_alone,
            letters::other_layout,
        ],
    )
    .last(stages::channel),
    Habits::of(
        &["unknown-word"],
        &[
            endings::stopped,
            keywords::before_fail,
            keywords::lasting,
            windows::two_times,
            spans::pauses,
            languages::joint,
            letters::shifted_equals,
            leftovers::value,
            leftovers::used,
            keywords::lifetime,
            keywords::zone,
            twice::word,
            leftovers::duration,
            values::thousands,
            pasted::line_number,
            leftovers::goal,
            groups::throw,
            headers::valid,
            repeats::retry_setting,
            twice::joint,
            turned::phrase,
            absent::behind_stage,
            groups::fail,
            groups::numbered_word,
            routes::share_behind,
            spelling::of_window,
            spelling::grown_together,
            everyday::word,
            conditions::behind,
            letters::other_layout,
            keywords::setting,
            routes::missing_joint,
            conditions::guarded,
        ],
    ),
    Habits::of(
        &["wrong-joiner"],
        &[
            spoken::and_as_sign,
            machines::other_zone,
            moved::group_begun_nowhere,
            groups::fail,
            stages::two_goals,
            sentences::joined,
            spans::two,
            stages::joiner,
        ],
    ),
    Habits::of(
        &["stray-text"],
        &[
            spoken::and_as_sign,
            sending::picture,
            stops::between_words,
            calls::has,
            category::alone,
            leftovers::used,
            brackets::over,
            pasted::ellipsis,
            markup::section,
            markup::merged,
            absent::vars,
            programs::in_order,
            headers::sign,
            brackets::argument,
            brackets::stray,
            brackets::unopened_condition,
            sentences::joined,
            groups::listed,
            stages::stray,
        ],
    ),
    Habits::of(
        &["missing-stage"],
        &[
            moved::first_stage,
            moved::above_headers,
            moved::condition_of_header,
            headers::grown_together,
            absent::wait,
            absent::header,
            headers::other_word,
            programs::block,
            programs::before_stage,
            limits::limit_parts,
            absent::stage,
        ],
    ),
    Habits::of(
        &["missing-then"],
        &[conditions::has, twice::action, turned::doubt_as_stage, groups::missing_comma, leftovers::channel],
    ),
    Habits::of(
        &["no-stage"],
        &[
            moved::early_parenthesis,
            cut::empty_group,
            pasted::ellipsis,
            headers::closed_twice,
            twice::comma,
            groups::last_comma,
            headers::alone,
        ],
    ),
    Habits::of(
        &["unclosed-bracket"],
        &[
            leftovers::heading,
            cut::policy,
            pasted::hunk,
            headers::alone,
            twice::heading,
            cut::vars,
            cut::unclosed_vars,
            groups::close,
        ],
    )
    .about(&["policy"]),
    Habits::of(
        &["unclosed-bracket"],
        &[
            letters::degree,
            markup::placeholder_inside,
            cut::group,
            cut::group_by_remark,
            brackets::inner,
            brackets::other_end,
            brackets::in_comment,
            cut::vars_alone,
            cut::unclosed_vars,
            headers::other_brace,
            spelling::other_bracket,
            brackets::unclosed,
        ],
    ),
    Habits::of(&["after-otherwise"], &[moved::otherwise_above, moved::header_below, twice::otherwise]),
    Habits::of(
        &["unknown-goal"],
        &[routes::turned, keywords::goal_behind, keywords::goal, spans::doubled, cut::value, stages::goal],
    ),
    Habits::of(
        &["bad-group"],
        &[stages::group, brackets::beside_the_key, brackets::turned, brackets::unopened, groups::members],
    ),
    Habits::of(&["bad-route"], &[spans::doubled, cut::value, brackets::route]),
    Habits::of(&["bad-otherwise"], &[stages::otherwise, groups::otherwise]),
    Habits::of(&["bad-policy"], &[headings::other_brace, groups::parentheses, headings::policy]),
    Habits::of(
        &["outside-policy"],
        &[
            headings::stray_key,
            headings::unopened,
            moved::behind_brace,
            headers::above,
            headings::brace_alone,
        ],
    ),
    Habits::of(
        &["unknown-policy"],
        &[spans::doubled, headings::tagged, headings::at_sign, cut::value, headings::used, groups::used],
    )
    .last(names::policy),
    Habits::of(&["bad-shares"], &[routes::rest, routes::comma, routes::percent, cut::share]),
    Habits::of(
        &["unknown-name"],
        &[
            lists::one_of,
            conditions::in_words,
            conditions::other_value,
            values::in_digits,
            spelling::opening_quote,
        ],
    ),
    Habits::of(&["unknown-priority"], &[priorities::priority_word]),
    Habits::of(&["unclosed-text"], &[cut::text, stages::close_text]),
    Habits::of(
        &["bad-name"],
        &[
            cut::value,
            letters::by_shift,
            letters::in_share,
            twice::name,
            twice::owner,
            calls::has_in_one_word,
            routes::slash,
            routes::fractions,
            stages::name,
        ],
    ),
    Habits::of(
        &["bad-retry", "bad-repeat"],
        &[
            leftovers::count,
            spans::doubled,
            repeats::retry_setting,
            twice::within,
            spans::dashed,
            turned::pauses,
            repeats::again,
            spelling::again,
        ],
    ),
    Habits::of(
        &["bad-duration"],
        &[
            names::thousands,
            spoken::calendar,
            names::unit_behind_number,
            letters::by_shift,
            spans::doubled,
            cut::value,
            absent::until_time,
            letters::in_number,
            values::half,
            values::multiplied,
            values::duration,
            spelling::wait,
            spans::more_or_less,
        ],
    ),
    Habits::of(
        &["bad-time"],
        &[
            schedules::date,
            spoken::time,
            letters::by_shift,
            schedules::cron,
            cut::value,
            letters::in_number,
            values::time,
        ],
    ),
    Habits::of(
        &["missing-duration"],
        &[
            windows::wait_between,
            letters::by_shift,
            spans::doubled,
            schedules::step,
            spans::hidden,
            headers::sign_behind,
            spans::valid_until,
        ],
    ),
    Habits::of(
        &["missing-zone", "missing-time"],
        &[
            spoken::not_on,
            windows::zone_first,
            leftovers::time,
            keywords::zone_behind,
            schedules::cron,
            headers::sign,
            windows::placeholder,
            twice::within,
            cut::second_time,
            windows::no_time,
            windows::window,
        ],
    ),
    Habits::of(
        &["unknown-zone"],
        &[
            calls::first_zone,
            spoken::short_name,
            leftovers::value,
            cut::value,
            windows::beside_the_key,
            windows::days_and_zone,
            windows::zone,
            spoken::zone,
        ],
    ),
    Habits::of(&["unknown-day"], &[windows::numbers, windows::two_letters, windows::days_apart]),
    Habits::of(&["bad-number"], &[letters::by_shift, twice::word, letters::in_number, values::count]),
    Habits::of(&["bad-doubt"], &[cut::value, headers::sign_behind, repeats::doubt]),
    Habits::of(&["bad-wait", "bad-valid"], &[leftovers::needless_for]),
    Habits::of(&["misplaced-modifier", "misplaced-word"], &[groups::on_members]),
    Habits::of(&["misplaced-header"], &[moved::stage_above]),
    Habits::of(&["unknown-var"], &[]).last(names::var),
    Habits::of(&["unknown-header"], &[cut::vars_beside_the_key, headers::vars]),
    Habits::of(&["header-without-policy"], &[]).last(headings::lost),
    Habits::of(
        &["bad-limit"],
        &[
            stops::in_amount,
            limits::hundredths,
            letters::in_limit,
            limits::sends,
            twice::word,
            letters::in_number,
            absent::currency,
            limits::limit,
        ],
    ),
    Habits::of(&["bad-category"], &[twice::word, headers::category]),
    Habits::of(&["bad-expires"], &[headers::expires]),
    Habits::of(&["bad-var"], &[headers::var]),
    Habits::of(
        &["missing-condition"],
        &[spans::doubled, markup::braced, markup::joined_by_call, conditions::missing],
    )
    .about(&["if", "unless"]),
    Habits::of(&["missing-condition"], &[conditions::missing]),
    Habits::of(
        &["unknown-condition"],
        &[
            spoken::no_answer,
            markup::placeholder,
            conditions::member,
            conditions::negated,
            priorities::compared_as_priority,
            names::part_of_name,
            names::without_owner,
            stops::in_name,
            calls::of_text,
            calls::has,
            cut::value,
            markup::joined_by_call,
            priorities::urgency,
            names::other_owner,
            twice::owner,
            conditions::other_letters,
            sentences::opposite,
            conditions::name,
            conditions::word,
            sentences::sentence,
        ],
    ),
    Habits::of(&["bad-condition"], &[spoken::no_answer, calls::has, conditions::split_name]),
    Habits::of(&["unknown-type"], &[types::yes_or_no]).last(types::other_type),
    Habits::of(
        &["bad-comparison"],
        &[
            comparing::no_sign,
            pasted::marked_up,
            lists::alternatives,
            conditions::twice,
            conditions::alone,
            conditions::value,
        ],
    ),
    Habits::of(&["bad-money"], &[conditions::amount]),
    Habits::of(&["types-differ"], &[priorities::priority]).last(types::typed),
    Habits::of(
        &["bad-list"],
        &[
            brackets::around_condition,
            lists::other_quotes,
            lists::hole,
            lists::missing_quote,
            lists::missing_commas,
            lists::list,
        ],
    ),
    Habits::of(
        &["missing-value"],
        &[
            calls::has,
            cut::channel,
            lists::single_quotes,
            pasted::marked_up,
            lists::alternatives,
            lists::words,
            lists::parentheses,
            sentences::clock,
        ],
    ),
];
