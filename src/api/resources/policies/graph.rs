//! A policy's graph, in the form that the caller accepts.

use axum::http::{HeaderMap, HeaderValue, header};

use super::shelf::Shelf;
use super::{POLICIES, TAG};
use crate::api::call::{Answer, Call};
use crate::api::conventions::problem::{Code, Problem};
use crate::api::endpoint::{Access, Endpoint, Nothing, Permission};
use crate::machine::{Drawing, SvgOptions, Theme, compile, draw, svg};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::get("/policies/{name}/graph", Access::Permission(Permission::Read), graph)
        .about(TAG, "Draw the newest version of a policy, or `name@version`; DOT or SVG by `Accept`")
        .gives::<Drawing>(200, "Its state machine.")
}

/// How a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Dot,
    Svg,
}

impl Form {
    /// In the order in which they are preferred where the caller likes several equally.
    const ALL: [Form; 3] = [Form::Json, Form::Dot, Form::Svg];

    const fn media(self) -> &'static str {
        match self {
            Form::Json => "application/json",
            Form::Dot => "text/vnd.graphviz",
            Form::Svg => "image/svg+xml",
        }
    }

    /// The form that the caller likes best; JSON where none fits.
    fn accepted(headers: &HeaderMap) -> Form {
        let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges: Vec<Range> = accept.flat_map(|value| value.split(',')).filter_map(Range::read).collect();
        let mut best = (Form::Json, 0, 0);
        for form in Form::ALL {
            let (exactness, liking) = ranges
                .iter()
                .filter_map(|range| Some((range.fits(form)?, range.thousandths)))
                .max()
                .unwrap_or_default();
            if (liking, exactness) > (best.1, best.2) {
                best = (form, liking, exactness);
            }
        }
        best.0
    }
}

/// A range of media types that a caller accepts, and how much it likes them.
struct Range<'a> {
    media: &'a str,
    thousandths: u32,
}

impl<'a> Range<'a> {
    fn read(text: &'a str) -> Option<Range<'a>> {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().filter(|media| !media.is_empty())?;
        let liking = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some(Range { media, thousandths: liking.map_or(1_000, thousandths) })
    }

    /// How exactly it names a form; `None` where it does not.
    fn fits(&self, form: Form) -> Option<u32> {
        let of_kind = form.media().split('/').next().unwrap_or_default();
        match self.media.split_once('/') {
            Some(("*", "*")) => Some(1),
            Some((kind, "*")) if kind.eq_ignore_ascii_case(of_kind) => Some(2),
            Some(_) if self.media.eq_ignore_ascii_case(form.media()) => Some(3),
            _ => None,
        }
    }
}

/// `0.5` as 500; what is no such number counts as 0.
fn thousandths(text: &str) -> u32 {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = rest.chars().chain("000".chars()).take(3).collect();
    match (whole.parse::<u32>(), digits.parse::<u32>()) {
        (Ok(whole), Ok(rest)) => whole.saturating_mul(1_000).saturating_add(rest).min(1_000),
        _ => 0,
    }
}

async fn graph(call: Call, _: Nothing) -> Result<Answer, Problem> {
    let row = POLICIES.of_path(&call, call.text(0)).await?;
    let mut shelf = Shelf::of(&call).await?;
    let compiled = shelf.compile(row).await?;
    // What was published is the text of one policy, and compiles.
    let Some(policy) = compiled.policies.first() else { return Err(Code::Internal.into()) };
    let machine = compile(policy);
    let form = Form::accepted(&call.headers);
    let mut answer = match form {
        Form::Json => Answer::json(200, &draw(&machine))?,
        Form::Dot => Answer::text(200, form.media(), draw(&machine).to_dot(machine.name())),
        Form::Svg => Answer::text(200, form.media(), svg(&machine, &SvgOptions { theme: Theme::Auto })),
    };
    answer.headers.push((header::VARY, HeaderValue::from_static("accept")));
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_that_is_liked_best_is_taken_and_json_where_none_fits() {
        for (accept, expected) in [
            ("", Form::Json),
            ("*/*", Form::Json),
            ("application/json", Form::Json),
            ("text/vnd.graphviz", Form::Dot),
            ("TEXT/VND.GRAPHVIZ", Form::Dot),
            ("text/*", Form::Dot),
            ("image/svg+xml", Form::Svg),
            ("image/*", Form::Svg),
            ("image/avif,image/*;q=0.8,*/*;q=0.5", Form::Svg),
            ("application/json;q=0.4, text/vnd.graphviz;q=0.5", Form::Dot),
            ("image/svg+xml;q=0.2, application/json;q=0.25", Form::Json),
            // Of two that are liked alike the one that is named.
            ("*/*, image/svg+xml", Form::Svg),
            // Not this one, but anything else.
            ("application/json;q=0, */*", Form::Dot),
            ("text/html", Form::Json),
            ("text/html;q=x, ;;, /", Form::Json),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
            assert_eq!(Form::accepted(&headers), expected, "{accept}");
        }
        assert_eq!(Form::accepted(&HeaderMap::new()), Form::Json);
    }
}
