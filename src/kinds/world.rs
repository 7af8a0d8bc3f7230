//! What the kinds can look up in Kubernetes, all from caches, and what the operator was told at its start.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{Lookup, ObjectRef, Store};
use kube::{Resource, ResourceExt as _};

use crate::api::{FoundryHub, FoundryProject};
use crate::engine::{Unresolved, ownership, secrets};

/// Cached objects of a kind: of the whole cluster, or of the namespaces that the operator watches.
#[derive(Clone)]
pub struct Catalog<K: Lookup + Clone + 'static>
where
    K::DynamicType: Hash + Eq,
{
    stores: BTreeMap<Option<String>, Store<K>>,
}

impl<K> Catalog<K>
where
    K: Lookup<DynamicType = ()> + Resource<DynamicType = ()> + Clone + 'static,
{
    /// From one store for each watched namespace, or one under `None` for all.
    #[must_use]
    pub fn new(stores: BTreeMap<Option<String>, Store<K>>) -> Self {
        Self { stores }
    }

    /// The object of that name.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        let store = self.stores.get(&Some(namespace.to_owned())).or_else(|| self.stores.get(&None))?;
        store.get(&ObjectRef::new(name).within(namespace))
    }

    /// The object of that name, of a kind that has no namespaces; it is watched alone, or with all others.
    #[must_use]
    pub fn cluster_scoped(&self, name: &str) -> Option<Arc<K>> {
        let store = self.stores.get(&Some(name.to_owned())).or_else(|| self.stores.get(&None))?;
        store.get(&ObjectRef::new(name))
    }

    /// The objects for which `is_wanted` holds.
    #[must_use]
    pub fn filter(&self, is_wanted: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        self.stores.values().flat_map(|store| store.state_filter(|object| is_wanted(object))).collect()
    }
}

/// Where Secrets are looked up.
pub trait SecretLookup: Send + Sync {
    /// A Secret without its data.
    ///
    /// # Errors
    /// [`Unresolved`] where it is not there, or may not be read.
    fn get(&self, namespace: &str, name: &str) -> Result<Arc<PartialObjectMeta<Secret>>, Unresolved>;
}

impl SecretLookup for Catalog<PartialObjectMeta<Secret>> {
    fn get(&self, namespace: &str, name: &str) -> Result<Arc<PartialObjectMeta<Secret>>, Unresolved> {
        Self::get(self, namespace, name).ok_or_else(|| secrets::not_found(namespace, name))
    }
}

/// Everything that a kind may know.
pub struct World {
    /// Every hub.
    pub hubs: Catalog<FoundryHub>,
    /// Every project.
    pub projects: Catalog<FoundryProject>,
    /// Every namespace, for its labels.
    pub namespaces: Catalog<PartialObjectMeta<Namespace>>,
    /// The Secrets that the operator may read, without their data.
    pub secrets: Arc<dyn SecretLookup>,
    /// Names this cluster in owner marks.
    pub cluster_id: String,
    /// The subscription of hubs that name none.
    pub subscription_id: Option<String>,
    /// Where people open a workspace in a browser.
    pub studio: &'static str,
}

impl World {
    /// The owner mark of an object.
    #[must_use]
    pub fn mark<K: Resource<DynamicType = ()>>(&self, object: &K) -> String {
        let namespace = object.meta().namespace.as_deref().unwrap_or_default();
        ownership::mark(&self.cluster_id, namespace, &object.name_any())
    }

    /// The labels of a namespace.
    #[must_use]
    pub fn labels(&self, namespace: &str) -> Option<BTreeMap<String, String>> {
        self.namespaces.cluster_scoped(namespace).map(|namespace| namespace.labels().clone())
    }
}
