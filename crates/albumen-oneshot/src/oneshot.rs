use albumen_accounting::{Event, Unit};
use albumen_dp::{Released, Scope, Sensitive};
use albumen_schema::NoisyCounts;
use opendp::core::Measurement;
use opendp::domains::{AtomDomain, VectorDomain};
use opendp::error::Fallible;
use opendp::measurements::{make_laplace, make_private_quantile};
use opendp::measures::MaxDivergence;
use opendp::metrics::{L1Distance, SymmetricDistance};
use serde::{Deserialize, Serialize};

use crate::error::{OneShotError, check};

/// Laplace noise on a vector of whole numbers.
type Laplace = Measurement<VectorDomain<AtomDomain<i64>>, L1Distance<i64>, MaxDivergence, Vec<i64>>;

/// What stands in the type of a release that [`OneShot`] made: noise was drawn for it.
///
/// Only this crate can make one, so only this crate can make a `Released<_, Drawn>`:
/// ```compile_fail,E0423
/// fn forge(event: albumen_accounting::Event, scope: albumen_dp::Scope) {
///     albumen_dp::Released::sealed_by(albumen_oneshot::Drawn(()), 0.0, event, scope);
/// }
/// ```
/// ```compile_fail,E0308
/// use albumen_dp::{Released, Scope};
/// struct Mine;
/// fn forge(event: albumen_accounting::Event, scope: Scope) -> Released<f64, albumen_oneshot::Drawn> {
///     Released::sealed_by(Mine, 0.0, event, scope)
/// }
/// ```
#[derive(Debug)]
pub struct Drawn(());

/// A release made once, outside training: a count, a histogram or a quantile.
///
/// Every unit may hold several items (an owner several albums); only the first `max_per_unit` of
/// each unit count.
///
/// # Guarantee
/// Each call is `epsilon`-DP under add/remove adjacency of `unit`; the event carries the epsilon
/// that opendp's own privacy map gives, accounted as randomised response. Sampling is exact and fed
/// by OpenSSL's generator.
///
/// # Citations
/// Ghosh, Roughgarden and Sundararajan 2012 and Canonne, Kamath and Steinke 2020 (discrete Laplace);
/// Smith 2011 and McKenna and Sheldon 2020 (quantile); opendp 0.16. Proof note: proofs/oneshot.md.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneShot {
    /// What adjacency adds or removes.
    pub unit: Unit,
    /// The public number that stands for the corpus's size.
    pub declared_units: u64,
    /// What the release may spend.
    pub epsilon: f64,
    /// Items of one unit that count.
    pub max_per_unit: u32,
}

impl OneShot {
    /// Noisy number of items, under the public name `category`; `items_per_unit` holds one number a
    /// unit.
    ///
    /// # Errors
    /// [`OneShotError::OutOfRange`] for public settings, [`OneShotError::OpenDp`].
    pub fn count(
        &self,
        category: &str,
        items_per_unit: &Sensitive<Vec<u64>>,
    ) -> Result<Released<NoisyCounts, Drawn>, OneShotError> {
        let (counts, event) = self.noisy_count(category, items_per_unit)?;
        Ok(self.released(counts, event))
    }

