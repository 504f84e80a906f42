//! The one-shot releases of a configuration: fixed charges, known before any data is read.

use albumen_oneshot::{OneShot, OneShotError};
use albumen_schema::Config;
use albumen_schema::Unit;
use albumen_schema::statistic::{ALBUM_SIZES, TOPIC_HISTOGRAM};
use albumen_train::escrow::Planned;

/// The one-shot releases that `config` asks for, in the order in which they run.
pub(super) fn configured(config: &Config) -> Result<Vec<Planned>, OneShotError> {
    let wanted = config.release.wanted().into_iter();
    wanted
        .map(|(stage, epsilon)| {
            let counts = match stage {
                ALBUM_SIZES => config.release.album_size_bins.len(),
                TOPIC_HISTOGRAM => config.topics.clusters,
                _ => 1,
            };
            Ok(Planned {
                stage: stage.to_owned(),
                event: mechanism(config, epsilon).counts_event(counts)?,
            })
        })
        .collect()
}

/// The mechanism of a one-shot release of albums: an owner's count up to the bound of training.
pub(crate) fn mechanism(config: &Config, epsilon: f64) -> OneShot {
    let p = &config.privacy;
    OneShot {
        unit: p.unit,
        declared_units: p.declared_units,
        epsilon,
        max_per_unit: match p.unit {
            Unit::Album => 1,
            // The configuration's check keeps the bound within range.
            Unit::Owner => u32::try_from(p.max_albums_per_owner).unwrap_or(u32::MAX),
        },
    }
}
