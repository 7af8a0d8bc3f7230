//! The operator's own `plan`, asked about the model's states; what it said once is not asked again.

use std::collections::HashMap;
use std::rc::Rc;

use foundry_operator::api::conditions::Reason;
use foundry_operator::api::policies::Policies;
use foundry_operator::api::status::{EngineStatus, OperationKind};
use foundry_operator::arm::ArmId;
use foundry_operator::arm::resource_type::{OUTBOUND_RULE, WORKSPACE};
use foundry_operator::engine::ownership::OWNER_KEY;
use foundry_operator::engine::plan::{Situation, Step, plan};
use foundry_operator::engine::verdict::State;
use foundry_operator::engine::{Sight, Sights, Target, Wanted};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::azure::{Hub, Mark, Phase};

pub const MARK: &str = "cluster/platform/hub";
pub const OTHER_MARK: &str = "cluster/rivals/hub";
pub const TOKEN: &str = "0.1.0/";
const RULES: &str = "outboundRules";
/// The model has no clock: what is not fresh is not kept.
pub const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// The two resources of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Which {
    Hub,
    Rule,
}

/// Number of a status that was met.
pub type StatusId = u32;

/// A status, with its conditions told by what they are made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    pub engine: EngineStatus,
    pub told: Option<(State, Reason)>,
}

/// What one reconcile has seen since its last write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    #[expect(clippy::option_option, reason = "not looked at, or looked at and not there")]
    pub hub: Option<Option<Hub>>,
    /// The list of the rules.
    pub rules: Option<bool>,
    /// The rule, as the answer to a write told of it.
    pub rule: Option<bool>,
    /// The operation of this number runs.
    pub running: Option<u8>,
}

/// All that the plan is asked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    pub deleting: bool,
    pub finalizer: bool,
    pub spec: u8,
    pub status: StatusId,
    pub seen: Seen,
    pub just_done: Option<(OperationKind, Which)>,
}

pub struct Planner {
    pub policies: Policies,
    statuses: Vec<Rc<Status>>,
    numbers: HashMap<String, StatusId>,
    answers: HashMap<Question, Rc<Step>>,
}

impl Planner {
    pub fn new(policies: Policies) -> Self {
        Self { policies, statuses: Vec::new(), numbers: HashMap::new(), answers: HashMap::new() }
    }

    pub fn status(&self, id: StatusId) -> Rc<Status> {
        Rc::clone(&self.statuses[id as usize])
    }

    pub fn number(&mut self, status: Status) -> StatusId {
        let text = format!("{} {:?}", serde_json::to_string(&status.engine).unwrap(), status.told);
        let next = u32::try_from(self.statuses.len()).unwrap();
        *self.numbers.entry(text).or_insert_with(|| {
            self.statuses.push(Rc::new(status));
            next
        })
    }

    pub fn ask(&mut self, question: Question) -> Rc<Step> {
        if let Some(step) = self.answers.get(&question) {
            return Rc::clone(step);
        }
        let memory = self.status(question.status);
        let wanted = wanted(question.spec);
        let (hub, rule) = (hub_id(), rule_id());
        let just_done = question.just_done.map(|(kind, which)| (kind, if which == Which::Hub { &hub } else { &rule }));
        let step = Rc::new(plan(&Situation {
            deleting: question.deleting,
            finalizer: question.finalizer,
            policies: self.policies,
            memory: &memory.engine,
            wanted: Ok(&wanted),
            held_by: None,
            mark: MARK,
            retry_token: TOKEN,
            reads: &[],
            sights: &sights(question.seen),
            fresh_from: NOW,
            just_done,
        }));
        self.answers.insert(question, Rc::clone(&step));
        step
    }
}

fn sights(seen: Seen) -> Sights {
    let mut sights = Sights::default();
    let there = |value: Option<Value>| value.map_or(Sight::Absent, Sight::Present);
    if let Some(hub) = seen.hub {
        sights.insert(Target::Resource(hub_id()), NOW, there(hub.map(shown)));
    }
    if let Some(rule) = seen.rules {
        let items = rule.then(shown_rule).into_iter().collect();
        sights.insert(Target::Collection(hub_id(), RULES), NOW, Sight::Items(items));
    }
    if let Some(rule) = seen.rule {
        sights.insert(Target::Resource(rule_id()), NOW, there(rule.then(shown_rule)));
    }
    if let Some(number) = seen.running {
        sights.insert(Target::Operation(url(number)), NOW, Sight::Running(None));
    }
    sights
}

pub fn hub_id() -> ArmId {
    ArmId::workspace("00000001-0000-4000-8000-000000000001", "rg", "hub").unwrap()
}

pub fn rule_id() -> ArmId {
    hub_id().child(RULES, "pypi").unwrap()
}

pub fn which(id: &ArmId) -> Which {
    if *id == hub_id() { Which::Hub } else { Which::Rule }
}

/// The first spec wants a hub with a rule, the second another name of the hub and no rule.
pub fn wanted(spec: u8) -> Vec<Wanted> {
    let hub = Wanted::new(
        hub_id(),
        &WORKSPACE,
        json!({
            "kind": "Hub", "location": "westeurope",
            "tags": {OWNER_KEY: MARK}, "properties": {"friendlyName": name(spec)},
        }),
    );
    let rule = Wanted::new(rule_id(), &OUTBOUND_RULE, rule_body());
    std::iter::once(hub).chain((spec == 0).then_some(rule)).collect()
}

pub fn name(spec: u8) -> String {
    format!("name {spec}")
}

fn rule_body() -> Value {
    json!({"properties": {"type": "FQDN", "destination": "pypi.org"}})
}

pub fn shown(hub: Hub) -> Value {
    let state = match hub.phase {
        Phase::Making => "Creating",
        Phase::Changing => "Updating",
        Phase::Deleting => "Deleting",
        Phase::There => "Succeeded",
        Phase::Failed => "Failed",
    };
    let tags = match hub.mark {
        Mark::None => json!({}),
        Mark::Ours => json!({OWNER_KEY: MARK}),
        Mark::Others => json!({OWNER_KEY: OTHER_MARK}),
    };
    json!({
        "id": hub_id().as_str(), "kind": "Hub", "location": "westeurope", "tags": tags,
        "properties": {"friendlyName": name(hub.spec), "provisioningState": state},
        "systemData": {"createdAt": birth(hub.birth)},
    })
}

fn shown_rule() -> Value {
    let mut rule = rule_body();
    rule["id"] = json!(rule_id().as_str());
    rule["properties"]["status"] = json!("Active");
    rule
}

pub fn birth(birth: u8) -> String {
    format!("birth {birth}")
}

/// Where one asks for the operation of this number.
pub fn url(number: u8) -> String {
    format!("https://management.azure.com/operations/{number}")
}

pub fn number_of(url: &str) -> u8 {
    url.rsplit('/').next().and_then(|number| number.parse().ok()).unwrap()
}
