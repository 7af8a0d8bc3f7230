//! The plan has an answer to every situation, and none after which it would have no end.

use foundry_operator::api::conditions::Reason;
use foundry_operator::api::policies::{AdoptionPolicy, DeletionPolicy, ManagementPolicy, Policies};
use foundry_operator::api::status::{Applied, EngineStatus, Operation, OperationKind, OwnedResource, Refusal};
use foundry_operator::arm::ArmId;
use foundry_operator::arm::resource_type::{CONNECTION, OUTBOUND_RULE, WORKSPACE};
use foundry_operator::engine::ownership::OWNER_KEY;
use foundry_operator::engine::plan::{Situation, Step, applied, plan};
use foundry_operator::engine::verdict::State;
use foundry_operator::engine::{Sight, Sights, Target, Unresolved, Wanted};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

const MARK: &str = "cluster/platform/hub";

fn hub() -> ArmId {
    ArmId::workspace("00000001-0000-4000-8000-000000000001", "rg", "hub").unwrap()
}

fn ids() -> [ArmId; 3] {
    [hub(), hub().child("outboundRules", "pypi").unwrap(), hub().child("connections", "aoai").unwrap()]
}

fn wanted() -> [Wanted; 3] {
    let [hub, rule, connection] = ids();
    [
        Wanted::new(hub, &WORKSPACE, json!({"tags": {OWNER_KEY: MARK}, "properties": {"friendlyName": "n"}})),
        Wanted::new(rule, &OUTBOUND_RULE, json!({"properties": {"type": "FQDN"}})),
        Wanted::new(connection, &CONNECTION, json!({"properties": {"metadata": {OWNER_KEY: MARK}, "target": "t"}})),
    ]
}

fn kind() -> impl Strategy<Value = OperationKind> {
    use OperationKind::{Create, Delete, Provision, Update};
    prop::sample::select(vec![Create, Update, Delete, Provision])
}

/// An id that is one of ours, or anything that may stand in a status that was edited by hand.
fn id_text() -> impl Strategy<Value = String> {
    prop_oneof![prop::sample::select(ids().map(|id| id.to_string()).to_vec()), ".{0,30}"]
}

fn owned() -> impl Strategy<Value = OwnedResource> {
    let [applied_hub, ..] = wanted().map(|wanted| applied(&wanted));
    let applied = prop::option::of(prop_oneof![Just(applied_hub), Just(Applied::default())]);
    let refused = prop::option::of(".{0,4}".prop_map(|attempt| Refusal { attempt, message: "no".to_owned() }));
    (id_text(), prop::option::of("[ab]"), applied, refused)
        .prop_map(|(id, created_at, applied, refused)| OwnedResource { id, created_at, applied, refused })
}

fn operation() -> impl Strategy<Value = Operation> {
    (kind(), id_text(), ".{0,10}").prop_map(|(kind, resource_id, url)| Operation {
        kind,
        resource_id,
        url,
        started_at: String::new(),
        sent: None,
        attempt: None,
    })
}

/// What Azure may show of a resource: anything, or something near to what is wanted.
fn observed() -> impl Strategy<Value = Value> {
    let state = prop::option::of(prop::sample::select(vec!["Succeeded", "Creating", "Deleting", "Failed", "Odd"]));
    let mark = prop::option::of(prop::sample::select(vec![MARK, "other", ""]));
    let near = (state, mark, prop::option::of("[ab]"), "[n-o]").prop_map(|(state, mark, created_at, name)| {
        let metadata = json!({OWNER_KEY: mark});
        let properties = json!({"friendlyName": name, "provisioningState": state, "metadata": metadata, "target": "t"});
        json!({"tags": metadata, "properties": properties, "systemData": {"createdAt": created_at}})
    });
    prop_oneof![near, crate::json()]
}

