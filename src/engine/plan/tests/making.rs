//! From nothing to a resource.

use crate::engine::body;
use std::slice;

use super::super::*;
use super::scene::*;
use crate::arm::Class;

#[test]
fn the_finalizer_is_put_on_before_anything_is_read_or_recorded() {
    assert_eq!(Scene::new().without_finalizer().plan(), Step::AddFinalizer);
}

#[test]
fn azure_is_looked_at_before_anything_is_made() {
    assert_eq!(Scene::new().plan(), observe(&workspace()));
}

#[test]
fn what_is_absent_is_recorded_before_it_is_made() {
    assert_eq!(Scene::new().sees_absent(&workspace()).plan(), Step::Record(workspace()));
}

#[test]
fn what_is_recorded_and_absent_is_made() {
    let scene = Scene::new().remembers(recorded(&workspace())).sees_absent(&workspace());
    assert_eq!(scene.plan(), Step::Create(workspace()));
}

#[test]
fn what_is_recorded_is_not_made_before_it_was_looked_at() {
    let scene = Scene::new().remembers(recorded(&workspace()));
    assert_eq!(scene.plan(), observe(&workspace()));
}

#[test]
fn what_was_recorded_in_other_letter_case_is_the_same() {
    let mut owned = recorded(&workspace());
    owned.id = owned.id.to_lowercase();
    let scene = Scene::new().remembers(owned).sees_absent(&workspace());
    assert_eq!(scene.plan(), Step::Create(workspace()));
}

#[test]
fn what_was_deleted_behind_our_back_is_recorded_anew_and_made_again() {
    let scene = Scene::new().remembers(confirmed(&workspace())).sees_absent(&workspace());
    // With the old time of creation, the new one would be taken for another's if a crash came after it was made.
    assert_eq!(scene.plan(), Step::Record(workspace()));
}

#[test]
fn members_are_made_in_their_order() {
    let (first, second) = (workspace(), connection("aoai"));
    let scene = Scene::new().wants([first.clone(), second.clone()]);
    assert_eq!(scene.sees_absent(&second).plan(), observe(&first));
    let scene =
        Scene::new().wants([first.clone(), second.clone()]).remembers(confirmed(&first)).sees(&first, made(&first));
    assert_eq!(scene.plan(), observe(&second));
}

#[test]
fn what_was_made_is_confirmed_with_its_time_of_creation() {
    let scene = Scene::new().remembers(recorded(&workspace())).sees(&workspace(), made(&workspace()));
    assert_eq!(scene.plan(), Step::Confirm(confirmed(&workspace())));
}

#[test]
fn what_is_ours_though_the_inventory_lost_it_is_confirmed() {
    let scene = Scene::new().sees(&workspace(), made(&workspace()));
    assert_eq!(scene.plan(), Step::Confirm(confirmed(&workspace())));
}

#[test]
fn what_failed_is_made_again() {
    for state in ["Failed", "Canceled"] {
        let scene =
            Scene::new().remembers(recorded(&workspace())).sees(&workspace(), provisioning(&made(&workspace()), state));
        assert_eq!(scene.plan(), Step::Create(workspace()), "{state}");
    }
}

#[test]
fn what_azure_is_at_work_on_is_left_alone() {
    for state in ["Creating", "Updating", "Deleting"] {
        let there = with(&provisioning(&made(&workspace()), state), "/properties", "friendlyName", "X");
        let rest = Scene::new().remembers(recorded(&workspace())).sees(&workspace(), there).rest();
        assert_eq!((rest.state, rest.reason), (State::Working, Reason::InProgress), "{state}");
        assert_eq!(rest.wake, Wake::After(FOREIGN_WORK), "{state}");
    }
}

#[test]
fn what_was_just_made_and_is_not_seen_yet_is_not_made_twice() {
    let scene = Scene::new()
        .remembers(recorded(&workspace()))
        .just_did(OperationKind::Create, &workspace().id)
        .sees_absent(&workspace());
    let rest = scene.rest();
    assert_eq!((rest.state, rest.reason), (State::Working, Reason::Creating));
    let soon = Wake::Backoff { class: Class::Fast, retry_after: None };
    assert_eq!(rest.wake, soon);
}

