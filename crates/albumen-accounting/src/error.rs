use thiserror::Error;

/// What can be wrong with an event, a question to the accountant, or its answer.
#[derive(Debug, Error, PartialEq, Clone)]
pub enum AccountingError {
    /// A parameter lies outside the range in which the mechanism is defined and accounted.
    #[error("{name} = {value} is out of range: {expected}")]
    OutOfRange {
        /// The parameter's name.
        name: &'static str,
        /// The value given.
        value: f64,
        /// The values allowed, in words.
        expected: &'static str,
    },
    /// No noise multiplier in the supported range meets the budget.
    #[error(
        "epsilon {epsilon} at delta {delta} cannot be met: even the largest noise multiplier \
         supported ({largest}) spends {least_epsilon}; raise epsilon, or lower the sampling rate, \
         the number of steps or the charges fixed beforehand"
    )]
    BudgetTooSmall {
        /// The epsilon asked for.
        epsilon: f64,
        /// The delta asked for.
        delta: f64,
        /// The largest noise multiplier tried.
        largest: f64,
        /// The epsilon that it spends.
        least_epsilon: f64,
    },
    /// Nothing at all would be spent by the requested composition, so there is nothing to solve.
    #[error("there is no mechanism to calibrate: give at least one with steps > 0")]
    NothingToCalibrate,
}