fn sights() -> impl Strategy<Value = Sights> {
    let sight = || prop::option::of(prop::option::of(observed()));
    let list = prop::option::of(prop::collection::vec(observed(), 0..3));
    ([sight(), sight(), sight()], list).prop_map(|(seen, list)| {
        let mut sights = Sights::default();
        for (id, seen) in ids().into_iter().zip(seen) {
            if let Some(seen) = seen {
                sights.insert(Target::Resource(id), Timestamp::UNIX_EPOCH, seen.map_or(Sight::Absent, Sight::Present));
            }
        }
        if let Some(items) = list {
            sights.insert(Target::Collection(hub(), "outboundRules"), Timestamp::UNIX_EPOCH, Sight::Items(items));
        }
        sights
    })
}

fn policies() -> impl Strategy<Value = Policies> {
    use ManagementPolicy::{Manage, Observe, Pause};
    let adoption = prop::sample::select(vec![AdoptionPolicy::Fail, AdoptionPolicy::Adopt]);
    let deletion = prop::sample::select(vec![DeletionPolicy::Delete, DeletionPolicy::Orphan]);
    (adoption, deletion, prop::sample::select(vec![Manage, Observe, Pause]))
        .prop_map(|(adoption, deletion, management)| Policies { adoption, deletion, management })
}

proptest! {
    #[test]
    fn there_is_a_step_in_every_situation(
        facts in any::<[bool; 3]>(),
        policies in policies(),
        resources in prop::collection::vec(owned(), 0..4),
        operation in prop::option::of(operation()),
        members in 0_usize..4,
        sights in sights(),
        just_done in prop::option::of((kind(), prop::sample::select(ids().to_vec()))),
    ) {
        let [deleting, finalizer, resolved] = facts;
        let memory = EngineStatus { resources, operation, ..EngineStatus::default() };
        let (all, unresolved) = (wanted(), Unresolved::new(Reason::HubNotFound, "no hub"));
        let step = plan(&Situation {
            deleting,
            finalizer,
            policies,
            memory: &memory,
            wanted: if resolved { Ok(&all[..members.min(3)]) } else { Err(&unresolved) },
            held_by: None,
            mark: MARK,
            retry_token: "",
            reads: &[],
            sights: &sights,
            fresh_from: Timestamp::UNIX_EPOCH,
            just_done: just_done.as_ref().map(|(kind, id)| (*kind, id)),
        });
        let writes = matches!(step, Step::Create(_) | Step::Update(_) | Step::Delete(_) | Step::Provision(..));
        prop_assert!(!writes || policies.management == ManagementPolicy::Manage, "{:?}", step);
        prop_assert!(!writes || memory.operation.is_none(), "{:?}", step);
        let makes = matches!(step, Step::Record(_) | Step::Create(_) | Step::Update(_) | Step::Provision(..));
        prop_assert!(!makes || (!deleting && finalizer && resolved), "{:?}", step);
        // Looked at once more, it would be seen again: a step that only asks for what is known has no end.
        if let Step::Observe(target) = &step {
            prop_assert!(sights.get(target).is_none(), "{:?}", step);
        }
    }

    #[test]
    fn where_everything_is_as_wanted_it_settles(members in 1_usize..4, policies in policies()) {
        prop_assume!(policies.management != ManagementPolicy::Pause);
        let set = &wanted()[..members];
        let mut sights = Sights::default();
        let mut memory = EngineStatus::default();
        for wanted in set {
            let mut there = wanted.body.clone();
            there["id"] = json!(wanted.id.as_str());
            there["systemData"] = json!({"createdAt": "a"});
            sights.insert(Target::Resource(wanted.id.clone()), Timestamp::UNIX_EPOCH, Sight::Present(there));
            memory.resources.push(OwnedResource {
                id: wanted.id.to_string(),
                created_at: Some("a".to_owned()),
                applied: Some(applied(wanted)),
                refused: None,
            });
        }
        let step = plan(&Situation {
            deleting: false,
            finalizer: true,
            policies,
            memory: &memory,
            wanted: Ok(set),
            held_by: None,
            mark: MARK,
            retry_token: "",
            reads: &[],
            sights: &sights,
            fresh_from: Timestamp::UNIX_EPOCH,
            just_done: None,
        });
        prop_assert!(matches!(&step, Step::Rest(rest) if rest.state == State::Settled), "{:?}", step);
    }
}
