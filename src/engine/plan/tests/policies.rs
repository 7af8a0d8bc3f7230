//! Observe writes nothing, Pause does nothing, Orphan always lets go.

use super::super::*;
use super::scene::*;

#[test]
fn observing_needs_no_finalizer() {
    assert_eq!(Scene::new().observes().without_finalizer().plan(), observe(&workspace()));
}

#[test]
fn what_is_observed_and_equal_settles_without_a_mark() {
    for there in [made(&workspace()), made_by_hand(&workspace())] {
        let scene = Scene::new().observes().sees(&workspace(), there);
        assert_eq!(scene.rest().state, State::Settled);
    }
}

#[test]
fn what_is_observed_and_differs_is_told_and_left() {
    for there in [made(&workspace()), made_by_hand(&workspace())] {
        let rest = Scene::new().observes().sees(&workspace(), with(&there, "/properties", "friendlyName", "X")).rest();
        assert_eq!((rest.state, rest.reason), (State::Drifted, Reason::Drifted));
        assert!(rest.message.contains("friendlyName"), "{}", rest.message);
        assert!(!rest.message.contains("owner"), "{}", rest.message);
    }
}

#[test]
fn what_is_observed_and_fixed_is_told_and_left() {
    let there = with(&made(&workspace()), "", "location", "eastus");
    let rest = Scene::new().observes().sees(&workspace(), there).rest();
    assert_eq!((rest.state, rest.reason), (State::Stalled, Reason::FixedFieldDiffers));
}

#[test]
fn what_belongs_to_another_object_is_not_even_observed() {
    let rest = Scene::new().observes().sees(&workspace(), made_by_others(&workspace())).rest();
    assert_eq!((rest.state, rest.reason), (State::Stalled, Reason::Conflict));
}

#[test]
fn what_is_observed_and_absent_is_told_and_not_made() {
    for scene in [Scene::new(), Scene::new().remembers(confirmed(&workspace()))] {
        let rest = scene.observes().sees_absent(&workspace()).rest();
        assert_eq!((rest.state, rest.reason, rest.wake), (State::Missing, Reason::NotFound, Wake::Resync));
    }
}

#[test]
fn what_is_observed_and_failed_is_told_and_not_made_again() {
    for state in ["Failed", "Canceled"] {
        let rest = Scene::new().observes().sees(&workspace(), provisioning(&made(&workspace()), state)).rest();
        assert_eq!((rest.state, rest.reason), (State::Stalled, Reason::Drifted));
        assert!(rest.message.contains(state), "{}", rest.message);
    }
}

#[test]
fn a_secret_of_what_is_observed_is_not_written() {
    let wanted = connection("aoai");
    let scene = Scene::new().observes().wants([wanted.clone()]).sees(&wanted, made(&wanted));
    assert_eq!(scene.rest().state, State::Settled);
}

#[test]
fn what_is_only_published_is_read_of_what_is_observed_too() {
    let scene = Scene::new().observes().reads(&["datastores"]).sees(&workspace(), made_by_hand(&workspace()));
    assert_eq!(scene.plan(), Step::Observe(Target::Collection(workspace().id, "datastores")));
}

fn that_let_go() -> [Scene; 3] {
    [Scene::new().deleting().observes(), Scene::new().deleting().orphans(), Scene::new().deleting().orphans().pauses()]
}

#[test]
fn what_is_let_go_stays_in_azure_without_a_look() {
    for scene in that_let_go() {
        let scene = scene.remembers(confirmed(&workspace()));
        assert_eq!(scene.plan(), Step::LetGo(workspace().id));
    }
}

#[test]
fn what_let_go_of_everything_is_released() {
    for scene in that_let_go() {
        assert_eq!(scene.plan(), Step::Release);
    }
    for scene in that_let_go() {
        let rest = scene.without_finalizer().rest();
        assert_eq!((rest.state, rest.wake), (State::Working, Wake::Event));
    }
}

#[test]
fn letting_go_waits_for_nothing() {
    for scene in that_let_go() {
        let scene = scene
            .unresolved(Reason::HubNotFound, "no hub")
            .held_by("the hub has projects")
            .runs(operation(OperationKind::Create))
            .remembers(recorded(&workspace()));
        assert_eq!(scene.plan(), Step::LetGo(workspace().id));
    }
}

#[test]
fn an_operation_without_an_entry_in_the_inventory_does_not_keep_what_is_let_go() {
    for scene in that_let_go() {
        assert_eq!(scene.runs(operation(OperationKind::Delete)).plan(), Step::Release);
    }
}

#[test]
fn an_entry_that_cannot_be_read_does_not_keep_what_is_let_go() {
    for scene in that_let_go() {
        let owned = OwnedResource { id: "not an id".to_owned(), ..OwnedResource::default() };
        assert_eq!(scene.remembers(owned).plan(), Step::Release);
    }
}

#[test]
fn orphan_changes_nothing_before_the_deletion() {
    let scene = Scene::new().orphans().remembers(recorded(&workspace())).sees_absent(&workspace());
    assert_eq!(scene.plan(), Step::Create(workspace()));
}

#[test]
fn a_pause_reads_and_writes_nothing() {
    for scene in [
        Scene::new(),
        Scene::new().without_finalizer(),
        Scene::new().runs(operation(OperationKind::Create)),
        Scene::new().unresolved(Reason::HubNotFound, "no hub"),
        Scene::new().sees_absent(&workspace()),
        Scene::new().remembers(confirmed(&workspace())).sees(&workspace(), provisioning(&made(&workspace()), "Failed")),
    ] {
        let rest = scene.pauses().rest();
        assert_eq!((rest.state, rest.reason, rest.wake), (State::Paused, Reason::Paused, Wake::Event));
    }
}

#[test]
fn a_paused_deletion_waits_and_says_what_would_release_it() {
    for scene in [Scene::new().remembers(confirmed(&workspace())), Scene::new().runs(operation(OperationKind::Create))]
    {
        let rest = scene.pauses().deleting().rest();
        assert_eq!((rest.state, rest.reason), (State::Paused, Reason::Paused));
        assert!(rest.message.contains("deletionPolicy: Orphan"), "{}", rest.message);
    }
}

#[test]
fn a_paused_object_that_has_nothing_in_azure_goes() {
    assert_eq!(Scene::new().pauses().deleting().plan(), Step::Release);
}
