//! ARM ids: what is taken for one is one, and cannot change the meaning of a URL that it becomes part of.

use foundry_operator::arm::ArmId;
use proptest::prelude::*;
use reqwest::Url;

/// What a segment of a good id looks like.
const SEGMENT: &str = r"[A-Za-z0-9_()-][A-Za-z0-9._()-]{0,12}";

fn id() -> impl Strategy<Value = String> {
    let head = (SEGMENT, SEGMENT, SEGMENT);
    (head, prop::collection::vec((SEGMENT, SEGMENT), 1..4)).prop_map(|((subscription, group, namespace), names)| {
        let names: Vec<String> = names.into_iter().flat_map(<[String; 2]>::from).collect();
        let names = names.join("/");
        format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{namespace}/{names}")
    })
}

proptest! {
    #[test]
    fn an_id_is_printed_as_it_was_read(text in id()) {
        prop_assert_eq!(ArmId::parse(&text).unwrap().to_string(), text);
    }

    #[test]
    fn ids_are_compared_without_letter_case_and_nothing_else(one in id(), other in id()) {
        let (a, b) = (ArmId::parse(&one).unwrap(), ArmId::parse(&other).unwrap());
        prop_assert_eq!(&a, &ArmId::parse(&one.to_uppercase()).unwrap());
        prop_assert_eq!(a == b, one.eq_ignore_ascii_case(&other));
    }

    #[test]
    fn a_child_belongs_to_its_parent(text in id(), name in SEGMENT) {
        let parent = ArmId::parse(&text).unwrap();
        let child = parent.child("connections", &name).unwrap();
        prop_assert_eq!(child.top_level(), parent.top_level());
        prop_assert_eq!(child.name(), name);
        prop_assert_eq!(child.resource_type(), format!("{}/connections", parent.resource_type()));
        prop_assert_ne!(child, parent);
    }

    /// Whatever is taken as a name stays one segment of the path, as it was written.
    #[test]
    fn no_name_changes_the_meaning_of_a_url(name in r"[a-zA-Z0-9._%/\\?#:;@&=+, ä\t\n-]{0,12}") {
        if let Ok(id) = ArmId::workspace("s", "g", &name) {
            let mut url = Url::parse("https://management.azure.com/").unwrap();
            url.set_path(id.as_str());
            prop_assert_eq!(url.path(), id.as_str());
            prop_assert_eq!(id.as_str().split('/').count(), 9);
            prop_assert_eq!(id.name(), name);
        }
    }

    #[test]
    fn any_text_is_an_id_or_is_refused_in_a_few_words(text in ".{0,600}") {
        if let Err(error) = ArmId::parse(&text) {
            prop_assert!(error.to_string().chars().count() < 400);
        }
    }
}
