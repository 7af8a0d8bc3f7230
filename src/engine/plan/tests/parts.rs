//! Parts of a resource, which carry no mark of their own; and what is set up once everything is there.

use super::super::*;
use super::scene::*;
use crate::engine::body;

const RULES: &str = "outboundRules";

fn listed(there: impl IntoIterator<Item = Value>) -> Scene {
    let hub = workspace();
    Scene::new().remembers(confirmed(&hub)).sees(&hub, made(&hub)).sees_listed(&hub, RULES, there)
}

fn with_state(rule: &Wanted, state: &str) -> Value {
    with(&made(rule), "/properties", "status", state)
}

#[test]
fn parts_are_read_all_at_once() {
    let scene = Scene::new()
        .wants([workspace(), rule("pypi"), rule("conda")])
        .remembers(confirmed(&workspace()))
        .sees(&workspace(), made(&workspace()));
    assert_eq!(scene.plan(), Step::Observe(Target::Collection(workspace().id, RULES)));
    let (pypi, conda) = (rule("pypi"), rule("conda"));
    let scene = scene.remembers(recorded(&conda)).remembers(confirmed(&pypi));
    assert_eq!(scene.sees_listed(&workspace(), RULES, [made(&pypi)]).plan(), Step::Create(conda));
}

fn made_otherwise(rule: &Wanted) -> Value {
    with(&made(rule), "/properties", "destination", "elsewhere.org")
}

#[test]
fn a_part_that_the_inventory_names_is_whose_the_whole_is() {
    let pypi = rule("pypi");
    let scene = listed([made_otherwise(&pypi)]).wants([workspace(), pypi.clone()]).remembers(recorded(&pypi));
    assert_eq!(scene.update().differences, ["/properties/destination"]);
}

#[test]
fn a_part_that_somebody_made_otherwise_is_not_taken_over_silently() {
    let pypi = rule("pypi");
    let scene = listed([made_otherwise(&pypi)]).wants([workspace(), pypi.clone()]);
    assert_eq!((scene.rest().state, scene.rest().reason), (State::Stalled, Reason::AlreadyExists));
    assert_eq!(scene.adopts().plan(), Step::Record(pypi));
}

#[test]
fn a_part_that_is_just_as_wanted_needs_nobodys_leave() {
    let pypi = rule("pypi");
    let scene = listed([made(&pypi)]).wants([workspace(), pypi.clone()]);
    assert_eq!(scene.plan(), Step::Confirm(confirmed(&pypi)));
}

#[test]
fn a_part_that_azure_refused_to_make_is_not_deleted_where_somebody_made_it() {
    let pypi = rule("pypi");
    let scene =
        |there: Value| listed([there]).wants([workspace()]).remembers(recorded(&pypi)).refused(&pypi, "Azure said no");
    assert_eq!(scene(made(&pypi)).plan(), Step::Forget(pypi.id.clone(), Farewell::NotOurs));
    assert_eq!(scene(with_state(&pypi, "Failed")).plan(), Step::Delete(pypi.id.clone()), "it was made, and failed");
}

#[test]
fn what_it_is_part_of_is_brought_about_before_a_part_leaves() {
    let (hub, pypi) = (workspace(), rule("pypi"));
    let scene = Scene::new()
        .wants([hub.clone()])
        .remembers(confirmed(&hub))
        .remembers(confirmed(&pypi))
        .sees(&hub, with(&made(&hub), "/properties", "friendlyName", "X"))
        .sees_listed(&hub, RULES, [made(&pypi)]);
    assert_eq!(scene.update().wanted, hub);
}

#[test]
fn a_part_that_is_waited_for_holds_up_no_other() {
    let (one, two) = (rule("one"), rule("two"));
    let scene = listed([with_state(&one, "Provisioning")])
        .wants([workspace(), one.clone(), two.clone()])
        .remembers(confirmed(&one))
        .remembers(recorded(&two));
    assert_eq!(scene.plan(), Step::Create(two));
}

#[test]
fn a_field_that_left_the_spec_of_a_part_is_taken_away() {
    let pypi = rule("pypi");
    let mut formerly = pypi.clone();
    body::set(&mut formerly.body, "/properties/fqdns", vec!["pypi.local"].into());
    let scene = listed([made(&formerly)]).wants([workspace(), pypi]).remembers(confirmed(&formerly));
    assert_eq!(scene.update().differences, ["/properties/fqdns"]);
}

#[test]
fn a_part_that_azure_is_at_work_on_is_waited_for() {
    for state in ["Provisioning", "Deleting"] {
        let pypi = rule("pypi");
        let rest =
            listed([with_state(&pypi, state)]).wants([workspace(), pypi.clone()]).remembers(confirmed(&pypi)).rest();
        assert_eq!((rest.state, rest.reason), (State::Working, Reason::InProgress), "{state}");
    }
}

#[test]
fn a_part_that_failed_is_written_again() {
    let pypi = rule("pypi");
    let scene = listed([with_state(&pypi, "Failed")]).wants([workspace(), pypi.clone()]).remembers(confirmed(&pypi));
    assert_eq!(scene.update().wanted, pypi);
}

