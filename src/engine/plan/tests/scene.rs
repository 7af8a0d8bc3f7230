//! Situations, told in a line or two: what the test does not say is a managed object with our finalizer on it.

use crate::engine::body;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::{Value, json};

use super::super::*;
use crate::api::references::SecretKeyReference;
use crate::api::status::Refusal;
use crate::arm::resource_type::{CONNECTION, OUTBOUND_RULE, WORKSPACE};
use crate::engine::kind::SecretValue;
use crate::engine::ownership::OWNER_KEY;
use crate::engine::verdict::{Circumstances, conditions};

pub(super) const MARK: &str = "cluster/team/churn";
pub(super) const OTHER_MARK: &str = "cluster/rivals/churn";
pub(super) const TOKEN: &str = "0.1.0/";
pub(super) const OPERATION_URL: &str = "https://management.azure.com/operations/1";
const SUBSCRIPTION: &str = "00000001-0000-4000-8000-000000000001";

/// The second at which a sight counts as fresh.
const FRESH: i64 = 1000;

pub(super) fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(super) fn workspace() -> Wanted {
    let body = json!({
        "kind": "Project",
        "location": "westeurope",
        "tags": {"team": "churn", OWNER_KEY: MARK},
        "properties": {"friendlyName": "Churn"},
    });
    Wanted::new(ArmId::workspace(SUBSCRIPTION, "rg-ai", "churn").unwrap(), &WORKSPACE, body)
}

pub(super) fn connection(name: &str) -> Wanted {
    let id = workspace().id.child("connections", name).unwrap();
    let body = json!({"properties": {"category": "AzureOpenAI", "target": "https://a", "metadata": {OWNER_KEY: MARK}}});
    Wanted {
        write_only: json!({"properties": {"credentials": {}}}),
        secrets: vec![SecretValue {
            pointer: "/properties/credentials/key".to_owned(),
            source: SecretKeyReference { name: "aoai".to_owned(), key: "key".to_owned() },
            version: "1".to_owned(),
        }],
        ..Wanted::new(id, &CONNECTION, body)
    }
}

/// A part of the workspace.
pub(super) fn rule(name: &str) -> Wanted {
    let id = workspace().id.child("outboundRules", name).unwrap();
    Wanted::new(id, &OUTBOUND_RULE, json!({"properties": {"type": "FQDN", "destination": "pypi.org"}}))
}

/// Something that is to be set up.
pub(super) fn network() -> Provision {
    Provision {
        what: "the managed network",
        action: "provisionManagedNetwork",
        body: json!({}),
        done: vec![("/properties/managedNetwork/status/status", json!("Active"))],
    }
}

/// The resource as Azure shows it once it is made as wanted.
pub(super) fn made(wanted: &Wanted) -> Value {
    marked(wanted, &made_by_hand(wanted), MARK)
}

/// The same, without an owner mark.
pub(super) fn made_by_hand(wanted: &Wanted) -> Value {
    let mut there = wanted.body.clone();
    body::overlay(
        &mut there,
        &json!({
            "id": wanted.id.as_str(),
            "properties": {"provisioningState": "Succeeded"},
            "systemData": {"createdAt": "2026-01-01T00:00:00Z", "createdBy": "alice@contoso.com"},
        }),
    );
    marked(wanted, &there, Value::Null)
}

/// The same, with somebody else's owner mark.
pub(super) fn made_by_others(wanted: &Wanted) -> Value {
    marked(wanted, &made(wanted), OTHER_MARK)
}

fn marked(wanted: &Wanted, there: &Value, mark: impl Into<Value>) -> Value {
    wanted.type_.mark_in.map_or_else(|| there.clone(), |map| with(there, map, OWNER_KEY, mark))
}

pub(super) fn with(there: &Value, map: &str, key: &str, value: impl Into<Value>) -> Value {
    let mut there = there.clone();
    body::set(&mut there, &format!("{map}/{key}"), value.into());
    there
}

pub(super) fn provisioning(there: &Value, state: &str) -> Value {
    with(there, "/properties", "provisioningState", state)
}

/// What the inventory says of a resource that was made as wanted.
pub(super) fn confirmed(wanted: &Wanted) -> OwnedResource {
    OwnedResource {
        id: wanted.id.to_string(),
        created_at: ownership::created_at(&made(wanted)).map(str::to_owned),
        applied: Some(applied(wanted)),
        refused: None,
    }
}

/// What the inventory says of a resource that is about to be made.
pub(super) fn recorded(wanted: &Wanted) -> OwnedResource {
    OwnedResource { id: wanted.id.to_string(), ..OwnedResource::default() }
}

pub(super) fn operation(kind: OperationKind) -> Operation {
    Operation {
        kind,
        resource_id: workspace().id.to_string(),
        url: OPERATION_URL.to_owned(),
        started_at: second(FRESH).to_string(),
        sent: None,
        attempt: None,
    }
}

/// The conditions of an object that came to rest there before.
pub(super) fn rested(reason: Reason, state: State, message: &str) -> Vec<Condition> {
    let rest = Rest::new(state, reason, message, Wake::Resync);
    conditions(&[], &rest, circumstances())
}

pub(super) struct Scene {
    deleting: bool,
    finalizer: bool,
    policies: Policies,
    memory: EngineStatus,
    wanted: Result<Vec<Wanted>, Unresolved>,
    held_by: Option<String>,
    retry_token: String,
    reads: &'static [&'static str],
    sights: Sights,
    just_done: Option<(OperationKind, ArmId)>,
}

