//! When to ask again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Waiting times between tries: each twice the one before, up to a longest, with jitter so that
/// requests that failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Before the second try.
    pub first: Duration,
    /// Longest that the doubling reaches.
    pub most: Duration,
    /// Longest that a server may ask for with `Retry-After`.
    pub most_asked_for: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            most: Duration::from_secs(30),
            most_asked_for: Duration::from_mins(1),
        }
    }
}

impl Backoff {
    /// How long to wait after try number `attempt` (from 1). `jitter` is uniform in [0, 1).
    pub(crate) fn delay(&self, attempt: u32, asked_for: Option<Duration>, jitter: f64) -> Duration {
        let doubled = self.first.saturating_mul(1 << (attempt - 1).min(16));
        match asked_for {
            // Never earlier than the server said.
            Some(asked) => asked.min(self.most_asked_for) + self.first.mul_f64(jitter),
            None => doubled.min(self.most).mul_f64(0.5 + 0.5 * jitter),
        }
    }
}

/// `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date in GMT.
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let then = UNIX_EPOCH + Duration::from_secs(date(value)?);
    Some(then.duration_since(now).unwrap_or_default())
}

/// Seconds since the epoch of `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7).
fn date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, rest) = text.strip_suffix(" GMT")?.split_once(", ")?;
    let mut words = rest.split(' ');
    let day: u64 = words.next()?.parse().ok()?;
    let name = words.next()?;
    let month = MONTHS.iter().position(|m| *m == name)? as u64 + 1;
    let year: u64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.splitn(3, ':').map(str::parse::<u64>);
    let (hour, minute, second) = (
        clock.next()?.ok()?,
        clock.next()?.ok()?,
        clock.next()?.ok()?,
    );
    if !(1970..=9999).contains(&year) || !(1..=31).contains(&day) || hour > 23 || minute > 59 {
        return None;
    }
    // Hinnant, "chrono-compatible low-level date algorithms", days_from_civil.
    let shifted = year - u64::from(month <= 2);
    let (era, of_era) = (shifted / 400, shifted % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second.min(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_stay_within_their_jitter() {
        let backoff = Backoff::default();
        let longest: Vec<u64> = (1..=9)
            .map(|n| backoff.delay(n, None, 1.0).as_millis() as u64)
            .collect();
        assert_eq!(
            longest,
            [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]
        );
        assert_eq!(backoff.delay(2, None, 0.0), Duration::from_millis(500));
    }

    #[test]
    fn a_server_is_asked_no_earlier_than_it_said_up_to_a_bound() {
        let backoff = Backoff::default();
        let asked = |s| Some(Duration::from_secs(s));
        assert_eq!(backoff.delay(1, asked(7), 0.0), Duration::from_secs(7));
        assert_eq!(backoff.delay(1, asked(7), 1.0), Duration::from_millis(7500));
        assert_eq!(backoff.delay(1, asked(999), 0.0), Duration::from_mins(1));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_770);
        let after = |text| retry_after(text, now).map(|d| d.as_secs());
        assert_eq!(after("120"), Some(120));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(7));
        assert_eq!(after("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(
            after("Thu, 29 Feb 2024 00:00:00 GMT"),
            Some(1_709_164_800 - 784_111_770)
        );
        for text in [
            "",
            "-1",
            "soon",
            "Sun, 06 Noc 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994",
        ] {
            assert_eq!(after(text), None, "{text}");
        }
    }
}
