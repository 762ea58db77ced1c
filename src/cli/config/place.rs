//! Where a setting stands in its file.

pub(super) use crate::language::yaml::Place;
use crate::language::yaml::Step;

/// The place of the last name on `path`, or of the value below it.
pub(super) fn find(text: &str, path: &[String], is_name: bool) -> Option<Place> {
    let path: Vec<Step> = path.iter().map(|name| Step::from(name.as_str())).collect();
    Place::find(text, &path, is_name)
}
