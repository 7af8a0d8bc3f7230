use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Error;
use crate::supervised::Watcher;

/// The folder of the state and the logs; a temporary one is removed at the end, whatever the end is.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    // In the order of dropping: the watcher is called off after the removal.
    temporary: Option<(TempDir, Watcher)>,
    _lock: Option<File>,
}

impl Folder {
    pub(crate) fn open(named: Option<&Path>) -> Result<Self, Error> {
        if let Some(named) = named {
            let failed = || Error::io(format!("make the folder {}", named.display()));
            DirBuilder::new().recursive(true).mode(0o700).create(named).map_err(failed())?;
            let path = named.canonicalize().map_err(failed())?;
            // A second control plane here would take the sockets and the keys of the first.
            let lock = File::create(path.join("lock")).map_err(failed())?;
            lock.try_lock().map_err(|error| {
                Error::io(format!("use {}, which another control plane uses", path.display()))(error.into())
            })?;
            return Ok(Self { path, temporary: None, _lock: Some(lock) });
        }
        let failed = || Error::io("make a temporary folder");
        let folder = tempfile::Builder::new().prefix("control-plane-").tempdir().map_err(failed())?;
        let path = folder.path().canonicalize().map_err(failed())?;
        // More than once, because the programs are killed at the same moment and may still write.
        let script = r#"read -r _ || for _ in 1 2 3; do sleep 1; rm -rf -- "$1"; done"#;
        let watcher = Watcher::spawn(script, &path).map_err(failed())?;
        Ok(Self { path, temporary: Some((folder, watcher)), _lock: None })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that only this user may read, because most of them hold secrets.
    pub(crate) fn write(&self, name: &str, contents: &str) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(contents.as_bytes()))
            .map_err(Error::io(format!("write {}", path.display())))?;
        Ok(path)
    }

    /// The path of a log that will outlive a failed start: a copy where the folder will not.
    pub(crate) fn keep_log(&self, log: &Path) -> PathBuf {
        let copy = || {
            let copy = tempfile::Builder::new().prefix("control-plane-").suffix(".log").tempfile().ok()?;
            fs::copy(log, copy.path()).ok()?;
            copy.keep().ok().map(|(_, path)| path)
        };
        let copied = self.temporary.as_ref().and_then(|_| copy());
        copied.unwrap_or_else(|| log.to_owned())
    }
}
