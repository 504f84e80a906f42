//! Axes: where values lie, and which of them are named.

/// Ticks of a linear axis, at most.
const MOST_TICKS: f64 = 6.0;

/// How values lie on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences are equal lengths.
    Linear,
    /// Equal ratios are equal lengths; all values are positive.
    Log,
}

/// An axis from `low` to `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    /// Where it begins.
    pub low: f64,
    /// Where it ends, above `low`.
    pub high: f64,
    /// How values lie between.
    pub scale: Scale,
}

impl Axis {
    /// A linear axis.
    pub fn linear(low: f64, high: f64) -> Self {
        let scale = Scale::Linear;
        Self { low, high, scale }
    }

    /// A logarithmic axis.
    pub fn log(low: f64, high: f64) -> Self {
        let scale = Scale::Log;
        Self { low, high, scale }
    }

    /// A logarithmic axis around positive values, with a little room on both sides.
    pub fn log_around(values: impl Iterator<Item = f64>) -> Self {
        let positive = values.filter(|v| v.is_finite() && *v > 0.0);
        let (low, high) = positive.fold((f64::INFINITY, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)));
        let (low, high) = if low <= high { (low, high) } else { (1.0, 1.0) };
        Self::log(low / 1.25, high * 1.25)
    }

    /// A linear axis around values, with a little room on both sides but none beyond `limits`.
    pub fn around(values: impl Iterator<Item = f64>, limits: (f64, f64)) -> Self {
        let finite = values.filter(|v| v.is_finite());
        let ends = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
            (l.min(v), h.max(v))
        });
        let (low, high) = if ends.0 <= ends.1 { ends } else { (0.0, 1.0) };
        let room = 0.06 * (high - low).max(1e-3);
        let low = (low - room).max(limits.0);
        Self::linear(low, (high + room).min(limits.1).max(low + 1e-9))
    }

    /// A linear axis from zero to a round number that no value passes; to one where none is positive.
    pub fn from_zero(values: impl Iterator<Item = f64>) -> Self {
        let most = values.filter(|v| v.is_finite()).fold(0.0, f64::max);
        if most <= 0.0 {
            return Self::linear(0.0, 1.0);
        }
        let unit = 10_f64.powf(most.log10().floor());
        let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0];
        let fits = steps.into_iter().find(|step| step * unit >= most);
        Self::linear(0.0, fits.unwrap_or(10.0) * unit)
    }

    /// Where a value lies, 0 at the beginning and 1 at the end.
    pub fn place(self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value / self.low).ln() / (self.high / self.low).ln(),
        }
    }

    /// Round values on the axis. Linear: multiples of 1, 2, 2.5 or 5 times a power of ten, at most six.
    /// Logarithmic: 1, 2 and 5 times powers of ten, or powers of ten alone where these are many.
    pub fn ticks(self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => self.linear_ticks(),
            Scale::Log => self.log_ticks(),
        }
    }

    fn linear_ticks(self) -> Vec<f64> {
        let length = self.high - self.low;
        if !length.is_finite() || length <= 0.0 {
            return vec![self.low];
        }
        // Rounding must not drop a tick that lies on an end.
        let slack = 1e-9 * length;
        let unit = 10_f64.powf((length / MOST_TICKS).log10().floor());
        let ends = |step: f64| {
            let first = ((self.low - slack) / step).ceil();
            (first, ((self.high + slack) / step).floor())
        };
        let few = |step: &f64| {
            let (first, last) = ends(*step);
            last - first < MOST_TICKS
        };
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0, 20.0].map(|step| step * unit);
        let step = steps.into_iter().find(few).unwrap_or(length);
        let (first, last) = ends(step);
        let count = (last - first) as usize;
        (0..=count).map(|i| (first + i as f64) * step).collect()
    }

    fn log_ticks(self) -> Vec<f64> {
        let first = self.low.log10().floor() as i32;
        let last = self.high.log10().ceil() as i32;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::alike;

    #[test]
    fn logarithmic_ticks_are_round_and_inside() {
        let axis = Axis::log_around([0.9, 30.0].into_iter());
        assert_eq!(axis.ticks(), [1.0, 2.0, 5.0, 10.0, 20.0]);
        assert_eq!((axis.place(axis.low), axis.place(axis.high)), (0.0, 1.0));
        assert_eq!(Axis::log(1e-4, 1.0).ticks().len(), 13);
        let nothing = Axis::log_around([f64::INFINITY].into_iter());
        assert!(nothing.low < nothing.high);
    }

    #[test]
    fn linear_ticks_are_round_few_and_inside() {
        for (low, high, ticks) in [
            (0.0, 1.0, "0.0 0.2 0.4 0.6 0.8 1.0"),
            (0.0, 0.5, "0.0 0.1 0.2 0.3 0.4 0.5"),
            (0.0, 1.5, "0.0 0.5 1.0 1.5"),
            (0.13, 0.47, "0.2 0.3 0.4"),
            (0.312, 0.349, "0.32 0.33 0.34"),
            (-0.07, 0.61, "0.0 0.2 0.4 0.6"),
            (0.0, 24_000.0, "0 5000 10000 15000 20000"),
        ] {
            let found = Axis::linear(low, high).ticks();
            assert_eq!(alike(&found).join(" "), ticks, "{low} to {high}");
        }
        assert_eq!(Axis::linear(2.0, 2.0).ticks(), [2.0]);
    }

    #[test]
    fn an_axis_holds_its_values() {
        let axis = Axis::from_zero([0.216, 0.44].into_iter());
        assert_eq!((axis.low, axis.high), (0.0, 0.5));
        assert_eq!(Axis::from_zero([97.0].into_iter()).high, 100.0);
        assert_eq!(Axis::from_zero([-1.0].into_iter()).high, 1.0);
        let axis = Axis::around([0.5, 0.99].into_iter(), (0.0, 1.0));
        assert!(axis.low < 0.5 && axis.high == 1.0);
        let point = Axis::around([0.0].into_iter(), (0.0, 0.0));
        assert!(point.place(0.0).is_finite());
    }
}
