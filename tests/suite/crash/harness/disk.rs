//! What a disk holds, and what it holds after a power cut.
//!
//! What was written before a sync that has ended is on the disk. What was written later may be there,
//! or not, in any order; of a write some sectors may be there. The name of a file is on the disk once
//! its folder was synced, and before that it may be missing, or still there after it was removed.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::log::{Happened, What};

/// Which part of what was not synced is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Left {
    /// Nothing of it.
    Nothing,
    /// All of it.
    Everything,
    /// Whole writes, each or not.
    Writes,
    /// Sectors of 512 bytes, each or not.
    Sectors,
    /// Sectors of 4,096 bytes, each or not.
    Pages,
    /// All up to some write, and a part of that one.
    Beginning,
}

impl Left {
    pub(crate) const ALL: [Left; 6] =
        [Left::Nothing, Left::Everything, Left::Writes, Left::Sectors, Left::Pages, Left::Beginning];
}

/// Numbers that follow from a seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`, or 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub(crate) fn toss(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

#[derive(Debug, Clone)]
enum Step {
    Wrote(u64, std::ops::Range<usize>),
    Cut(u64),
    /// In a folder: a name stands for an object, or for none.
    Named(String, Option<usize>),
    /// In a folder: what was under one name is under another. Both or neither, whatever is left.
    Moved(String, String, usize),
}

/// A file or a folder.
#[derive(Debug, Default)]
struct Object {
    is_folder: bool,
    bytes: Vec<u8>,
    names: BTreeMap<String, usize>,
    /// What was not synced yet, with its number, in order.
    pending: Vec<(u64, Step)>,
}

