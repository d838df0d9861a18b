use std::path::Path;

use super::*;

/// A crate of these files.
struct Sources(tempfile::TempDir);

impl Sources {
    fn new(files: &[(&str, &str)]) -> Self {
        let sources = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = sources.0.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        sources
    }

    fn name(&self, path: &Path) -> String {
        let path = path.strip_prefix(self.0.path()).unwrap();
        path.display().to_string()
    }
}

/// The files of each circle, and the imports of the shortest way round as `FROM:LINE WHAT`.
fn found(files: &[(&str, &str)]) -> Vec<(Vec<String>, Vec<String>)> {
    let sources = Sources::new(files);
    let circles = circles(&sources.0.path().join("lib.rs")).unwrap();
    let told = circles.iter().map(|circle| {
        let files = circle.files.iter().map(|file| sources.name(file));
        let round = circle.round.iter().map(|import| {
            let from = sources.name(&import.from);
            format!("{from}:{} {}", import.line, import.what)
        });
        (files.collect(), round.collect())
    });
    told.collect()
}

/// Whether `a.rs`, with this in it, and `b.rs`, which imports it, are a circle.
fn imports_b(a: &str) -> bool {
    let circles = found(&[
        ("lib.rs", "mod a;\nmod b;"),
        ("a.rs", &format!("pub struct A;\n{a}")),
        (
            "b.rs",
            "use crate::a::A;\npub struct B;\npub const ONE: u8 = 1;\npub fn of(_: A) {}\n\
             pub mod text { pub fn serialize() {} }",
        ),
    ]);
    match circles.as_slice() {
        [] => false,
        [(files, _)] if *files == ["a.rs", "b.rs"] => true,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_files_that_import_each_other_are_a_circle() {
    let circles = found(&[
        ("lib.rs", "mod a;\nmod b;\nmod c;"),
        ("a.rs", "use std::io;\nuse crate::b::B;\npub struct A(B);"),
        ("b.rs", "pub struct B;\nfn f(_: super::a::A) {}"),
        ("c.rs", "use crate::a::A;"),
    ]);
    let files = vec!["a.rs".to_owned(), "b.rs".to_owned()];
    let round = vec![
        "a.rs:2 crate::b::B".to_owned(),
        "b.rs:2 super::a::A".to_owned(),
    ];
    assert_eq!(circles, [(files, round)]);
}

#[test]
fn files_that_import_one_way_are_none() {
    let circles = found(&[
        ("lib.rs", "mod a;\nmod b;\nmod c;\npub use a::A;"),
        ("a.rs", "use crate::{b::B, c::C};\npub struct A(B, C);"),
        ("b.rs", "use super::c::C;\npub struct B(C);"),
        ("c.rs", "pub struct C;"),
    ]);
    assert_eq!(circles, []);
}

#[test]
fn the_shortest_way_round_is_told() {
    let circles = found(&[
        ("lib.rs", "mod a;\nmod b;\nmod c;"),
        ("a.rs", "pub struct A;\nuse crate::b::B;"),
        ("b.rs", "pub struct B;\nuse crate::c::C;"),
        ("c.rs", "pub struct C;\nuse crate::a::A;\nuse crate::b::B;"),
    ]);
    let round = ["b.rs:2 crate::c::C", "c.rs:3 crate::b::B"];
    assert_eq!(circles.len(), 1);
    assert_eq!(circles[0].0, ["a.rs", "b.rs", "c.rs"]);
    assert_eq!(circles[0].1, round);
}

#[test]
fn circles_apart_are_told_apart() {
    let circles = found(&[
        ("lib.rs", "mod a;\nmod b;\nmod c;\nmod d;"),
        ("a.rs", "pub struct A;\nuse crate::b::B;"),
        ("b.rs", "pub struct B;\nuse crate::a::A;\nuse crate::c::C;"),
        ("c.rs", "pub struct C;\nuse crate::d::D;"),
        ("d.rs", "pub struct D;\nuse crate::c::C;"),
    ]);
    let files: Vec<_> = circles.iter().map(|(files, _)| files.join(" ")).collect();
    assert_eq!(files, ["a.rs b.rs", "c.rs d.rs"]);
}

#[test]
fn every_way_to_name_something_of_another_file_counts() {
    for code in [
        "use crate::b::B;",
        "use crate::b::{self as other, B as Other};",
        "use super::b::*;",
        "pub use crate::b::ONE;",
        "use crate::b;\nfn f(_: b::B) {}",
        "use crate::b as other;\nfn f(_: other::B) {}",
        "fn f(_: crate::b::B) {}",
        "fn f() -> u8 { super::b::ONE }",
        "fn f() { use crate::b::B; }",
        "impl Clone for crate::b::B {}",
        "fn f() { println!(\"{}\", crate::b::ONE); }",
        "macro_rules! m { () => { crate::b::ONE }; }",
        "macro_rules! m { () => { $crate::b::ONE }; }",
        "#[derive(Deserialize)] struct S { #[serde(with = \"crate::b::text\")] s: u8 }",
        "#[derive(Deserialize)] struct S { #[serde(default = \"crate::b::of\")] s: u8 }",
        "#[derive(Parser)] struct S { #[arg(value_parser = crate::b::of)] s: u8 }",
        "mod inner { use super::super::b::B; }",
        "#[cfg(any(test, feature = \"x\"))] use crate::b::B;",
    ] {
        assert!(imports_b(code), "{code}");
    }
}

#[test]
fn what_is_no_import_of_another_file_does_not_count() {
    for code in [
        "",
        "use crate::b;",
        "use b::B;",
        "use std::b::B;",
        "#[cfg(test)] use crate::b::B;",
        "#[cfg(test)] mod tests { use crate::b::B; }",
        "#[cfg(all(test, unix))] fn f(_: crate::b::B) {}",
        "impl A { #[cfg(test)] fn f(_: crate::b::B) {} }",
        "#[test] fn f() { crate::b::of(A); }",
        "fn f() { #[cfg(test)] let one = crate::b::ONE; }",
        "/// As [`crate::b::B`].\nfn f() {}",
        "// crate::b::B\nconst TEXT: &str = \"crate::b::B\";",
        "fn f(x: u8) -> u8 { match x { crate => 1 } }",
        "pub(in crate::b) fn f() {}",
    ] {
        // Not all of it compiles; it is read nevertheless.
        if syn::parse_file(code).is_ok() {
            assert!(!imports_b(code), "{code}");
        }
    }
}

#[test]
fn a_child_that_uses_what_its_parent_defines_makes_a_circle_with_it() {
    let parent = "mod child;\npub use child::Child;\npub struct Limit;";
    let circles = found(&[
        ("lib.rs", parent),
        ("child.rs", "pub struct Child(super::Limit);"),
    ]);
    assert_eq!(circles.len(), 1);
    assert_eq!(circles[0].0, ["child.rs", "lib.rs"]);
}

#[test]
fn a_parent_that_declares_its_children_imports_none() {
    let circles = found(&[
        ("lib.rs", "pub mod child;\npub struct Limit;"),
        ("child.rs", "pub struct Child(super::Limit);"),
    ]);
    assert_eq!(circles, []);
}

#[test]
fn a_name_counts_for_the_file_that_defines_it() {
    // By way of their parent, and of nothing that it defines.
    let circles = found(&[
        ("lib.rs", "mod a;\nmod b;\npub use a::A;\npub use b::*;"),
        ("a.rs", "use crate::B;\npub struct A(B);"),
        ("b.rs", "pub struct B;"),
    ]);
    assert_eq!(circles, []);
    let circles = found(&[
        ("lib.rs", "mod a;\nmod b;\npub use a::A;\npub use b::*;"),
        ("a.rs", "use crate::B;\npub struct A(B);"),
        ("b.rs", "pub struct B;\nfn f(_: crate::A) {}"),
    ]);
    assert_eq!(circles.len(), 1);
    assert_eq!(circles[0].0, ["a.rs", "b.rs"]);
}

#[test]
fn a_macro_counts_for_the_file_above_that_defines_it() {
    let parent = "macro_rules! step { () => {} }\nmod child;\nuse child::Child;";
    let child = "pub struct Child;\nfn f() { step!(); }";
    let circles = found(&[("lib.rs", parent), ("child.rs", child)]);
    assert_eq!(circles.len(), 1);
    assert_eq!(circles[0].1[0], "child.rs:2 step");
}

#[test]
fn files_are_found_where_the_compiler_finds_them() {
    let circles = found(&[
        (
            "lib.rs",
            "mod a;\n#[path = \"elsewhere/d.rs\"]\nmod d;\nmod inline { mod e; }",
        ),
        ("a/mod.rs", "mod b;\npub struct A;"),
        ("a/b.rs", "mod c;\npub struct B;"),
        ("a/b/c.rs", "pub struct C;\nuse crate::d::D;"),
        (
            "elsewhere/d.rs",
            "mod f;\npub struct D;\nuse crate::a::b::c::C;",
        ),
        ("elsewhere/f.rs", "pub struct F;\nuse crate::inline::e::E;"),
        ("inline/e.rs", "pub struct E;\nuse crate::d::f::F;"),
    ]);
    let files: Vec<_> = circles.iter().map(|(files, _)| files.join(" ")).collect();
    assert_eq!(
        files,
        ["a/b/c.rs elsewhere/d.rs", "elsewhere/f.rs inline/e.rs"]
    );
}

#[test]
fn a_file_that_is_missing_or_no_rust_is_an_error_that_names_it() {
    let error = |files: &[(&str, &str)]| {
        let sources = Sources::new(files);
        let error = circles(&sources.0.path().join("lib.rs")).unwrap_err();
        error
            .to_string()
            .replace(&sources.0.path().display().to_string(), "")
    };
    assert_eq!(
        error(&[("lib.rs", "mod a;")]),
        "/lib.rs declares the module a, which has no file"
    );
    assert_eq!(
        error(&[("lib.rs", "mod a;"), ("a.rs", "fn f() {}\nfn 1")]),
        "/a.rs:2: expected identifier"
    );
    assert_eq!(
        error(&[]),
        "cannot read /lib.rs: No such file or directory (os error 2)"
    );
}

#[test]
fn a_circle_is_printed_with_the_imports_that_close_it() {
    let sources = Sources::new(&[
        ("lib.rs", "mod a;\nmod b;\nmod c;"),
        ("a.rs", "pub struct A;\nuse crate::b::B;"),
        ("b.rs", "pub struct B;\nuse crate::a::A;\nuse crate::c::C;"),
        ("c.rs", "pub struct C;\nuse crate::a::A;"),
    ]);
    let circles = circles(&sources.0.path().join("lib.rs")).unwrap();
    let told = circles[0].to_string();
    assert_eq!(
        told.replace(&format!("{}/", sources.0.path().display()), ""),
        "3 files import each other in a circle; a shortest one:\n\
         \x20 a.rs:2 imports crate::b::B of b.rs\n\
         \x20 b.rs:2 imports crate::a::A of a.rs\n\
         \x20and the other imports among these files:\n\
         \x20 b.rs:3 imports crate::c::C of c.rs\n\
         \x20 c.rs:2 imports crate::a::A of a.rs"
    );
}

#[test]
fn packages_are_those_of_the_workspace() {
    let own = env!("CARGO_PKG_NAME").to_owned();
    let found = packages(std::slice::from_ref(&own)).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].name, own);
    assert!(
        found[0]
            .targets
            .iter()
            .any(|target| target.src_path.ends_with("src/lib.rs"))
    );
    let error = packages(&["nobody".to_owned()]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no package nobody in this workspace"
    );
}
