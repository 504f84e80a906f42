//! Epsilon and delta as people read them: never rounded to the side that flatters.

/// An upper bound with this many decimals: the least decimal number of that length that does not read
/// back as less.
///
/// An epsilon of 7.9996 is `8.000` in three decimals, and so is 8.
pub fn rounded_up(value: f64, decimals: usize) -> String {
    fixed(value, decimals, true)
}

/// A lower bound with this many decimals: the largest decimal number of that length that does not read
/// back as more.
pub fn rounded_down(value: f64, decimals: usize) -> String {
    fixed(value, decimals, false)
}

/// A delta, or another small upper bound, in powers of ten with at most three digits, rounded up:
/// 1.0000001e-5 is `1.01e-5`.
pub fn rounded_up_scientific(value: f64) -> String {
    let nearest = format!("{value:.2e}");
    let Some((mantissa, exponent)) = nearest.split_once('e') else {
        return unbounded(value);
    };
    let mantissa = if reads_as(&nearest) < value {
        next(mantissa)
    } else {
        mantissa.to_owned()
    };
    // 9.999 becomes 10.00.
    let (mantissa, carried) = match mantissa.strip_prefix("10.") {
        Some(_) => ("1", 1),
        None => (mantissa.trim_end_matches('0').trim_end_matches('.'), 0),
    };
    let exponent = exponent.parse::<i32>().unwrap_or_default() + carried;
    format!("{mantissa}e{exponent}")
}

fn fixed(value: f64, decimals: usize, up: bool) -> String {
    if !value.is_finite() {
        return unbounded(value);
    }
    let magnitude = format!("{:.decimals$}", value.abs());
    let shown = reads_as(&magnitude);
    // Away from zero is up for what is positive.
    let outwards = up == (value >= 0.0);
    let digits = match outwards {
        true if shown < value.abs() => next(&magnitude),
        false if shown > value.abs() => previous(&magnitude),
        _ => magnitude,
    };
    let zero = digits.bytes().all(|b| b == b'0' || b == b'.');
    let sign = if value < 0.0 && !zero { "-" } else { "" };
    format!("{sign}{digits}")
}

fn unbounded(value: f64) -> String {
    if value.is_nan() {
        "unknown"
    } else {
        "unbounded"
    }
    .to_owned()
}

fn reads_as(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

/// The decimal number of the same form that is one unit of the last digit larger.
fn next(digits: &str) -> String {
    stepped(digits, b'9', b'0', |digit| digit + 1).unwrap_or_else(|rest| format!("1{rest}"))
}

/// One unit smaller; `digits` are more than zero.
fn previous(digits: &str) -> String {
    let text = stepped(digits, b'0', b'9', |digit| digit - 1).unwrap_or_else(|rest| rest);
    // 10.00 becomes 09.99.
    match text.strip_prefix('0') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => rest.to_owned(),
        _ => text,
    }
}

/// Steps the last digit; those that are `full` become `empty` and carry on to the one before. `Err` where
/// all were full.
fn stepped(digits: &str, full: u8, empty: u8, step: fn(u8) -> u8) -> Result<String, String> {
    let mut bytes = digits.as_bytes().to_vec();
    let mut carried = true;
    for byte in bytes.iter_mut().rev().filter(|b| b.is_ascii_digit()) {
        if *byte == full {
            *byte = empty;
            continue;
        }
        *byte = step(*byte);
        carried = false;
        break;
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if carried { Err(text) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_bounds_are_rounded_up_and_lower_bounds_down() {
        assert_eq!(rounded_up(7.9996, 3), "8.000");
        assert_eq!(rounded_up(8.0, 3), "8.000");
        assert_eq!(rounded_up(8.000_000_001, 3), "8.001");
        assert_eq!(rounded_up(7.994_21, 4), "7.9943");
        assert_eq!(rounded_up(9.9991, 3), "10.000");
        assert_eq!(rounded_up(0.0, 3), "0.000");
        assert_eq!(rounded_up(1e-9, 3), "0.001");
        assert_eq!(rounded_up(99.2, 0), "100");
        assert_eq!(rounded_down(7.9996, 3), "7.999");
        assert_eq!(rounded_down(8.0, 3), "8.000");
        assert_eq!(rounded_down(9.9999, 3), "9.999");
        assert_eq!(rounded_down(10.0_f64.next_down(), 3), "9.999");
        assert_eq!(rounded_down(1e-9, 3), "0.000");
        assert_eq!(rounded_down(99.9, 0), "99");
    }

    #[test]
    fn what_has_few_digits_is_shown_as_it_is() {
        // None of these has an exact binary form.
        for text in ["0.100", "0.300", "1.005", "2.675", "8.050", "123.457"] {
            let value: f64 = text.parse().unwrap();
            assert_eq!(rounded_up(value, 3), text);
            assert_eq!(rounded_down(value, 3), text);
            assert!(rounded_up(value.next_up(), 3).parse::<f64>().unwrap() > value);
            assert!(rounded_down(value.next_down(), 3).parse::<f64>().unwrap() < value);
        }
    }

    #[test]
    fn numbers_below_zero_are_rounded_to_the_same_sides() {
        assert_eq!(rounded_up(-0.4999, 3), "-0.499");
        assert_eq!(rounded_up(-0.0001, 3), "0.000");
        assert_eq!(rounded_down(-0.4991, 3), "-0.500");
        assert_eq!(rounded_down(-10.0, 1), "-10.0");
    }

    #[test]
    fn what_is_not_finite_has_a_word() {
        assert_eq!(rounded_up(f64::INFINITY, 3), "unbounded");
        assert_eq!(rounded_up_scientific(f64::INFINITY), "unbounded");
        assert_eq!(rounded_down(f64::NAN, 3), "unknown");
    }

    #[test]
    fn deltas_are_rounded_up() {
        for (delta, shown) in [
            (1e-5, "1e-5"),
            (1.000_000_1e-5, "1.01e-5"),
            (1.4e-5, "1.4e-5"),
            (1.67e-3, "1.67e-3"),
            (1.671e-3, "1.68e-3"),
            (9.999e-6, "1e-5"),
            (9.99e-6, "9.99e-6"),
            (0.5, "5e-1"),
            (1.0, "1e0"),
            (0.0, "0e0"),
            (1e-5_f64.next_up(), "1.01e-5"),
            (1.2e21, "1.2e21"),
        ] {
            assert_eq!(rounded_up_scientific(delta), shown);
        }
    }

    #[test]
    fn nothing_is_shown_as_less_than_it_is() {
        let mut value = 1e-9;
        while value < 1e6 {
            let read = |text: String| text.parse::<f64>().unwrap();
            for decimals in 0..6 {
                let unit = 10_f64.powi(-i32::try_from(decimals).unwrap());
                let (up, down) = (
                    read(rounded_up(value, decimals)),
                    read(rounded_down(value, decimals)),
                );
                assert!(up >= value && up - value < unit * (1.0 + 1e-6), "{value}");
                assert!(
                    down <= value && value - down < unit * (1.0 + 1e-6),
                    "{value}"
                );
            }
            let delta = read(rounded_up_scientific(value));
            assert!(delta >= value && delta <= value * 1.01 + 1e-300, "{value}");
            value *= 1.37;
        }
    }
}
