//! What must hold of every fault of a JSON value.

use serde_json::Value;

/// The pointer is one (RFC 6901), and leads to something in the value, or to a field that is not
/// there of an object that is.
pub(crate) fn leads_into(value: &Value, pointer: &str) {
    assert!(pointer.is_empty() || pointer.starts_with('/'), "`{pointer}` is no pointer");
    for part in pointer.split('~').skip(1) {
        assert!(part.starts_with(['0', '1']), "`{pointer}` is not escaped");
    }
    if value.pointer(pointer).is_some() {
        return;
    }
    let above = pointer.rsplit_once('/').map_or("", |(above, _)| above);
    let holder = value.pointer(above);
    assert!(holder.is_some_and(Value::is_object), "`{pointer}` leads nowhere in {value}");
}
