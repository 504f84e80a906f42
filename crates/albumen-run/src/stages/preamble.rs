//! The fixed public text before everything that the models read and write.

use std::path::Path;

use albumen_lm::AnyPrefix;
use albumen_lm::tokenizer::Tokenizer;
use albumen_schema::preamble::{self, PreambleAlbum};
use albumen_train::{Model, read_public};
use anyhow::{Context, ensure};

use crate::models::LanguageModel;
use crate::runner::Runner;
use albumen_files::sha256_of_file;

/// The input of a stage's manifest that is the preamble's file.
const ALBUMS: &str = "preamble";

/// The albums of a preamble as `train.preamble` names it; none where there is none.
pub(crate) fn albums(preamble: &str) -> anyhow::Result<Vec<PreambleAlbum>> {
    if preamble == "builtin" {
        return Ok(preamble::builtin());
    }
    let Some(path) = preamble.strip_prefix("path:") else {
        return Ok(Vec::new());
    };
    let units = read_public(Path::new(path)).context("the preamble")?;
    let albums = units.into_iter().flatten().map(|album| PreambleAlbum {
        summary: album.summary,
        captions: album.captions,
    });
    Ok(albums.collect())
}

/// The tokens that stand before a model's text; none where there is no preamble.
pub(crate) fn tokens(
    preamble: &str,
    model: Model,
    tokenizer: &Tokenizer,
) -> anyhow::Result<Vec<u32>> {
    let albums = albums(preamble)?;
    let parts = match model {
        Model::Summary => preamble::summary_parts(&albums),
        Model::Caption => preamble::caption_parts(&albums),
        Model::Album => preamble::album_parts(&albums),
    };
    Ok(tokenizer.encode_examples(&parts)?)
}

/// The keys and values of a preamble, computed once and by the frozen model alone; none where there
/// is no preamble.
pub(crate) fn prefix(
    preamble: &str,
    model: Model,
    language: &LanguageModel,
) -> anyhow::Result<Option<AnyPrefix>> {
    let tokens = tokens(preamble, model, &language.tokenizer)?;
    if tokens.is_empty() {
        return Ok(None);
    }
    Ok(Some(language.lm.prefix(None, &tokens)?))
}

impl Runner {
    /// What stands before a model's text.
    pub(super) fn preamble(
        &self,
        model: Model,
        language: &LanguageModel,
    ) -> anyhow::Result<Option<AnyPrefix>> {
        prefix(&self.config.train.preamble, model, language)
    }

    /// The preamble's file as an input of the stages that read it.
    pub(crate) fn preamble_file(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let Some(path) = self.config.train.preamble_file() else {
            return Ok(Vec::new());
        };
        ensure!(
            path.is_file(),
            "the preamble {} is not there\n  hint: check `train.preamble`",
            path.display()
        );
        Ok(vec![(ALBUMS, sha256_of_file(path)?)])
    }
}
