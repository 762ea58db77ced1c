//! What `tests/shim/disk.c` wrote down, read back.

use std::ops::Range;
use std::path::PathBuf;

/// Something that happened to a file or a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// A file that was not there.
    Made(u64, PathBuf),
    /// A file or folder that was there.
    Opened(u64, PathBuf),
    /// A new folder.
    Folder(u64, PathBuf),
    /// Bytes of the log, written at an offset.
    Wrote(u64, u64, Range<usize>),
    /// Cut, or lengthened, to a length.
    Cut(u64, u64),
    /// A sync began, under a number.
    Syncing(u64, i64),
    /// It ended, and whether it did its work.
    Synced(u64, i64, bool),
    Removed(PathBuf),
    Renamed(PathBuf, PathBuf),
}

/// The same, with the position in the log at which it has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Happened {
    pub(crate) by: u64,
    pub(crate) what: What,
}

const HEAD_BYTES: usize = 32;

/// Reads a log. The last record may be cut off by a kill.
pub(crate) fn read(log: &[u8]) -> Vec<Happened> {
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(head) = log.get(at..at + HEAD_BYTES) {
        let short = |from: usize| u32::from_ne_bytes(head[from..from + 4].try_into().unwrap());
        let long = |from: usize| i64::from_ne_bytes(head[from..from + 8].try_into().unwrap());
        let data = at + HEAD_BYTES..at + HEAD_BYTES + usize::try_from(short(4)).unwrap();
        let Some(bytes) = log.get(data.clone()) else { break };
        let (file, number, result) = (long(8).cast_unsigned(), long(16), long(24));
        let path = || PathBuf::from(std::str::from_utf8(bytes).unwrap());
        at = data.end;
        let what = match short(0) {
            1 => What::Made(file, path()),
            2 => What::Opened(file, path()),
            3 => What::Folder(file, path()),
            4 => What::Wrote(file, number.cast_unsigned(), data),
            5 => What::Cut(file, number.cast_unsigned()),
            6 => What::Syncing(file, number),
            7 => What::Synced(file, number, result == 0),
            8 => What::Removed(path()),
            9 => {
                let (from, to) = std::str::from_utf8(bytes).unwrap().split_once('\0').unwrap();
                What::Renamed(from.into(), to.into())
            }
            kind => panic!("a record of kind {kind} at {at}"),
        };
        all.push(Happened { by: at as u64, what });
    }
    all
}
