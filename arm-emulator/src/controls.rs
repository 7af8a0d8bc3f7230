//! The control of a running emulator as methods: what the control API does over HTTP.

use jiff::Timestamp;
use serde_json::Value;

use crate::azure::RegistrationState;
use crate::config::{ContainerNaming, Identity, Issuer, Settings, Timings};
use crate::emulator::Emulator;
use crate::faults::{FaultRule, FaultState};
use crate::journal::JournalEntry;
use crate::out_of_band::ChangeError;
use crate::permissions::Permissions;
use crate::schemas::SchemaViolation;
use crate::world::PlannedFailure;

impl Emulator {
    /// Trusts an issuer from now on, or gives a known one other keys.
    pub fn trust_issuer(&self, issuer: Issuer) {
        self.shared.directory().trust(issuer);
    }

    /// Lets an identity sign in from now on.
    pub fn register_identity(&self, identity: Identity) {
        self.shared.directory().register(identity);
    }

    /// Sets how every subscription stands to a resource provider from now on; at first each is registered.
    pub fn set_provider_state(&self, namespace: &str, state: RegistrationState) {
        self.shared.world_now().providers.set(namespace, state);
    }

    /// What an identity may do.
    #[must_use]
    pub fn permissions(&self, client_id: &str) -> Permissions {
        self.shared.directory().permissions.of(client_id)
    }

    /// Lets an identity do this and nothing else from now on.
    pub fn set_permissions(&self, client_id: &str, permissions: Permissions) {
        self.shared.directory().permissions.set(client_id, permissions);
    }

    /// Allows an identity what a pattern matches.
    pub fn grant(&self, client_id: &str, pattern: &str) {
        self.shared.directory().permissions.grant(client_id, pattern);
    }

    /// Takes from an identity what a pattern matches.
    pub fn revoke(&self, client_id: &str, pattern: &str) {
        self.shared.directory().permissions.revoke(client_id, pattern);
    }

    /// The requests so far, in order, without secrets.
    #[must_use]
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.shared.journal().entries().cloned().collect()
    }

    /// The requests of one method (empty for any) whose path contains a text, both without case.
    #[must_use]
    pub fn journal_matching(&self, method: &str, path: &str) -> Vec<JournalEntry> {
        let journal = self.shared.journal();
        journal.entries().filter(|entry| entry.matches(method, path)).cloned().collect()
    }

    /// The requests about a resource whose path contains a text, with the polls of its operations; without case.
    #[must_use]
    pub fn journal_about(&self, resource: &str) -> Vec<JournalEntry> {
        let journal = self.shared.journal();
        journal.entries().filter(|entry| entry.is_about(resource)).cloned().collect()
    }

    /// Empties the journal.
    pub fn clear_journal(&self) {
        self.shared.journal().clear();
    }

    /// Everything that exists, as ARM shows it (connections without credentials).
    #[must_use]
    pub fn resources(&self) -> Vec<Value> {
        self.shared.resources()
    }

    /// A workspace, connection or datastore by its ARM id, as ARM shows it.
    #[must_use]
    pub fn resource(&self, id: &str) -> Option<Value> {
        self.shared.resource(id)
    }

    /// Puts a resource there at once, past every check but that of a connection's credentials. A new workspace gets its
    /// datastores.
    ///
    /// # Errors
    /// When the id is none, the workspace of a child is missing, or a connection could not exist.
    pub fn put_resource(&self, id: &str, body: &Value) -> Result<Value, ChangeError> {
        self.shared.put_resource(id, body)
    }

    /// Changes a resource at once by a JSON merge patch (RFC 7396) and gives what it reads as then.
    /// `properties.credentials` changes the secrets of a connection.
    ///
    /// # Errors
    /// When there is no such resource.
    pub fn patch_resource(&self, id: &str, change: &Value) -> Result<Value, ChangeError> {
        self.shared.patch_resource(id, change)
    }

    /// Removes a resource at once, with what is below it and what runs on it.
    ///
    /// # Errors
    /// When there is no such resource.
    pub fn remove_resource(&self, id: &str) -> Result<(), ChangeError> {
        self.shared.remove_resource(id)
    }

    /// The credentials of a connection as they arrived; `None` where there is no such connection or it has none.
    #[must_use]
    pub fn connection_credentials(&self, id: &str) -> Option<Value> {
        self.shared.connection_credentials(id)
    }

    /// What may be changed, as it is now.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.shared.world().settings
    }

    /// Changes settings for everything that begins from now on.
    pub fn set_settings(&self, settings: Settings) {
        let mut world = self.shared.world_now();
        self.shared.clock().set_factor(settings.time_factor, Timestamp::now());
        world.settings = settings;
    }

    /// Changes how long operations take that begin from now on.
    pub fn set_timings(&self, timings: Timings) {
        self.shared.world_now().settings.timings = timings;
    }

    /// Lets the emulator's clock run this many times faster than the real one from now on.
    pub fn set_time_factor(&self, factor: u32) {
        self.set_settings(Settings { time_factor: factor, ..self.settings() });
    }

    /// The time by the emulator's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// Changes how the containers of workspaces are called that are created from now on.
    pub fn set_container_naming(&self, naming: ContainerNaming) {
        self.shared.world_now().settings.container_naming = naming;
    }

    /// Changes whether the datastores API names the datastores.
    pub fn set_datastores_appear(&self, appear: bool) {
        self.shared.world_now().settings.datastores_appear = appear;
    }

    /// Lets the operations that run on resources whose id contains a text end now, as they would have in time; also those
    /// that hang.
    pub fn finish_operations(&self, resource: &str) {
        self.shared.finish_operations(resource);
    }

    /// Lets the next matching call fail: its operation, or with [`PlannedFailure::status`] the request itself.
    pub fn fail_next(&self, failure: PlannedFailure) {
        self.shared.world().plan_failure(failure);
    }

    /// The bodies that the official schemas refused, in order; see [`Config::schemas`](crate::Config::schemas).
    #[must_use]
    pub fn schema_violations(&self) -> Vec<SchemaViolation> {
        self.shared.violations().clone()
    }

    /// Lets matching requests meet a fault, and gives the number of the rule.
    #[allow(clippy::must_use_candidate)] // It is called for what it does.
    pub fn add_fault(&self, rule: FaultRule) -> u64 {
        self.shared.world().faults.add(rule)
    }

    /// The rules of faults in the order in which they were added, and what they have done so far.
    #[must_use]
    pub fn faults(&self) -> Vec<FaultState> {
        self.shared.world().faults.states()
    }

    /// Removes one rule of a fault. Whether it was there.
    #[allow(clippy::must_use_candidate)] // It is called for what it does.
    pub fn remove_fault(&self, id: u64) -> bool {
        self.shared.world().faults.remove(id)
    }

    /// Removes every rule of a fault.
    pub fn clear_faults(&self) {
        self.shared.world().faults.clear();
    }
}
