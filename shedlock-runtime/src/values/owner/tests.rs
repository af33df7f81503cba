use super::*;
use crate::values::node::node_name;

#[test]
fn two_owners_of_one_node_differ_and_print_alike() {
    let node = node_name("web-2");
    let (a, b) = (
        Owner::generate(&node).unwrap(),
        Owner::generate(&node).unwrap(),
    );
    assert_ne!(a.stored(), b.stored());
    assert_eq!(format!("{a} {a:?}"), "web-2 Owner(web-2#..)");
}

#[test]
fn a_node_name_always_fits_the_column() {
    let node = node_name(&"é\n".repeat(1000));
    let owner = Owner::generate(&node).unwrap().stored();
    assert!(owner.chars().count() <= 255);
    assert!(!owner.contains('\n'));
    assert_eq!(Owner::node_of(&owner), &*node);
}

#[test]
fn later_writes_are_told_from_earlier_ones_of_any_owner() {
    let owner = Owner::generate(&node_name("web-2")).unwrap();
    let other = Owner::generate(&node_name("web-2")).unwrap();
    let acquisition = owner.first_write();
    let writes: Vec<_> = (0..300).map(|_| owner.clone().next_write()).collect();
    for pair in writes.windows(2) {
        assert!(!Owner::is_release(pair[0].stored()));
        assert_eq!(pair[0].standing(pair[1].stored()), Standing::Later);
        assert_eq!(pair[1].standing(pair[0].stored()), Standing::Earlier);
        assert!(pair[0].stored() < pair[1].stored());
    }
    for write in &writes {
        assert_eq!(write.standing(acquisition.stored()), Standing::Earlier);
        assert_eq!(
            write.standing(other.next_write().stored()),
            Standing::Foreign
        );
        assert!(write.first() < write.stored());
        assert!(write.stored().starts_with(acquisition.stored()));
        assert_eq!(Owner::node_of(write.stored()), "web-2");
        assert_eq!(
            Owner::acquisition_of(write.stored()),
            Some(acquisition.stored())
        );
        assert!(!format!("{write:?}").contains(&acquisition.stored()[6..]));
    }
    assert_eq!(owner.replica().next_write(), owner.next_write());
}

#[test]
fn a_release_is_told_from_an_extension() {
    let owner = Owner::generate(&node_name("web-2")).unwrap();
    let writes = [
        owner.first_write(),
        owner.next_write(),
        owner.release_write(),
        owner.next_write(),
        owner.release_write(),
    ];
    let released = writes.each_ref().map(|it| Owner::is_release(it.stored()));
    assert_eq!(released, [false, false, true, false, true]);
    for pair in writes.windows(2) {
        assert_eq!(pair[1].standing(pair[0].stored()), Standing::Earlier);
        assert_eq!(pair[0].stored().len().max(50), pair[1].stored().len());
    }
    for foreign in ["", "host#1", "app.example", "released: by hand"] {
        assert!(!Owner::is_release(foreign), "{foreign}");
    }
}

#[test]
fn an_owner_that_was_cut_shows_no_secret() {
    let stored = Owner::generate(&node_name("web-2")).unwrap().stored();
    assert_eq!(Owner::node_of(&stored[..stored.len() - 1]), "web-2");
    assert_eq!(Owner::node_of(&stored[..22]), "web-2");
}

#[test]
fn a_jvm_owner_is_its_host_name() {
    assert_eq!(Owner::node_of("host#1"), "host#1");
    assert_eq!(Owner::node_of("app.example"), "app.example");
}
