//! The document.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::super::super::plan::Machine;
use super::icons;
use super::look::{Look, Theme};
use super::place::{Rect, Scene, Shape};

const FONT: &str =
    "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, 'DejaVu Sans', sans-serif";
/// Of the corners where a line turns.
const TURN: f64 = 10.0;

pub(super) fn document(machine: &Machine, scene: &Scene, theme: Theme) -> String {
    let (name, width, height) = (machine.name(), scene.width, scene.height);
    let mut out = String::new();
    _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-labelledby=\"{name}-title {name}-desc\" font-family=\"{FONT}\">"
    );
    _ = writeln!(out, "<title id=\"{name}-title\">Policy {name}</title>");
    _ = writeln!(out, "<desc id=\"{name}-desc\">{}</desc>", escaped(&scene.described));
    style(&mut out, scene, theme);
    let ground = paint(Look::Ground, theme);
    _ = writeln!(out, "<rect {ground} width=\"{width}\" height=\"{height}\"/>");
    for shape in &scene.shapes {
        write(&mut out, shape, theme);
    }
    out.push_str("</svg>\n");
    out
}

/// The rules for a reader who prefers dark: what is not known to follow them shows the light colours,
/// which stand with each shape.
fn style(out: &mut String, scene: &Scene, theme: Theme) {
    if theme != Theme::Auto {
        return;
    }
    let mut looks: BTreeSet<Look> = [Look::Ground].into();
    for shape in &scene.shapes {
        match shape {
            Shape::Icon { look, .. } => _ = looks.insert(line_of(*look)),
            Shape::Box { look: look @ Look::Channel(channel), .. } => {
                looks.extend([*look, Look::Accent(*channel)]);
            }
            Shape::Box { look, .. } | Shape::Line { look, .. } | Shape::Text { look, .. } => {
                _ = looks.insert(*look)
            }
        }
        if let Shape::Line { look, arrow: true, .. } = shape {
            looks.insert(*look);
        }
    }
    out.push_str("<style>\n@media (prefers-color-scheme: dark) {\n");
    for look in looks {
        let colours = look.colours(true);
        let class = look.class();
        _ = writeln!(out, "  .{class} {{ fill: {}; stroke: {} }}", colours.fill, colours.stroke);
        if colours.fill == "none" {
            _ = writeln!(out, "  .{class}-head {{ fill: {} }}", colours.stroke);
        }
    }
    out.push_str("}\n</style>\n");
}

/// The look of the lines of a mark.
fn line_of(look: Look) -> Look {
    match look {
        Look::Channel(_) => look,
        _ => Look::Line,
    }
}

fn paint(look: Look, theme: Theme) -> String {
    let colours = look.colours(theme == Theme::Dark);
    let stroke =
        if colours.stroke == "none" { String::new() } else { format!(" stroke=\"{}\"", colours.stroke) };
    format!("class=\"{}\" fill=\"{}\"{stroke}", look.class(), colours.fill)
}

fn write(out: &mut String, shape: &Shape, theme: Theme) {
    match shape {
        Shape::Box { rect, look } => boxed(out, rect, *look, theme),
        Shape::Icon { x, y, look } => {
            let path = match look {
                Look::Channel(channel) => icons::path(*channel),
                _ => icons::CLOCK,
            };
            let paint = paint(line_of(*look), theme);
            _ = writeln!(
                out,
                "<path {paint} fill-opacity=\"0\" stroke-width=\"1.4\" stroke-linejoin=\"round\" \
                 stroke-linecap=\"round\" transform=\"translate({} {})\" d=\"{path}\"/>",
                number(*x),
                number(*y)
            );
        }
        Shape::Line { points, look, arrow } => line(out, points, *look, *arrow, theme),
        Shape::Text { x, y, text, look, size, bold } => {
            let weight = if *bold { " font-weight=\"600\"" } else { "" };
            _ = writeln!(
                out,
                "<text {} x=\"{}\" y=\"{}\" dy=\".35em\" font-size=\"{size}\"{weight}>{}</text>",
                paint(*look, theme),
                number(*x),
                number(*y),
                escaped(text)
            );
        }
    }
}

fn boxed(out: &mut String, rect: &Rect, look: Look, theme: Theme) {
    let Rect { x, y, width, height } = *rect;
    let round = match look {
        Look::Start | Look::Wait => (height / 2.0).min(18.0),
        Look::Frame => 12.0,
        _ => 8.0,
    };
    let dashes = if look == Look::Wait { " stroke-dasharray=\"5 4\"" } else { "" };
    _ = writeln!(
        out,
        "<rect {} x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{round}\"{dashes}/>",
        paint(look, theme),
        number(x),
        number(y),
        number(width),
        number(height)
    );
    if let Look::Channel(channel) = look {
        _ = writeln!(
            out,
            "<rect {} x=\"{}\" y=\"{}\" width=\"3\" height=\"{}\" rx=\"1.5\"/>",
            paint(Look::Accent(channel), theme),
            number(x + 6.0),
            number(y + 9.0),
            number(height - 18.0)
        );
    }
}

fn line(out: &mut String, points: &[(f64, f64)], look: Look, arrow: bool, theme: Theme) {
    let [first, .., last] = points else { return };
    // The head begins where the line ends.
    let end = if arrow { (last.0, last.1 - 6.0) } else { *last };
    let mut d = format!("M{} {}", number(first.0), number(first.1));
    if let [_, corner, _] = points {
        let turn = TURN.min((end.1 - corner.1).abs());
        _ = write!(
            d,
            "H{}Q{} {} {} {}",
            number(corner.0 - turn),
            number(corner.0),
            number(corner.1),
            number(corner.0),
            number(corner.1 + turn)
        );
    }
    _ = write!(d, "V{}", number(end.1));
    _ = writeln!(out, "<path {} stroke-width=\"1.5\" d=\"{d}\"/>", paint(look, theme));
    if arrow {
        let colours = look.colours(theme == Theme::Dark);
        _ = writeln!(
            out,
            "<path class=\"{}-head\" fill=\"{}\" d=\"M{} {}l-4.500-8h9z\"/>",
            look.class(),
            colours.stroke,
            number(last.0),
            number(last.1)
        );
    }
}

/// A number with at most one digit behind the point.
fn number(n: f64) -> String {
    let rounded = (n * 10.0).round() / 10.0;
    format!("{rounded}")
}

/// Text of a document: what it cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
