//! Starts `spine lsp` for policies.

use zed_extension_api::{self as zed, Command, LanguageServerId, Result, Worktree};

struct Spine;

impl zed::Extension for Spine {
    fn new() -> Self {
        Spine
    }

    fn language_server_command(&mut self, _: &LanguageServerId, worktree: &Worktree) -> Result<Command> {
        let command = worktree
            .which("spine")
            .ok_or("`spine` is not in the PATH; install it, or start Zed where it is")?;
        Ok(Command { command, args: vec!["lsp".to_owned()], env: worktree.shell_env() })
    }
}

zed::register_extension!(Spine);
