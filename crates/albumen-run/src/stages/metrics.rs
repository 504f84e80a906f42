//! `--show-private-metrics`: private numbers of training, stamped wherever they appear.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use albumen_dp::Sensitive;
use albumen_schema::UnitTexts;
use albumen_train::StepMetrics;
use anyhow::Context;
use serde_json::{Value, json};

use crate::observer::{News, Shared};

/// Stands on every line and in every record of private numbers.
pub const STAMP: &str = "NOT DIFFERENTIALLY PRIVATE";

/// Where one training's private numbers go: stderr, and a file under `private/` that every try
/// adds to.
pub(super) struct PrivateMetrics {
    observer: Shared,
    stage: &'static str,
    file: File,
}

impl PrivateMetrics {
    /// Opens `private/metrics/STAGE.jsonl` and writes down the true counts.
    pub(super) fn open(
        observer: &Shared,
        private: &Path,
        stage: &'static str,
        units: &Sensitive<Vec<UnitTexts>>,
    ) -> anyhow::Result<Self> {
        let dir = private.join("metrics");
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let path = dir.join(format!("{stage}.jsonl"));
        let file = albumen_files::append_private(&path)?;
        let mut metrics = Self {
            observer: Arc::clone(observer),
            stage,
            file,
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "--show-private-metrics: the true counts are shown, stamped, to who asked for them"
        )]
        let units = units.expose();
        let albums: usize = units.iter().map(Vec::len).sum();
        let photos = units.iter().flatten().map(|a| a.captions.len());
        let photos: usize = photos.sum();
        metrics.show(
            &format!("{} units, {albums} albums, {photos} photos", units.len()),
            json!({"units": units.len(), "albums": albums, "photos": photos}),
        )?;
        Ok(metrics)
    }

    /// Shows one step.
    pub(super) fn step(&mut self, step: &Sensitive<StepMetrics>) -> anyhow::Result<()> {
        #[expect(
            clippy::disallowed_methods,
            reason = "--show-private-metrics: loss, batch and gradients are shown, stamped, to who asked for them"
        )]
        let m = step.expose();
        self.show(
            &format!(
                "step {}, batch {}, loss {:.6}, gradient norm {:.6}, clipped {}, not finite {}",
                m.step, m.batch, m.loss, m.gradient_norm, m.clipped, m.non_finite
            ),
            json!({
                "step": m.step,
                "batch": m.batch,
                "loss": m.loss,
                "gradient_norm": m.gradient_norm,
                "clipped": m.clipped,
                "not_finite": m.non_finite,
            }),
        )
    }

    fn show(&mut self, words: &str, mut record: Value) -> anyhow::Result<()> {
        let line = format!("{STAMP} {}: {words}", self.stage);
        self.observer.tell(News::Note(&line));
        record["stamp"] = STAMP.into();
        self.file
            .write_all(format!("{record}\n").as_bytes())
            .context("cannot write private metrics")
    }
}
