//! Which file of `src` depends on which: the paths in its `use` declarations and in its code.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::LazyLock;

use regex::Regex;

/// A module's path from the crate's root; the root itself is empty.
pub type Module = Vec<String>;

/// A path in a file, absolute from the crate's root.
struct Named {
    path: Vec<String>,
    /// The name under which the file only re-exports the path (`pub use`).
    reexported_as: Option<String>,
}

/// The dependencies between files.
///
/// A re-exported name belongs to the file that defines it: `pub use child::X` in a `mod.rs` makes neither the `mod.rs` depend
/// on its child, nor a file that imports `X` from the `mod.rs` depend on the `mod.rs`. If the `mod.rs` uses `X` in its own
/// code, it depends on the child. A bare `mod child;` is no dependency.
pub struct Imports(BTreeMap<Module, BTreeSet<Module>>);

impl Imports {
    /// Reads the dependencies of all files, given as modules with their text.
    pub fn of(files: &BTreeMap<Module, String>) -> Self {
        let mut named: BTreeMap<&Module, Vec<Named>> = BTreeMap::new();
        for (module, text) in files {
            read(module, &without_comments(text), files, named.entry(module).or_default());
        }
        let imports = named.iter().map(|(module, paths)| {
            let used = paths.iter().filter(|named| named.reexported_as.is_none());
            let targets = used.filter_map(|used| defining_file(&used.path, &named));
            ((*module).clone(), targets.filter(|target| target != *module).collect())
        });
        Self(imports.collect())
    }

    /// Each file with a file that it depends on.
    pub fn pairs(&self) -> impl Iterator<Item = (&Module, &Module)> {
        self.0.iter().flat_map(|(from, targets)| targets.iter().map(move |to| (from, to)))
    }

    /// The shortest cycle through each file that is part of one, each cycle once.
    pub fn cycles(&self) -> BTreeSet<Vec<Module>> {
        let mut cycles = BTreeSet::new();
        for start in self.0.keys() {
            if let Some(mut cycle) = self.way_back(start) {
                let first =
                    cycle.iter().enumerate().min_by_key(|(_, module)| *module).map_or(0, |(at, _)| at);
                cycle.rotate_left(first);
                cycles.insert(cycle);
            }
        }
        cycles
    }

    /// The shortest way along dependencies from a file back to itself.
    fn way_back(&self, start: &Module) -> Option<Vec<Module>> {
        let mut before: BTreeMap<&Module, &Module> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(from) = queue.pop_front() {
            for to in self.0.get(from).into_iter().flatten() {
                if to == start {
                    let mut way = vec![from.clone()];
                    let mut at = from;
                    while at != start {
                        at = before[at];
                        way.push(at.clone());
                    }
                    way.reverse();
                    return Some(way);
                }
                if !before.contains_key(to) {
                    before.insert(to, from);
                    queue.push_back(to);
                }
            }
        }
        None
    }
}

/// The file that defines what a path names: the longest part of the path that is a file, behind all re-exports.
fn defining_file(path: &[String], named: &BTreeMap<&Module, Vec<Named>>) -> Option<Module> {
    let mut path = path.to_vec();
    // Each turn follows one re-export; the limit ends re-exports of each other.
    for _ in 0..10 {
        let length = (1..=path.len()).rev().find(|length| named.contains_key(&path[..*length].to_vec()))?;
        let (file, rest) = path.split_at(length);
        let reexport = rest.first().and_then(|name| {
            named[&file.to_vec()].iter().find(|named| named.reexported_as.as_ref() == Some(name))
        });
        let Some(reexport) = reexport else { return Some(file.to_vec()) };
        path = reexport.path.iter().chain(&rest[1..]).cloned().collect();
    }
    None
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern")
}

/// The start of an inline module: its indentation and its name.
static INLINE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^( *)(?:pub(?:\([^)]*\))? )?mod ([a-z_0-9]+) \{\n"));
/// A `use` declaration: its visibility and its tree.
static USE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);"));
/// The declaration of a module in a file of its own.
static DECLARED: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bmod\s+[a-z_0-9]+;"));
/// A path in code. `$crate::` starts with a dollar sign, so that macros don't count where they are defined.
static PATH: LazyLock<Regex> = LazyLock::new(|| pattern(r"[A-Za-z0-9_$]+(?:::[A-Za-z0-9_]+)+"));

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Collects the paths in the text of a module, which is a file or a part of one.
fn read(module: &Module, text: &str, files: &BTreeMap<Module, String>, found: &mut Vec<Named>) {
    let mut text = text.to_owned();
    while let Some(opened) = INLINE.captures(&text) {
        let (whole, indent) = (opened.get(0).expect("a match").range(), opened[1].len());
        let body_end = text[whole.end..]
            .find(&format!("\n{}}}", " ".repeat(indent)))
            .map_or(text.len(), |length| whole.end + length + 1);
        let inner: Module = module.iter().cloned().chain([opened[2].to_owned()]).collect();
        read(&inner, &text[whole.end..body_end], files, found);
        text.replace_range(whole.start..body_end, "");
    }
    let code = DECLARED.replace_all(&USE.replace_all(&text, ""), "").into_owned();
    let words: BTreeSet<&str> =
        code.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
    let mut add = |path: &[String], reexported_as: Option<String>| {
        if let Some(path) = absolute(path, module, files) {
            found.push(Named { path, reexported_as });
        }
    };
    for declared in USE.captures_iter(&text) {
        for (path, name) in leaves(&declared[2]) {
            let is_used = words.contains(name.as_str());
            if declared.get(1).is_some() {
                add(&path, Some(name));
            }
            if declared.get(1).is_none() || is_used {
                add(&path, None);
            }
        }
    }
    for path in PATH.find_iter(&code) {
        add(&segments(path.as_str()), None);
    }
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(|segment| segment.trim().to_owned()).collect()
}