#[test]
fn what_failed_though_it_was_just_made_waits() {
    let scene = Scene::new()
        .remembers(confirmed(&workspace()))
        .just_did(OperationKind::Create, &workspace().id)
        .sees(&workspace(), provisioning(&made(&workspace()), "Failed"));
    let rest = scene.rest();
    assert_eq!((rest.state, rest.reason), (State::Waiting, Reason::AzureUnavailable));
}

#[test]
fn another_member_that_was_just_made_holds_nothing_up() {
    let (first, second) = (workspace(), connection("aoai"));
    let scene = Scene::new()
        .wants([first.clone(), second.clone()])
        .remembers(confirmed(&first))
        .remembers(recorded(&second))
        .just_did(OperationKind::Create, &first.id)
        .sees(&first, made(&first))
        .sees_absent(&second);
    assert_eq!(scene.plan(), Step::Create(second));
}

fn refused_at_creation() -> Scene {
    Scene::new().remembers(recorded(&workspace())).sees_absent(&workspace()).refused(&workspace(), "Azure said no")
}

#[test]
fn what_azure_refused_is_not_sent_again() {
    let rest = refused_at_creation().rest();
    assert_eq!((rest.state, rest.reason, rest.message.as_str()), (State::Stalled, Reason::Refused, "Azure said no"));
    assert_eq!(rest.wake, Wake::Resync);
}

#[test]
fn a_refused_change_is_not_sent_again() {
    let scene = Scene::new()
        .remembers(confirmed(&workspace()))
        .sees(&workspace(), with(&made(&workspace()), "/properties", "friendlyName", "X"))
        .refused(&workspace(), "Azure said no");
    assert_eq!(scene.rest().state, State::Stalled);
}

#[test]
fn what_failed_for_good_is_not_made_again() {
    let scene = Scene::new()
        .remembers(recorded(&workspace()))
        .sees(&workspace(), provisioning(&made(&workspace()), "Failed"))
        .refused(&workspace(), "Azure said no");
    assert_eq!(scene.rest().state, State::Stalled);
}

#[test]
fn what_azure_refused_stays_so_and_is_told_in_its_own_words_whatever_came_between() {
    for (reason, state) in [
        (Reason::Throttled, State::Waiting),
        (Reason::HubNotFound, State::Unresolved),
        (Reason::Paused, State::Paused),
        (Reason::AlreadyExists, State::Stalled),
    ] {
        let rest = refused_at_creation().last_rested(reason, state, "something else").rest();
        assert_eq!((rest.state, rest.reason), (State::Stalled, Reason::Refused), "{reason:?}");
        assert_eq!(rest.message, "Azure said no", "{reason:?}");
    }
}

#[test]
fn a_refusal_ends_with_a_changed_spec() {
    let mut changed = workspace();
    body::set(&mut changed.body, "/properties/friendlyName", "Other".into());
    let scene = refused_at_creation().wants([changed.clone()]);
    assert_eq!(scene.plan(), Step::Create(changed));
}

#[test]
fn a_refusal_ends_with_another_version_of_the_secret() {
    let refused = connection("aoai");
    let mut rotated = refused.clone();
    rotated.secrets[0].version = "2".to_owned();
    let scene = |wanted: &Wanted| {
        Scene::new()
            .wants(slice::from_ref(wanted).to_vec())
            .remembers(recorded(&refused))
            .sees_absent(&refused)
            .refused(&refused, "Azure said no")
    };
    assert_eq!(scene(&refused).rest().state, State::Stalled);
    assert_eq!(scene(&rotated).plan(), Step::Create(rotated));
}

#[test]
fn a_refusal_ends_with_another_key_of_the_secret() {
    let refused = connection("aoai");
    let mut other_key = refused.clone();
    other_key.secrets[0].source.key = "other".to_owned();
    assert_ne!(attempt(&refused, TOKEN), attempt(&other_key, TOKEN));
}

#[test]
fn a_refusal_ends_when_a_person_asks_for_another_try() {
    assert_eq!(refused_at_creation().asked_again().plan(), Step::Create(workspace()));
}