impl Object {
    fn take(&mut self, step: &Step, log: &[u8]) {
        match step {
            Step::Wrote(at, data) => put(&mut self.bytes, *at, &log[data.clone()]),
            Step::Cut(length) => self.bytes.resize(usize::try_from(*length).unwrap(), 0),
            Step::Named(name, Some(object)) => {
                self.names.insert(name.clone(), *object);
            }
            Step::Named(name, None) => {
                self.names.remove(name);
            }
            Step::Moved(from, to, object) => {
                self.names.remove(from);
                self.names.insert(to.clone(), *object);
            }
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn put(bytes: &mut Vec<u8>, at: u64, data: &[u8]) {
    let at = usize::try_from(at).unwrap();
    if bytes.len() < at + data.len() {
        bytes.resize(at + data.len(), 0);
    }
    bytes[at..at + data.len()].copy_from_slice(data);
}

/// The disk, as far as the log was followed.
pub(crate) struct Model<'a> {
    log: &'a [u8],
    root: PathBuf,
    objects: Vec<Object>,
    /// Which object an inode stands for; one that is used again stands for another.
    inodes: HashMap<u64, usize>,
    /// What every path stands for just now.
    paths: HashMap<PathBuf, usize>,
    /// Syncs under way: the object, and the number of the first step that is not in it.
    syncing: HashMap<i64, (usize, u64)>,
    steps: u64,
    /// What is left of what a failed sync was to write: the system takes it for written, and writes
    /// it no more.
    dice: Dice,
}

impl<'a> Model<'a> {
    /// An empty folder at `root`.
    pub(crate) fn new(log: &'a [u8], root: &Path, seed: u64) -> Model<'a> {
        Model {
            log,
            root: root.to_owned(),
            objects: vec![Object { is_folder: true, ..Object::default() }],
            inodes: HashMap::new(),
            paths: HashMap::from([(root.to_owned(), 0)]),
            syncing: HashMap::new(),
            steps: 0,
            dice: Dice::new(seed),
        }
    }

    pub(crate) fn follow(&mut self, happened: &Happened) {
        match &happened.what {
            What::Made(inode, path) => self.make(*inode, path, false),
            What::Folder(inode, path) => self.make(*inode, path, true),
            What::Opened(inode, path) => {
                if let Some(object) = self.paths.get(path) {
                    self.inodes.insert(*inode, *object);
                }
            }
            What::Wrote(inode, at, data) => self.step(self.inodes[inode], Step::Wrote(*at, data.clone())),
            What::Cut(inode, length) => self.step(self.inodes[inode], Step::Cut(*length)),
            What::Syncing(inode, number) => {
                self.syncing.insert(*number, (self.inodes[inode], self.steps));
            }
            What::Synced(_, number, done) => self.synced(*number, *done),
            What::Removed(path) => {
                self.paths.remove(path);
                self.name(path, None);
            }
            What::Renamed(from, to) => {
                if let Some(object) = self.paths.remove(from) {
                    self.paths.insert(to.clone(), object);
                    let folder = self.paths[from.parent().unwrap()];
                    assert_eq!(from.parent(), to.parent(), "a file that moved between folders");
                    self.step(folder, Step::Moved(name_of(from), name_of(to), object));
                }
            }
        }
    }

    fn make(&mut self, inode: u64, path: &Path, is_folder: bool) {
        let object = self.objects.len();
        self.objects.push(Object { is_folder, ..Object::default() });
        self.inodes.insert(inode, object);
        self.paths.insert(path.to_owned(), object);
        self.name(path, Some(object));
    }

    fn name(&mut self, path: &Path, object: Option<usize>) {
        let folder = self.paths[path.parent().unwrap()];
        self.step(folder, Step::Named(name_of(path), object));
    }

    fn step(&mut self, object: usize, step: Step) {
        self.objects[object].pending.push((self.steps, step));
        self.steps += 1;
    }

    fn synced(&mut self, number: i64, done: bool) {
        let Some((object, end)) = self.syncing.remove(&number) else { return };
        let object = &mut self.objects[object];
        let later = object.pending.iter().position(|(step, _)| *step >= end);
        let later = object.pending.split_off(later.unwrap_or(object.pending.len()));
        for (_, step) in std::mem::replace(&mut object.pending, later) {
            if done || self.dice.toss() {
                object.take(&step, self.log);
            }
        }
    }

    /// What a power cut leaves: every file with its bytes, and the folders.
    pub(crate) fn after_cut(&self, left: Left, seed: u64) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut found = BTreeMap::new();
        self.gather(0, &self.root, left, &mut Dice::new(seed), &mut found);
        found
    }

    fn gather(
        &self,
        object: usize,
        path: &Path,
        left: Left,
        dice: &mut Dice,
        found: &mut BTreeMap<PathBuf, Option<Vec<u8>>>,
    ) {
        let was = &self.objects[object];
        let mut is = Object { bytes: was.bytes.clone(), names: was.names.clone(), ..Object::default() };
        let count = was.pending.len() as u64;
        let begun = if left == Left::Beginning { dice.below(count + 1) } else { count };
        for (place, (_, step)) in was.pending.iter().enumerate() {
            let place = place as u64;
            match left {
                Left::Nothing => {}
                Left::Everything => is.take(step, self.log),
                Left::Beginning if place < begun => is.take(step, self.log),
                Left::Beginning if place > begun => {}
                Left::Writes => {
                    if dice.toss() {
                        is.take(step, self.log);
                    }
                }
                Left::Sectors | Left::Beginning => self.torn(&mut is, step, 512, dice),
                Left::Pages => self.torn(&mut is, step, 4_096, dice),
            }
        }
        if !was.is_folder {
            found.insert(path.to_owned(), Some(is.bytes));
            return;
        }
        found.insert(path.to_owned(), None);
        for (name, object) in &is.names {
            self.gather(*object, &path.join(name), left, dice, found);
        }
    }

    /// Takes some sectors of a write.
    fn torn(&self, object: &mut Object, step: &Step, sector: u64, dice: &mut Dice) {
        let Step::Wrote(at, data) = step else {
            if dice.toss() {
                object.take(step, self.log);
            }
            return;
        };
        let (mut from, end) = (*at, *at + data.len() as u64);
        while from < end {
            let to = end.min((from / sector + 1) * sector);
            if dice.toss() {
                let part = |offset: u64| data.start + usize::try_from(offset - at).unwrap();
                put(&mut object.bytes, from, &self.log[part(from)..part(to)]);
            }
            from = to;
        }
    }
}
