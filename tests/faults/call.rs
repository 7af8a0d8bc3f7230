//! The calls to ARM of one step in an object's life, as the emulator's journal has them.

use arm_emulator::{Fault, FaultRule, JournalEntry};

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// Reads the resource.
    Read,
    /// Reads a collection below it.
    List,
    /// Makes or changes it.
    Write,
    /// Deletes it.
    Delete,
    /// Asks how an operation on it goes.
    Poll,
}

/// One call of a step.
#[derive(Clone, Debug)]
pub struct Call {
    /// How many calls of its kind come before it.
    pub place: usize,
    pub kind: CallKind,
    pub method: String,
    /// How many writes and polls come before it.
    pub progress: usize,
}

pub fn kind(entry: &JournalEntry, id: &str) -> CallKind {
    match entry.method.as_str() {
        _ if entry.operation_on.is_some() => CallKind::Poll,
        "GET" if entry.path.eq_ignore_ascii_case(id) => CallKind::Read,
        "GET" => CallKind::List,
        "DELETE" => CallKind::Delete,
        _ => CallKind::Write,
    }
}

/// How many calls of a step write, or follow what was written.
pub fn progress(journal: &[JournalEntry], id: &str) -> usize {
    journal.iter().filter(|entry| !matches!(kind(entry, id), CallKind::Read | CallKind::List)).count()
}

/// The calls of an undisturbed step.
pub fn calls(journal: &[JournalEntry], id: &str) -> Vec<Call> {
    let call = |(place, entry): (usize, &JournalEntry)| Call {
        place: journal[..place].iter().filter(|before| kind(before, id) == kind(entry, id)).count(),
        kind: kind(entry, id),
        method: entry.method.clone(),
        progress: progress(&journal[..place], id),
    };
    journal.iter().enumerate().map(call).collect()
}

impl Call {
    /// The fault at this call of the resource with that name.
    pub fn meets(&self, name: &str, fault: Fault) -> FaultRule {
        let rule = match self.kind {
            CallKind::Poll => FaultRule::new("GET", "/workspaceOperationsStatus/", fault).on(name),
            CallKind::List => FaultRule::new("GET", &format!("{name}/"), fault),
            CallKind::Read | CallKind::Write | CallKind::Delete => FaultRule::new(&self.method, name, fault),
        };
        rule.after(self.place as u64)
    }
}

/// How many PUTs of the resource took effect.
pub fn effective_puts(journal: &[JournalEntry], id: &str) -> usize {
    let by_fault = |entry: &&JournalEntry| {
        entry.fault.as_ref().is_some_and(|fault| fault.contains("answer") || fault.contains("html"))
    };
    journal
        .iter()
        .filter(|entry| entry.method == "PUT" && entry.path.eq_ignore_ascii_case(id))
        .filter(|entry| (200..300).contains(&entry.status) && !by_fault(entry))
        .count()
}
