//! Which cases a program that runs them by itself is asked for.

/// What the names of the cases have to contain; `None` where somebody only asks what tests there are. Of the flags of the usual
/// test programs only that one matters: what cases there are is known when they run.
pub fn filter() -> Option<String> {
    let is_listing = std::env::args().any(|argument| argument == "--list");
    let filter = || std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    (!is_listing).then(filter)
}
