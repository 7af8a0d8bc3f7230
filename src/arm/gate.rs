//! At most one write at a time for each workspace and what is below it: ARM refuses a second one with 409 while an operation
//! runs (ARM reference, section 3), so the operator does not send it. Projects of one hub are not held up by each other:
//! where ARM wants that, it says so, and the write waits its turn.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::ArmId;

/// Who holds a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hold {
    holder: String,
    /// Held beyond one call, until an operation ends.
    operation: bool,
}

/// Hands out the right to write to a workspace or its children.
#[derive(Debug, Default)]
pub struct WriteGate {
    holds: Mutex<HashMap<ArmId, Hold>>,
    freed: Notify,
}

/// The workspace is taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken;

impl WriteGate {
    /// Takes the workspace of `target` for `holder`, who may hold it already. Waits while short writes go on, but not for
    /// an operation.
    ///
    /// # Errors
    /// [`Taken`] where an operation holds it, or the wait grew longer than `patience`.
    pub async fn enter(&self, target: &ArmId, holder: &str, patience: Duration) -> Result<(), Taken> {
        let waiting = async {
            loop {
                let freed = self.freed.notified();
                match self.take(target, holder) {
                    Ok(()) => return Ok(()),
                    Err(hold) if hold.operation => return Err(Taken),
                    Err(_) => freed.await,
                }
            }
        };
        tokio::time::timeout(patience, waiting).await.unwrap_or(Err(Taken))
    }

    /// Keeps the workspace until [`Self::leave`]: an operation runs.
    pub fn hold_for_operation(&self, target: &ArmId, holder: &str) {
        let hold = Hold { holder: holder.to_owned(), operation: true };
        self.locked().entry(target.top_level()).or_insert(hold.clone()).operation |= true;
    }

    /// Gives back whatever `holder` holds.
    pub fn leave(&self, holder: &str) {
        self.locked().retain(|_, hold| hold.holder != holder);
        self.freed.notify_waiters();
    }

    fn take(&self, target: &ArmId, holder: &str) -> Result<(), Hold> {
        let mut holds = self.locked();
        let hold =
            holds.entry(target.top_level()).or_insert_with(|| Hold { holder: holder.to_owned(), operation: false });
        if hold.holder == holder { Ok(()) } else { Err(hold.clone()) }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<ArmId, Hold>> {
        // A panic elsewhere leaves a map that is as good as before.
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT_LONG: Duration = Duration::from_millis(20);

    fn workspace() -> ArmId {
        ArmId::workspace("00000001-0000-4000-8000-000000000001", "rg", "hub").unwrap()
    }

    #[tokio::test]
    async fn a_child_waits_for_the_workspace_and_goes_on_when_it_is_free() {
        let gate = WriteGate::default();
        gate.enter(&workspace(), "hub", NOT_LONG).await.unwrap();
        let child = workspace().child("connections", "c").unwrap();
        let entering = gate.enter(&child, "connection", Duration::from_mins(1));
        let (entered, ()) = tokio::join!(entering, async { gate.leave("hub") });
        assert_eq!(entered, Ok(()));
    }

    #[tokio::test]
    async fn nobody_waits_for_an_operation() {
        let gate = WriteGate::default();
        gate.hold_for_operation(&workspace(), "hub");
        assert_eq!(gate.enter(&workspace(), "other", Duration::from_mins(1)).await, Err(Taken));
        assert_eq!(gate.enter(&workspace(), "hub", NOT_LONG).await, Ok(()));
    }

    #[tokio::test]
    async fn patience_ends() {
        let gate = WriteGate::default();
        gate.enter(&workspace(), "a", NOT_LONG).await.unwrap();
        assert_eq!(gate.enter(&workspace(), "b", NOT_LONG).await, Err(Taken));
    }
}
