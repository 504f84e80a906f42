use super::*;

fn methods() -> BTreeSet<String> {
    ["expose", "expose_mut", "into_exposed"]
        .map(str::to_owned)
        .into()
}

/// `function method reason` of every call.
fn calls(text: &str) -> Vec<String> {
    let found = calls::in_text(text, &methods()).unwrap();
    let line = |c: Call| {
        let reason = c.reason.unwrap_or_else(|| "-".to_owned());
        format!("{} {} {reason}", c.function, c.method)
    };
    found.calls.into_iter().map(line).collect()
}

fn lifted(text: &str) -> Vec<usize> {
    calls::in_text(text, &methods()).unwrap().lifted
}

const EXPECT: &str = r#"#[expect(clippy::disallowed_methods, reason = "it counts")]"#;

#[test]
fn a_call_is_found_with_the_reason_around_it() {
    let body = "fn f(x: S) { let n = x.map(g).expose().len(); }";
    assert_eq!(calls(&format!("{EXPECT}\n{body}")), ["f expose it counts"]);
    assert_eq!(calls(body), ["f expose -"]);
    assert_eq!(
        calls(&format!("fn f() {{ {EXPECT} let n = x.expose_mut(); }}")),
        ["f expose_mut it counts"]
    );
    assert_eq!(
        calls(&format!("fn f() {{ {EXPECT} *n = x.into_exposed(); }}")),
        ["f into_exposed it counts"]
    );
    assert_eq!(
        calls(&format!("fn f() {{ g({EXPECT} x.expose()) }}")),
        ["f expose it counts"]
    );
    assert_eq!(
        calls(&format!("impl S {{ {EXPECT} fn f() {{ x.expose() }} }}")),
        ["S::f expose it counts"]
    );
    assert_eq!(
        calls(&format!("#!{}\nfn f() {{ x.expose(); }}", &EXPECT[1..])),
        ["f expose it counts"]
    );
}

#[test]
fn a_reason_holds_for_its_own_piece_alone() {
    let text = format!("fn f() {{ {EXPECT} let n = x.expose(); y.expose(); }}");
    assert_eq!(calls(&text), ["f expose it counts", "f expose -"]);
    let text = format!("fn f({EXPECT} a: A) {{ y.expose(); }}");
    assert_eq!(calls(&text), ["f expose -"]);
    let inner = EXPECT.replace("it counts", "nearer");
    let text = format!("{EXPECT} fn f() {{ {inner} let n = x.expose(); }}");
    assert_eq!(calls(&text), ["f expose nearer"]);
}

#[test]
fn a_reason_must_say_something_and_be_this_lints() {
    let call = "fn f() { x.expose(); }";
    for attribute in [
        "#[expect(clippy::disallowed_methods)]",
        "#[expect(clippy::disallowed_methods, reason = \" \")]",
        "#[expect(clippy::unwrap_used, reason = \"it counts\")]",
    ] {
        assert_eq!(
            calls(&format!("{attribute} {call}")),
            ["f expose -"],
            "{attribute}"
        );
    }
    let wrapped = "#[expect(\n clippy::disallowed_methods,\n reason = \"it \\\n   counts\"\n)]";
    assert_eq!(calls(&format!("{wrapped} {call}")), ["f expose it counts"]);
}

#[test]
fn tests_are_left_out_and_code_after_them_is_read() {
    let text = "#[cfg(test)] fn a() { x.expose(); }\nfn b() { x.expose(); }\n\
                #[cfg(all(test, unix))] mod t { fn c() { x.expose(); } }\n\
                impl S { #[cfg(test)] fn d() { x.expose() } fn e() { x.expose() } }\n\
                #[cfg(any(test, windows))] fn g() { x.expose(); }\n\
                #[cfg(not(test))] fn h() { x.expose(); }\n\
                fn i() { #[cfg(test)] x.expose(); }";
    assert_eq!(
        calls(text),
        ["b expose -", "S::e expose -", "g expose -", "h expose -"]
    );
}

