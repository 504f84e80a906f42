//! The colours, light and dark, and the style sheet that defines them.

use std::fmt::Write as _;

/// What a mark stands for, and so its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Text and what matters most.
    Ink,
    /// What matters less.
    Soft,
    /// What lies behind a bar.
    Track,
    /// The albums that a page is about.
    Own,
    /// The same, less loudly.
    OwnSoft,
    /// What a filter dropped.
    Fell,
    /// Real albums.
    Real,
    /// The public model's albums.
    Floor,
    /// The summary model, or the one model of the flat layout.
    Summary,
    /// The caption model.
    Caption,
    /// What was asked for.
    Asked,
}

impl Colour {
    /// Every colour.
    pub const ALL: [Self; 11] = [
        Self::Ink,
        Self::Soft,
        Self::Track,
        Self::Own,
        Self::OwnSoft,
        Self::Fell,
        Self::Real,
        Self::Floor,
        Self::Summary,
        Self::Caption,
        Self::Asked,
    ];

    /// Its variable in style sheets, without the dashes; also its class on a mark, after `c-`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ink => "ink",
            Self::Soft => "soft",
            Self::Track => "track",
            Self::Own => "accent",
            Self::OwnSoft => "accent-soft",
            Self::Fell => "fell",
            Self::Real => "real",
            Self::Floor => "floor",
            Self::Summary => "summary",
            Self::Caption => "caption",
            Self::Asked => "asked",
        }
    }
}

/// A variable of a style sheet, light and dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name without the dashes.
    pub name: &'static str,
    /// Its value in the light theme.
    pub light: &'static str,
    /// Its value in the dark theme.
    pub dark: &'static str,
}

/// A row of a table of variables.
pub const fn variable(name: &'static str, light: &'static str, dark: &'static str) -> Variable {
    Variable { name, light, dark }
}

/// Every colour of a chart: paper and lines, and those of [`Colour`].
pub const CHART: [Variable; 13] = [
    variable("surface", "#ffffff", "#1d2125"),
    variable("line", "#e2dfd8", "#31363c"),
    variable("ink", "#1d2126", "#e8e6e1"),
    variable("soft", "#5b6470", "#a3abb4"),
    variable("track", "#ebe8e1", "#2a2f34"),
    variable("accent", "#12655f", "#6cc5ba"),
    variable("accent-soft", "#8fb9b4", "#3d6f6a"),
    variable("fell", "#d98a4b", "#b9763d"),
    variable("real", "#b06a00", "#f2b94b"),
    variable("floor", "#6d7480", "#98a0aa"),
    variable("summary", "#1f6fb2", "#74b9f5"),
    variable("caption", "#b4540a", "#f2a25c"),
    variable("asked", "#8a3ffc", "#c3a0ff"),
];

/// What variables are defined for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A page, whose `data-theme` may go before the reader's preference.
    Page,
    /// A picture of its own, which follows the reader's preference.
    Picture,
}

/// A style sheet that defines `variables` for both themes.
pub fn variables(variables: &[Variable], place: Place) -> String {
    let (all, preferred) = match place {
        Place::Page => (":root", ":root:not([data-theme=\"light\"])"),
        Place::Picture => ("svg", "svg"),
    };
    let set = |value: fn(&Variable) -> &'static str, scheme: &str| {
        let mut text = format!("color-scheme: {scheme};");
        for variable in variables {
            // Writing into a String cannot fail.
            let _ = write!(text, " --{}: {};", variable.name, value(variable));
        }
        text
    };
    let (light, dark) = (set(|v| v.light, "light"), set(|v| v.dark, "dark"));
    let mut sheet = format!(
        "{all} {{ {light} }}\n@media (prefers-color-scheme: dark) {{ {preferred} {{ {dark} }} }}\n"
    );
    if place == Place::Page {
        let _ = writeln!(sheet, ":root[data-theme=\"dark\"] {{ {dark} }}");
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::STYLE;

    #[test]
    fn every_colour_has_a_value_in_both_themes_and_a_class() {
        let page = variables(&CHART, Place::Page);
        assert_eq!(page.matches("{ color-scheme: dark;").count(), 2);
        for colour in Colour::ALL {
            let name = colour.name();
            assert_eq!(page.matches(&format!("--{name}: #")).count(), 3, "{name}");
            let class = format!(".c-{name} {{ --c: var(--{name}); }}");
            assert!(STYLE.contains(&class), "{class}");
        }
        let picture = variables(&CHART, Place::Picture);
        assert!(picture.starts_with("svg { color-scheme: light; --surface: #ffffff;"));
        assert!(!picture.contains("data-theme"));
    }

    #[test]
    fn the_style_uses_no_colour_that_is_not_defined() {
        let used = STYLE.split("var(--").skip(1);
        for name in used.filter_map(|rest| rest.split(')').next()) {
            let defined = CHART.iter().any(|variable| variable.name == name);
            assert!(name == "c" || defined, "{name}");
        }
    }
}