#[test]
fn a_member_that_azure_refuses_holds_up_no_other() {
    let (bad, good) = (rule("bad"), rule("good"));
    let scene = listed([])
        .wants([workspace(), bad.clone(), good.clone()])
        .remembers(recorded(&bad))
        .refused(&bad, "Azure said no to this rule");
    assert_eq!(scene.plan(), Step::Record(good.clone()));
    let scene = scene.remembers(confirmed(&good)).sees_listed(&workspace(), RULES, [made(&good)]);
    assert_eq!((scene.rest().state, scene.rest().message.as_str()), (State::Stalled, "Azure said no to this rule"));
}

#[test]
fn nothing_is_made_below_a_first_member_that_is_refused() {
    let hub = workspace();
    let scene = Scene::new()
        .wants([hub.clone(), rule("pypi")])
        .remembers(recorded(&hub))
        .sees_absent(&hub)
        .refused(&hub, "Azure said no");
    assert_eq!(scene.rest().message, "Azure said no");
}

#[test]
fn a_part_that_left_the_set_is_deleted() {
    let pypi = rule("pypi");
    let scene = listed([made(&pypi)]).wants([workspace()]).remembers(confirmed(&pypi));
    assert_eq!(scene.plan(), Step::Delete(pypi.id));
}

#[test]
fn before_a_part_is_deleted_the_whole_is_looked_at() {
    let (hub, pypi) = (workspace(), rule("pypi"));
    let scene = Scene::new().wants([hub.clone()]).remembers(confirmed(&hub)).remembers(confirmed(&pypi));
    assert_eq!(scene.plan(), observe(&hub));
}

#[test]
fn a_part_of_what_is_anothers_is_left_alone() {
    let (hub, pypi) = (workspace(), rule("pypi"));
    let rest = Scene::new()
        .wants([hub.clone()])
        .remembers(confirmed(&hub))
        .remembers(confirmed(&pypi))
        .sees(&hub, made_by_others(&hub))
        .sees_listed(&hub, RULES, [made(&pypi)])
        .rest();
    assert_eq!((rest.state, rest.reason), (State::Stalled, Reason::Conflict));
}

#[test]
fn a_part_of_nothing_that_is_known_is_let_go() {
    let pypi = rule("pypi");
    let scene = Scene::new().deleting().remembers(confirmed(&pypi));
    assert_eq!(scene.plan(), Step::Forget(pypi.id, Farewell::NotOurs));
}

#[test]
fn a_deletion_deletes_the_whole_and_not_each_part() {
    let (hub, pypi) = (workspace(), rule("pypi"));
    let scene = Scene::new().deleting().remembers(confirmed(&hub)).remembers(confirmed(&pypi)).sees(&hub, made(&hub));
    assert_eq!(scene.plan(), Step::Delete(hub.id));
}

#[test]
fn a_part_that_is_observed_and_absent_is_told() {
    let scene = listed([]).observes().wants([workspace(), rule("pypi")]);
    let rest = scene.rest();
    assert_eq!((rest.state, rest.reason), (State::Drifted, Reason::Drifted));
    assert!(rest.message.contains("outbound rule pypi of workspace churn"), "{}", rest.message);
}

fn to_be_set_up() -> Wanted {
    Wanted { provision: Some(network()), ..workspace() }
}

fn set_up(hub: &Wanted) -> Value {
    with(&made(hub), "/properties/managedNetwork/status", "status", "Active")
}

#[test]
fn what_is_to_be_set_up_is_so_when_all_members_are_there() {
    let (hub, pypi) = (to_be_set_up(), rule("pypi"));
    let scene = listed([]).wants([hub.clone(), pypi.clone()]);
    assert_eq!(scene.plan(), Step::Record(pypi.clone()));
    let scene = listed([made(&pypi)]).wants([hub.clone(), pypi.clone()]).remembers(confirmed(&pypi));
    assert_eq!(scene.plan(), Step::Provision(hub.id, network()));
}

#[test]
fn what_is_set_up_already_is_not_again() {
    let hub = to_be_set_up();
    let scene = Scene::new().wants([hub.clone()]).remembers(confirmed(&hub)).sees(&hub, set_up(&hub));
    assert_eq!(scene.rest().state, State::Settled);
}

#[test]
fn what_does_not_show_after_it_was_set_up_is_waited_for() {
    let hub = to_be_set_up();
    let rest = Scene::new()
        .wants([hub.clone()])
        .remembers(confirmed(&hub))
        .sees(&hub, made(&hub))
        .just_did(OperationKind::Provision, &hub.id)
        .rest();
    assert_eq!((rest.state, rest.reason), (State::Waiting, Reason::AzureUnavailable));
    assert!(rest.message.contains("the managed network of workspace churn"), "{}", rest.message);
}

#[test]
fn what_azure_refused_to_set_up_is_asked_for_again_only_when_a_person_says_so() {
    let hub = to_be_set_up();
    let scene = Scene::new().wants([hub.clone()]).remembers(confirmed(&hub)).sees(&hub, made(&hub)).refused_to_set_up(
        &hub,
        &network(),
        "no network here",
    );
    assert_eq!((scene.rest().state, scene.rest().message.as_str()), (State::Stalled, "no network here"));
    assert_eq!(scene.asked_again().plan(), Step::Provision(hub.id, network()));
}

#[test]
fn what_is_only_observed_is_not_set_up() {
    let hub = to_be_set_up();
    assert_eq!(Scene::new().observes().wants([hub.clone()]).sees(&hub, made(&hub)).rest().state, State::Settled);
}
