//! Places where a test may kill the process. Without the feature `crash-points` there are none.

/// A place where the process may be killed, by its name.
macro_rules! crash_point {
    ($name:literal) => {
        #[cfg(feature = "crash-points")]
        $crate::crash::reach($name);
    };
}

/// What only a test sets, in the surroundings of a program that has these places.
#[cfg(feature = "crash-points")]
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Ends the process on the spot, as a kill does, where `SPINE_CRASH_AT` says so: a name alone for the
/// first time that its place is reached, `name:n` for the n-th.
#[cfg(feature = "crash-points")]
pub(crate) fn reach(name: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let wanted = std::env::var("SPINE_CRASH_AT").ok()?;
        match wanted.split_once(':') {
            Some((name, times)) => Some((name.to_owned(), times.parse().ok()?)),
            None => Some((wanted, 1)),
        }
    });
    static REACHED: AtomicU64 = AtomicU64::new(0);
    if let Some((wanted, times)) = WANTED.as_ref()
        && wanted == name
        && REACHED.fetch_add(1, Ordering::Relaxed) + 1 == *times
    {
        std::process::abort();
    }
}