#[test]
fn paths_and_macros_are_looked_into() {
    for code in [
        "fn f() { x.map(Sensitive::expose); }",
        "fn f() { <Sensitive<u32>>::expose(&x); }",
        "fn f() { albumen_dp::Sensitive::<u32>::expose(&x); }",
        "fn f() { println!(\"{}\", x.expose()); }",
        "fn f() { println!(\"{n}\", n = x.expose()); }",
        "fn f() { vec![*x.expose(); 3]; }",
        "fn f() { json!({\"stamp\": S, \"n\": [x.expose()]}); }",
        "fn f() { ensure!(matches!(x.expose(), Some(_) if y)); }",
        "thread_local! { static f: u8 = x.expose(); }",
        "fn f() { open!(x, expose); }",
        "fn f() { x.r#expose(); }",
    ] {
        assert_eq!(calls(code), ["f expose -"], "{code}");
    }
    assert_eq!(
        calls("macro_rules! open { ($x:expr) => { $x.expose() } }"),
        [" expose -"]
    );
    let text = format!("fn f() {{ {EXPECT} println!(\"{{}}\", x.expose()); }}");
    assert_eq!(calls(&text), ["f expose it counts"]);
    let text = format!("fn f() {{ spawn!({{ {EXPECT} let n = x.expose(); n }}); }}");
    assert_eq!(calls(&text), ["f expose it counts"]);
}

#[test]
fn definitions_texts_and_other_names_are_no_calls() {
    for code in [
        "impl S { pub fn expose(&self) -> &u8 { &self.0 } }",
        "/// x.expose()\nfn f() { let s = \"x.expose()\"; }",
        "// x.expose()\nfn f() { x.exposed(); }",
        "fn f() { let expose = 3; g(expose); }",
        "macro_rules! m { () => { fn expose() {} } }",
        "fn f() { served::expose(x); crate::served::expose; }",
    ] {
        assert!(calls(code).is_empty(), "{code}");
    }
}

#[test]
fn lifting_the_lint_otherwise_is_refused() {
    let call = "fn f() { x.expose(); }";
    for attribute in [
        "#[allow(clippy::disallowed_methods)]",
        "#[allow(clippy::disallowed_methods, reason = \"it counts\")]",
        "#[warn(clippy::disallowed_methods)]",
        "#[allow(clippy::all)]",
        "#[expect(clippy::style, reason = \"it counts\")]",
        "#[cfg_attr(unix, expect(clippy::disallowed_methods, reason = \"it counts\"))]",
    ] {
        assert_eq!(
            lifted(&format!("\n{attribute}\n{call}")),
            [2],
            "{attribute}"
        );
        assert_eq!(
            calls(&format!("{attribute} {call}")),
            ["f expose -"],
            "{attribute}"
        );
    }
    assert_eq!(
        lifted("fn f() {\n #[allow(clippy::all)]\n x.expose(); }"),
        [2]
    );
    assert!(lifted(&format!("{EXPECT} {call}")).is_empty());
    assert!(lifted("#[allow(clippy::unwrap_used)] fn f() {}").is_empty());
}

#[test]
fn modules_of_tests_in_files_of_their_own_are_known() {
    let text = "#[cfg(test)] mod a;\nmod b;\n#[cfg(test)]\n#[path = \"c_tests.rs\"]\nmod c;";
    let found = calls::in_text(text, &methods()).unwrap().test_modules;
    let places: Vec<_> = found
        .iter()
        .map(|m| m.place(Path::new("src/lib.rs")))
        .collect();
    assert_eq!(places, [Path::new("src/a"), Path::new("src/c_tests.rs")]);
    assert_eq!(
        found[0].place(Path::new("src/x/mod.rs")),
        Path::new("src/x/a")
    );
    assert_eq!(found[0].place(Path::new("src/x.rs")), Path::new("src/x/a"));
}

fn opening(reason: Option<&str>) -> Opening {
    let call = Call {
        function: "f".to_owned(),
        method: "expose".to_owned(),
        line: 7,
        reason: reason.map(str::to_owned),
    };
    ("a.rs".to_owned(), call)
}

#[test]
fn the_page_lists_each_call_and_refuses_one_without_a_reason() {
    let of = [("expose".to_owned(), "Sensitive::expose".to_owned())].into();
    let openings = [
        opening(Some("a | b")),
        opening(Some("a | b")),
        opening(Some("c")),
    ];
    let page = table(&openings, &of).unwrap();
    assert!(
        page.contains("| `a.rs` | `f` | `Sensitive::expose`, 2 times | a \\| b |\n"),
        "{page}"
    );
    assert!(
        page.contains("| `a.rs` | `f` | `Sensitive::expose` | c |\n"),
        "{page}"
    );
    let error = table(&[opening(Some("c")), opening(None)], &of)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("a.rs:7: expose in f stands without a reason"),
        "{error}"
    );
}

