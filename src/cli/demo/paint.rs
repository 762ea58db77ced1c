//! What the demo prints: coloured on a terminal, plain in a pipe.

use anstyle::{AnsiColor, Style};

use super::DemoError;
use crate::cli::terminal;

/// How lines look.
#[derive(Clone, Copy)]
pub(super) struct Paint {
    pub(super) colour: bool,
}

impl Paint {
    fn styled(self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// What stands out.
    pub(super) fn strong(self, text: &str) -> String {
        self.styled(Style::new().bold(), text)
    }

    /// What went well.
    pub(super) fn good(self, text: &str) -> String {
        self.styled(AnsiColor::Green.on_default(), text)
    }

    /// What is waited for.
    pub(super) fn waiting(self, text: &str) -> String {
        self.styled(AnsiColor::Yellow.on_default(), text)
    }

    /// What is told beside.
    pub(super) fn quiet(self, text: &str) -> String {
        self.styled(Style::new().dimmed(), text)
    }

    /// A chapter.
    pub(super) fn chapter(self, title: &str) -> Result<(), DemoError> {
        self.line(&format!("\n{}", self.styled(AnsiColor::Cyan.on_default().bold(), title)))
    }

    /// A line.
    pub(super) fn line(self, text: &str) -> Result<(), DemoError> {
        Ok(terminal::print(&format!("{text}\n"))?)
    }
}
