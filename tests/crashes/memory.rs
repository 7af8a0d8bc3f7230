//! How a resource was before the last write, so that a read can be answered as if that had not been.

use std::collections::{HashMap, HashSet};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};

/// A read, as it can be asked again.
#[derive(Clone)]
pub struct Asked {
    pub uri: Uri,
    pub headers: HeaderMap,
}

/// An answer, as it goes through a door.
#[derive(Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What was read and written, by path.
#[derive(Default)]
pub struct Memory {
    asked: HashMap<String, Asked>,
    before: HashMap<String, Answer>,
    /// What was written to and not read since.
    written: HashSet<String>,
    read_after_write: bool,
}

impl Memory {
    /// A read comes: what it would have been answered before the last write, where nothing was read since.
    pub fn reads(&mut self, path: &str, asked: Asked) -> Option<Answer> {
        self.asked.insert(path.to_owned(), asked);
        let is_first = self.written.remove(path);
        self.read_after_write |= is_first;
        self.before.remove(path).filter(|_| is_first)
    }

    /// A write comes: what of all that was read has to be read before it, should the next read be answered with that.
    pub fn concerned(&self, path: &str) -> Vec<(String, Asked)> {
        let is_in = |known: &str| path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let known = self.asked.iter().filter(|(known, _)| is_in(known));
        known.map(|(path, asked)| (path.clone(), asked.clone())).collect()
    }

    pub fn was_before(&mut self, path: String, answer: Answer) {
        self.before.insert(path, answer);
    }

    /// The write took effect.
    pub fn wrote(&mut self, concerned: Vec<String>) {
        self.written.extend(concerned);
    }

    /// Whether anything was read after it was written.
    pub fn read_after_write(&self) -> bool {
        self.read_after_write
    }
}
