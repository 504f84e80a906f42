//! The plan as text.

use std::fmt::Write as _;

use albumen_accounting::{rounded_down, rounded_up};
use albumen_run::{Forecast, Model, SignalToNoise, Sweep};

/// Columns of the table of sensitivities: every other factor.
const SHOWN: [(f64, &str); 5] = [
    (0.25, "x 1/4"),
    (0.5, "x 1/2"),
    (1.0, "as is"),
    (2.0, "x 2"),
    (4.0, "x 4"),
];

/// Everything for people. Epsilons are rounded up.
pub(super) fn of(plan: &Forecast) -> String {
    let mut text = format!(
        "{}: unit {}, add or remove one; {} declared; asked for epsilon {} at delta {:e}\n\n",
        plan.run, plan.unit, plan.declared_units, plan.asked_epsilon, plan.delta
    );
    budget(&mut text, plan);
    signal(&mut text, plan);
    meaning(&mut text, plan);
    sensitivity(&mut text, plan);
    text.truncate(text.trim_end().len());
    text
}

// Writing to a String cannot fail, so results are dropped throughout.

fn budget(text: &mut String, plan: &Forecast) {
    let _ = writeln!(
        text,
        "{:<22} {:<10} {:<10} {:<7} {:<7} epsilon alone",
        "", "sigma", "q", "steps", "C"
    );
    let row = |name: &str, m: &Model| {
        format!(
            "{name:<22} {:<10.4} {:<10.6} {:<7} {:<7} {}\n",
            m.noise_multiplier,
            m.sampling_rate,
            m.steps,
            m.clip_norm,
            up(m.epsilon)
        )
    };
    for (name, model) in plan.models.iter() {
        *text += &row(&format!("{name} model"), model);
    }
    for release in &plan.releases {
        let event = &release.event;
        let mechanism = event.mechanism().replace('_', " ");
        let what = format!("{mechanism}, scale {:.3}", event.noise_multiplier());
        let _ = writeln!(
            text,
            "{:<22} {what:<37} {}",
            release.stage,
            up(release.epsilon)
        );
    }
    if let Some(tuning) = &plan.tuning {
        let _ = writeln!(
            text,
            "{:<60} {}",
            "one run, all together",
            up(tuning.epsilon_one_run)
        );
        let _ = writeln!(text, "tuning: {}", tuning.runs);
    }
    let rdp = if plan.epsilon_rdp == plan.epsilon {
        "by Renyi accounting, as the charge for tuning is".to_owned()
    } else {
        format!("by Renyi accounting {}", up(plan.epsilon_rdp))
    };
    let _ = writeln!(
        text,
        "{:<60} {} (at least {}; {rdp})\n",
        "total",
        up(plan.epsilon),
        down(plan.epsilon_lower)
    );
}

fn signal(text: &mut String, plan: &Forecast) {
    let models = plan.models.iter();
    let known: Vec<_> = models
        .filter_map(|(name, m)| Some((name, m.signal_to_noise?)))
        .collect();
    let Some(parameters) = plan.adapter_parameters.filter(|_| !known.is_empty()) else {
        return;
    };
    let _ = writeln!(
        text,
        "a step's clipped sum against its noise, as norms over {parameters} parameters"
    );
    let line = |cells: Vec<String>, what: &str| {
        let mut line = format!("{:<22} ", "");
        for cell in cells {
            let _ = write!(line, "{cell:<10} ");
        }
        line += what;
        format!("{}\n", line.trim_end())
    };
    let each = |of: &dyn Fn(&SignalToNoise) -> f64| {
        known.iter().map(|(_, s)| format!("{:.4}", of(s))).collect()
    };
    *text += &line(
        known.iter().map(|(name, _)| (*name).to_owned()).collect(),
        "",
    );
    *text += &line(
        each(&|s| s.aligned),
        "all gradients in one direction: the most",
    );
    *text += &line(
        each(&|s| s.unrelated),
        "gradients that have nothing in common",
    );
    text.push('\n');
}

fn meaning(text: &mut String, plan: &Forecast) {
    let _ = writeln!(
        text,
        "the best attacker who must tell whether a given {} took part, from all that is released",
        plan.unit
    );
    for rate in &plan.meaning.true_positive_rates {
        let _ = writeln!(
            text,
            "  wrong about {:>4} of those who did not: right about at most {}% of those who did",
            format!("{}%", 100.0 * rate.false_positive_rate),
            percent_up(rate.true_positive_rate)
        );
    }
    let advantage = plan.meaning.bayes_advantage;
    let _ = writeln!(
        text,
        "  at even odds: right in at most {}% of cases (advantage {}; guessing is 50%)\n",
        percent_up(f64::midpoint(1.0, advantage)),
        rounded_up(advantage, 3)
    );
}

fn sensitivity(text: &mut String, plan: &Forecast) {
    let _ = write!(text, "{:<22}", "epsilon, all else as is");
    for (_, name) in SHOWN {
        let _ = write!(text, " {name:>9}");
    }
    text.push('\n');
    let s = &plan.sensitivity;
    for (name, sweep) in [
        ("  noise, sigma", &s.noise_multiplier),
        ("  sampling rate, q", &s.sampling_rate),
        ("  steps, T", &s.steps),
        ("  declared units", &s.declared_units),
    ] {
        let _ = write!(text, "{name:<23}");
        for (factor, _) in SHOWN {
            let near = |p: &&Sweep| (p.factor / factor - 1.0).abs() < 0.01;
            let shown = sweep
                .iter()
                .find(near)
                .map_or("-".to_owned(), |p| up(p.epsilon));
            let _ = write!(text, " {shown:>9}");
        }
        text.push('\n');
    }
    *text +=
        "  (a dash: a sampling rate above 1. Declared units move q at the same expected batch.)\n";
}

/// An epsilon rounded up to four digits after the point, fewer where it is large.
pub(super) fn up(epsilon: f64) -> String {
    rounded_up(epsilon, decimals(epsilon))
}

fn down(epsilon: f64) -> String {
    rounded_down(epsilon, decimals(epsilon))
}

fn decimals(epsilon: f64) -> usize {
    if epsilon < 100.0 { 4 } else { 1 }
}

/// A share as a percentage, rounded up.
fn percent_up(share: f64) -> String {
    rounded_up((100.0 * share).min(100.0), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epsilons_are_rounded_to_the_safe_side() {
        assert_eq!(up(7.994_21), "7.9943");
        assert_eq!(down(7.994_29), "7.9942");
        assert_eq!(up(123.41), "123.5");
        assert_eq!(up(f64::INFINITY), "unbounded");
    }
}
