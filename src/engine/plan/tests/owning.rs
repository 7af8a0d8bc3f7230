//! Whose a resource is decides what may be done with it.

use super::super::*;
use super::scene::*;
use crate::engine::body;
use crate::engine::ownership::OWNER_KEY;

#[test]
fn what_somebody_made_by_hand_is_not_taken_over_silently() {
    let rest = Scene::new().sees(&workspace(), made_by_hand(&workspace())).rest();
    assert_eq!((rest.state, rest.reason), (State::Stalled, Reason::AlreadyExists));
    assert!(rest.message.contains("alice@contoso.com"), "{}", rest.message);
    assert!(rest.message.contains("adoptionPolicy: Adopt"), "{}", rest.message);
}

#[test]
fn what_is_about_to_be_adopted_is_recorded_first() {
    let scene = Scene::new().adopts().sees(&workspace(), made_by_hand(&workspace()));
    assert_eq!(scene.plan(), Step::Record(workspace()));
}

#[test]
fn what_is_ours_though_the_inventory_lost_it_is_recorded_before_it_is_changed() {
    let there = with(&made(&workspace()), "/properties", "friendlyName", "X");
    assert_eq!(Scene::new().sees(&workspace(), there.clone()).plan(), Step::Record(workspace()));
    let failed = provisioning(&there, "Failed");
    assert_eq!(Scene::new().sees(&workspace(), failed).plan(), Step::Record(workspace()));
}

#[test]
fn what_may_be_adopted_gets_our_mark() {
    let update =
        Scene::new().adopts().remembers(recorded(&workspace())).sees(&workspace(), made_by_hand(&workspace())).update();
    assert_eq!(update.reason, Reason::Adopted);
    assert_eq!(update.differences, [format!("/tags/{OWNER_KEY}")]);
}

#[test]
fn a_mark_that_azure_does_not_keep_is_not_written_again_at_once() {
    let mut written = recorded(&workspace());
    written.applied = Some(applied(&workspace()));
    let scene = Scene::new().adopts().remembers(written).sees(&workspace(), made_by_hand(&workspace()));
    let rest = scene.just_did(OperationKind::Update, &workspace().id).rest();
    assert_eq!((rest.state, rest.reason), (State::Waiting, Reason::Drifted));
    assert!(rest.message.contains(OWNER_KEY), "{}", rest.message);
}

#[test]
fn adopting_keeps_what_a_former_namesake_had_and_the_spec_no_longer_mentions() {
    let mut former = workspace();
    body::set(&mut former.body, "/tags/old", "ours".into());
    let mut gone = confirmed(&former);
    gone.created_at = Some("2025-01-01T00:00:00Z".to_owned());
    let there = with(&made_by_hand(&workspace()), "/tags", "old", "theirs");
    let adopting = |memory| Scene::new().adopts().remembers(memory).sees(&workspace(), there.clone());
    // Should the object be deleted before the adoption is confirmed, it must not be taken for the former one.
    assert_eq!(adopting(gone).plan(), Step::Record(workspace()));
    let update = adopting(recorded(&workspace())).update();
    assert_eq!(update.differences, [format!("/tags/{OWNER_KEY}")]);
    assert_eq!(update.formerly, Vec::<String>::new());
}

#[test]
fn what_the_hubs_owner_forbids_to_adopt_stays_as_it_is() {
    let mut wanted = workspace();
    wanted.adoption_forbidden = Some("the hub's owner says no".to_owned());
    for scene in [Scene::new(), Scene::new().remembers(recorded(&workspace()))] {
        let rest = scene.adopts().wants([wanted.clone()]).sees(&workspace(), made_by_hand(&workspace())).rest();
        assert_eq!((rest.state, rest.reason), (State::Stalled, Reason::AlreadyExists));
        assert!(rest.message.contains("the hub's owner says no"), "{}", rest.message);
    }
}

#[test]
fn a_ban_on_adoption_does_not_touch_what_is_ours_already() {
    let mut wanted = workspace();
    wanted.adoption_forbidden = Some("no".to_owned());
    let scene = Scene::new().wants([wanted]).remembers(confirmed(&workspace())).sees(&workspace(), made(&workspace()));
    assert_eq!(scene.rest().state, State::Settled);
}

#[test]
fn what_another_object_owns_is_never_written_even_where_adoption_is_allowed() {
    for there in [made_by_others(&workspace()), provisioning(&made_by_others(&workspace()), "Failed")] {
        let rest = Scene::new().adopts().remembers(confirmed(&workspace())).sees(&workspace(), there).rest();
        assert_eq!((rest.state, rest.reason), (State::Stalled, Reason::Conflict));
        assert!(rest.message.contains(OTHER_MARK), "{}", rest.message);
    }
}

#[test]
fn a_mark_that_was_taken_off_is_put_back() {
    let update =
        Scene::new().remembers(confirmed(&workspace())).sees(&workspace(), made_by_hand(&workspace())).update();
    assert_eq!(update.reason, Reason::DriftCorrected);
    assert_eq!(update.differences, [format!("/tags/{OWNER_KEY}")]);
}

#[test]
fn a_later_namesake_made_by_hand_is_not_ours() {
    let there = with(&made_by_hand(&workspace()), "/systemData", "createdAt", "2026-02-02T00:00:00Z");
    let rest = Scene::new().remembers(confirmed(&workspace())).sees(&workspace(), there).rest();
    assert_eq!(rest.reason, Reason::AlreadyExists);
}

#[test]
fn an_adopted_connection_with_credentials_is_written_once() {
    let wanted = connection("aoai");
    let scene = || Scene::new().adopts().wants([connection("aoai")]);
    assert_eq!(scene().sees(&wanted, made_by_hand(&wanted)).plan(), Step::Record(wanted.clone()));
    let after_the_write = scene()
        .remembers(OwnedResource { applied: Some(applied(&wanted)), ..recorded(&wanted) })
        .just_did(OperationKind::Update, &wanted.id)
        .sees(&wanted, made(&wanted));
    assert_eq!(after_the_write.plan(), Step::Confirm(confirmed(&wanted)));
}
