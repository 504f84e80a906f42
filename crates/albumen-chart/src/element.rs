//! SVG elements. The only way to write one escapes its text.

use std::fmt::{self, Display, Write as _};

/// An SVG element with its attributes and what it holds.
#[derive(Clone, Debug)]
pub struct Element {
    name: &'static str,
    attributes: String,
    inner: String,
}

impl Element {
    /// An element without attributes.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            attributes: String::new(),
            inner: String::new(),
        }
    }

    /// A whole drawing of this size, that those who do not see it know by `label`.
    pub fn drawing(width: f64, height: f64, label: &str) -> Self {
        Self::new("svg")
            .with("class", "chart")
            .with("role", "img")
            .with("aria-label", label)
            .with("viewBox", &format!("0 0 {width} {height}"))
    }

    /// A drawing beside words that say the same.
    pub(crate) fn ornament(class: &str) -> Self {
        Self::new("svg")
            .with("class", &format!("chart {class}"))
            .with("aria-hidden", "true")
    }

    /// Text at a point.
    pub fn words(class: &str, x: f64, y: f64, text: &str) -> Self {
        let words = Self::new("text");
        let words = if class.is_empty() {
            words
        } else {
            words.with("class", class)
        };
        words.at("x", x).at("y", y).text(text)
    }

    /// A rectangle of a class.
    pub fn rect(class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) -> Self {
        Self::new("rect")
            .with("class", class)
            .at("x", x)
            .at("y", y)
            .at("width", width)
            .at("height", height)
    }

    /// A path of a class; `d` is its outline.
    pub fn path(class: &str, d: &str) -> Self {
        Self::new("path").with("class", class).with("d", d)
    }

    /// The same with an attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        let _ = write!(self.attributes, " {name}=\"{}\"", Escaped(value));
        self
    }

    /// The same with a coordinate or a length, to one decimal.
    #[must_use]
    pub fn at(self, name: &'static str, value: f64) -> Self {
        self.with(name, &round(value).to_string())
    }

    /// The same with a length in per cent of what holds the drawing, to two decimals.
    #[must_use]
    pub fn at_percent(self, name: &'static str, value: f64) -> Self {
        let value = (100.0 * value).round() / 100.0;
        self.with(name, &format!("{value}%"))
    }

    /// The same with words that show when it is pointed at.
    #[must_use]
    pub fn title(self, words: &str) -> Self {
        self.child(&Element::new("title").text(words))
    }

    /// The same with text inside.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        let _ = write!(self.inner, "{}", Escaped(text));
        self
    }

    /// The same with an element inside.
    #[must_use]
    pub fn child(mut self, child: &Element) -> Self {
        self.push(child);
        self
    }

    /// Puts an element inside, after those that are there.
    pub fn push(&mut self, child: &Element) {
        let _ = write!(self.inner, "{child}");
        // A line for each mark keeps pages and snapshots readable.
        if child.name != "title" {
            self.inner.push('\n');
        }
    }
}

impl Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            attributes,
            inner,
        } = self;
        if inner.is_empty() {
            write!(f, "<{name}{attributes}/>")
        } else {
            let line = if inner.ends_with('\n') { "\n" } else { "" };
            write!(f, "<{name}{attributes}>{line}{inner}</{name}>")
        }
    }
}

/// To one decimal.
pub(crate) fn round(value: f64) -> f64 {
    // Adding zero turns -0 into 0.
    (10.0 * value).round() / 10.0 + 0.0
}

/// Text that is safe between tags and between quotes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_element() {
        let hostile = "\"><script>alert('1')</script>&amp;";
        let found = Element::drawing(10.0, 5.0, hostile)
            .child(&Element::words("", 1.26, -0.01, hostile).title(hostile))
            .to_string();
        assert!(!found.contains("<script"), "{found}");
        assert_eq!(found.matches("&lt;script&gt;").count(), 3);
        assert_eq!(found.matches('"').count() % 2, 0);
        assert!(found.contains("&amp;amp;"), "{found}");
        assert!(found.contains(r#"<text x="1.3" y="0">"#), "{found}");
    }
}
