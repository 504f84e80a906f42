//! The calls of certain methods in one source file, with the reason that stands around each.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Ident, Meta, Stmt, Token};

/// A lint, and the groups that it is in.
const LINT: [&str; 3] = ["clippy::disallowed_methods", "clippy::style", "clippy::all"];

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) function: String,
    pub(crate) method: String,
    pub(crate) line: usize,
    /// Of the nearest `#[expect]` around it.
    pub(crate) reason: Option<String>,
}

/// What a file holds.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) calls: Vec<Call>,
    /// Lines of attributes that lift the lint and would not be missed when the call has gone.
    pub(crate) lifted: Vec<usize>,
    /// Modules in files of their own that are built for tests only.
    pub(crate) test_modules: Vec<TestModule>,
}

/// `#[cfg(test)] mod name;`
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TestModule {
    pub(crate) name: String,
    pub(crate) path: Option<String>,
}

impl TestModule {
    /// The module's folder, or its file where an attribute names that.
    pub(crate) fn place(&self, declared_in: &Path) -> PathBuf {
        let folder = declared_in.parent().unwrap_or(Path::new(""));
        let stem = declared_in.file_stem().unwrap_or_default();
        match &self.path {
            Some(path) => folder.join(path),
            None if ["lib", "main", "mod"].iter().any(|s| stem == *s) => folder.join(&self.name),
            None => folder.join(stem).join(&self.name),
        }
    }
}

/// Finds the calls of `methods` outside tests.
pub(crate) fn in_text(text: &str, methods: &BTreeSet<String>) -> syn::Result<Found> {
    let file = syn::parse_file(text)?;
    let mut finder = Finder {
        methods,
        scopes: Vec::new(),
        names: Vec::new(),
        inline_modules: 0,
        macros: 0,
        found: Found::default(),
    };
    finder.visit_file(&file);
    Ok(finder.found)
}

/// What the attributes of one piece of code say.
#[derive(Default)]
struct Scope {
    reason: Option<String>,
    test: bool,
}

struct Finder<'a> {
    methods: &'a BTreeSet<String>,
    scopes: Vec<Scope>,
    names: Vec<String>,
    inline_modules: usize,
    macros: usize,
    found: Found,
}

impl Finder<'_> {
    /// Visits something that has attributes: they hold inside it alone. syn visits a piece's
    /// attributes before its parts.
    fn within(&mut self, visit: impl FnOnce(&mut Self)) {
        self.scopes.push(Scope::default());
        visit(self);
        self.scopes.pop();
    }

    fn named(&mut self, name: String, visit: impl FnOnce(&mut Self)) {
        self.names.push(name);
        visit(self);
        self.names.pop();
    }

    fn is_test(&self) -> bool {
        self.scopes.iter().any(|s| s.test)
    }

    fn record(&mut self, method: &Ident) {
        let name = method.unraw().to_string();
        if self.methods.contains(&name) && !self.is_test() {
            self.found.calls.push(Call {
                function: self.names.join("::"),
                method: name,
                line: method.span().start().line,
                reason: self.scopes.iter().rev().find_map(|s| s.reason.clone()),
            });
        }
    }

    /// Looks into a macro's input: as code where it parses, else by every name in it.
    fn tokens(&mut self, tokens: &TokenStream) {
        if let Ok(expressions) = expressions.parse2(tokens.clone()) {
            for expression in &expressions {
                self.visit_expr(expression);
            }
        } else if let Ok(statements) = syn::Block::parse_within.parse2(tokens.clone()) {
            for statement in &statements {
                self.visit_stmt(statement);
            }
        } else if let Ok(file) = syn::parse2::<syn::File>(tokens.clone()) {
            self.visit_file(&file);
        } else {
            self.scan(tokens);
        }
    }

    fn scan(&mut self, tokens: &TokenStream) {
        let mut before = None;
        for token in tokens.clone() {
            match &token {
                TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                    self.scan(&group.stream());
                }
                TokenTree::Group(group) => self.tokens(&group.stream()),
                TokenTree::Ident(ident) => {
                    let defined = matches!(&before, Some(TokenTree::Ident(i)) if i == "fn");
                    if !defined {
                        self.record(ident);
                    }
                }
                _ => {}
            }
            before = Some(token);
        }
    }

    fn attribute(&mut self, meta: &Meta, line: usize) {
        let path = meta.path();
        if path.is_ident("cfg_attr") {
            if mentions(&meta.to_token_stream()) {
                self.found.lifted.push(line);
            }
            return;
        }
        let arguments = arguments(meta);
        let names = |m: &Meta| LINT.iter().any(|lint| plain(m.path()) == *lint);
        let lint = arguments.iter().any(names);
        let (mut reason, mut test) = (None, path.is_ident("test"));
        if path.is_ident("expect") && arguments.iter().any(|m| plain(m.path()) == LINT[0]) {
            reason = arguments.iter().find_map(reason_of);
        } else if lint && ["allow", "warn", "expect"].iter().any(|l| path.is_ident(l)) {
            self.found.lifted.push(line);
        }
        test |= path.is_ident("cfg") && arguments.iter().any(test_only);
        if let Some(scope) = self.scopes.last_mut() {
            scope.reason = reason.or(scope.reason.take());
            scope.test |= test;
        }
    }
}

