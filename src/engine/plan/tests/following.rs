//! What comes before all else, and what comes last.

use super::super::*;
use super::scene::*;

#[test]
fn an_operation_is_asked_for_before_all_else() {
    let running = operation(OperationKind::Create);
    for scene in [
        Scene::new(),
        Scene::new().without_finalizer(),
        Scene::new().deleting(),
        Scene::new().deleting().held_by("the hub has projects"),
        Scene::new().unresolved(Reason::HubNotFound, "no hub"),
        Scene::new().observes(),
        Scene::new().sees_absent(&workspace()),
    ] {
        assert_eq!(scene.runs(running.clone()).plan(), Step::Poll(running.clone()));
    }
}

#[test]
fn nothing_is_done_while_an_operation_runs() {
    for (kind, reason) in [
        (OperationKind::Create, Reason::Creating),
        (OperationKind::Update, Reason::Updating),
        (OperationKind::Delete, Reason::Deleting),
    ] {
        let rest = Scene::new().runs(operation(kind)).sees_running().sees_absent(&workspace()).rest();
        assert_eq!((rest.state, rest.reason), (State::Working, reason));
        assert_eq!(rest.wake, Wake::Poll { retry_after: None });
    }
}

#[test]
fn a_deletion_waits_for_the_operation_that_runs_and_says_what_would_release_it() {
    for (kind, reason) in [(OperationKind::Create, Reason::Creating), (OperationKind::Update, Reason::Updating)] {
        let rest =
            Scene::new().deleting().remembers(recorded(&workspace())).runs(operation(kind)).sees_running().rest();
        assert_eq!((rest.state, rest.reason), (State::Working, reason));
        assert!(rest.message.contains("deletionPolicy: Orphan"), "{}", rest.message);
    }
}

#[test]
fn a_running_deletion_is_waited_for_in_a_deletion() {
    let rest = Scene::new()
        .deleting()
        .remembers(confirmed(&workspace()))
        .runs(operation(OperationKind::Delete))
        .sees_running()
        .rest();
    assert_eq!((rest.state, rest.reason), (State::Working, Reason::Deleting));
}

#[test]
fn an_operation_is_asked_for_again_after_a_write() {
    let running = operation(OperationKind::Create);
    let scene = Scene::new()
        .runs(running.clone())
        .saw_earlier(Target::Operation(OPERATION_URL.to_owned()), Sight::Running(None));
    assert_eq!(scene.plan(), Step::Poll(running));
}

#[test]
fn what_the_spec_refers_to_in_vain_stops_everything() {
    let mut elsewhere = workspace();
    elsewhere.id = ArmId::parse(&elsewhere.id.as_str().replace("churn", "former")).unwrap();
    for scene in [
        Scene::new(),
        Scene::new().without_finalizer(),
        Scene::new().observes(),
        Scene::new().sees_absent(&workspace()),
        Scene::new().remembers(confirmed(&elsewhere)).sees(&elsewhere, made(&elsewhere)),
    ] {
        let rest = scene.unresolved(Reason::NotAllowedByHub, "ask the hub's owner").rest();
        assert_eq!(
            (rest.state, rest.reason, rest.message.as_str()),
            (State::Unresolved, Reason::NotAllowedByHub, "ask the hub's owner")
        );
        assert_eq!(rest.wake, Wake::Resync);
    }
}

#[test]
fn a_resource_seen_before_the_last_write_is_looked_at_again() {
    let target = Target::Resource(workspace().id);
    for sight in [Sight::Absent, Sight::Present(made(&workspace()))] {
        for scene in [Scene::new(), Scene::new().deleting()] {
            let scene = scene.remembers(confirmed(&workspace())).saw_earlier(target.clone(), sight.clone());
            assert_eq!(scene.plan(), observe(&workspace()));
        }
    }
}

fn read() -> Step {
    Step::Observe(Target::Collection(workspace().id, "datastores"))
}

#[test]
fn what_is_only_published_is_read_last() {
    let scene = Scene::new().reads(&["datastores"]);
    assert_eq!(scene.plan(), observe(&workspace()));
    let scene = scene.sees(&workspace(), made(&workspace()));
    assert_eq!(scene.plan(), Step::Confirm(confirmed(&workspace())));
    assert_eq!(scene.remembers(confirmed(&workspace())).plan(), read());
}

#[test]
fn what_is_only_published_is_read_once() {
    let scene = Scene::new()
        .reads(&["datastores"])
        .remembers(confirmed(&workspace()))
        .sees(&workspace(), made(&workspace()))
        .sees_items(&workspace(), "datastores");
    assert_eq!(scene.rest().state, State::Settled);
}

#[test]
fn what_is_only_published_is_read_again_after_a_write() {
    let scene = Scene::new()
        .reads(&["datastores"])
        .remembers(confirmed(&workspace()))
        .sees(&workspace(), made(&workspace()))
        .saw_earlier(Target::Collection(workspace().id, "datastores"), Sight::Items(Vec::new()));
    assert_eq!(scene.plan(), read());
}

#[test]
fn nothing_is_read_for_what_could_not_be_made() {
    let rest = Scene::new().reads(&["datastores"]).sees(&workspace(), made_by_others(&workspace())).rest();
    assert_eq!(rest.state, State::Stalled);
}

#[test]
fn an_object_that_wants_nothing_settles() {
    assert_eq!(Scene::new().wants([]).rest().state, State::Settled);
}