    fn noisy_count(
        &self,
        category: &str,
        items_per_unit: &Sensitive<Vec<u64>>,
    ) -> Result<(NoisyCounts, Event), OneShotError> {
        self.validate()?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the count goes into the Laplace mechanism only"
        )]
        let items = items_per_unit.expose();
        let bound = u64::from(self.max_per_unit);
        let count: u64 = items.iter().map(|&n| n.min(bound)).sum();
        self.noisy(vec![category.to_owned()], &vec![count as i64])
    }

    /// Noisy number of items in each of the public `categories`; `items` holds the category of each
    /// item of each unit, by position, and items of other categories are left out.
    ///
    /// # Errors
    /// [`OneShotError::OutOfRange`] for public settings, [`OneShotError::OpenDp`].
    pub fn histogram(
        &self,
        categories: &[String],
        items: &Sensitive<Vec<Vec<usize>>>,
    ) -> Result<Released<NoisyCounts, Drawn>, OneShotError> {
        let (counts, event) = self.noisy_histogram(categories, items)?;
        Ok(self.released(counts, event))
    }

    fn noisy_histogram(
        &self,
        categories: &[String],
        items: &Sensitive<Vec<Vec<usize>>>,
    ) -> Result<(NoisyCounts, Event), OneShotError> {
        self.validate()?;
        check(
            "categories",
            categories.len() as f64,
            !categories.is_empty(),
            "at least 1",
        )?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the counts go into the Laplace mechanism only"
        )]
        let units = items.expose();
        let counts = self.bounded_counts(categories.len(), units);
        self.noisy(categories.to_vec(), &counts)
    }

    /// The histogram before noise: the first `max_per_unit` items of each unit, so that adding or
    /// removing a unit moves it by at most `max_per_unit` in L1.
    fn bounded_counts(&self, categories: usize, units: &[Vec<usize>]) -> Vec<i64> {
        let mut counts = vec![0_i64; categories];
        for unit in units {
            for &category in unit.iter().take(self.max_per_unit as usize) {
                if let Some(count) = counts.get_mut(category) {
                    *count += 1;
                }
            }
        }
        counts
    }

    /// What a count, or a histogram of this many categories, will charge: known before any data is
    /// read.
    ///
    /// # Errors
    /// As [`OneShot::histogram`].
    pub fn counts_event(&self, categories: usize) -> Result<Event, OneShotError> {
        self.validate()?;
        let measurement = self.laplace(categories).map_err(opendp)?;
        event(&measurement, &i64::from(self.max_per_unit))
    }

    /// The candidate nearest to the `alpha`-quantile of all items' values, noisily; `candidates` are
    /// public and ascending, and values that are not numbers are left out.
    ///
    /// # Errors
    /// [`OneShotError::OutOfRange`] for public settings, [`OneShotError::OpenDp`].
    pub fn quantile(
        &self,
        alpha: f64,
        candidates: &[f64],
        values: &Sensitive<Vec<Vec<f64>>>,
    ) -> Result<Released<f64, Drawn>, OneShotError> {
        let (value, event) = self.noisy_quantile(alpha, candidates, values)?;
        Ok(self.released(value, event))
    }

    fn noisy_quantile(
        &self,
        alpha: f64,
        candidates: &[f64],
        values: &Sensitive<Vec<Vec<f64>>>,
    ) -> Result<(f64, Event), OneShotError> {
        self.validate()?;
        check("alpha", alpha, (0.0..=1.0).contains(&alpha), "from 0 to 1")?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the values go into the quantile mechanism only"
        )]
        let units = values.expose();
        let items: Vec<f64> = (units.iter())
            .flat_map(|unit| unit.iter().take(self.max_per_unit as usize))
            .filter(|value| !value.is_nan())
            .copied()
            .collect();
        let make = |scale: f64| {
            make_private_quantile(
                VectorDomain::new(AtomDomain::<f64>::new_non_nan()),
                SymmetricDistance,
                MaxDivergence,
                candidates.to_vec(),
                alpha,
                scale,
            )
        };
        // The privacy map is linear in 1 / scale.
        let at_one = make(1.0)
            .and_then(|m| m.map(&self.max_per_unit))
            .map_err(opendp)?;
        let measurement = make(at_one / self.epsilon).map_err(opendp)?;
        let event = event(&measurement, &self.max_per_unit)?;
        let output = measurement.invoke(&items).map_err(opendp)?;
        Ok((output, event))
    }

    /// Laplace noise on every count, which together have a sensitivity of `max_per_unit` in L1.
    fn noisy(
        &self,
        categories: Vec<String>,
        counts: &Vec<i64>,
    ) -> Result<(NoisyCounts, Event), OneShotError> {
        let measurement = self.laplace(categories.len()).map_err(opendp)?;
        let event = event(&measurement, &i64::from(self.max_per_unit))?;
        let counts = measurement.invoke(counts).map_err(opendp)?;
        let noisy = NoisyCounts {
            categories,
            counts,
            max_per_unit: self.max_per_unit,
        };
        Ok((noisy, event))
    }

    fn laplace(&self, categories: usize) -> Fallible<Laplace> {
        make_laplace(
            VectorDomain::new(AtomDomain::default()).with_size(categories),
            L1Distance::default(),
            f64::from(self.max_per_unit) / self.epsilon,
            None,
        )
    }

    /// Seals what a measurement gave, with what it costs. This is the only place that makes one.
    fn released<T>(&self, value: T, event: Event) -> Released<T, Drawn> {
        let scope = Scope {
            unit: self.unit,
            declared_units: self.declared_units,
            insecure: false,
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the value is opendp's output, and the event is that of its own privacy map"
        )]
        Released::sealed_by(Drawn(()), value, event, scope)
    }

    fn validate(&self) -> Result<(), OneShotError> {
        check(
            "epsilon",
            self.epsilon,
            (1e-6..=50.0).contains(&self.epsilon),
            "from 1e-6 to 50",
        )?;
        check(
            "max_per_unit",
            f64::from(self.max_per_unit),
            self.max_per_unit > 0,
            "at least 1",
        )
    }
}

/// What opendp's own privacy map says that the measurement costs.
fn event<DI, MI, T>(
    measurement: &Measurement<DI, MI, MaxDivergence, T>,
    distance: &MI::Distance,
) -> Result<Event, OneShotError>
where
    DI: opendp::core::Domain,
    MI: opendp::core::Metric,
    (DI, MI): opendp::core::MetricSpace,
{
    let epsilon = measurement.map(distance).map_err(opendp)?;
    let event = Event::PureDp { epsilon };
    event.validate()?;
    Ok(event)
}

/// opendp's error with its message; none of its messages on these paths carry data.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn opendp(error: opendp::error::Error) -> OneShotError {
    let message = error.message.as_deref().unwrap_or("no message");
    OneShotError::OpenDp(format!("{:?}: {message}", error.variant))
}

#[cfg(test)]
mod tests;
