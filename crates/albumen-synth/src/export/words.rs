//! The guarantee in words that need no mathematics, for the card and the report.

use albumen_schema::{PrivacyStatement, Unit};

/// What the guarantee says, a paragraph each.
pub fn guarantee(statement: &PrivacyStatement) -> Vec<String> {
    let (unit, whole) = unit(statement.unit);
    let factor = statement.epsilon.exp();
    let strength = match statement.epsilon {
        e if e <= 1.0 => "an epsilon up to 1 is usually called strong protection",
        e if e <= 10.0 => {
            "an epsilon between 1 and 10 is usually called reasonable protection, not strong"
        }
        _ => "an epsilon above 10 is usually called weak or no protection on its own",
    };
    vec![
        format!(
            "Compare the private albums with the same albums after one {unit} ({whole}) is added \
             or removed. Anything that could be seen in this release is at most {} times (e to \
             the power of epsilon) as likely in one case as in the other, up to an additional \
             probability of {:e} (delta). This holds for every {unit}, whatever else the reader \
             knows and whatever they compute from the release.",
            count(factor),
            statement.delta,
        ),
        format!(
            "So nobody can be sure from this release whether one given {unit} was among the \
             private albums: the odds they had before can change at most by that factor. It is \
             a worst case over all readers and all {unit}s. As a rule of thumb {strength} \
             (Ponomareva et al. 2023, \"How to DP-fy ML\")."
        ),
    ]
}

/// What the guarantee leaves out, a point each.
pub fn not_covered(statement: &PrivacyStatement) -> Vec<String> {
    let (unit, _) = unit(statement.unit);
    let group = match statement.unit {
        Unit::Album => {
            "More than one album at once: for someone whose k albums were among the private ones, \
             the bound is k times epsilon."
        }
        Unit::Owner => {
            "More than one owner at once: for k owners together the bound is k times epsilon. \
             Someone who appears in the photos of several owners is such a group."
        }
    };
    [
        group,
        "What is true of many: habits, places or fashions common in the private albums are meant \
         to show here, and may say something about people who were never in them.",
        "The public models (their own training data), and what is already public elsewhere.",
        "Choices made by looking at the private albums outside the ledger, such as settings tuned \
         on them, and anything published about them apart from this release.",
        "The machine that held the private albums: who could read it, and what its timing or \
         memory gave away.",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([format!(
        "The declared number of {unit}s, if it was not in truth a public number."
    )])
    .collect()
}

fn unit(unit: Unit) -> (&'static str, &'static str) {
    match unit {
        Unit::Album => ("album", "with all its photos"),
        Unit::Owner => ("owner", "with every album of theirs that was used"),
    }
}

/// Epsilon with three decimals, rounded up: never less than what was spent.
pub fn epsilon(value: f64) -> String {
    format!("{:.3}", (value * 1000.0).ceil() / 1000.0)
}

/// A number of at least 1 as people write it: two digits and a half below ten, separators above a
/// thousand.
pub fn count(value: f64) -> String {
    if value >= 1e15 {
        return format!("{value:.1e}");
    }
    if value < 10.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epsilon_is_never_rounded_down() {
        assert_eq!(epsilon(7.99601), "7.997");
        assert_eq!(epsilon(8.0), "8.000");
    }

    #[test]
    fn counts_read_well() {
        assert_eq!(count(2.718), "2.72");
        assert_eq!(count(2980.96), "2,981");
        assert_eq!(count(1_234_567.0), "1,234,567");
        assert_eq!(count(600.0), "600");
        assert_eq!(count(1e20), "1.0e20");
    }
}
