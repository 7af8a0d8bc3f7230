//! The log's level can be changed while the operator runs: by a file, which in a cluster is a key of a ConfigMap. So it takes
//! no restart, no shell in the container and no door that somebody else could use, and it is where a new pod finds it, too.

use std::io;
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum as _;

use super::options::LogLevel;
use super::telemetry::Log;

/// How often the file is read.
const PAUSE: Duration = Duration::from_secs(2);
/// No level is a longer word.
const LONGEST: u64 = 64;

/// Follows the file for good. Where there is none, or an empty one, the level is `usual`.
pub(super) async fn follow(file: &Path, usual: LogLevel, log: Log) {
    let (mut now, mut complaint) = (usual, None);
    loop {
        match wanted(read(file).await, usual) {
            Ok(level) => {
                complaint = None;
                if level > now {
                    log.set(level);
                }
                if level != now {
                    // While the more is logged of the two: whoever turned the log down sees that it was heard.
                    tracing::warn!(from = name(now), to = name(level), "the log level is changed");
                    log.set(level);
                    now = level;
                }
            }
            Err(error) => {
                if complaint.as_ref() != Some(&error) {
                    tracing::error!(file = %file.display(), "the log level stays {}: {error}", name(now));
                    complaint = Some(error);
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn read(file: &Path) -> io::Result<String> {
    use tokio::io::AsyncReadExt as _;

    let mut text = String::new();
    tokio::fs::File::open(file).await?.take(LONGEST).read_to_string(&mut text).await?;
    Ok(text)
}

/// The level that a file asks for.
fn wanted(read: io::Result<String>, usual: LogLevel) -> Result<LogLevel, String> {
    match read {
        Ok(text) if text.trim().is_empty() => Ok(usual),
        Ok(text) => LogLevel::from_str(text.trim(), true)
            .map_err(|_| format!("{:?} is none of error, warn, info, debug, trace", text.trim())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(usual),
        Err(error) => Err(error.to_string()),
    }
}

fn name(level: LogLevel) -> String {
    level.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_decides_and_without_it_the_flag() {
        let wanted = |read| wanted(read, LogLevel::Info);
        assert_eq!(wanted(Ok("debug\n".to_owned())), Ok(LogLevel::Debug));
        assert_eq!(wanted(Ok(" \n".to_owned())), Ok(LogLevel::Info));
        assert_eq!(wanted(Err(io::ErrorKind::NotFound.into())), Ok(LogLevel::Info));
    }

    #[test]
    fn what_is_no_level_is_told_with_the_words_that_are() {
        let error = wanted(Ok("verbose".to_owned()), LogLevel::Info).unwrap_err();
        assert!(error.contains("\"verbose\"") && error.contains("debug"), "{error}");
        assert!(wanted(Err(io::ErrorKind::PermissionDenied.into()), LogLevel::Info).is_err());
    }
}
