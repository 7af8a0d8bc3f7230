//! Objects that are called back: something they waited for inside the operator has come.

use std::sync::{Mutex, PoisonError};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use kube::runtime::reflector::ObjectRef;

use super::kind::Kind;

/// Tells the controllers of a kind which of its objects have to look again.
#[derive(Debug)]
pub struct Callbacks<K: Kind> {
    listeners: Mutex<Vec<UnboundedSender<ObjectRef<K>>>>,
}

impl<K: Kind> Default for Callbacks<K> {
    fn default() -> Self {
        Self { listeners: Mutex::default() }
    }
}

impl<K: Kind> Callbacks<K> {
    /// Those that are called from now on.
    pub fn listen(&self) -> UnboundedReceiver<ObjectRef<K>> {
        let (sender, receiver) = unbounded();
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    /// Calls one.
    pub fn call(&self, object: &ObjectRef<K>) {
        for listener in self.listeners.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            // A listener that has gone is one whose controller has stopped.
            let _ = listener.unbounded_send(object.clone());
        }
    }
}
