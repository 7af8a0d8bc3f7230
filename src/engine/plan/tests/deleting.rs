//! From a resource to nothing, without a trace of ours and without a scratch on what is others'.

use super::super::*;
use super::scene::*;
use crate::arm::Class;

fn deleting() -> Scene {
    Scene::new().deleting()
}

#[test]
fn a_deletion_looks_before_it_deletes() {
    assert_eq!(deleting().remembers(confirmed(&workspace())).plan(), observe(&workspace()));
}

#[test]
fn what_is_ours_is_deleted() {
    let scene = deleting().remembers(confirmed(&workspace())).sees(&workspace(), made(&workspace()));
    assert_eq!(scene.plan(), Step::Delete(workspace().id));
}

#[test]
fn what_failed_is_deleted_too() {
    let scene =
        deleting().remembers(recorded(&workspace())).sees(&workspace(), provisioning(&made(&workspace()), "Failed"));
    assert_eq!(scene.plan(), Step::Delete(workspace().id));
}

#[test]
fn what_is_ours_is_deleted_though_its_mark_was_taken_off() {
    let scene = deleting().remembers(confirmed(&workspace())).sees(&workspace(), made_by_hand(&workspace()));
    assert_eq!(scene.plan(), Step::Delete(workspace().id));
}

#[test]
fn the_last_member_goes_first() {
    let (first, second) = (workspace(), connection("aoai"));
    let scene = deleting()
        .remembers(confirmed(&first))
        .remembers(confirmed(&second))
        .sees(&first, made(&first))
        .sees(&second, made(&second));
    assert_eq!(scene.plan(), Step::Delete(second.id));
}

#[test]
fn what_another_object_owns_is_forgotten_and_not_deleted() {
    let scene = deleting().remembers(confirmed(&workspace())).sees(&workspace(), made_by_others(&workspace()));
    assert_eq!(scene.plan(), Step::Forget(workspace().id, Farewell::NotOurs));
}

#[test]
fn a_namesake_that_came_later_is_not_deleted_though_it_bears_our_mark() {
    let later = with(&made(&workspace()), "/systemData", "createdAt", "2026-02-02T00:00:00Z");
    let scene = deleting().remembers(confirmed(&workspace())).sees(&workspace(), later);
    assert_eq!(scene.plan(), Step::Forget(workspace().id, Farewell::NotOurs));
}

#[test]
fn what_was_never_ours_is_forgotten_and_not_deleted() {
    let scene = deleting().adopts().remembers(recorded(&workspace())).sees(&workspace(), made_by_hand(&workspace()));
    assert_eq!(scene.plan(), Step::Forget(workspace().id, Farewell::NotOurs));
}

#[test]
fn what_is_gone_already_is_forgotten() {
    let scene = deleting().remembers(confirmed(&workspace())).sees_absent(&workspace());
    assert_eq!(scene.plan(), Step::Forget(workspace().id, Farewell::Gone));
}

#[test]
fn the_object_is_released_when_nothing_of_ours_is_left() {
    assert_eq!(deleting().plan(), Step::Release);
}

#[test]
fn the_object_is_not_released_while_the_inventory_names_anything() {
    let (first, second) = (workspace(), connection("aoai"));
    let scene =
        deleting().remembers(confirmed(&first)).remembers(confirmed(&second)).sees_absent(&first).sees_absent(&second);
    assert_eq!(scene.plan(), Step::Forget(second.id, Farewell::Gone));
}

#[test]
fn nothing_is_made_once_the_deletion_began() {
    let scene = deleting().remembers(recorded(&workspace())).sees_absent(&workspace());
    assert_eq!(scene.plan(), Step::Forget(workspace().id, Farewell::Gone));
    assert_eq!(deleting().sees_absent(&workspace()).plan(), Step::Release);
}

#[test]
fn a_deletion_needs_nothing_that_the_spec_refers_to() {
    let scene = deleting()
        .unresolved(Reason::HubNotFound, "no hub")
        .remembers(confirmed(&workspace()))
        .sees(&workspace(), made(&workspace()));
    assert_eq!(scene.plan(), Step::Delete(workspace().id));
}

#[test]
fn what_is_ours_is_deleted_though_somebody_took_the_finalizer_off() {
    let scene =
        deleting().without_finalizer().remembers(confirmed(&workspace())).sees(&workspace(), made(&workspace()));
    assert_eq!(scene.plan(), Step::Delete(workspace().id));
}

#[test]
fn an_object_that_others_keep_rests() {
    let rest = deleting().without_finalizer().rest();
    assert_eq!((rest.state, rest.wake), (State::Working, Wake::Event));
}

