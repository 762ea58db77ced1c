//! `--watch`: what is saved is checked again, whichever way an editor saves.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use tempfile::tempdir;

use super::{spine_in, write};

/// How long a process may take to say something. Reached only where a test fails.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(60);

/// A watching process and what it says, line by line.
struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn start(folder: &std::path::Path, args: &[&str]) -> Watching {
        let mut command = spine_in(folder);
        Watching::of(command.args(["policy", "check", "--watch"]).args(args).stdout(Stdio::piped()))
    }

    fn of(command: &mut std::process::Command) -> Watching {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let said = sender.clone();
        if let Some(out) = child.stdout.take() {
            std::thread::spawn(move || {
                BufReader::new(out).lines().map_while(Result::ok).all(|l| said.send(l).is_ok())
            });
        }
        let err = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            BufReader::new(err).lines().map_while(Result::ok).all(|l| sender.send(l).is_ok())
        });
        Watching { child, lines }
    }

    /// Waits until a line has these words; gives it.
    fn until(&self, words: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(WITHIN).unwrap_or_else(|_| panic!("it never said `{words}`"));
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Ctrl-C.
    fn interrupt(mut self) {
        let killed = std::process::Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(killed.unwrap().success());
        // Both its outputs are closed once it has ended.
        let mut said = self.lines.recv_timeout(WITHIN);
        while said.is_ok() {
            said = self.lines.recv_timeout(WITHIN);
        }
        assert_eq!(said, Err(RecvTimeoutError::Disconnected), "it did not end: is SIGINT ignored here?");
        self.child.wait().unwrap();
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[test]
fn whatever_way_a_file_is_saved_it_is_checked_again() {
    let home = tempdir().unwrap();
    write(home.path(), &[("policies/a.policy", "watsapp")]);
    let watching = Watching::start(home.path(), &["policies"]);
    watching.until("unknown channel `watsapp`");

    // Written in place.
    write(home.path(), &[("policies/a.policy", "vioce")]);
    watching.until("unknown channel `vioce`");

    // Written beside it and renamed over it, as editors do, twice: the first rename must not end the watch.
    for (text, told) in [("emial", "unknown channel `emial`"), ("pusch", "unknown channel `pusch`")] {
        write(home.path(), &[("policies/.a.policy.swp", text)]);
        std::fs::rename(home.path().join("policies/.a.policy.swp"), home.path().join("policies/a.policy"))
            .unwrap();
        watching.until(told);
    }

    // A new folder with a new file, which mends nothing, and one that goes.
    write(home.path(), &[("policies/new/b.policy", "email")]);
    watching.until("2 policies in 2 files");
    std::fs::remove_file(home.path().join("policies/a.policy")).unwrap();
    watching.until("1 policy in 1 file");

    // Settings count too, and what cannot be read does not end it.
    write(home.path(), &[("spine.yaml", "lint: 3\n")]);
    watching.until("must hold settings");
    write(home.path(), &[("spine.yaml", "require: { loud: { uses: [voice] } }\n")]);
    watching.until("error[loud]");
    watching.interrupt();
}

#[test]
fn one_file_is_watched_by_its_folder() {
    let home = tempdir().unwrap();
    write(home.path(), &[("a.policy", "sms")]);
    let watching = Watching::start(home.path(), &["a.policy"]);
    watching.until("1 policy in 1 file");
    for (text, told) in [("watsapp", "unknown channel `watsapp`"), ("vioce", "unknown channel `vioce`")] {
        write(home.path(), &[("next", text)]);
        std::fs::rename(home.path().join("next"), home.path().join("a.policy")).unwrap();
        watching.until(told);
    }
    watching.interrupt();
}

#[test]
fn the_standard_input_cannot_be_watched() {
    let home = tempdir().unwrap();
    let output = spine_in(home.path()).args(["policy", "check", "--watch", "-"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_nearer_file_of_settings_counts_once_it_is_there_and_no_longer_than_that() {
    let home = tempdir().unwrap();
    let loud = ("spine.yaml", "require: { loud: { uses: [voice] } }\n");
    write(home.path(), &[loud, ("team/here/a.policy", "sms")]);
    let watching = Watching::start(&home.path().join("team/here"), &["a.policy"]);
    watching.until("error[loud]");
    write(home.path(), &[("team/spine.yaml", "require: { quick: { uses: [push] } }\n")]);
    watching.until("error[quick]");
    write(home.path(), &[("team/spine.yaml", "require: { slow: { uses: [email] } }\n")]);
    watching.until("error[slow]");
    std::fs::remove_file(home.path().join("team/spine.yaml")).unwrap();
    watching.until("error[loud]");
    watching.interrupt();
}

/// What it says itself may be kept in a file of the folder that it watches, one without an ending.
#[test]
fn its_own_words_in_the_watched_folder_call_it_no_second_time() {
    let home = tempdir().unwrap();
    write(home.path(), &[("policies/a.policy", "watsapp")]);
    let log = home.path().join("policies/log");
    let mut command = spine_in(home.path());
    command.args(["policy", "check", "--watch", "policies"]).stdout(std::fs::File::create(&log).unwrap());
    let watching = Watching::of(&mut command);
    // Each round comes of a change of ours, so the log grows by what each change brings and no more.
    for channel in ["watsapp", "vioce", "emial", "pusch"] {
        if channel != "watsapp" {
            write(home.path(), &[("policies/next", channel)]);
            std::fs::rename(home.path().join("policies/next"), home.path().join("policies/a.policy"))
                .unwrap();
        }
        watching.until("waiting for changes");
        let all = std::fs::read_to_string(&log).unwrap();
        let last = all.rfind("unknown channel").unwrap();
        assert!(all[last..].starts_with(&format!("unknown channel `{channel}`")), "{all}");
    }
    watching.interrupt();
}

/// A folder that goes and comes again is looked into again.
#[test]
fn a_watched_folder_may_go_and_come_again() {
    let home = tempdir().unwrap();
    write(home.path(), &[("policies/a.policy", "watsapp")]);
    let watching = Watching::start(home.path(), &["policies"]);
    watching.until("unknown channel `watsapp`");
    std::fs::rename(home.path().join("policies"), home.path().join("elsewhere")).unwrap();
    watching.until("cannot read `policies`");
    std::fs::rename(home.path().join("elsewhere"), home.path().join("policies")).unwrap();
    watching.until("unknown channel `watsapp`");
    write(home.path(), &[("policies/a.policy", "vioce")]);
    watching.until("unknown channel `vioce`");
    watching.interrupt();
}