#[test]
fn another_types_method_needs_a_row_and_a_row_needs_a_call() {
    let row = |function| Namesake {
        file: "a.rs",
        function,
        method: "expose",
        of: "secrecy::Secret",
    };
    assert!(
        without_namesakes(vec![opening(None)], &[row("f")])
            .unwrap()
            .is_empty()
    );
    assert!(without_namesakes(vec![opening(None)], &[row("g")]).is_err());
}

#[test]
fn the_methods_are_those_that_clippy_disallows() {
    let text = "disallowed-methods = [\"std::env::set_var\", { path = \"albumen_dp::S::open\" }]";
    let open = ("open".to_owned(), "S::open".to_owned());
    assert_eq!(disallowed(text).unwrap(), [open].into());
    assert!(disallowed("disallowed-methods = []").is_err());
    let twice = "disallowed-methods = [\"albumen_dp::S::open\", \"albumen_dp::T::open\"]";
    assert!(disallowed(twice).is_err());
    let root = crate::root().unwrap();
    let ours = disallowed(&fs::read_to_string(root.join("clippy.toml")).unwrap()).unwrap();
    assert!(methods().iter().all(|m| ours.contains_key(m)), "{ours:?}");
}

/// A method that hands a sealed value out and is not in clippy.toml would open seals unseen.
#[test]
fn every_method_of_the_seal_keeps_it_or_is_disallowed() {
    let keep = ["new", "map", "as_ref"];
    let root = crate::root().unwrap();
    let ours = disallowed(&fs::read_to_string(root.join("clippy.toml")).unwrap()).unwrap();
    let path = root.join("crates/albumen-dp/src/sensitive.rs");
    let file = syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap();
    let mut seen = 0;
    for item in file.items {
        let syn::Item::Impl(item) = item else {
            continue;
        };
        assert!(item.trait_.is_none(), "a trait may hand the value out");
        for item in item.items {
            let syn::ImplItem::Fn(method) = item else {
                panic!("only methods are known to keep the seal");
            };
            let name = method.sig.ident.to_string();
            assert!(
                keep.contains(&name.as_str()) || ours.contains_key(&name),
                "{name}"
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 6);
}

/// A workspace of these files.
fn workspace(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let clippy = "disallowed-methods = [\"albumen_dp::Sensitive::expose\"]";
    for (name, text) in [("clippy.toml", clippy)].iter().chain(files) {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

#[test]
fn sources_examples_and_build_scripts_are_read_and_files_of_tests_left_out() {
    let call = "fn f() { x.expose(); }";
    let known = format!("{EXPECT} {call}");
    let lib = "#[cfg(test)] mod t;\n#[cfg(test)] #[path = \"u_tests.rs\"] mod u;\nmod v;";
    let dir = workspace(&[
        ("crates/a/build.rs", &known),
        ("crates/a/examples/e.rs", &known),
        ("crates/a/src/lib.rs", lib),
        ("crates/a/src/notes.txt", call),
        ("crates/a/src/t.rs", call),
        ("crates/a/src/t/deep.rs", call),
        ("crates/a/src/u_tests.rs", call),
        ("crates/a/src/v.rs", &known),
        ("crates/a/tests/t.rs", call),
    ]);
    let page = page(dir.path()).unwrap();
    let rows = page.lines().filter(|l| l.starts_with("| `"));
    let files: Vec<_> = rows.map(|l| l.split('`').nth(1).unwrap()).collect();
    let expected = [
        "crates/a/build.rs",
        "crates/a/examples/e.rs",
        "crates/a/src/v.rs",
    ];
    assert_eq!(files, expected);
}

#[test]
fn no_page_is_made_of_a_call_without_a_reason_or_of_a_lint_lifted() {
    for (text, words) in [
        (
            "fn f() { x.expose(); }",
            "lib.rs:1: expose in f stands without",
        ),
        ("#[allow(clippy::all)] fn f() {}", "lib.rs:1 lifts the lint"),
    ] {
        let dir = workspace(&[("crates/a/src/lib.rs", text)]);
        let error = page(dir.path()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
