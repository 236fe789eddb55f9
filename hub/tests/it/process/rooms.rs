//! The rooms of the hub (the folders and files below `src`) never depend on each other in a circle.

use support::rooms::{arrows, assert_no_circle};

#[test]
fn arrows_between_rooms_go_one_way() {
    let arrows = arrows("hub/src", "lib.rs", &["crate::"]);
    assert!(arrows["users"].contains("redis"), "no arrows were found: {arrows:?}");
    assert_no_circle(arrows);
}