/// Whether the tokens name the lint.
fn mentions(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(&group.stream()),
        TokenTree::Ident(ident) => ident == "disallowed_methods",
        _ => false,
    })
}

fn arguments(meta: &Meta) -> Vec<Meta> {
    let Meta::List(list) = meta else {
        return Vec::new();
    };
    let parsed = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    parsed.into_iter().flatten().collect()
}

fn plain(path: &syn::Path) -> String {
    let names: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
    names.join("::")
}

fn reason_of(meta: &Meta) -> Option<String> {
    let Meta::NameValue(pair) = meta else {
        return None;
    };
    let Expr::Lit(literal) = &pair.value else {
        return None;
    };
    let syn::Lit::Str(text) = &literal.lit else {
        return None;
    };
    let words = text
        .value()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    (pair.path.is_ident("reason") && !words.is_empty()).then_some(words)
}

/// Whether a condition holds in tests alone.
fn test_only(meta: &Meta) -> bool {
    let inner = arguments(meta);
    let path = meta.path();
    path.is_ident("test")
        || path.is_ident("all") && inner.iter().any(test_only)
        || path.is_ident("any") && !inner.is_empty() && inner.iter().all(test_only)
}

/// Expressions between commas or semicolons, as most macros take them.
fn expressions(input: ParseStream<'_>) -> syn::Result<Vec<Expr>> {
    let mut found = Vec::new();
    while !input.is_empty() {
        found.push(input.parse()?);
        if input.is_empty() {
            break;
        }
        if input.parse::<Option<Token![,]>>()?.is_none() {
            input.parse::<Token![;]>()?;
        }
    }
    Ok(found)
}

/// The attributes that stand before a statement: syn hands them to its leftmost part, while they
/// hold for all of it.
fn before_statement(statement: &Stmt) -> Vec<Attribute> {
    let read = |input: ParseStream<'_>| {
        let attributes = input.call(Attribute::parse_outer)?;
        input.parse::<TokenStream>()?;
        Ok(attributes)
    };
    read.parse2(statement.to_token_stream()).unwrap_or_default()
}

fn type_name(ty: &syn::Type) -> String {
    match ty {
        syn::Type::Path(path) => (path.path.segments.last())
            .map_or_else(String::new, |segment| segment.ident.to_string()),
        other => other.to_token_stream().to_string(),
    }
}

/// Types begin with a capital: the compiler's lints see to it.
fn is_module(name: &Ident) -> bool {
    name.unraw().to_string().starts_with(char::is_lowercase)
}

/// Pieces of code that only open a scope for their attributes.
macro_rules! scopes {
    ($($visit:ident: $node:ty),* $(,)?) => {
        $(fn $visit(&mut self, node: &'ast $node) {
            self.within(|finder| visit::$visit(finder, node));
        })*
    };
}

