//! Policies drawn for people: what is in the document does not stand over one another.

use proptest::prelude::*;
use spine::machine::{SvgOptions, Theme, compile, svg};

use super::format::policies;
use super::generator::{Taste, policy};
use super::properties::config;
use crate::meaning::machine;

#[derive(Debug, Clone)]
struct Rect {
    what: String,
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Rect {
    fn misses(&self, other: &Rect) -> bool {
        self.right <= other.left
            || other.right <= self.left
            || self.bottom <= other.top
            || other.bottom <= self.top
    }

    fn holds(&self, other: &Rect) -> bool {
        self.left <= other.left
            && other.right <= self.right
            && self.top <= other.top
            && other.bottom <= self.bottom
    }
}

fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

fn of(line: &str, name: &str) -> f64 {
    attribute(line, name).unwrap_or_else(|| panic!("{line} has no {name}")).parse().unwrap()
}

/// Boxes and frames; texts; the lines that go down or across, as thin boxes.
fn read(document: &str) -> (Rect, Vec<Rect>, Vec<Rect>, Vec<Rect>) {
    let (mut boxes, mut texts, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for line in document.lines() {
        let what = attribute(line, "class").unwrap_or_default().to_owned();
        if line.starts_with("<rect ") && what != "ground" && !what.ends_with("-accent") {
            let (left, top) = (of(line, "x"), of(line, "y"));
            boxes.push(Rect {
                what,
                left,
                top,
                right: left + of(line, "width"),
                bottom: top + of(line, "height"),
            });
        } else if line.starts_with("<text ") {
            let text = line.split_once('>').unwrap().1.strip_suffix("</text>").unwrap();
            let text =
                text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
            let (left, middle, size) = (of(line, "x"), of(line, "y"), of(line, "font-size"));
            // Faces differ: this is what common ones come to.
            let right = left + 0.5 * size * text.chars().count() as f64;
            texts.push(Rect {
                what: text,
                left,
                top: middle - size / 2.0,
                right,
                bottom: middle + size / 2.0,
            });
        } else if line.starts_with("<path ") && line.contains(" stroke-width=\"1.5\"") {
            let path = attribute(line, "d").unwrap().replace(['M', 'H', 'Q', 'V'], " ");
            let at: Vec<f64> = path.split_whitespace().map(|n| n.parse().unwrap()).collect();
            let (x, y, last) = (at[0], at[1], *at.last().unwrap());
            let right = if at.len() > 3 { at[3] } else { x };
            lines.push(Rect { what: what.clone(), left: x, top: y, right, bottom: y });
            lines.push(Rect { what, left: right, top: y, right, bottom: last });
        }
    }
    let head = document.lines().next().unwrap();
    let canvas = Rect {
        what: "canvas".into(),
        left: 0.0,
        top: 0.0,
        right: of(head, "width"),
        bottom: of(head, "height"),
    };
    (canvas, boxes, texts, lines)
}

fn holds(document: &str) -> Result<(), TestCaseError> {
    let (canvas, boxes, texts, lines) = read(document);
    prop_assert!(boxes.len() >= 3 && texts.len() >= 3 && lines.len() >= 2, "{document}");
    for (place, one) in boxes.iter().enumerate() {
        prop_assert!(canvas.holds(one), "{one:?} is not in the picture\n{document}");
        for other in &boxes[place + 1..] {
            let nested = one.what == "frame" && one.holds(other);
            prop_assert!(one.misses(other) || nested, "{one:?}\n{other:?}\n{document}");
        }
        for text in &texts {
            prop_assert!(one.misses(text) || one.holds(text), "{text:?} stands over {one:?}\n{document}");
        }
        for line in lines.iter().filter(|_| one.what != "frame") {
            prop_assert!(one.misses(line), "{line:?} goes through {one:?}\n{document}");
        }
    }
    for (place, text) in texts.iter().enumerate() {
        prop_assert!(canvas.holds(text), "{text:?} is not in the picture\n{document}");
        for other in &texts[place + 1..] {
            prop_assert!(text.misses(other), "{text:?}\n{other:?}\n{document}");
        }
        for line in &lines {
            prop_assert!(text.misses(line), "{line:?} goes through {text:?}\n{document}");
        }
    }
    Ok(())
}

#[test]
fn nothing_stands_over_another_in_the_pictures_of_the_repository() {
    for (path, source) in policies() {
        for policy in spine::language::compile(&source, Some("bare"), &spine::language::NoLibrary).policies {
            let document = svg(&compile(&policy), &SvgOptions::default());
            holds(&document).unwrap_or_else(|fault| panic!("{path}: {fault}"));
        }
    }
}

#[test]
fn a_picture_is_the_same_each_time_and_may_be_light_dark_or_as_the_reader_likes() {
    let machine = machine(
        "any of (sms, push until read) then wait 5m then voice if vars.a is \"<&>\" otherwise fail \"a \\\"b\\\"\"",
    );
    let [auto, light, dark] =
        [Theme::Auto, Theme::Light, Theme::Dark].map(|theme| svg(&machine, &SvgOptions { theme }));
    assert_eq!(auto, svg(&machine, &SvgOptions::default()));
    assert!(auto.contains("prefers-color-scheme: dark"));
    assert!(!light.contains("<style>") && !dark.contains("<style>"));
    // But for the rules, what a reader gets who knows none of them is the light picture.
    let (head, rest) = auto.split_once("<style>").unwrap();
    assert_eq!(format!("{head}{}", rest.split_once("</style>\n").unwrap().1), light);
    assert_eq!(read(&light).1.len(), read(&dark).1.len());
    assert!(auto.contains("role=\"img\"") && auto.contains("<title id=\"test-title\">Policy test</title>"));
    assert!(auto.contains("only if vars.a is &quot;&lt;&amp;&gt;&quot;"));
    assert!(auto.contains("“a &quot;b&quot;”"), "{auto}");
}

#[test]
fn what_is_heard_of_a_picture_is_not_broken_into_lines() {
    let guard = r#"contact.country in ["AT", "DE", "CH", "FR", "IT", "ES", "NL"]"#;
    let route = "a_really_long_provider_name_number_one or another_one_of_the_kind";
    let document = svg(&machine(&format!("sms via {route} if {guard} then email")), &SvgOptions::default());
    let heard = document.lines().find(|line| line.starts_with("<desc")).unwrap().replace("&quot;", "\"");
    let said = format!("SMS, via {}, only if {guard}; ", route.replace(" or ", ", else "));
    assert!(heard.contains(&said), "{heard}");
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn nothing_stands_over_another_in_any_picture(
        policy in policy(Taste { all_of: true, windows: true, replies: false, guards: true }),
    ) {
        holds(&svg(&machine(&policy), &SvgOptions::default()))?;
    }
}
