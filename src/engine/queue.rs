//! Which objects a change asks to reconcile and have not begun: kube-runtime does not tell how long its queue is. What comes
//! by a timer is not among them; it starts when it is due.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use kube::runtime::reflector::ObjectRef;

use super::kind::Kind;
use super::metrics::EngineMetrics;

/// The objects of a kind that wait for their reconcile.
#[derive(Debug)]
pub struct Queue<K: Kind> {
    waiting: Mutex<HashSet<ObjectRef<K>>>,
    metrics: EngineMetrics,
}

impl<K: Kind> Queue<K> {
    /// An empty one, whose length `metrics` shows.
    #[must_use]
    pub fn new(metrics: EngineMetrics) -> Self {
        Self { waiting: Mutex::default(), metrics }
    }

    /// An object is asked to reconcile; twice is as good as once.
    pub fn push(&self, object: &ObjectRef<K>) {
        if self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(object.clone()) {
            self.metrics.waiting(&K::kind(&()), 1);
        }
    }

    /// Its reconcile begins, or never will: it is gone.
    pub fn take(&self, object: &ObjectRef<K>) {
        if self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(object) {
            self.metrics.waiting(&K::kind(&()), -1);
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;
    use crate::api::FoundryHub;

    #[test]
    fn an_object_waits_once_however_often_it_is_asked() {
        let registry = Registry::new();
        let queue = Queue::<FoundryHub>::new(EngineMetrics::new(&registry).unwrap());
        let length = || {
            let families = registry.gather();
            let queue = families.iter().find(|family| family.name() == "foundry_reconcile_queue").unwrap();
            queue.get_metric()[0].get_gauge().get_value()
        };
        let (a, b) = (ObjectRef::new("a").within("x"), ObjectRef::new("b").within("x"));
        for object in [&a, &a, &b] {
            queue.push(object);
        }
        assert!((length() - 2.0).abs() < f64::EPSILON);
        queue.take(&a);
        queue.take(&a);
        assert!((length() - 1.0).abs() < f64::EPSILON);
    }
}
