//! Where everything stands.

use super::super::super::plan::{Kind, Machine, StrategyId};
use super::content::{
    ASIDE, BESIDE, Chain, GAP, ICON, Item, LINE, PAD, TEXT_SIZE, TITLE_SIZE, chain, described, headers,
    reached, start, unreached, way,
};
use super::look::Look;
use super::text::{width, wrapped};

/// Around the picture.
const MARGIN: f64 = 24.0;
const NAME_SIZE: f64 = 18.0;
/// A header's line is broken there, where the picture is no wider.
const HEAD_WIDTH: f64 = 500.0;
/// The least length of the way to the right.
const RIGHT_MIN: f64 = 44.0;

#[derive(Debug, Clone, Copy)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

pub(super) enum Shape {
    Box {
        rect: Rect,
        look: Look,
    },
    /// The upper left corner of a mark.
    Icon {
        x: f64,
        y: f64,
        look: Look,
    },
    /// Through these points; with rounded corners.
    Line {
        points: Vec<(f64, f64)>,
        look: Look,
        arrow: bool,
    },
    /// From its left end; `y` is the middle of the letters.
    Text {
        x: f64,
        y: f64,
        text: String,
        look: Look,
        size: f64,
        bold: bool,
    },
}

pub(super) struct Scene {
    pub(super) shapes: Vec<Shape>,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) described: String,
}

/// What of a placed item leads to the right.
struct Leaves {
    x: f64,
    y: f64,
    goal: String,
}

struct Placer {
    shapes: Vec<Shape>,
    leaves: Vec<Leaves>,
}

pub(super) fn scene(machine: &Machine) -> Scene {
    let chain = chain(machine, StrategyId(0));
    let (start, unreached, reached) = (start(), unreached(machine), reached());
    let mut placer = Placer { shapes: Vec::new(), leaves: Vec::new() };
    let column = chain.width.max(start.width).max(unreached.width);
    let middle = MARGIN + column / 2.0;

    let mut y = MARGIN;
    let name_width = placer.text(MARGIN, y + NAME_SIZE / 2.0, machine.name(), Look::Title, NAME_SIZE, true);
    y += NAME_SIZE + 8.0;
    let mut head_width = name_width;
    for line in headers(machine).iter().flat_map(|l| wrapped(l, TEXT_SIZE, false, column.max(HEAD_WIDTH))) {
        head_width =
            head_width.max(placer.text(MARGIN, y + TEXT_SIZE / 2.0, &line, Look::Muted, TEXT_SIZE, false));
        y += LINE;
    }
    y += 14.0;

    placer.item(&start, middle, y, false);
    y += start.height;
    let into = if chain.entry.is_empty() { GAP } else { way(&chain.entry) };
    placer.way(middle, y, y + into, &chain.entry);
    y = placer.chain(&chain, middle, y + into, true);
    let words = last_way(machine);
    let end_y = y + GAP;
    placer.way(middle, y, end_y, &words);
    placer.item(&unreached, middle, end_y, false);

    let beside = middle + ASIDE + width(&words[0], TEXT_SIZE, false);
    let rail = placer.rail(beside, middle, column, [&unreached, &reached], end_y);
    let right = (rail + reached.width / 2.0).max(MARGIN + head_width);
    let bottom = end_y + unreached.height.max(reached.height);
    let otherwise = machine
        .otherwise()
        .map(|why| format!(" Where nobody is reached it fails: {why}."))
        .unwrap_or_default();
    let heads = headers(machine).join("; ");
    let heads = if heads.is_empty() { heads } else { format!("{heads}. ") };
    let described = format!("{heads}Stages: {}.{otherwise}", described(&chain));
    Scene {
        shapes: placer.shapes,
        width: (right + MARGIN).ceil(),
        height: (bottom + MARGIN).ceil(),
        described,
    }
}

/// What leads from the last stage to the end.
fn last_way(machine: &Machine) -> [String; 1] {
    let last = machine.strategy(StrategyId(0)).stages.last().map(|id| machine.stage(*id));
    let words = match last {
        Some(stage) if matches!(stage.kind, Kind::Wait(_)) => "nothing is left to start",
        Some(stage) if stage.only_if.is_some() || stage.unless.is_some() => {
            "failed, skipped, or never confirmed"
        }
        _ => "failed, or never confirmed",
    };
    [words.to_owned()]
}

impl Placer {
    /// Gives the width of the text.
    fn text(&mut self, x: f64, y: f64, text: &str, look: Look, size: f64, bold: bool) -> f64 {
        self.shapes.push(Shape::Text { x, y, text: text.to_owned(), look, size, bold });
        width(text, size, bold)
    }

