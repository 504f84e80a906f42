//! `albumen dataset`.

use std::path::Path;

use albumen_assets::Home;
use albumen_assets::quickstart::{self, Size};

use crate::args::{DatasetArgs, DatasetKind};
use albumen_run::{Pseudo, pseudo};

use crate::command::read_config;
use crate::failure::Outcome;
use crate::progress::{say, terminal};

/// The seed of the quickstart corpus: the same tree on every machine.
const QUICKSTART_SEED: u64 = 0;

/// Runs `albumen dataset`.
pub(crate) fn dataset(args: &DatasetArgs) -> Outcome {
    match &args.which {
        DatasetKind::Quickstart {
            out,
            albums,
            owners,
        } => quickstart(
            out,
            Size {
                albums: *albums,
                owners: *owners,
            },
        ),
        DatasetKind::Pseudo {
            out,
            albums,
            preamble,
            config,
            model,
            seed,
        } => {
            let config = config.as_deref().map(read_config).transpose()?;
            let what = Pseudo {
                out,
                albums: *albums,
                preamble,
                corpus: config.as_ref().map(|c| c.corpus.path.as_path()),
                model: &model.as_str().into(),
                seed: *seed,
            };
            pseudo(&what, &terminal())?;
            say(&format!("pseudo albums: {}", out.display()));
            Ok(())
        }
    }
}

fn quickstart(out: &Path, size: Size) -> Outcome {
    let made = quickstart::write(&Home::locate()?, out, size, QUICKSTART_SEED)?;
    let verb = if made.was_there {
        "is there"
    } else {
        "written"
    };
    say(&format!(
        "{}: {verb}: {} albums of {} owners, {} photos ({} different ones)",
        out.display(),
        made.size.albums,
        made.size.owners,
        made.photos,
        made.distinct_photos
    ));
    Ok(())
}
