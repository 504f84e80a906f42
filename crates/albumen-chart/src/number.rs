//! Numbers as charts write them.

use crate::Span;

/// A number as short as it can be said, to three digits.
pub fn short(value: f64) -> String {
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

/// A share in per cent with one decimal.
pub fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

/// A value with its interval in brackets.
pub fn interval(span: impl Into<Span>, decimals: usize) -> String {
    let Span { low, value, high } = span.into();
    format!("{value:.decimals$} ({low:.decimals$} to {high:.decimals$})")
}

/// Decimals of a measured value: three digits of small numbers, fewer of large ones.
pub fn decimals(value: f64) -> usize {
    if value.abs() < 10.0 { 3 } else { 1 }
}

/// Each value with the fewest decimals that write all of them, at most six.
pub fn alike(values: &[f64]) -> Vec<String> {
    let exact = |decimals: &usize| {
        let scale = 10_f64.powi(*decimals as i32);
        let rest = |v: &f64| (v * scale - (v * scale).round()).abs();
        values.iter().all(|v| rest(v) < 1e-6)
    };
    let decimals = (0..6).find(exact).unwrap_or(6);
    let written = values.iter().map(|v| format!("{:.decimals$}", v + 0.0));
    written.collect()
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
            (f64::INFINITY, "unbounded"),
        ] {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn ticks_have_equal_decimals() {
        assert_eq!(alike(&[0.0, 0.25, 0.5]), ["0.00", "0.25", "0.50"]);
        assert_eq!(alike(&[0.0, 3.0 * 0.1]), ["0.0", "0.3"]);
        assert_eq!(alike(&[-0.0, 20.0]), ["0", "20"]);
        assert_eq!(alike(&[]), [""; 0]);
    }
}
