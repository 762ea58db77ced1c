//! Where a setting stands in its file.

pub(super) use crate::language::yaml::Place;
use crate::language::yaml::Step;

/// The place of the last name on `path`, or of the value below it.
pub(super) fn find(text: &str, path: &[String], is_name: bool) -> Option<Place> {
    // In a list, the name is the number of an entry, from 0.
    let entry = |name: &String| name.parse::<usize>().map_or_else(|_| Step::from(name.as_str()), Step::from);
    let by_entries: Vec<Step> = path.iter().map(entry).collect();
    let by_names = || path.iter().map(|name| Step::from(name.as_str())).collect::<Vec<Step>>();
    Place::find(text, &by_entries, is_name).or_else(|| Place::find(text, &by_names(), is_name))
}
