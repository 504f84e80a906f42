//! The guarantee in words that need no mathematics, for the card and the report.

use albumen_accounting::{rounded_down, rounded_up, rounded_up_scientific};
use albumen_schema::config::TuningRuns;
use albumen_schema::statistic::{ALBUM_SIZES, TOPIC_HISTOGRAM};
use albumen_schema::{Departure, PrivacyStatement, Sent, Statistic, Unit};
use serde::Serialize;

/// What the guarantee says, a paragraph each.
pub fn guarantee(statement: &PrivacyStatement) -> Vec<String> {
    let (unit, whole) = unit(statement.unit);
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
            factor(statement.epsilon),
            statement.delta,
        ),
        format!(
            "This limits what a reader can learn about whether one given {unit} was among the \
             private albums: delta aside, the odds they gave before can change by at most that \
             factor. It is a worst case over all readers and all {unit}s. As a rule of thumb \
             {strength} (Ponomareva et al. 2023, \"How to DP-fy ML\")."
        ),
    ]
}

/// The runs that a release was chosen from, in words.
#[derive(Debug, Serialize)]
pub struct Tuning {
    /// How many runs.
    pub runs: String,
    /// Epsilon of the one run released.
    pub epsilon_one_run: String,
    /// What was charged, and on what condition.
    pub paragraph: String,
    /// Whether the total comes from Renyi divergences.
    pub by_renyi: bool,
}

/// The declaration of tuning runs in words; `None` where the release is the only run.
pub fn tuning(statement: &PrivacyStatement) -> Option<Tuning> {
    let tuning = statement.tuning?;
    let by_renyi = !matches!(tuning.runs, TuningRuns::Fixed { .. });
    let condition = if by_renyi {
        "This holds on condition that the publisher drew the number of runs at random before the first \
         one, keeps it secret, and shows nothing of the runs that were not chosen; and that all runs \
         had the same settings of privacy: none spent more than this one."
    } else {
        "Every run is counted as if it were published, and as having spent what this one did. This \
         holds on condition that none of the others spent more: a run made without this declaration \
         did, and its cost would have to be added to the epsilon stated here."
    };
    Some(Tuning {
        runs: tuning.runs.to_string(),
        epsilon_one_run: epsilon(tuning.epsilon_one_run),
        paragraph: format!(
            "This release is {}: settings were tried on the private albums, and the epsilon stated here \
             includes the charge for that choice. {condition}",
            match tuning.runs {
                TuningRuns::Fixed { count } => format!("one of {count} runs"),
                runs => runs.to_string(),
            }
        ),
        by_renyi,
    })
}

/// What the guarantee leaves out, a point each.
pub fn not_covered(statement: &PrivacyStatement) -> Vec<String> {
    let (unit, _) = unit(statement.unit);
    let group = match statement.unit {
        Unit::Album => {
            "More than one album at once: for someone whose k albums were among the private ones, \
             the bound is k times epsilon, at a larger delta."
        }
        Unit::Owner => {
            "More than one owner at once: for k owners together the bound is k times epsilon, at a \
             larger delta. Someone who appears in the photos of several owners is protected only as \
             such a group."
        }
    };
    [
        group,
        "What is true of many: habits, places or fashions common in the private albums are meant \
         to show here, and may say something about people who were never in them.",
        "The public models (their own training data), and what is already public elsewhere.",
        "Choices made by looking at the private albums that the ledger does not declare, such as \
         settings tuned on them, and anything published about them apart from this release.",
        "The machine that held the private albums: who could read it, and what its timing or \
         memory gave away.",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(statement.public_training.as_ref().map(|_| {
        "The albums declared public that the models learnt from first: nothing about them is \
         protected. Were private albums among them, or were they chosen after a look at private \
         results, the guarantee would not hold."
            .to_owned()
    }))
    .chain(departures(&statement.left_machine))
    .chain([format!(
        "The declared number of {unit}s, if it was not in truth a public number."
    )])
    .collect()
}

/// What servers saw of the private albums, each said once: two models of one server saw the same.
fn departures(all: &[Departure]) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for sentence in all.iter().filter_map(departure) {
        if !said.contains(&sentence) {
            said.push(sentence);
        }
    }
    said
}