    /// A chain whose first item begins at `top`; gives where its last one ends.
    fn chain(&mut self, chain: &Chain, middle: f64, top: f64, is_outermost: bool) -> f64 {
        let mut y = top;
        for (place, item) in chain.items.iter().enumerate() {
            if let Some(words) = place.checked_sub(1).and_then(|before| chain.joints.get(before)) {
                let to = y + way(words);
                self.way(middle, y, to, words);
                y = to;
            }
            self.item(item, middle, y, is_outermost);
            y += item.height;
        }
        y
    }

    /// A line down with an arrow, and the words beside it.
    fn way(&mut self, x: f64, from: f64, to: f64, words: &[String]) {
        self.shapes.push(Shape::Line { points: vec![(x, from), (x, to)], look: Look::Line, arrow: true });
        // The arrow's head takes the end of the line.
        let middle = (from + to - 6.0) / 2.0;
        let first = middle - LINE * words.len().saturating_sub(1) as f64 / 2.0;
        for (place, line) in words.iter().enumerate() {
            self.text(x + ASIDE, first + LINE * place as f64, line, Look::Muted, TEXT_SIZE, false);
        }
    }

    fn item(&mut self, item: &Item, middle: f64, top: f64, is_outermost: bool) {
        let rect = Rect { x: middle - item.width / 2.0, y: top, width: item.width, height: item.height };
        self.shapes.push(Shape::Box { rect, look: item.look });
        let (ink, said) = match item.look {
            Look::Reached | Look::Unreached | Look::Failed => (Look::OnEnd, Look::OnEnd),
            _ => (Look::Ink, Look::Muted),
        };
        let mut y = top + PAD - 6.0 + LINE / 2.0;
        let mut x = rect.x + PAD;
        if matches!(item.look, Look::Channel(_) | Look::Wait) {
            self.shapes.push(Shape::Icon { x, y: y - 8.0, look: item.look });
            x += ICON;
        } else if matches!(item.look, Look::Start) {
            x = middle - width(&item.title, TITLE_SIZE, true) / 2.0;
        }
        self.text(x, y, &item.title, ink, TITLE_SIZE, true);
        for line in &item.lines {
            y += LINE;
            self.text(rect.x + PAD, y, line, said, TEXT_SIZE, false);
        }
        self.members(item, &rect);
        if let Some(goal) = item.goal.as_ref().filter(|_| is_outermost) {
            self.leaves.push(Leaves {
                x: rect.x + rect.width,
                y: top + item.head() / 2.0,
                goal: goal.clone(),
            });
        }
    }

    /// The members of a frame, side by side.
    fn members(&mut self, item: &Item, rect: &Rect) {
        let inside: f64 = item.members.iter().map(|member| member.width).sum::<f64>()
            + BESIDE * item.members.len().saturating_sub(1) as f64;
        let mut x = rect.x + (rect.width - inside) / 2.0;
        for member in &item.members {
            let (middle, mut top) = (x + member.width / 2.0, rect.y + item.head());
            if !member.entry.is_empty() {
                let to = top + way(&member.entry);
                self.way(middle, top, to, &member.entry);
                top = to;
            }
            self.chain(member, middle, top, false);
            x += member.width + BESIDE;
        }
    }

    /// What is reached leaves its stage to the right and goes down beside all of them, and beside the
    /// words on the way to the other end. Gives its place.
    fn rail(&mut self, words_end: f64, middle: f64, column: f64, ends: [&Item; 2], end_y: f64) -> f64 {
        let [unreached, reached] = ends;
        let leaves = std::mem::take(&mut self.leaves);
        let needs = |leaf: &Leaves| leaf.x + ASIDE + width(&leaf.goal, TEXT_SIZE, false) + ASIDE;
        let rail = leaves.iter().map(needs).fold(middle + column / 2.0 + RIGHT_MIN, f64::max);
        let rail = rail.max(words_end + ASIDE);
        // The two ends stand side by side.
        let rail = rail.max(middle + unreached.width / 2.0 + BESIDE + reached.width / 2.0).ceil();
        for (place, leaf) in leaves.iter().enumerate() {
            let arrow = place == 0;
            // All but the first join the one that goes down already.
            let down = if arrow { end_y } else { leaf.y + 10.0 };
            let points = vec![(leaf.x, leaf.y), (rail, leaf.y), (rail, down)];
            self.shapes.push(Shape::Line { points, look: Look::ReachedLine, arrow });
            self.text(leaf.x + ASIDE, leaf.y - 9.0, &leaf.goal, Look::Muted, TEXT_SIZE, false);
        }
        if !leaves.is_empty() {
            self.item(reached, rail, end_y, false);
        }
        rail
    }
}
