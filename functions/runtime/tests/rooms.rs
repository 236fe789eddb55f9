//! The rooms of the library, the folders and files below `src`, and the modules in them: none depends
//! on one that depends on it.

use support::rooms::{arrows, assert_no_circle};

#[test]
fn arrows_between_rooms_go_one_way() {
    let arrows = arrows("functions/runtime/src", "lib.rs", &["crate::"]);
    assert!(arrows["feed"].contains("record"), "arrows are found at all: {arrows:?}");
    assert!(arrows["entry"].contains("app"), "re-exports are resolved: {arrows:?}");
    assert_no_circle(arrows);
}

#[test]
fn arrows_between_modules_of_a_room_go_one_way() {
    for room in ["cache", "feed", "http", "record"] {
        let own = format!("crate::{room}::");
        let arrows = arrows(&format!("functions/runtime/src/{room}"), "mod.rs", &["super::", &own]);
        assert!(arrows.values().any(|uses| !uses.is_empty()), "no arrows found: {arrows:?}");
        assert_no_circle(arrows);
    }
}
