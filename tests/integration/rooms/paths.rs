//! Paths that a source file names: in `use` lines, in code, and in macros and attributes.

use std::collections::BTreeSet;

use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::{self, Visit};
use syn::{Attribute, File, ItemMod, ItemUse, Lit, Macro, Meta, MetaList, Path, UseTree, Visibility};

/// Returns every path in a file: from the root of its crate (`crate::nomad::Client`) if it is written so or
/// relative to the module, otherwise as written (`serde::Deserialize`). A glob ends in `*`, and so does the
/// root itself if it is renamed.
pub(super) fn paths(file: &File, module: &[&str], tests: Tests) -> BTreeSet<Vec<String>> {
    let module = module.iter().map(|name| (*name).to_owned()).collect();
    let mut reader = Reader { module, tests, paths: BTreeSet::new() };
    reader.visit_file(file);
    reader.paths
}

/// Whether unit test modules are included.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Tests {
    Read,
    Skipped,
}

struct Reader {
    /// The current module.
    module: Vec<String>,
    tests: Tests,
    paths: BTreeSet<Vec<String>>,
}

impl Reader {
    /// Returns the path from the root of the crate, if it is relative to a module.
    fn resolved(&self, mut path: Vec<String>) -> Vec<String> {
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let up = path.iter().skip_while(|name| *name == "self").take_while(|name| *name == "super").count();
        let is_relative = up > 0 || path.first().is_some_and(|first| first == "self");
        if !is_relative {
            return path;
        }
        let below = path.into_iter().skip_while(|name| name == "self" || name == "super");
        let kept = self.module.len().saturating_sub(up);
        ["crate".to_owned()].into_iter().chain(self.module[..kept].iter().cloned()).chain(below).collect()
    }

    fn add(&mut self, path: Vec<String>) {
        self.paths.insert(self.resolved(path));
    }

    fn add_path(&mut self, path: &Path) {
        self.add(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
    }

    fn add_use(&mut self, mut path: Vec<String>, tree: &UseTree) {
        match tree {
            UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                return self.add_use(path, &tree.tree);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.add_use(path.clone(), tree));
            }
            UseTree::Name(name) => path.push(name.ident.to_string()),
            UseTree::Rename(rename) => path.push(rename.ident.to_string()),
            UseTree::Glob(_) => path.push("*".to_owned()),
        }
        let mut path = self.resolved(path);
        if path == ["crate"] {
            path.push("*".to_owned());
        }
        self.paths.insert(path);
    }

    /// Adds the paths in unparsed tokens, each below the given one.
    fn add_tokens(&mut self, mut at: Cursor<'_>, above: &[String]) {
        let mut path = above.to_vec();
        while !at.eof() {
            let goes_on;
            if let Some((name, after)) = at.ident() {
                path.push(name.to_string());
                (at, goes_on) = colons(after).map_or((after, false), |after| (after, true));
            } else if let Some((inside, _, _, after)) = at.any_group() {
                // After a path, it is a group in a `use` line.
                self.add_tokens(inside, &path);
                path.clear();
                (at, goes_on) = (after, false);
            } else if let Some((literal, after)) = at.literal() {
                // `#[serde(with = "path")]`
                if let Lit::Str(text) = Lit::new(literal)
                    && let Ok(path) = text.parse::<Path>()
                {
                    self.add_path(&path);
                }
                (at, goes_on) = (after, false);
            } else {
                let (_, after) = at.token_tree().expect("it is not the end");
                (at, goes_on) = (after, false);
            }
            if !goes_on {
                if path.len() > above.len() {
                    self.add(path);
                }
                path = above.to_vec();
            }
        }
    }
}

/// Returns the rest after `::`, if the tokens start with it.
fn colons(at: Cursor<'_>) -> Option<Cursor<'_>> {
    let (first, after) = at.punct()?;
    let (second, after) = after.punct()?;
    (first.as_char() == ':' && second.as_char() == ':').then_some(after)
}

fn is_for_tests(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else { return false };
    list.path.is_ident("cfg") && list.parse_args::<Path>().is_ok_and(|path| path.is_ident("test"))
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if self.tests == Tests::Skipped && item.attrs.iter().any(is_for_tests) {
            return;
        }
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_use(Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        self.add_path(path);
        // Its generic arguments contain paths too.
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.add_tokens(TokenBuffer::new2(call.tokens.clone()).begin(), &[]);
    }

    fn visit_meta_list(&mut self, list: &'ast MetaList) {
        self.visit_path(&list.path);
        self.add_tokens(TokenBuffer::new2(list.tokens.clone()).begin(), &[]);
    }

    /// `pub(crate)` is not a path.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

#[test]
fn reads_nested_braces_renames_globs_and_super() {
    let source = "
        pub(crate) use crate::a::{self, b, c::{d, e as f}};
        use crate::{g as h, i::*};
        use super::super::j;
        use super::{k, super::l::{m, n}};
        use self::o::p;
        use serde::{Deserialize, de};
        use crate as root;
    ";
    let expected = [
        "crate::*",
        "crate::a",
        "crate::a::b",
        "crate::a::c::d",
        "crate::a::c::e",
        "crate::g",
        "crate::i::*",
        "crate::j",
        "crate::l::m",
        "crate::l::n",
        "crate::room::file::o::p",
        "crate::room::k",
        "serde::Deserialize",
        "serde::de",
    ];
    assert_eq!(read(source, Tests::Read), expected);
}

#[test]
fn reads_paths_in_code_macros_and_attributes() {
    let source = r#"
        #[derive(serde::Serialize)]
        struct A(#[serde(with = "super::b::c")] Vec<crate::d::E<crate::f::G>>);
        impl crate::h::I for A where A: Into<super::super::j::K> {}
        macro_rules! all { () => { use crate::{l::{m, n}, o}; $crate::p::q::<super::r::S>() } }
        fn t() { println!("crate::no, {}", if true { crate::u::v() } else { <A as crate::w::X>::y(z::<crate::aa::B>()) }) }
        /// Links to [`crate::no::dependency`].
        mod inner { use super::super::bb; mod deeper { use super::super::super::super::cc; } }
    "#;
    let expected = [
        "crate::aa::B",
        "crate::cc",
        "crate::d::E",
        "crate::f::G",
        "crate::h::I",
        "crate::j::K",
        "crate::l::m",
        "crate::l::n",
        "crate::o",
        "crate::p::q",
        "crate::room::b::c",
        "crate::room::bb",
        "crate::room::r::S",
        "crate::u::v",
        "crate::w::X",
        "serde::Serialize",
    ];
    let found = read(source, Tests::Read);
    for path in expected {
        assert!(found.iter().any(|found| found == path), "{path} is not in {found:#?}");
    }
    assert!(found.iter().all(|path| !path.contains("no")), "{found:#?}");
}

#[test]
fn excludes_unit_tests_on_request() {
    let source = "use a::b; #[cfg(test)] mod tests { use c::d; } #[cfg(unix)] mod e { use f::g; }";
    assert_eq!(read(source, Tests::Skipped), ["a::b", "f::g"]);
    assert_eq!(read(source, Tests::Read), ["a::b", "c::d", "f::g"]);
}

/// Returns the paths of `src/room/file.rs` without single names, which are everywhere.
fn read(source: &str, tests: Tests) -> Vec<String> {
    let found = paths(&syn::parse_file(source).unwrap(), &["room", "file"], tests);
    found.iter().filter(|path| path.len() > 1).map(|path| path.join("::")).collect()
}
