//! A disk of the tests' own below a real program: it remembers what was written and synced, and
//! fills up or fails when it is told to. The work is done by `tests/shim/disk.c`.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// The library, made by the C compiler that the program itself needs, once a run.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim/disk.c");
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let (made, library) = (folder.join(format!("disk-{}.so", std::process::id())), folder.join("disk.so"));
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let run = Command::new(&compiler)
        .args(["-shared", "-fPIC", "-O2", "-Wall", "-o"])
        .args([&made, &source])
        .args(["-ldl", "-lpthread"])
        .output()
        .unwrap_or_else(|error| panic!("no C compiler `{compiler}`: {error}"));
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    // Under another name first: another run may have it in use.
    std::fs::rename(&made, &library).unwrap();
    library
});

/// Which files a fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    All = 0,
    /// The databases' own files.
    Databases = 1,
    /// The write-ahead logs.
    Logs = 2,
    /// The shared memory of the write-ahead logs.
    Indexes = 3,
    /// The scopes' databases.
    Scopes = 4,
}

/// The disk below a folder.
pub(crate) struct Disk {
    root: PathBuf,
    log: PathBuf,
    control_path: PathBuf,
    control: File,
}

/// Where the numbers of `struct control` stand.
mod at {
    pub(super) const ROOM: u64 = 0;
    pub(super) const ROOM_OF: u64 = 8;
    pub(super) const FAILING: u64 = 16;
    pub(super) const FAILING_OF: u64 = 24;
    pub(super) const REFUSED: u64 = 32;
    pub(super) const FAILED: u64 = 40;
    pub(super) const END: u64 = 48;
}

impl Disk {
    /// Below `root`, with its own files beside it in `beside`.
    pub(crate) fn new(root: &Path, beside: &Path) -> Disk {
        let control_path = beside.join("disk-control");
        let control = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&control_path)
            .unwrap();
        control.set_len(at::END).unwrap();
        let disk = Disk { root: root.to_owned(), log: beside.join("disk-log"), control_path, control };
        disk.has_room_again();
        disk
    }

    /// What a program needs in its surroundings to run on this disk.
    pub(crate) fn surroundings(&self) -> [(&'static str, PathBuf); 4] {
        [
            ("LD_PRELOAD", LIBRARY.clone()),
            ("SPINE_DISK_ROOT", self.root.clone()),
            ("SPINE_DISK_LOG", self.log.clone()),
            ("SPINE_DISK_CONTROL", self.control_path.clone()),
        ]
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// How far the log goes by now.
    pub(crate) fn position(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |log| log.len())
    }

    /// All that was remembered.
    pub(crate) fn log(&self) -> Vec<u8> {
        std::fs::read(&self.log).unwrap()
    }

    /// From now on these files grow by no more than so many bytes.
    pub(crate) fn has_room(&self, bytes: i64, of: Of) {
        self.set(at::ROOM_OF, of as i64);
        self.set(at::ROOM, bytes);
    }

    pub(crate) fn has_room_again(&self) {
        self.set(at::ROOM, -1);
    }

    /// So many syncs of these files fail from now on.
    pub(crate) fn fails(&self, syncs: i64, of: Of) {
        self.set(at::FAILING_OF, of as i64);
        self.set(at::FAILING, syncs);
    }

    /// How many writes found no room.
    pub(crate) fn refused(&self) -> i64 {
        self.get(at::REFUSED)
    }

    /// How many syncs failed.
    pub(crate) fn failed(&self) -> i64 {
        self.get(at::FAILED)
    }

    fn set(&self, at: u64, number: i64) {
        self.control.write_all_at(&number.to_ne_bytes(), at).unwrap();
    }

    fn get(&self, at: u64) -> i64 {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, at).unwrap();
        i64::from_ne_bytes(bytes)
    }
}
