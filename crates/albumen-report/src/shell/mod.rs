//! What every page has, `report.html` and the internal ones: the document around it, the style, the button
//! for the other theme, and the rule that nothing but the page's own script runs.

use albumen_chart::colour::{CHART, Place, Variable, variable, variables};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, context};
use sha2::{Digest, Sha256};

const SHELL: &str = include_str!("shell.html.j2");
const STYLE: &str = include_str!("style.css");
const THEME: &str = include_str!("theme.js");

/// A self-contained page: it loads nothing, and its content security policy allows its one script by hash.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Its name in messages.
    pub name: &'static str,
    /// A template that extends `shell.html` and fills its blocks. Every value in it is escaped, but for
    /// those that the caller marked as safe.
    pub template: &'static str,
    /// Style beside the one of all pages.
    pub style: &'static str,
    /// Script beside the theme's; may be empty.
    pub script: &'static str,
    /// Sources of pictures, as the content security policy names them: `data:`, or `'none'`.
    pub pictures: &'static str,
}

impl Page {
    /// The page with `values` in its template.
    ///
    /// # Errors
    /// A failing template.
    pub fn render(&self, values: Value) -> Result<String, Error> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.add_template("shell.html", SHELL)?;
        environment.add_template(self.name, self.template)?;
        let script = [THEME, self.script].concat();
        let hash = STANDARD.encode(Sha256::digest(script.as_bytes()));
        environment.get_template(self.name)?.render(context! {
            style => Value::from_safe_string(self.sheet()),
            script_hash => Value::from_safe_string(hash),
            script => Value::from_safe_string(script),
            picture_sources => Value::from_safe_string(self.pictures.to_owned()),
            ..values
        })
    }

    fn sheet(&self) -> String {
        let all: Vec<Variable> = CHART.into_iter().chain(COLOURS).collect();
        let colours = variables(&all, Place::Page);
        [&colours, albumen_chart::STYLE, STYLE, self.style].concat()
    }
}

/// Colours of pages beside those of charts.
const COLOURS: [Variable; 5] = [
    variable("ground", "#f7f6f3", "#14171a"),
    variable("warn-ground", "#fdf0e3", "#3a2a17"),
    variable("warn", "#8a3d00", "#f3be86"),
    variable("stamp-ground", "#9c1c1c", "#7d1616"),
    variable(
        "shadow",
        "0 1px 2px rgb(30 30 20 / .06), 0 4px 14px rgb(30 30 20 / .05)",
        "0 1px 2px rgb(0 0 0 / .4)",
    ),
];

/// JSON in which nothing can end the script element that holds it.
pub fn json_for_script(json: &str) -> Value {
    let safe = json
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    Value::from_safe_string(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: Page = Page {
        name: "test.html",
        template: r#"{% extends "shell.html" %}
{%- macro drawing(svg) %}<figure>{{ svg | safe }}{{ keys.dot | safe }}</figure>{% endmacro %}
{%- block title %}{{ title }}{% endblock %}
{%- block main %}{{ title }} {{ drawing(svg) }}{% endblock %}
{%- block data %}<script type="application/json">{{ json }}</script>{% endblock %}"#,
        style: ".own {}",
        script: "own();",
        pictures: "data:",
    };

    #[test]
    fn a_page_allows_its_own_script_and_holds_hostile_text() {
        let hostile = "</script><script>alert(1)</script>\u{2028}&";
        let html = PAGE
            .render(context! {
                title => hostile,
                svg => "<svg/>",
                keys => context! { dot => "<svg class=\"key\"/>" },
                json => json_for_script(&serde_json::to_string(hostile).unwrap()),
            })
            .unwrap();
        assert_eq!(html.matches("<script").count(), 2, "{html}");
        assert!(
            html.contains("<figure><svg/><svg class=\"key\"/></figure>"),
            "{html}"
        );
        let between = |start: &str, end: &str| {
            let (_, rest) = html.rsplit_once(start).unwrap();
            rest.split_once(end).unwrap().0
        };
        let script = between("<script>", "</script>");
        assert!(script.starts_with(THEME) && script.ends_with("own();"));
        let hash = STANDARD.encode(Sha256::digest(script.as_bytes()));
        assert_eq!(between("script-src 'sha256-", "'"), hash);
        let json = between("application/json\">", "</script>");
        assert_eq!(serde_json::from_str::<String>(json).unwrap(), hostile);
        let style = between("<style>", "</style>");
        for part in [
            "--ground: #f7f6f3;",
            "--accent: #6cc5ba;",
            ".chart text {",
            ".own {}",
        ] {
            assert!(style.contains(part), "{part}");
        }
    }

    #[test]
    fn the_style_uses_no_variable_that_is_not_defined() {
        let used = STYLE.split("var(--").skip(1);
        for name in used.filter_map(|rest| rest.split(')').next()) {
            let mut defined = CHART.iter().chain(&COLOURS);
            assert!(defined.any(|variable| variable.name == name), "{name}");
        }
    }
}