/// What a server saw of the private albums; `None` where it saw synthetic text only.
fn departure(departure: &Departure) -> Option<String> {
    let what = match departure.sent {
        Sent::Photos => "Private photos, without their metadata,",
        Sent::Captions => "Captions of private photos",
        Sent::SyntheticCaptions => return None,
    };
    let open = if departure.encrypted {
        ""
    } else {
        ", and so could whoever carried them, since they were not encrypted"
    };
    Some(format!(
        "{what} left the publisher's machine for {}: whoever runs that server could see and keep \
         them{open}.",
        departure.host
    ))
}

/// A released statistic of the private albums, as people read it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatisticInWords {
    /// What was counted.
    pub title: String,
    /// Each category with its noisy count.
    pub rows: Vec<(String, String)>,
    /// How to read the noise, and what it cost.
    pub note: String,
}

/// The statistics, with how to read their noise.
pub fn statistics(statistics: &[Statistic], unit: Unit) -> Vec<StatisticInWords> {
    statistics.iter().map(|s| in_words(s, unit)).collect()
}

fn in_words(statistic: &Statistic, unit: Unit) -> StatisticInWords {
    let title = match statistic.stage.as_str() {
        ALBUM_SIZES => "Private albums by number of photos",
        TOPIC_HISTOGRAM => "Private albums by topic",
        _ => "Private albums",
    };
    let released = &statistic.released;
    let counted = match (unit, released.max_per_unit) {
        (Unit::Album, _) => "every album".to_owned(),
        (Unit::Owner, 1) => "one album of each owner".to_owned(),
        (Unit::Owner, most) => format!("at most {most} albums of each owner"),
    };
    let topics = if statistic.stage == TOPIC_HISTOGRAM {
        "A topic is named by words of sentences that the public model wrote, not by words of the \
         private albums; an album counts in the topic that its summary is nearest to. "
    } else {
        ""
    };
    let counts = statistic.counts.iter().map(|&n| count(n));
    StatisticInWords {
        title: title.to_owned(),
        rows: released.categories.iter().cloned().zip(counts).collect(),
        note: format!(
            "{topics}Counted: {counted}, the same that the models were trained on. Random noise was added \
             to each number on its own: its standard error is {:.1}, and in 95 of 100 cases the \
             number is off by at most {}. A smaller difference between two numbers means nothing. \
             Numbers below 0 were set to 0; parts need not add up to the whole. This cost epsilon \
             {}, which the total above holds.",
            statistic.standard_error,
            count(statistic.margin_95),
            epsilon(statistic.epsilon),
        ),
    }
}

fn unit(unit: Unit) -> (&'static str, &'static str) {
    match unit {
        Unit::Album => ("album", "with all its photos"),
        Unit::Owner => ("owner", "with every album of theirs that was used"),
    }
}

/// Epsilon with three decimals, rounded up: never less than what was spent.
pub fn epsilon(value: f64) -> String {
    rounded_up(value, 3)
}

/// The same for a lower bound, rounded down.
pub fn epsilon_lower(value: f64) -> String {
    rounded_down(value, 3)
}

/// e to the power of epsilon, as people write it, rounded up.
fn factor(epsilon: f64) -> String {
    let factor = epsilon.exp();
    if factor < 10.0 {
        rounded_up(factor, 2)
    } else if factor < 1e12 {
        count(factor.ceil() as u64)
    } else {
        rounded_up_scientific(factor)
    }
}

/// A whole number with separators between thousands.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
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
    fn numbers_read_well() {
        assert_eq!(epsilon_lower(7.9969), "7.996");
        assert_eq!(factor(1.0), "2.72");
        assert_eq!(factor(8.0), "2,981");
        assert_eq!(factor(50.0), "5.19e21");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(600), "600");
        assert_eq!(count(3), "3");
    }
}
