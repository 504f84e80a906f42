//! Axes and marks of the plan's plots, as SVG.

use std::fmt::Write as _;

/// Width and height of a plot's inner area, in SVG units.
pub(super) const INNER: (f64, f64) = (300.0, 200.0);

/// How values lie on an axis.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scale {
    Linear,
    Log,
}

/// An axis from `low` to `high`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) scale: Scale,
}

impl Axis {
    /// A logarithmic axis around positive values, with a little room on both sides.
    pub(super) fn log_around(values: impl Iterator<Item = f64>) -> Self {
        let positive = values.filter(|v| v.is_finite() && *v > 0.0);
        let (low, high) = positive.fold((f64::INFINITY, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)));
        let (low, high) = if low <= high { (low, high) } else { (1.0, 1.0) };
        Self {
            low: low / 1.25,
            high: high * 1.25,
            scale: Scale::Log,
        }
    }

    /// Where a value lies, from 0 to 1.
    pub(super) fn place(self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value / self.low).ln() / (self.high / self.low).ln(),
        }
    }

    /// Round values on the axis: 1, 2 and 5 times powers of ten, or powers of ten alone where these
    /// are many.
    pub(super) fn ticks(self) -> Vec<f64> {
        let (first, last) = (
            self.low.log10().floor() as i32,
            self.high.log10().ceil() as i32,
        );
        let steps: &[f64] = if last - first > 4 {
            &[1.0]
        } else {
            &[1.0, 2.0, 5.0]
        };
        (first..=last)
            .flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)))
            .filter(|tick| (self.low..=self.high).contains(tick))
            .collect()
    }
}

/// A plot's inner area with its two axes; `0, 0` is the upper left corner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) x: Axis,
    pub(super) y: Axis,
}

impl Area {
    /// A point in SVG units, kept inside the area.
    pub(super) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let inside = |share: f64| share.clamp(0.0, 1.0);
        (
            INNER.0 * inside(self.x.place(x)),
            INNER.1 * (1.0 - inside(self.y.place(y))),
        )
    }

    /// Grid lines and labels of the vertical axis.
    pub(super) fn y_ticks(&self, svg: &mut String, ticks: &[(f64, String)]) {
        for (value, label) in ticks {
            let (_, y) = self.at(self.x.low, *value);
            let _ = writeln!(
                svg,
                r#"<line class="grid" x1="0" y1="{y:.1}" x2="{:.1}" y2="{y:.1}"/><text class="tick" x="-8" y="{:.1}" text-anchor="end">{label}</text>"#,
                INNER.0,
                y + 4.0
            );
        }
    }

    /// A tick of the horizontal axis, with one label below another, each of a class.
    pub(super) fn x_tick(&self, svg: &mut String, value: f64, labels: &[(&str, String)]) {
        let (x, _) = self.at(value, self.y.low);
        let _ = writeln!(
            svg,
            r#"<line class="grid" x1="{x:.1}" y1="0" x2="{x:.1}" y2="{:.1}"/>"#,
            INNER.1
        );
        for (row, (class, label)) in labels.iter().enumerate() {
            let y = INNER.1 + 17.0 + 15.0 * row as f64;
            let _ = writeln!(
                svg,
                r#"<text class="tick {class}" x="{x:.1}" y="{y:.1}" text-anchor="middle">{label}</text>"#
            );
        }
    }

    /// A line through points; values that are not finite break it.
    pub(super) fn line(&self, svg: &mut String, class: &str, points: &[(f64, f64)]) {
        let mut path = String::new();
        let mut drawing = false;
        for &(x, y) in points {
            if !y.is_finite() {
                drawing = false;
                continue;
            }
            let (x, y) = self.at(x, y);
            let _ = write!(path, "{}{x:.1} {y:.1}", if drawing { 'L' } else { 'M' });
            drawing = true;
        }
        let _ = writeln!(svg, r#"<path class="line {class}" d="{path}"/>"#);
    }

    /// A marked point with a label above it, on the side that a rising or falling line leaves free.
    pub(super) fn mark(
        &self,
        svg: &mut String,
        class: &str,
        (x, y): (f64, f64),
        rising: bool,
        label: &str,
    ) {
        let (x, y) = self.at(x, y);
        let (anchor, aside) = if rising {
            ("end", -8.0)
        } else {
            ("start", 8.0)
        };
        let _ = writeln!(
            svg,
            r#"<circle class="mark {class}" cx="{x:.1}" cy="{y:.1}" r="4.5"/><text class="label" x="{:.1}" y="{:.1}" text-anchor="{anchor}">{label}</text>"#,
            x + aside,
            y - 8.0
        );
    }
}

/// A number as short as it can be said, to three digits.
pub(super) fn short(value: f64) -> String {
    if !value.is_finite() {
        return "unbounded".to_owned();
    }
    if value >= 1e6 {
        return format!("{:.3}M", value / 1e6).replace(".000M", "M");
    }
    let digits = (2 - value.abs().max(1e-300).log10().floor() as i32).clamp(0, 7);
    let text = format!("{value:.*}", digits as usize);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Text that is safe inside SVG.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.5, "0.5"),
            (7.9949, "7.99"),
            (50_000.0, "50000"),
            (2.5e6, "2.500M"),
            (0.000_123_4, "0.000123"),
            (150.0, "150"),
            (1.0, "1"),
        ] {
            assert_eq!(short(value), text);
        }
        assert_eq!(escape("a<b & \"c\""), "a&lt;b &amp; &quot;c&quot;");
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = Axis::log_around([0.9, 30.0].into_iter());
        assert_eq!(axis.ticks(), [1.0, 2.0, 5.0, 10.0, 20.0]);
        assert!((axis.place(axis.low), axis.place(axis.high)) == (0.0, 1.0));
        let nothing = Axis::log_around([f64::INFINITY].into_iter());
        assert!(nothing.low < nothing.high);
    }
}
