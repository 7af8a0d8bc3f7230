use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// What can go wrong with a control plane or a supervised program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program of the control plane has not been built.
    #[error("there is no {program} in {}: run `make control-plane`, or set KUBEBUILDER_ASSETS to a folder that has it", folders(.looked_in))]
    Missing {
        /// The name of the program.
        program: &'static str,
        /// The folders in which it was looked for.
        looked_in: Vec<PathBuf>,
    },
    /// A file or a process could not be used.
    #[error("could not {action}: {source}")]
    Io {
        /// What was tried, for example "write /tmp/x".
        action: String,
        /// What the system said.
        source: io::Error,
    },
    /// The keys or the certificate of the API server could not be made.
    #[error("could not make the keys of the API server: {0}")]
    Keys(#[from] rcgen::Error),
    /// A program ended while it was needed.
    #[error("{program} ended ({status}); the end of its log {}:\n{tail}", .log.display())]
    Ended {
        /// The name of the program.
        program: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// Its log. Where the control plane's folder is a temporary one, a copy that stays.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// A program runs, but did not get ready in time.
    #[error("{program} was not ready after {limit:?}: {reason}; the end of its log {}:\n{tail}", .log.display())]
    NotReady {
        /// The name of the program.
        program: &'static str,
        /// The time it was given.
        limit: Duration,
        /// The answer to the last check.
        reason: String,
        /// Its log. Where the control plane's folder is a temporary one, a copy that stays.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// kubectl refused or failed.
    #[error("kubectl {arguments}: {message}")]
    Kubectl {
        /// The arguments without the connection's.
        arguments: String,
        /// What it wrote to its standard error.
        message: String,
    },
    /// An answer or a log line is not the JSON it should be.
    #[error("{what} is not as expected: {source}")]
    Json {
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl Error {
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}

fn folders(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(" nor in ")
}
