use super::*;

#[test]
fn stale_key_finds_nothing_after_its_slot_is_used_again() {
    let mut table = Table::default();
    let old = table.insert(Family::Inet, SessionId(1), 1, 0).key;
    table.set_cookie(old, 77);
    table.remove(old);
    let new = table.insert(Family::Inet, SessionId(1), 2, 0).key;
    assert_eq!(old.slot, new.slot);
    assert!(table.get(old).is_none() && table.get(new).is_some());
    assert_eq!(table.by_cookie(77), None);
}

#[test]
fn name_needs_slot_and_token() {
    let mut table = Table::default();
    let key = table.insert(Family::Inet, SessionId(1), 42, 0).key;
    assert_eq!(table.by_name(key.slot, 42), Some(key));
    assert_eq!(table.by_name(key.slot, 43), None);
    assert_eq!(table.by_name(key.slot + 1, 42), None);
}

#[test]
fn new_cookie_replaces_the_old() {
    let mut table = Table::default();
    let key = table.insert(Family::Inet, SessionId(1), 42, 0).key;
    table.set_cookie(key, 1);
    table.set_cookie(key, 2);
    assert_eq!((table.by_cookie(1), table.by_cookie(2)), (None, Some(key)));
}