impl<'ast> Visit<'ast> for Finder<'_> {
    scopes! {
        visit_arm: syn::Arm,
        visit_expr: Expr,
        visit_field: syn::Field,
        visit_field_pat: syn::FieldPat,
        visit_field_value: syn::FieldValue,
        visit_file: syn::File,
        visit_fn_arg: syn::FnArg,
        visit_foreign_item: syn::ForeignItem,
        visit_generic_param: syn::GenericParam,
        visit_impl_item: syn::ImplItem,
        visit_item: syn::Item,
        visit_local: syn::Local,
        visit_pat: syn::Pat,
        visit_stmt_macro: syn::StmtMacro,
        visit_trait_item: syn::TraitItem,
        visit_variant: syn::Variant,
    }

    fn visit_attribute(&mut self, node: &'ast Attribute) {
        use syn::spanned::Spanned as _;
        self.attribute(&node.meta, node.span().start().line);
    }

    fn visit_stmt(&mut self, node: &'ast Stmt) {
        self.within(|finder| {
            if matches!(node, Stmt::Expr(..)) {
                for attribute in before_statement(node) {
                    // Read for its scope only: the expression's own visit reports what lifts a lint.
                    let lifted = finder.found.lifted.len();
                    finder.attribute(&attribute.meta, 0);
                    finder.found.lifted.truncate(lifted);
                }
            }
            visit::visit_stmt(finder, node);
        });
    }

    fn visit_item_mod(&mut self, node: &'ast syn::ItemMod) {
        if node.content.is_some() {
            self.inline_modules += 1;
            let name = node.ident.to_string();
            self.named(name, |finder| visit::visit_item_mod(finder, node));
            self.inline_modules -= 1;
            return;
        }
        visit::visit_item_mod(self, node);
        if self.is_test() && self.inline_modules == 0 {
            let path = node.attrs.iter().find_map(|a| match &a.meta {
                Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
                    Expr::Lit(syn::ExprLit {
                        lit: syn::Lit::Str(text),
                        ..
                    }) => Some(text.value()),
                    _ => None,
                },
                _ => None,
            });
            let name = node.ident.unraw().to_string();
            self.found.test_modules.push(TestModule { name, path });
        }
    }

    fn visit_item_impl(&mut self, node: &'ast syn::ItemImpl) {
        let name = type_name(&node.self_ty);
        self.named(name, |finder| visit::visit_item_impl(finder, node));
    }

    fn visit_item_trait(&mut self, node: &'ast syn::ItemTrait) {
        let name = node.ident.to_string();
        self.named(name, |finder| visit::visit_item_trait(finder, node));
    }

    fn visit_item_fn(&mut self, node: &'ast syn::ItemFn) {
        let name = node.sig.ident.to_string();
        self.named(name, |finder| visit::visit_item_fn(finder, node));
    }

    fn visit_impl_item_fn(&mut self, node: &'ast syn::ImplItemFn) {
        let name = node.sig.ident.to_string();
        self.named(name, |finder| visit::visit_impl_item_fn(finder, node));
    }

    fn visit_trait_item_fn(&mut self, node: &'ast syn::TraitItemFn) {
        let name = node.sig.ident.to_string();
        self.named(name, |finder| visit::visit_trait_item_fn(finder, node));
    }

    fn visit_item_const(&mut self, node: &'ast syn::ItemConst) {
        let name = node.ident.to_string();
        self.named(name, |finder| visit::visit_item_const(finder, node));
    }

    fn visit_item_static(&mut self, node: &'ast syn::ItemStatic) {
        let name = node.ident.to_string();
        self.named(name, |finder| visit::visit_item_static(finder, node));
    }

    fn visit_expr_method_call(&mut self, node: &'ast syn::ExprMethodCall) {
        // Its attributes first: they hold for the call itself.
        visit::visit_expr_method_call(self, node);
        self.record(&node.method);
    }

    /// `Sensitive::expose`, called or handed on; in a macro's input a bare name may become a method.
    fn visit_expr_path(&mut self, node: &'ast syn::ExprPath) {
        visit::visit_expr_path(self, node);
        let mut names = node.path.segments.iter().rev().map(|s| &s.ident);
        let (last, before) = (names.next(), names.next());
        let method = match before {
            Some(owner) => !is_module(owner),
            None => node.qself.is_some() || self.macros > 0,
        };
        if let Some(last) = last.filter(|_| method) {
            self.record(last);
        }
    }

    fn visit_macro(&mut self, node: &'ast syn::Macro) {
        self.macros += 1;
        self.tokens(&node.tokens);
        self.macros -= 1;
    }
}
