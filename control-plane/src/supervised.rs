use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};

use crate::Error;

/// A program that never outlives this process, however this process ends.
///
/// A test binary does not drop its statics, and nobody can clean up after a SIGKILL to himself. So a
/// shell waits next to the program on a pipe from this process, and kills the program when the pipe
/// closes. Both are in process groups of their own: a terminal's Ctrl-C reaches only this process,
/// which then decides in which order things end.
#[derive(Debug)]
pub struct Supervised {
    child: Child,
    pid: Pid,
    watcher: Option<Watcher>,
    status: Option<ExitStatus>,
}

impl Supervised {
    /// Starts a program with more environment variables; what it writes is added to a log file.
    ///
    /// # Errors
    ///
    /// When there is no such program, or the log cannot be written.
    pub fn spawn(
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        environment: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
        log: impl AsRef<Path>,
    ) -> Result<Self, Error> {
        let mut command = Command::new(program);
        command.args(arguments).envs(environment);
        Self::from_command(&command, log)
    }

    /// The same for a command with its arguments, working folder and changes to the environment. Its
    /// standard streams, and an `env_clear`, cannot be read from a command and do not count.
    ///
    /// # Errors
    ///
    /// When there is no such program, or the log cannot be written.
    pub fn from_command(command: &Command, log: impl AsRef<Path>) -> Result<Self, Error> {
        let (mut program, log) = (PathBuf::from(command.get_program()), log.as_ref());
        let name = program.display().to_string();
        let failed = || Error::io(format!("start {name}"));
        // A bare name is for the shell to look up on the PATH.
        if program.components().count() > 1 {
            // The shell may run in another folder than this process.
            program = std::path::absolute(program).map_err(failed())?;
            if !program.is_file() {
                return Err(failed()(io::ErrorKind::NotFound.into()));
            }
        }
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .map_err(Error::io(format!("write {}", log.display())))?;
        // The shell becomes the program only after the watcher is there: a parent that is killed in
        // between closes this pipe too, and then the program never starts.
        let mut gate = Command::new("sh");
        gate.args(["-c", r#"read -r _ && exec "$@" </dev/null"#, "sh"])
            .arg(program)
            .args(command.get_args())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(output.try_clone().map_err(failed())?)
            .stderr(output);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => gate.env(name, value),
                None => gate.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            gate.current_dir(folder);
        }
        let mut child = gate.spawn().map_err(failed())?;
        let pid = Pid::from_child(&child);
        let open = child.stdin.take();
        let mut supervised = Self { child, pid, watcher: None, status: None };
        let script = r#"read -r _ || kill -s KILL -- "-$1""#;
        let watcher = Watcher::spawn(script, pid.to_string()).map_err(failed())?;
        supervised.watcher = Some(watcher);
        if let Some(mut open) = open {
            open.write_all(b"\n").map_err(failed())?;
        }
        Ok(supervised)
    }

    /// The id of the program's own process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Whether the program has not ended yet.
    #[must_use]
    pub fn is_running(&self) -> bool {
        // Only a look: the process must stay a zombie until the watcher is gone, because a zombie
        // keeps its id, and so nobody can kill another process by this one's id.
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.status.is_none() && matches!(waitid(WaitId::Pid(self.pid), look), Ok(None))
    }

    /// Asks the program to end (SIGTERM) and does not wait; see [`Supervised::wait`].
    ///
    /// # Errors
    ///
    /// When the signal cannot be sent. A program that has ended already is no error.
    pub fn terminate(&self) -> Result<(), Error> {
        if self.status.is_some() {
            return Ok(());
        }
        kill_process(self.pid, Signal::TERM).map_err(|errno| Error::io("send SIGTERM")(errno.into()))
    }

    /// Stops the program where it stands (SIGSTOP), until [`Supervised::resume`].
    ///
    /// # Errors
    ///
    /// When the signal cannot be sent, for example because the program has ended.
    pub fn pause(&self) -> Result<(), Error> {
        kill_process(self.pid, Signal::STOP).map_err(|errno| Error::io("send SIGSTOP")(errno.into()))
    }

    /// Lets the program go on (SIGCONT).
    ///
    /// # Errors
    ///
    /// When the signal cannot be sent, for example because the program has ended.
    pub fn resume(&self) -> Result<(), Error> {
        kill_process(self.pid, Signal::CONT).map_err(|errno| Error::io("send SIGCONT")(errno.into()))
    }

    /// Waits for the end of the program, but not longer than the limit: `None` says it still runs.
    ///
    /// # Errors
    ///
    /// When the system refuses to tell.
    pub fn wait(&mut self, limit: Duration) -> Result<Option<ExitStatus>, Error> {
        let begin = Instant::now();
        while self.is_running() {
            if begin.elapsed() >= limit {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.reap().map(Some)
    }

    /// Ends the program at once, and what it started in its process group (SIGKILL); returns when it
    /// is gone.
    ///
    /// # Errors
    ///
    /// When the signal cannot be sent. A program that has ended already is no error.
    pub fn kill(&mut self) -> Result<ExitStatus, Error> {
        if self.status.is_none() {
            match kill_process_group(self.pid, Signal::KILL) {
                // macOS refuses to signal a group of nothing but zombies.
                Ok(()) | Err(rustix::io::Errno::SRCH | rustix::io::Errno::PERM) => {}
                Err(errno) => return Err(Error::io("send SIGKILL")(errno.into())),
            }
        }
        self.reap()
    }

    fn reap(&mut self) -> Result<ExitStatus, Error> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        // In this order, see `is_running`.
        self.watcher = None;
        let status = self.child.wait().map_err(Error::io("wait for a program"))?;
        self.status = Some(status);
        Ok(status)
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// A shell that runs the rest of its script when this process ends; dropping calls it off.
#[derive(Debug)]
pub(crate) struct Watcher(Child);

impl Watcher {
    /// The script begins with `read -r _ ||`, and finds the argument in `$1`.
    pub(crate) fn spawn(script: &str, argument: impl AsRef<OsStr>) -> io::Result<Self> {
        // No stream of this process is left in its hands: a reader of our output would wait for it.
        let shell = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(argument)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self(shell))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.0.stdin.take() {
            let _ = pipe.write_all(b"\n");
        }
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);
    const NO_ENVIRONMENT: [(&str, &str); 0] = [];

    #[test]
    fn a_program_runs_with_its_environment_and_log() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let log = folder.path().join("log");
        let script = r#"echo "$1 $GREETED"; cat; echo done >&2; exit 3"#;
        let arguments = ["-c", script, "sh", "hello"];
        let mut program = Supervised::spawn("sh", arguments, [("GREETED", "you")], &log)?;
        let status = program.wait(SOON)?;
        assert_eq!(status.and_then(|status| status.code()), Some(3));
        assert!(!program.is_running());
        program.terminate()?;
        program.kill()?;
        assert_eq!(std::fs::read_to_string(log)?, "hello you\ndone\n");
        Ok(())
    }

    #[test]
    fn signals_reach_the_program_itself() -> Result<(), Box<dyn std::error::Error>> {
        use std::os::unix::process::ExitStatusExt;
        let folder = tempfile::tempdir()?;
        let log = folder.path().join("log");
        let mut program = Supervised::spawn("sleep", ["60"], NO_ENVIRONMENT, &log)?;
        assert!(program.is_running());
        assert_eq!(program.wait(Duration::from_millis(50))?, None);
        program.terminate()?;
        let status = program.wait(SOON)?;
        assert_eq!(status.and_then(|status| status.signal()), Some(15));

        let mut program = Supervised::spawn("sleep", ["60"], NO_ENVIRONMENT, &log)?;
        let pid = Pid::from_raw(i32::try_from(program.pid())?).ok_or("no id")?;
        assert_eq!(program.kill()?.signal(), Some(9));
        assert!(rustix::process::test_kill_process(pid).is_err());
        Ok(())
    }

    #[test]
    fn a_paused_program_goes_on_where_it_stood() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let mut program = Supervised::spawn("sleep", ["0.2"], NO_ENVIRONMENT, folder.path().join("log"))?;
        program.pause()?;
        assert_eq!(program.wait(Duration::from_secs(1))?, None);
        program.resume()?;
        assert!(program.wait(SOON)?.is_some_and(|status| status.success()));
        Ok(())
    }

    #[test]
    fn a_missing_program_is_an_error() {
        let started = Supervised::spawn("/no/such", ["x"], NO_ENVIRONMENT, "/dev/null");
        assert!(matches!(started, Err(Error::Io { .. })), "{started:?}");
    }
}