/// The paths of a `use` declaration, each with the name that it brings into scope.
fn leaves(tree: &str) -> Vec<(Vec<String>, String)> {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias)));
        let mut path = segments(path);
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        let name = alias.unwrap_or(path.last().map_or("", String::as_str)).trim().to_owned();
        return vec![(path, name)];
    };
    let (mut depth, mut members) = (0, vec![String::new()]);
    for letter in group.rsplit_once('}').map_or(group, |(members, _)| members).chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                members.push(String::new());
                continue;
            }
            _ => {}
        }
        members.last_mut().expect("a member").push(letter);
    }
    let members = members.iter().map(|member| member.trim()).filter(|member| !member.is_empty());
    members.flat_map(|member| leaves(&format!("{head}{member}"))).collect()
}

/// The path from the crate's root; `None` for other crates, macros of the root, and names without a module.
fn absolute(path: &[String], module: &Module, files: &BTreeMap<Module, String>) -> Option<Vec<String>> {
    let child = |name: &String| module.iter().cloned().chain([name.clone()]).collect::<Module>();
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some(module.iter().chain(rest).cloned().collect()),
        "super" => {
            let above = path.iter().take_while(|segment| *segment == "super").count();
            let kept = module.len().checked_sub(above)?;
            Some(module[..kept].iter().chain(&path[above..]).cloned().collect())
        }
        _ if files.contains_key(&child(first)) => Some(module.iter().chain(path).cloned().collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(files: &[(&str, &str)]) -> Imports {
        let module = |path: &str| path.split('/').map(str::to_owned).collect();
        Imports::of(&files.iter().map(|(path, text)| (module(path), (*text).to_owned())).collect())
    }

    fn pairs(files: &[(&str, &str)]) -> Vec<(String, String)> {
        imports(files).pairs().map(|(from, to)| (from.join("/"), to.join("/"))).collect()
    }

    fn pair(from: &str, to: &str) -> (String, String) {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn a_group_names_each_of_its_members() {
        let text = "use crate::{b::{self, c::{X, Y as Z}},\n d};\nuse super::e::*;";
        let names: Vec<String> =
            leaves("crate::{b::{self, c::{X, Y as Z}}}").into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["b", "X", "Z"]);
        let files = [("a", text), ("b", ""), ("b/c", ""), ("d", ""), ("e", "")];
        assert_eq!(pairs(&files), [pair("a", "b"), pair("a", "b/c"), pair("a", "d"), pair("a", "e")]);
    }

    #[test]
    fn paths_in_code_and_in_inline_modules_count_and_comments_do_not() {
        let text = "// crate::b::c\nfn a() { crate::b::c(); $crate::d::e(); }\n\
                    mod inline {\n    use super::super::f::X;\n    use super::Y;\n}\n";
        let files = [("a/a", text), ("b", ""), ("d", ""), ("a/f", ""), ("a", "")];
        assert_eq!(pairs(&files), [pair("a/a", "a/f"), pair("a/a", "b")]);
    }

    #[test]
    fn a_reexported_name_belongs_to_the_file_that_defines_it() {
        let unused = [("a", "mod b; mod c; pub use b::X;"), ("a/b", ""), ("a/c", "use super::X;")];
        assert_eq!(pairs(&unused), [pair("a/c", "a/b")]);
        let used = [("a", "mod b; pub use b::X; fn f(_: X) {}"), ("a/b", "")];
        assert_eq!(pairs(&used), [pair("a", "a/b")]);
    }

    #[test]
    fn a_cycle_is_found_once() {
        let files = [
            ("a", "mod b; fn f() { b::f() }"),
            ("a/b", "use crate::c;"),
            ("c", "use crate::a::f;"),
            ("d", "use crate::a;"),
        ];
        let cycles = imports(&files).cycles();
        assert_eq!(cycles.len(), 1, "{cycles:?}");
        assert_eq!(
            cycles.first().expect("a cycle").iter().map(|module| module.join("/")).collect::<Vec<_>>(),
            ["a", "a/b", "c"]
        );
    }
}
