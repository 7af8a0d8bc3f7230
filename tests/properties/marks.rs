//! Owner marks: what stands between an operator and other people's data.

use foundry_operator::api::status::OwnedResource;
use foundry_operator::arm::resource_type::{CONNECTION, WORKSPACE};
use foundry_operator::engine::body;
use foundry_operator::engine::ownership::{OWNER_KEY, Ownership, judge, mark};
use proptest::prelude::*;
use serde_json::{Value, json};

const CLUSTER: &str = "[a-z0-9-]{1,63}";
const NAMESPACE: &str = "[a-z0-9][a-z0-9-]{0,62}";
const NAME: &str = "[a-z0-9][a-z0-9.-]{0,252}";

fn owner() -> impl Strategy<Value = (String, String, String)> {
    (CLUSTER, NAMESPACE, NAME)
}

fn marked(with: &str) -> Value {
    let mut resource = json!({"systemData": {"createdAt": "then"}});
    for map in [WORKSPACE.mark_in, CONNECTION.mark_in].into_iter().flatten() {
        body::set(&mut resource, &format!("{map}/{OWNER_KEY}"), with.into());
    }
    resource
}

proptest! {
    #[test]
    fn a_mark_fits_a_tag((cluster, namespace, name) in owner()) {
        prop_assert!(mark(&cluster, &namespace, &name).len() <= 256);
    }

    #[test]
    fn two_objects_have_two_marks(one in owner(), other in owner()) {
        let of = |(cluster, namespace, name): &(String, String, String)| mark(cluster, namespace, name);
        prop_assert_eq!(of(&one) == of(&other), one == other);
    }

    /// Not even where the inventory says that it is the very one.
    #[test]
    fn what_carries_anothers_mark_is_never_ours(ours in owner(), theirs in ".{1,300}") {
        let ours = mark(&ours.0, &ours.1, &ours.2);
        prop_assume!(ours != theirs);
        let recorded = OwnedResource { created_at: Some("then".to_owned()), ..OwnedResource::default() };
        for type_ in [&WORKSPACE, &CONNECTION] {
            prop_assert_eq!(judge(&marked(&theirs), type_, &ours, Some(&recorded)), Ownership::Foreign(theirs.clone()));
            prop_assert_eq!(judge(&marked(&ours), type_, &ours, None), Ownership::Ours);
        }
    }

    #[test]
    fn whatever_azure_shows_is_judged(observed in crate::json()) {
        for type_ in [&WORKSPACE, &CONNECTION] {
            prop_assert_ne!(judge(&observed, type_, "cluster/namespace/name", None), Ownership::Ours);
        }
    }
}
