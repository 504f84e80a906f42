//! What is known of a model without asking a network.

use albumen_models::{Found, Kind, Known, Place};
use albumen_names::{HubModel, ModelName, Source};

use super::Models;

/// A model that is there, or one that is yet to be fetched.
pub(crate) enum Look {
    /// Its files are there, or a server has it.
    There(Found),
    /// On the hub, and not in the cache.
    ToFetch {
        /// What is to be fetched.
        model: HubModel,
        /// Its published shape, where it is known.
        known: Option<Known>,
    },
}

impl Look {
    /// Its public name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::There(found) => &found.name,
            Self::ToFetch { model, .. } => &model.repository,
        }
    }

    /// What it is for, where that can be known.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Self::There(found) => found.kind(),
            Self::ToFetch { known, .. } => known.as_ref()?.architecture().map(|a| a.kind),
        }
    }

    /// Whether a server has it.
    pub(crate) fn is_endpoint(&self) -> bool {
        matches!(self, Self::There(found) if matches!(found.place, Place::Endpoint))
    }

    /// Fails where it is known to be of none of these kinds.
    pub(crate) fn require(&self, wanted: &[Kind], key: &str) -> anyhow::Result<()> {
        match self {
            Self::There(found) => Ok(found.require(wanted, key)?),
            Self::ToFetch { known, model } => {
                let found = known.as_ref().and_then(Known::architecture);
                Ok(albumen_models::require(
                    found,
                    &model.repository,
                    wanted,
                    key,
                )?)
            }
        }
    }
}

impl Models {
    /// What is known of the model of this name. Nothing is fetched.
    pub(crate) fn look(&self, name: &ModelName) -> anyhow::Result<Look> {
        let Ok(Source::Hub(model)) = name.source() else {
            return self.find(name).map(Look::There);
        };
        Ok(match in_cache(model)? {
            Some(found) => Look::There(found),
            None => Look::ToFetch {
                known: known(model),
                model: model.clone(),
            },
        })
    }
}

/// The published shape; of a GGUF file it says nothing.
fn known(model: &HubModel) -> Option<Known> {
    match model.file {
        Some(_) => None,
        None => Known::of(&model.repository),
    }
}

#[cfg(feature = "hub")]
fn in_cache(model: &HubModel) -> anyhow::Result<Option<Found>> {
    let path = albumen_models::Hub::from_env().cached(model);
    Ok(path
        .map(|path| albumen_models::Hub::found(model, path))
        .transpose()?)
}

#[cfg(not(feature = "hub"))]
fn in_cache(model: &HubModel) -> anyhow::Result<Option<Found>> {
    anyhow::bail!(
        "{model}: this build cannot reach the hub\n  hint: build with `--features hub`, or download \
         the model and name it path:"
    )
}