#[test]
fn what_azure_is_at_work_on_is_deleted_when_that_has_ended() {
    for state in ["Creating", "Updating", "Deleting"] {
        let rest = deleting()
            .remembers(recorded(&workspace()))
            .sees(&workspace(), provisioning(&made(&workspace()), state))
            .rest();
        assert_eq!((rest.state, rest.reason), (State::Working, Reason::Deleting), "{state}");
        assert_eq!(rest.wake, Wake::After(FOREIGN_WORK), "{state}");
        assert!(rest.message.contains("deletionPolicy: Orphan"), "{}", rest.message);
    }
}

#[test]
fn what_was_just_deleted_and_is_still_there_is_not_deleted_at_once_again() {
    let rest = deleting()
        .remembers(confirmed(&workspace()))
        .just_did(OperationKind::Delete, &workspace().id)
        .sees(&workspace(), made(&workspace()))
        .rest();
    assert_eq!((rest.state, rest.reason), (State::Working, Reason::Deleting));
    let soon = Wake::Backoff { class: Class::Fast, retry_after: None };
    assert_eq!(rest.wake, soon);
}

#[test]
fn what_was_just_made_is_deleted_at_once() {
    let scene = deleting()
        .remembers(confirmed(&workspace()))
        .just_did(OperationKind::Create, &workspace().id)
        .sees(&workspace(), made(&workspace()));
    assert_eq!(scene.plan(), Step::Delete(workspace().id));
}

#[test]
fn a_hub_waits_for_its_projects_and_says_which() {
    let rest = deleting()
        .held_by("the hub has projects: FoundryProject team/churn")
        .remembers(confirmed(&workspace()))
        .sees(&workspace(), made(&workspace()))
        .rest();
    assert_eq!((rest.state, rest.reason), (State::Waiting, Reason::HubHasProjects));
    assert_eq!(rest.message, "the hub has projects: FoundryProject team/churn");
    assert_eq!(rest.wake, Wake::Resync);
}

#[test]
fn a_hub_with_projects_is_kept_up_while_nobody_deletes_it() {
    let scene = Scene::new()
        .held_by("the hub has projects")
        .remembers(confirmed(&workspace()))
        .sees(&workspace(), made(&workspace()));
    assert_eq!(scene.rest().state, State::Settled);
}

#[test]
fn an_entry_that_the_operator_cannot_have_made_is_never_deleted() {
    let elsewhere = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st";
    for id in ["not an id", elsewhere] {
        let owned = OwnedResource { id: id.to_owned(), ..OwnedResource::default() };
        let rest = deleting().remembers(owned).rest();
        assert_eq!((rest.state, rest.reason), (State::Stalled, Reason::UnknownResource));
        assert!(rest.message.contains(id), "{}", rest.message);
    }
}

#[test]
fn a_member_that_left_the_set_is_deleted_before_another_is_made() {
    let (left, new) = (connection("old"), connection("new"));
    let scene = Scene::new().wants([new.clone()]).remembers(confirmed(&left));
    assert_eq!(scene.plan(), observe(&left));
    let scene = scene.sees(&left, made(&left)).sees_absent(&new);
    assert_eq!(scene.plan(), Step::Delete(left.id));
}

#[test]
fn of_members_that_left_the_set_the_last_goes_first() {
    let (one, two) = (connection("one"), connection("two"));
    let scene = Scene::new()
        .remembers(confirmed(&workspace()))
        .remembers(confirmed(&one))
        .remembers(confirmed(&two))
        .sees(&one, made(&one))
        .sees(&two, made(&two));
    assert_eq!(scene.plan(), Step::Delete(two.id));
}

#[test]
fn a_member_that_left_the_set_and_is_not_ours_is_let_go() {
    let left = connection("old");
    let scene = Scene::new().remembers(confirmed(&left)).sees(&left, made_by_others(&left));
    assert_eq!(scene.plan(), Step::Forget(left.id, Farewell::NotOurs));
}

#[test]
fn a_member_that_left_the_set_stays_where_azure_is_only_observed() {
    let left = connection("old");
    let scene = Scene::new()
        .observes()
        .remembers(confirmed(&left))
        .sees(&left, made(&left))
        .sees(&workspace(), made(&workspace()));
    assert_eq!(scene.rest().state, State::Settled);
}

#[test]
fn what_was_about_to_be_adopted_is_not_left_while_azure_is_at_work_on_it() {
    let scene = Scene::new().deleting().remembers(recorded(&workspace()));
    let adopting = provisioning(&made_by_hand(&workspace()), "Updating");
    let rest = scene.sees(&workspace(), adopting).rest();
    assert_eq!((rest.state, rest.reason), (State::Working, Reason::Deleting));
}