impl Scene {
    /// A workspace is wanted, and nothing is known yet.
    pub(super) fn new() -> Self {
        Self {
            deleting: false,
            finalizer: true,
            policies: Policies::default(),
            memory: EngineStatus::default(),
            wanted: Ok(vec![workspace()]),
            held_by: None,
            retry_token: TOKEN.to_owned(),
            reads: &[],
            sights: Sights::default(),
            just_done: None,
        }
    }

    pub(super) fn deleting(mut self) -> Self {
        self.deleting = true;
        self
    }

    pub(super) fn without_finalizer(mut self) -> Self {
        self.finalizer = false;
        self
    }

    pub(super) fn observes(mut self) -> Self {
        self.policies.management = ManagementPolicy::Observe;
        self
    }

    pub(super) fn pauses(mut self) -> Self {
        self.policies.management = ManagementPolicy::Pause;
        self
    }

    pub(super) fn adopts(mut self) -> Self {
        self.policies.adoption = AdoptionPolicy::Adopt;
        self
    }

    pub(super) fn orphans(mut self) -> Self {
        self.policies.deletion = DeletionPolicy::Orphan;
        self
    }

    pub(super) fn wants(mut self, wanted: impl IntoIterator<Item = Wanted>) -> Self {
        self.wanted = Ok(wanted.into_iter().collect());
        self
    }

    pub(super) fn unresolved(mut self, reason: Reason, message: &str) -> Self {
        self.wanted = Err(Unresolved::new(reason, message));
        self
    }

    pub(super) fn held_by(mut self, holder: &str) -> Self {
        self.held_by = Some(holder.to_owned());
        self
    }

    pub(super) fn asked_again(mut self) -> Self {
        self.retry_token.push_str("please");
        self
    }

    pub(super) fn reads(mut self, reads: &'static [&'static str]) -> Self {
        self.reads = reads;
        self
    }

    pub(super) fn remembers(mut self, owned: OwnedResource) -> Self {
        self.memory.resources.push(owned);
        self
    }

    pub(super) fn runs(mut self, operation: Operation) -> Self {
        self.memory.operation = Some(operation);
        self
    }

    /// Azure refused for good to write this, which the inventory names.
    pub(super) fn refused(mut self, wanted: &Wanted, message: &str) -> Self {
        let refusal = Refusal { attempt: attempt(wanted, TOKEN), message: message.to_owned() };
        inventory::refused(&mut self.memory.resources, &wanted.id, refusal);
        self
    }

    /// Azure refused for good to set this up.
    pub(super) fn refused_to_set_up(mut self, wanted: &Wanted, provision: &Provision, message: &str) -> Self {
        let refusal = Refusal { attempt: call(provision, TOKEN), message: message.to_owned() };
        inventory::refused(&mut self.memory.resources, &wanted.id, refusal);
        self
    }

    pub(super) fn last_rested(mut self, reason: Reason, state: State, message: &str) -> Self {
        self.memory.conditions = rested(reason, state, message);
        self
    }

    pub(super) fn just_did(mut self, kind: OperationKind, id: &ArmId) -> Self {
        self.just_done = Some((kind, id.clone()));
        self
    }

    pub(super) fn sees(self, wanted: &Wanted, there: Value) -> Self {
        self.saw(FRESH, Target::Resource(wanted.id.clone()), Sight::Present(there))
    }

    pub(super) fn sees_absent(self, wanted: &Wanted) -> Self {
        self.saw(FRESH, Target::Resource(wanted.id.clone()), Sight::Absent)
    }

    pub(super) fn sees_running(self) -> Self {
        self.saw(FRESH, Target::Operation(OPERATION_URL.to_owned()), Sight::Running(None))
    }

    pub(super) fn sees_items(self, wanted: &Wanted, collection: &'static str) -> Self {
        self.sees_listed(wanted, collection, [])
    }

    pub(super) fn sees_listed(
        self,
        wanted: &Wanted,
        collection: &'static str,
        items: impl IntoIterator<Item = Value>,
    ) -> Self {
        let target = Target::Collection(wanted.id.clone(), collection);
        self.saw(FRESH, target, Sight::Items(items.into_iter().collect()))
    }

    /// Saw it before the last write.
    pub(super) fn saw_earlier(self, target: Target, sight: Sight) -> Self {
        self.saw(FRESH - 1, target, sight)
    }

    fn saw(mut self, at: i64, target: Target, sight: Sight) -> Self {
        self.sights.insert(target, second(at), sight);
        self
    }

    pub(super) fn plan(&self) -> Step {
        plan(&Situation {
            deleting: self.deleting,
            finalizer: self.finalizer,
            policies: self.policies,
            memory: &self.memory,
            wanted: self.wanted.as_deref(),
            held_by: self.held_by.as_deref(),
            mark: MARK,
            retry_token: &self.retry_token,
            reads: self.reads,
            sights: &self.sights,
            fresh_from: second(FRESH),
            just_done: self.just_done.as_ref().map(|(kind, id)| (*kind, id)),
        })
    }

    pub(super) fn rest(&self) -> Rest {
        match self.plan() {
            Step::Rest(rest) => rest,
            step => panic!("no rest: {step:?}"),
        }
    }

    pub(super) fn update(&self) -> Update {
        match self.plan() {
            Step::Update(update) => update,
            step => panic!("no update: {step:?}"),
        }
    }
}

pub(super) fn observe(wanted: &Wanted) -> Step {
    Step::Observe(Target::Resource(wanted.id.clone()))
}

/// An ordinary moment.
pub(super) fn circumstances() -> Circumstances<'static> {
    Circumstances { generation: 1, deleting: false, absent: false, unresolved: None, now: second(0) }
}
