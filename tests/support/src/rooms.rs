//! Dependencies ("arrows") between the rooms of a crate, or between the modules of a room.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::paths;

/// The modules of a folder, each with the siblings that it uses.
pub type Arrows = BTreeMap<String, BTreeSet<String>>;

/// The arrows between the modules in `folder`: paths that begin with one of `prefixes`, and names
/// re-exported by `root`, the file that declares the modules.
pub fn arrows(folder: &str, root: &str, prefixes: &[&str]) -> Arrows {
    let folder = paths::workspace().join(folder);
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if !["lib", "main", "mod"].contains(&name.as_str()) {
            texts.entry(name).or_default().push_str(&code(&path));
        }
    }
    let exported = re_exports(&code(&folder.join(root)));
    let used = |text: &str| {
        let names = prefixes.iter().flat_map(|prefix| names(text, prefix));
        let modules = names.map(|name| exported.get(&name).cloned().unwrap_or(name));
        modules.filter(|name| texts.contains_key(name)).collect::<BTreeSet<_>>()
    };
    let mut arrows: Arrows =
        texts.iter().map(|(module, text)| (module.clone(), used(text))).collect();
    for (module, uses) in &mut arrows {
        uses.remove(module);
    }
    arrows
}

/// The text of a file, or of all files in a folder, without full-line comments.
fn code(path: &Path) -> String {
    let files: Vec<PathBuf> = match path.is_dir() {
        true => fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect(),
        false => {
            let text = fs::read_to_string(path).unwrap();
            let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            return lines.flat_map(|line| [line, "\n"]).collect();
        }
    };
    files.iter().map(|file| code(file)).collect()
}

/// The first names after `prefix`: `a` in `prefix::a::b`, `a` and `c` in `prefix::{a::b, c}`.
fn names(text: &str, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for rest in text.split(prefix).skip(1) {
        let Some(list) = rest.strip_prefix('{') else {
            names.extend(first_name(rest));
            continue;
        };
        let (mut depth, mut item) = (0, String::new());
        for char in list.chars() {
            match char {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => names.extend(first_name(&std::mem::take(&mut item))),
                _ => {}
            }
            if char != ',' || depth > 0 {
                item.push(char);
            }
        }
        names.extend(first_name(&item));
    }
    names
}

fn first_name(path: &str) -> Option<String> {
    let name = path.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// The names that `use module::name;` and `use module::{name, …};` bring into `root`, each with its
/// module.
fn re_exports(root: &str) -> BTreeMap<String, String> {
    let mut exported = BTreeMap::new();
    for (_, path) in root.split(';').filter_map(|statement| statement.split_once("use ")) {
        let Some(module) = first_name(path) else { continue };
        let Some((_, items)) = path.rsplit_once("::") else { continue };
        for item in items.trim_matches(['{', '}', '\n', ' ']).split(',') {
            exported.extend(first_name(item).map(|name| (name, module.clone())));
        }
    }
    exported
}

/// Fails if modules depend on each other in a circle: removes modules without dependencies until
/// none is left.
pub fn assert_no_circle(mut arrows: Arrows) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_paths_are_split() {
        let text = "use crate::a::B;\nuse crate::{c::{D, E}, f, g::H};\ncrate::i();";
        assert_eq!(names(text, "crate::"), ["a", "c", "f", "g", "i"]);
        let exported = re_exports("mod a;\npub use a::{B, C};\npub(crate) use d::E;\n");
        assert_eq!((&*exported["B"], &*exported["C"], &*exported["E"]), ("a", "a", "d"));
    }
}
