//! The folders of `hub/src`, its rooms: none depends on one that depends on it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Arrows = BTreeMap<String, BTreeSet<String>>;

#[test]
fn arrows_between_rooms_go_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut arrows = Arrows::new();
    for entry in fs::read_dir(src).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let room = path.file_name().unwrap().to_str().unwrap().to_owned();
            let mut uses = BTreeSet::new();
            collect(&path, &mut uses);
            uses.remove(&room);
            arrows.insert(room, uses);
        }
    }
    assert!(arrows["users"].contains("redis"), "arrows are found at all: {arrows:?}");
    let rooms: BTreeSet<String> = arrows.keys().cloned().collect();
    for uses in arrows.values_mut() {
        uses.retain(|used| rooms.contains(used));
    }
    // Again and again those that use nothing of what is left.
    while !arrows.is_empty() {
        let is_last = |uses: &BTreeSet<String>| uses.iter().all(|used| !arrows.contains_key(used));
        let last: Vec<String> =
            arrows.iter().filter(|(_, uses)| is_last(uses)).map(|(room, _)| room.clone()).collect();
        assert!(!last.is_empty(), "these depend on each other: {arrows:#?}");
        for room in last {
            arrows.remove(&room);
        }
    }
}

/// The first names of all `crate::` paths in a folder, comments left out.
fn collect(folder: &Path, uses: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, uses);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for path in line.split("crate::").skip(1) {
                let name = path.split(|c: char| !c.is_alphanumeric() && c != '_').next();
                uses.extend(name.map(str::to_owned));
            }
        }
    }
}
