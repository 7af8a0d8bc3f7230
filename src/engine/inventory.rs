//! The inventory: which Azure resources an object has made or is about to make, and what is remembered of each.

use crate::api::status::{Applied, OwnedResource, Refusal};
use crate::arm::{ArmId, resource_type};

/// What is remembered of a resource.
#[must_use]
pub fn entry<'a>(inventory: &'a [OwnedResource], id: &ArmId) -> Option<&'a OwnedResource> {
    inventory.iter().find(|owned| owned.is(id.as_str()))
}

fn entry_mut<'a>(inventory: &'a mut [OwnedResource], id: &ArmId) -> Option<&'a mut OwnedResource> {
    inventory.iter_mut().find(|owned| owned.is(id.as_str()))
}

/// Enters a resource, or replaces what is remembered of it.
pub fn remember(inventory: &mut Vec<OwnedResource>, resource: OwnedResource) {
    match inventory.iter_mut().find(|owned| owned.is(&resource.id)) {
        Some(owned) => *owned = resource,
        None => inventory.push(resource),
    }
}

/// What was sent has taken effect.
pub fn written(inventory: &mut [OwnedResource], id: &ArmId, applied: Applied) {
    if let Some(owned) = entry_mut(inventory, id) {
        owned.applied = Some(applied);
        owned.refused = None;
    }
}

/// What was sent was refused for good.
pub fn refused(inventory: &mut [OwnedResource], id: &ArmId, refusal: Refusal) {
    if let Some(owned) = entry_mut(inventory, id) {
        owned.refused = Some(refusal);
    }
}

/// Drops a resource, and with it its parts: they are gone with it, or stay with it, whatever becomes of it.
pub fn forget(inventory: &mut Vec<OwnedResource>, id: &ArmId) {
    inventory.retain(|owned| !owned.is(id.as_str()) && whole_of(owned).is_none_or(|whole| whole != *id));
}

/// The entry that goes next where all goes: the last one, parts aside as long as there is something that they are part of.
#[must_use]
pub fn last_whole(inventory: &[OwnedResource]) -> Option<&OwnedResource> {
    inventory.iter().rev().find(|owned| whole_of(owned).is_none()).or_else(|| inventory.last())
}

/// What the resource is a part of, if it is one.
#[must_use]
pub fn whole_of(owned: &OwnedResource) -> Option<ArmId> {
    let id = ArmId::parse(&owned.id).ok()?;
    resource_type::of(&id).filter(|type_| type_.is_part()).map(|_| id.top_level())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(name: &str) -> ArmId {
        ArmId::workspace("00000001-0000-4000-8000-000000000001", "rg", name).unwrap()
    }

    fn made(id: &ArmId) -> OwnedResource {
        OwnedResource { id: id.to_string(), ..OwnedResource::default() }
    }

    fn names(inventory: &[OwnedResource]) -> Vec<&str> {
        inventory.iter().filter_map(|owned| owned.id.rsplit('/').next()).collect()
    }

    #[test]
    fn parts_go_with_what_they_are_part_of() {
        let of = |hub: &ArmId, type_: &str, name: &str| made(&hub.child(type_, name).unwrap());
        let (one, other) = (hub("one"), hub("other"));
        let mut inventory = vec![
            made(&one),
            of(&one, "outboundRules", "pypi"),
            of(&one, "connections", "aoai"),
            of(&other, "outboundRules", "theirs"),
        ];
        forget(&mut inventory, &hub("ONE"));
        assert_eq!(names(&inventory), ["aoai", "theirs"]);
    }

    #[test]
    fn the_last_to_go_next_is_no_part() {
        let hub = hub("hub");
        let rule = made(&hub.child("outboundRules", "pypi").unwrap());
        let inventory = [made(&hub), rule.clone()];
        assert_eq!(last_whole(&inventory).map(|owned| names(std::slice::from_ref(owned))), Some(vec!["hub"]));
        assert_eq!(last_whole(std::slice::from_ref(&rule)), Some(&rule));
    }

    #[test]
    fn what_takes_effect_is_no_longer_refused() {
        let mut inventory = vec![made(&hub("hub"))];
        let refusal = Refusal { attempt: "a".to_owned(), message: "no".to_owned() };
        refused(&mut inventory, &hub("hub"), refusal.clone());
        assert_eq!(inventory[0].refused, Some(refusal));
        written(&mut inventory, &hub("hub"), Applied::default());
        assert_eq!((inventory[0].refused.as_ref(), inventory[0].applied.is_some()), (None, true));
    }
}
