//! The rooms of the hub, the folders and files below `src`: none depends on one that depends on it.

use support::rooms::{arrows, assert_no_circle};

#[test]
fn arrows_between_rooms_go_one_way() {
    let arrows = arrows("hub/src", "lib.rs", &["crate::"]);
    assert!(arrows["users"].contains("redis"), "arrows are found at all: {arrows:?}");
    assert_no_circle(arrows);
}
