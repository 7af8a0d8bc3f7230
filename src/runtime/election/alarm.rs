//! The end of a process that was stopped for longer than it may lead.
//!
//! A write may be anywhere between the fence and the network when a process is stopped. The system's own clock goes on: the
//! signal that it then sends is the first thing that the process meets when it is continued.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use nix::unistd::alarm;
use signal_hook::consts::SIGALRM;

/// With what the process ends then: "temporary failure" in sysexits.h. There is no time to say more.
const STATUS: i32 = 75;

/// The alarm clock of this process, of which there is one.
#[derive(Debug)]
pub(super) struct Alarm(());

impl Alarm {
    /// From now on the process ends when the alarm goes off. A handler does that: the first process of a container does not
    /// end by a signal that it does not handle.
    ///
    /// # Errors
    /// Where the system takes no handler.
    pub(super) fn install() -> io::Result<Self> {
        signal_hook::flag::register_conditional_shutdown(SIGALRM, STATUS, Arc::new(AtomicBool::new(true)))?;
        Ok(Self(()))
    }

    /// Sets it anew, to whole seconds, which is all that it knows; at least one.
    #[expect(clippy::unused_self, reason = "without a handler it must not be set")]
    pub(super) fn set(&self, after: Duration) {
        alarm::set(u32::try_from(after.as_secs()).unwrap_or(u32::MAX).max(1));
    }

    /// Puts it off.
    #[expect(clippy::unused_self, reason = "as above")]
    pub(super) fn off(&self) {
        alarm::cancel();
    }
}
