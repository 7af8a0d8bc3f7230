//! What is ours and differs.

use crate::engine::body;
use serde_json::json;

use super::super::*;
use super::scene::*;
use crate::arm::Class;

fn settled_on(wanted: &Wanted) -> Scene {
    Scene::new().wants([wanted.clone()]).remembers(confirmed(wanted))
}

#[test]
fn what_is_as_wanted_is_not_written() {
    let rest = settled_on(&workspace()).sees(&workspace(), made(&workspace())).rest();
    assert_eq!((rest.state, rest.reason, rest.wake), (State::Settled, Reason::Reconciled, Wake::Resync));
}

#[test]
fn what_somebody_changed_is_changed_back() {
    let there = with(&made(&workspace()), "/properties", "friendlyName", "X");
    let update = settled_on(&workspace()).sees(&workspace(), there).update();
    assert_eq!(update.reason, Reason::DriftCorrected);
    assert_eq!(update.differences, ["/properties/friendlyName"]);
}

#[test]
fn what_others_added_stays() {
    let there = with(&made(&workspace()), "/tags", "costCenter", "42");
    let scene = settled_on(&workspace()).sees(&workspace(), there);
    assert_eq!(scene.rest().state, State::Settled);
}

#[test]
fn a_changed_spec_is_written() {
    let mut changed = workspace();
    body::set(&mut changed.body, "/properties/friendlyName", "Other".into());
    let update = settled_on(&workspace()).wants([changed.clone()]).sees(&workspace(), made(&workspace())).update();
    assert_eq!(update.reason, Reason::Updated);
    assert_eq!(update.wanted, changed);
}

#[test]
fn a_field_that_left_the_spec_is_taken_away() {
    let mut changed = workspace();
    changed.body["properties"] = json!({});
    let update = settled_on(&workspace()).wants([changed]).sees(&workspace(), made(&workspace())).update();
    assert_eq!(update.reason, Reason::Updated);
    assert_eq!(update.differences, ["/properties/friendlyName"]);
    assert!(update.formerly.contains(&"/properties/friendlyName".to_owned()));
}

#[test]
fn a_changed_spec_that_azure_happens_to_have_already_is_only_confirmed() {
    let mut changed = workspace();
    body::set(&mut changed.body, "/properties/friendlyName", "Other".into());
    let scene = settled_on(&workspace()).wants([changed.clone()]).sees(&workspace(), made(&changed));
    assert_eq!(scene.plan(), Step::Confirm(confirmed(&changed)));
}

#[test]
fn a_rotated_secret_is_written() {
    let wanted = connection("aoai");
    let mut rotated = wanted.clone();
    rotated.secrets[0].version = "2".to_owned();
    let update = settled_on(&wanted).wants([rotated]).sees(&wanted, made(&wanted)).update();
    assert_eq!(update.reason, Reason::Updated);
    assert_eq!(update.differences, Vec::<String>::new());
}

#[test]
fn a_secret_of_the_same_version_is_not_written_again() {
    let wanted = connection("aoai");
    let scene = settled_on(&wanted).sees(&wanted, made(&wanted));
    assert_eq!(scene.rest().state, State::Settled);
}

#[test]
fn another_key_of_the_same_secret_is_written() {
    let wanted = connection("aoai");
    for write_only in [Value::Null, wanted.write_only.clone()] {
        let before = Wanted { write_only, ..wanted.clone() };
        let mut after = before.clone();
        after.secrets[0].source.key = "other".to_owned();
        let update = settled_on(&before).wants([after]).sees(&wanted, made(&wanted)).update();
        assert_eq!(update.reason, Reason::Updated);
    }
}

#[test]
fn a_changed_credential_that_azure_never_shows_is_written() {
    let wanted = connection("aoai");
    let mut changed = wanted.clone();
    changed.write_only = json!({"properties": {"credentials": {"clientId": "c"}}});
    let update = settled_on(&wanted).wants([changed]).sees(&wanted, made(&wanted)).update();
    assert_eq!(update.reason, Reason::Updated);
}

#[test]
fn credentials_whose_arrival_is_not_known_are_written() {
    let wanted = connection("aoai");
    let update =
        Scene::new().wants([wanted.clone()]).remembers(recorded(&wanted)).sees(&wanted, made(&wanted)).update();
    assert_eq!(update.reason, Reason::Updated);
}

#[test]
fn drift_of_what_has_secrets_is_told_as_drift() {
    let wanted = connection("aoai");
    let there = with(&made(&wanted), "/properties", "target", "https://elsewhere");
    let update = settled_on(&wanted).sees(&wanted, there).update();
    assert_eq!(update.reason, Reason::DriftCorrected);
}

#[test]
fn what_azure_never_changes_is_not_sent() {
    for scene in [Scene::new().adopts(), settled_on(&workspace())] {
        let rest = scene.sees(&workspace(), with(&made(&workspace()), "", "location", "eastus")).rest();
        assert_eq!((rest.state, rest.reason), (State::Stalled, Reason::FixedFieldDiffers));
        assert!(rest.message.contains("location eastus"), "{}", rest.message);
    }
}

#[test]
fn what_was_just_written_and_differs_still_is_not_written_at_once_again() {
    let there = with(&made(&workspace()), "/properties", "friendlyName", "CHURN");
    for kind in [OperationKind::Create, OperationKind::Update] {
        let rest = settled_on(&workspace()).just_did(kind, &workspace().id).sees(&workspace(), there.clone()).rest();
        assert_eq!((rest.state, rest.reason), (State::Waiting, Reason::Drifted));
        assert!(rest.message.contains("friendlyName"), "{}", rest.message);
        let later = Wake::Backoff { class: Class::Slow, retry_after: None };
        assert_eq!(rest.wake, later);
    }
}

#[test]
fn a_spec_that_changed_during_the_last_write_is_written_at_once() {
    let mut changed = workspace();
    body::set(&mut changed.body, "/properties/friendlyName", "Other".into());
    let update = settled_on(&workspace())
        .wants([changed])
        .just_did(OperationKind::Create, &workspace().id)
        .sees(&workspace(), made(&workspace()))
        .update();
    assert_eq!(update.reason, Reason::Updated);
}

#[test]
fn pointers_are_told_as_a_person_reads_them() {
    let pointers = ["/properties/target".to_owned(), "/tags/a~1b".to_owned()];
    assert_eq!(listed(&pointers), "target, tags.a/b");
}

#[test]
fn a_change_that_failed_and_left_nothing_different_is_sent_again_with_the_mark() {
    let there = provisioning(&made(&workspace()), "Failed");
    let Step::Update(update) = Scene::new().remembers(confirmed(&workspace())).sees(&workspace(), there).plan() else {
        panic!("it is not changed")
    };
    assert_eq!(update.differences, [format!("/tags/{}", ownership::OWNER_KEY)]);
}
